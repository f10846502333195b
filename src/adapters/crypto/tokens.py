"""Identifiers and tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable


def new_id(kind: str) -> str:
    """Return the kind and a random UUID (version 4): `job_0b9e...`."""
    return f"{kind}_{uuid.uuid4()}"


def new_bearer() -> str:
    """Return a bearer token of 256 random bits."""
    return secrets.token_urlsafe(32)


def link_token(secret: bytes) -> Callable[[str], str]:
    """Return a function that derives the token of a tracking link from its session's id.

    128 bits of HMAC-SHA256 under the secret, 22 characters: the same id gives the same token, so it need not be stored,
    and nobody without the secret can guess it.
    """

    def token_for(session_id: str) -> str:
        digest = hmac.new(secret, b"track:" + session_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()

    return token_for
