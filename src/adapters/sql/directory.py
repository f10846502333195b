"""Tenants and their people in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql import tables
from adapters.sql.database import Database
from adapters.sql.errors import Taken
from adapters.sql.row_security import ALL
from adapters.sql.rows import either, replacing
from core.identity import PhoneTaken, Tenant, User, UserNotFound
from core.kernel.errors import NotFound

_TENANTS: Final = tables.tenants
_USERS: Final = tables.users

_TENANT: Final = sa.select(_TENANTS).where(_TENANTS.c.id == sa.bindparam("t"))
_USER: Final = sa.select(_USERS).where(_USERS.c.tenant == sa.bindparam("t"), _USERS.c.id == sa.bindparam("i"))
_BEARER: Final = sa.select(_USERS).where(_USERS.c.token_hash == sa.bindparam("h"))
_PUT_TENANT: Final = replacing(_TENANTS)
_ALL_TENANTS: Final = sa.select(_TENANTS).order_by(_TENANTS.c.name, _TENANTS.c.id)


def _put_user(insert: Any) -> sa.Executable:
    fields = [column.name for column in _USERS.columns if column.name != "version"]
    statement = insert(_USERS).values({name: sa.bindparam(name) for name in fields} | {"version": 1})
    fresh = {name: statement.excluded[name] for name in fields} | {"version": _USERS.c.version + 1}
    put: sa.Executable = statement.on_conflict_do_update(index_elements=["tenant", "id"], set_=fresh)
    return put


_PUT_USER: Final = either(_put_user)


class SqlDirectory:
    """`core.identity.ports.Directory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""
        row = await self._database.first(_TENANT, {"t": tenant}, tenant=tenant)
        if row is None:
            msg = f"there is no tenant {tenant}"
            raise NotFound(msg)
        return _tenant(row)

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants by name."""
        return [_tenant(row) for row in await self._database.rows(_ALL_TENANTS, tenant=ALL)]

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""
        row = await self._database.first(_USER, {"t": tenant, "i": user_id}, tenant=tenant)
        if row is None:
            raise UserNotFound(user_id)
        return person(row)

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""
        query = sa.select(_USERS).where(_USERS.c.tenant == tenant).order_by(_USERS.c.name, _USERS.c.id)
        if role is not None:
            query = query.where(_USERS.c.role == role)
        return [person(row) for row in await self._database.rows(query, tenant=tenant)]

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, or None."""
        row = await self._database.first(_BEARER, {"h": token_hash}, tenant=ALL)
        return None if row is None else person(row)

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        sqlite = self._database.sqlite
        async with self._database.transaction(tenant=tenant.id) as connection:
            row = {"id": tenant.id, "name": tenant.name, "phone": tenant.phone, "zone": tenant.zone}
            await connection.run(_PUT_TENANT(sqlite), row)
            for user in users:
                try:
                    await connection.run(_PUT_USER(sqlite), {"tenant": user.tenant, "id": user.id, **row_of(user)})
                except Taken as taken:
                    raise phone_taken(taken) from taken


def row_of(user: User) -> dict[str, Any]:
    """Return what a row of `users` says of the person, but for its key and version."""
    return {name: getattr(user, name) for name in ("name", "role", "phone", "active", "token_hash")}


def phone_taken(taken: Taken) -> Exception:
    """Return what it means that a promise of `users` would be broken."""
    return PhoneTaken() if taken.constraint == "uq_users_active_phone" else taken


def _tenant(row: Any) -> Tenant:
    return Tenant(id=row.id, name=row.name, phone=row.phone, zone=row.zone)


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
        version=row.version,
    )
