"""Tenants and their people in memory."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows
from core.identity import PhoneTaken, Tenant, User, UserNotFound
from core.kernel.errors import NotFound


def _people() -> Rows[User]:
    reached_by = Index[User](
        lambda user: (user.phone,) if user.active and user.phone is not None else (), lambda _: PhoneTaken()
    )
    return Rows("user", {"phone": reached_by})


@define
class MemoryDirectory:
    """`core.identity.ports.Directory`."""

    _steps: Steps
    _tenants: dict[str, Tenant] = field(factory=dict)
    people: Rows[User] = field(factory=_people)

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""

        def found() -> Tenant:
            known = self._tenants.get(tenant)
            if known is None:
                msg = f"there is no tenant {tenant}"
                raise NotFound(msg)
            return known

        return await self._steps("directory.tenant", found)

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants by name."""
        return await self._steps(
            "directory.tenants", lambda: sorted(self._tenants.values(), key=lambda tenant: (tenant.name, tenant.id))
        )

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""

        def found() -> User:
            known = self.people.get((tenant, user_id))
            if known is None:
                raise UserNotFound(user_id)
            return known

        return await self._steps("directory.user", found)

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""

        def found() -> list[User]:
            people = [each for each in self.people.of(tenant) if role in (None, each.role)]
            return sorted(people, key=lambda user: (user.name, user.id))

        return await self._steps("directory.users", found)

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, or None."""
        return await self._steps(
            "directory.bearer",
            lambda: next((user for user in self.people.all() if user.token_hash == token_hash), None),
        )

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        await self._steps("directory.enrol", lambda: self.put(tenant, users))

    def put(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store them at once, for a transaction that commits; raise `PhoneTaken`."""
        self._tenants[tenant.id] = tenant
        for user in users:
            known = self.people.get((tenant.id, user.id))
            if user.active and user.phone is not None:
                having = self.people.having("phone", tenant.id, user.phone)
                if any(other.id != user.id for other in having):
                    raise PhoneTaken
            self.people.put(evolve(user, version=known.version + 1 if known is not None else 1, facts=()))

    def everybody(self) -> Sequence[User]:
        """Return the people of all tenants."""
        return list(self.people.all())
