"""Secrets, identifiers, unguessable links, signed tokens and passwords, from the operating system's randomness."""

from adapters.crypto.access import SignedTokens
from adapters.crypto.digests import derived_key, keyed_digest, new_code
from adapters.crypto.passwords import Argon2Passwords
from adapters.crypto.tokens import link_token, new_bearer, new_id
from adapters.crypto.totp import AuthenticatorApp
from adapters.crypto.vault import Unsealable, Vault

__all__ = [
    "Argon2Passwords",
    "AuthenticatorApp",
    "SignedTokens",
    "Unsealable",
    "Vault",
    "derived_key",
    "keyed_digest",
    "link_token",
    "new_bearer",
    "new_code",
    "new_id",
]
