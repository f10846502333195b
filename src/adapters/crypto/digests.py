"""Keys by purpose, digests under them, and random digits."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable


def derived_key(secret: bytes, purpose: str) -> bytes:
    """Return the 32 bytes that stand for the secret in one purpose; who learns them learns neither it nor the others."""
    return hmac.new(secret, b"cuadrilla:" + purpose.encode(), hashlib.sha256).digest()


def keyed_digest(key: bytes) -> Callable[[str], str]:
    """Return `core.identity.ports.Digest`: HMAC-SHA256 in hexadecimal, for what is short enough to be guessed without the key."""

    def digest(text: str) -> str:
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    return digest


def new_code(digits: int) -> str:
    """Return so many random digits, each number as likely as any other."""
    return f"{secrets.randbelow(10**digits):0{digits}}"
