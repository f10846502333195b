"""Access tokens: JSON Web Tokens (RFC 7519, RFC 9068) under HMAC-SHA256, with keys that turn."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import jwt
from attrs import field, frozen

from adapters.crypto.digests import derived_key
from core.identity import Unauthenticated
from core.identity.model import Claims

ALGORITHM: Final = "HS256"
TYPE: Final = "at+jwt"
ISSUER: Final = "cuadrilla"
AUDIENCE: Final = "cuadrilla-api"
REMEMBERED: Final = 10_000
"""Tokens that a process remembers at most."""
AHEAD: Final = timedelta(seconds=60)
"""By how much the clock of the process that signed may be before ours."""

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{1,256}\.[A-Za-z0-9_-]{1,1500}\.[A-Za-z0-9_-]{43}\Z")
_CLAIMS: Final = frozenset({"iss", "aud", "sub", "tid", "sid", "iat", "exp"})
# The instants are compared here, with the clock that is handed in.
_OPTIONS: Final[Any] = {"require": sorted(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}


@frozen
class SignedTokens:
    """`core.identity.ports.AccessTokens`. Signs with the first key and reads with any; a token names the key, never the algorithm."""

    _keys: Mapping[str, bytes] = field(repr=False)
    _first: str
    _read: dict[str, Claims] = field(factory=dict, init=False, repr=False)
    """What tokens say whose signature was found right; whether they still count is asked each time."""

    @classmethod
    def from_secrets(cls, secrets: Sequence[bytes]) -> Self:
        """Take the key of each secret, the newest first; an old one is left out once the life of a token has passed."""
        keys = [derived_key(secret, "access-token") for secret in secrets]
        named = {hashlib.sha256(key).hexdigest()[:12]: key for key in keys}
        return cls(named, next(iter(named)))

    def issue(self, claims: Claims) -> str:
        """Return the token that says so."""
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "tid": claims.tenant,
            "sid": claims.session_id,
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        headers = {"kid": self._first, "typ": TYPE}
        return jwt.encode(payload, self._keys[self._first], algorithm=ALGORITHM, headers=headers)

    def read(self, token: str, *, at: datetime) -> Claims:
        """Return what a token of ours says that counts at the instant; raise `Unauthenticated`."""
        known = self._read.get(token)
        if known is not None:
            return _counting(known, at)
        if not _SHAPE.match(token) or not _is_written_one_way(token.rpartition(".")[2]):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != TYPE:
                raise Unauthenticated
            key = self._keys[header["kid"]]
            said = jwt.decode(token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS)
            claims = _counting(_claims(said), at)
        except Unauthenticated:
            raise
        except Exception as broken:  # whatever a stranger's text does to a parser, they are a stranger
            raise Unauthenticated from broken
        if len(self._read) >= REMEMBERED:
            self._read.clear()
        self._read[token] = claims
        return claims


def _counting(claims: Claims, at: datetime) -> Claims:
    if at >= claims.expires_at or claims.issued_at > at + AHEAD:
        raise Unauthenticated
    return claims


def _claims(said: Mapping[str, Any]) -> Claims:
    names = [said[name] for name in ("iss", "aud", "tid", "sub", "sid")]
    seconds = [said["iat"], said["exp"]]
    if said.keys() != _CLAIMS or not all(type(name) is str and name for name in names):
        raise Unauthenticated
    if not all(type(second) is int for second in seconds):
        raise Unauthenticated
    issued_at, expires_at = (datetime.fromtimestamp(second, UTC) for second in seconds)
    _, _, tenant, user_id, session_id = names
    return Claims(tenant=tenant, user_id=user_id, session_id=session_id, issued_at=issued_at, expires_at=expires_at)


def _is_written_one_way(signature: str) -> bool:
    """Say whether the unused bits of the last letter are zero: one token shall not have four spellings."""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(signature + "=")).rstrip(b"=").decode() == signature
