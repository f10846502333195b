"""Tenants and their people in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql import tables
from adapters.sql.database import Database
from adapters.sql.rows import replacing
from core.identity import Tenant, User, UserNotFound
from core.kernel.errors import NotFound

_TENANTS: Final = tables.tenants
_USERS: Final = tables.users

_TENANT: Final = sa.select(_TENANTS).where(_TENANTS.c.id == sa.bindparam("t"))
_USER: Final = sa.select(_USERS).where(_USERS.c.tenant == sa.bindparam("t"), _USERS.c.id == sa.bindparam("i"))
_BEARER: Final = sa.select(_USERS).where(_USERS.c.token_hash == sa.bindparam("h"))
_PUT_TENANT: Final = replacing(_TENANTS)
_PUT_USER: Final = replacing(_USERS)


class SqlDirectory:
    """`core.identity.ports.Directory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""
        row = await self._database.first(_TENANT, {"t": tenant})
        if row is None:
            msg = f"there is no tenant {tenant}"
            raise NotFound(msg)
        return Tenant(id=row.id, name=row.name, phone=row.phone, zone=row.zone)

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""
        row = await self._database.first(_USER, {"t": tenant, "i": user_id})
        if row is None:
            raise UserNotFound(user_id)
        return person(row)

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""
        query = sa.select(_USERS).where(_USERS.c.tenant == tenant).order_by(_USERS.c.name, _USERS.c.id)
        if role is not None:
            query = query.where(_USERS.c.role == role)
        return [person(row) for row in await self._database.rows(query)]

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, or None."""
        row = await self._database.first(_BEARER, {"h": token_hash})
        return None if row is None else person(row)

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        sqlite = self._database.sqlite
        async with self._database.transaction() as connection:
            row = {"id": tenant.id, "name": tenant.name, "phone": tenant.phone, "zone": tenant.zone}
            await connection.run(_PUT_TENANT(sqlite), row)
            for user in users:
                await connection.run(
                    _PUT_USER(sqlite), {each.name: getattr(user, each.name) for each in _USERS.columns}
                )


def person(row: Any) -> User:
    """Return the person of a row of `users`."""
    return User(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        role=row.role,
        phone=row.phone,
        active=row.active,
        token_hash=row.token_hash,
    )
