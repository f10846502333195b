"""Credentials at rest: AES-256-GCM, bound to what they belong to."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Final, Self

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.kernel.errors import CuadrillaError, Invalid

_KEY: Final = 32
_NONCE: Final = 12
"""Bytes of a random nonce; NIST SP 800-38D allows 2**32 messages under one key with it."""


class Unsealable(CuadrillaError):
    """What is stored was sealed with a key we do not have, for another place, or was changed."""

    code = "unsealable"


@frozen
class Vault:
    """Seals with the first key and unseals with any; what is sealed says which key it needs."""

    _keys: Mapping[str, AESGCM] = field(repr=False)
    _first: str

    @classmethod
    def from_setting(cls, text: str) -> Self:
        """Read `id:base64key,...`, keys of 32 bytes; the first seals. Raise `Invalid`, which shows no key."""
        keys: dict[str, AESGCM] = {}
        for entry in filter(None, map(str.strip, text.split(","))):
            name, _, key = entry.partition(":")
            try:
                raw = base64.b64decode(key, validate=True)
            except binascii.Error:
                raw = b""
            if not name or len(raw) != _KEY or name in keys:
                msg = "encryption keys are written id:base64, 32 bytes each, every id once"
                raise Invalid(msg, field="CUADRILLA_ENCRYPTION_KEYS")
            keys[name] = AESGCM(raw)
        if not keys:
            msg = "there is no encryption key"
            raise Invalid(msg, field="CUADRILLA_ENCRYPTION_KEYS")
        return cls(keys, next(iter(keys)))

    @property
    def names(self) -> tuple[str, ...]:
        """What the keys are called; the first seals."""
        return tuple(self._keys)

    def seal(self, plaintext: bytes, about: bytes) -> bytes:
        """Encrypt the bytes for one place only: `about` (table, field and row) must be the same to unseal."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._keys[self._first].encrypt(nonce, plaintext, about)
        return self._first.encode() + b":" + nonce + sealed

    def unseal(self, sealed: bytes, about: bytes) -> bytes:
        """Decrypt what `seal` returned; raise `Unsealable`."""
        name, _, rest = sealed.partition(b":")
        key = self._keys.get(name.decode(errors="replace"))
        if key is None:
            msg = "sealed with a key that is not in CUADRILLA_ENCRYPTION_KEYS"
            raise Unsealable(msg)
        try:
            return key.decrypt(rest[:_NONCE], rest[_NONCE:], about)
        except (InvalidTag, ValueError) as wrong:
            msg = "the sealed bytes were changed or belong elsewhere"
            raise Unsealable(msg) from wrong
