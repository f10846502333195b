"""Identity: tenants, their people and who is asking.

For now a person shows a bearer token, kept only as a digest; log-in, sessions and rights follow behind the same names.
"""

from core.identity.model import Tenant, Unauthenticated, User, UserNotFound
from core.identity.service import Identity, token_hash

__all__ = ["Identity", "Tenant", "Unauthenticated", "User", "UserNotFound", "token_hash"]
