"""Secrets, identifiers and unguessable links, from the operating system's randomness."""

from adapters.crypto.tokens import link_token, new_bearer, new_id
from adapters.crypto.vault import Unsealable, Vault

__all__ = ["Unsealable", "Vault", "link_token", "new_bearer", "new_id"]
