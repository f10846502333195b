"""What identity needs from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.identity.model import Tenant, User


class Directory(Protocol):
    """Tenants and their people."""

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""
        ...

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound` if this tenant has none by that id."""
        ...

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""
        ...

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, of whichever tenant, or None."""
        ...

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        ...
