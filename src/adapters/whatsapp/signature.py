"""Who signed a delivery."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def signed_by(body: bytes, header: str | None, secrets: Sequence[str]) -> str | None:
    """Return the app secret that signed the raw body (`X-Hub-Signature-256: sha256=<hex>`), or None.

    Every secret is tried and compared in constant time. Only the bytes as received verify: Meta escapes non-ASCII
    characters, so a body that was parsed and written again does not.
    """
    if header is None or not header.isascii() or not header.startswith("sha256="):
        return None
    given = header.removeprefix("sha256=").strip()
    found = None
    for secret in secrets:
        if hmac.compare_digest(given, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()):
            found = secret
    return found
