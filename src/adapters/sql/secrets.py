"""Tenants' credentials, sealed for their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.rows import replacing
from adapters.sql.tables import credentials
from core.kernel.time import Clock

_ONE: Final = sa.select(credentials).where(
    credentials.c.tenant == sa.bindparam("t"), credentials.c.purpose == sa.bindparam("p")
)
_PUT: Final = replacing(credentials)


class SqlSecrets:
    """Small maps of text by tenant and purpose, encrypted; the label says in the clear what they are."""

    def __init__(
        self,
        database: Database,
        *,
        seal: Callable[[bytes, bytes], bytes],
        unseal: Callable[[bytes, bytes], bytes],
        clock: Clock,
    ) -> None:
        self._database, self._seal, self._unseal, self._clock = database, seal, unseal, clock

    async def get(self, tenant: str, purpose: str) -> Mapping[str, str] | None:
        """Return the credentials, or None."""
        row = await self._database.first(_ONE, {"t": tenant, "p": purpose})
        return None if row is None else self._opened(row)

    async def put(self, tenant: str, purpose: str, values: Mapping[str, str], label: str) -> None:
        """Store the credentials in place of what was there."""
        row = {
            "tenant": tenant,
            "purpose": purpose,
            "label": label,
            "sealed": self._seal(msgspec.json.encode(dict(values)), _place(tenant, purpose)),
            "updated_at": self._clock(),
        }
        await self._database.change(_PUT(self._database.sqlite), row)

    async def all(self, purpose_prefix: str) -> Sequence[tuple[str, str, Mapping[str, str]]]:
        """Return (tenant, purpose, values) of every tenant's credentials for purposes that begin so."""
        rows = await self._database.rows(
            sa.select(credentials)
            .where(credentials.c.purpose.startswith(purpose_prefix, autoescape=True))
            .order_by(credentials.c.tenant, credentials.c.purpose)
        )
        return [(row.tenant, row.purpose, self._opened(row)) for row in rows]

    def _opened(self, row: Any) -> Mapping[str, str]:
        opened = self._unseal(row.sealed, _place(row.tenant, row.purpose))
        return msgspec.json.decode(opened, type=dict[str, str])


def _place(tenant: str, purpose: str) -> bytes:
    return f"{tenant}:{purpose}".encode()
