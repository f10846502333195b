"""AFIP's access tickets, sealed, and the right to renew them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.row_security import NOBODY
from adapters.sql.rows import either, replacing
from adapters.sql.sealing import Sealing, place
from adapters.sql.tables import leases, tickets
from core.kernel.errors import Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock

_ONE: Final = sa.select(tickets.c.sealed).where(tickets.c.key == sa.bindparam("k"))
_SAVE: Final = replacing(tickets)


def _lease(insert: Any) -> sa.Executable:
    statement = insert(leases).values({name: sa.bindparam(name) for name in ("name", "owner", "until")})
    taken: sa.Executable = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": statement.excluded.owner, "until": statement.excluded.until},
        where=leases.c.until <= sa.bindparam("now", type_=leases.c.until.type),
    ).returning(leases.c.owner)
    return taken


_LEASE: Final = either(_lease)


class SqlTickets:
    """What the AFIP adapter keeps between calls and between processes."""

    def __init__(self, database: Database, sealing: Sealing, *, clock: Clock, new_id: NewId) -> None:
        self._database, self._sealing, self._clock, self._new_id = database, sealing, clock, new_id

    async def load(self, key: str) -> str | None:
        """Return the text kept under the key, or None."""
        row = await self._database.first(_ONE, {"k": key}, tenant=NOBODY)
        return None if row is None else self._sealing.unseal(row.sealed, place(tickets.c.sealed, key)).decode()

    async def save(self, key: str, text: str) -> None:
        """Keep the text under the key, in place of what was there."""
        row = {"key": key, "sealed": self._sealing.seal(text.encode(), place(tickets.c.sealed, key))}
        await self._database.change(_SAVE(self._database.sqlite), row, tenant=NOBODY)

    @contextlib.asynccontextmanager
    async def renewing(self, key: str, *, seconds: float) -> AsyncIterator[bool]:
        """Hold the right to renew, for at most so long: True for one holder at a time, among all processes."""
        owner, now = self._new_id("lease"), self._clock()
        lease = {"name": key, "owner": owner, "until": now + timedelta(seconds=seconds), "now": now}
        ours = bool(await self._database.change(_LEASE(self._database.sqlite), lease, tenant=NOBODY))
        try:
            yield ours
        finally:
            if ours:
                with contextlib.suppress(Unavailable):  # it ends by itself
                    await self._database.change(
                        sa.delete(leases).where(leases.c.name == key, leases.c.owner == owner), tenant=NOBODY
                    )
