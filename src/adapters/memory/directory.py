"""Tenants and their people in memory."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from adapters.memory.pauses import Steps
from core.identity import Tenant, User, UserNotFound
from core.kernel.errors import NotFound


@define
class MemoryDirectory:
    """`core.identity.ports.Directory`."""

    _steps: Steps
    _tenants: dict[str, Tenant] = field(factory=dict)
    _users: dict[tuple[str, str], User] = field(factory=dict)

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""

        def found() -> Tenant:
            known = self._tenants.get(tenant)
            if known is None:
                msg = f"there is no tenant {tenant}"
                raise NotFound(msg)
            return known

        return await self._steps("directory.tenant", found)

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""

        def found() -> User:
            known = self._users.get((tenant, user_id))
            if known is None:
                raise UserNotFound(user_id)
            return known

        return await self._steps("directory.user", found)

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""

        def found() -> list[User]:
            people = [each for each in self._users.values() if each.tenant == tenant and role in (None, each.role)]
            return sorted(people, key=lambda user: (user.name, user.id))

        return await self._steps("directory.users", found)

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, or None."""
        return await self._steps(
            "directory.bearer",
            lambda: next((user for user in self._users.values() if user.token_hash == token_hash), None),
        )

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        await self._steps("directory.enrol", lambda: self.put(tenant, users))

    def put(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store them at once, for a transaction that commits."""
        self._tenants[tenant.id] = tenant
        self._users.update({(tenant.id, user.id): user for user in users})

    def everybody(self) -> Sequence[User]:
        """Return the people of all tenants."""
        return list(self._users.values())
