"""Tenants' credentials, sealed for their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.sealing import Sealing, key_id, place
from adapters.sql.tables import credentials
from core.identity import KeptCredential

_ONE: Final = sa.select(credentials).where(
    credentials.c.tenant == sa.bindparam("t"), credentials.c.purpose == sa.bindparam("p")
)
_KEPT: Final = sa.select(credentials).where(credentials.c.tenant == sa.bindparam("t")).order_by(credentials.c.purpose)


class SqlSecrets:
    """Small maps of text by tenant and purpose, and `core.identity.ports.CredentialReader`; transactions write them."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._database, self._sealing = database, sealing

    async def get(self, tenant: str, purpose: str) -> Mapping[str, str] | None:
        """Return the credentials, or None."""
        row = await self._database.first(_ONE, {"t": tenant, "p": purpose}, tenant=tenant)
        return None if row is None else self._opened(row)

    async def all(self, purpose_prefix: str) -> Sequence[tuple[str, str, Mapping[str, str]]]:
        """Return (tenant, purpose, values) of every tenant's credentials for purposes that begin so."""
        rows = await self._database.rows(
            sa.select(credentials)
            .where(credentials.c.purpose.startswith(purpose_prefix, autoescape=True))
            .order_by(credentials.c.tenant, credentials.c.purpose),
            tenant=ALL,
        )
        return [(row.tenant, row.purpose, self._opened(row)) for row in rows]

    async def kept(self, tenant: str) -> Sequence[KeptCredential]:
        """Return which credentials the tenant has, by purpose."""
        return [
            KeptCredential(
                tenant=row.tenant,
                purpose=row.purpose,
                label=row.label,
                key_id=key_id(row.sealed),
                updated_at=row.updated_at,
            )
            for row in await self._database.rows(_KEPT, {"t": tenant}, tenant=tenant)
        ]

    def _opened(self, row: Any) -> Mapping[str, str]:
        opened = self._sealing.unseal(row.sealed, place(credentials.c.sealed, row.tenant, row.purpose))
        return msgspec.json.decode(opened, type=dict[str, str])
