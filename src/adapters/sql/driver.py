"""asyncpg's connection, which says for which tenant it works."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from adapters.sql.row_security import NOBODY, SETTING, Scope, literal

_NOBODY: Final = literal(NOBODY)


class TenantConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg comes without types
    """Work for a tenant: for one transaction at no further round trip, or from now on.

    A connection for which nothing was said works for nobody, and finds no tenant's rows.
    """

    _begins_for: str = _NOBODY
    _stays_for: str | None = _NOBODY

    def begin_for(self, scope: Scope) -> None:
        """Let the next transaction, and no other, be the tenant's."""
        self._begins_for = literal(scope)

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Execute a script; one that begins a transaction says in the same message whose it is."""
        if query.startswith("BEGIN"):
            query = f"{query} SET LOCAL {SETTING} = {self._begins_for}"
            self._begins_for = _NOBODY
        status: str = await super().execute(query, *args, **options)
        return status

    async def stay_for(self, scope: Scope) -> None:
        """Let every statement be the tenant's, until another is named: a round trip, unless it is so already."""
        wanted = literal(scope)
        if wanted != self._stays_for:
            self._stays_for = None
            await self.execute(f"SET {SETTING} = {wanted}")
            self._stays_for = wanted

    def stays_for(self, scope: Scope) -> bool:
        """Say whether statements are the tenant's already."""
        return self._stays_for == literal(scope)

    @property
    def uncertain(self) -> bool:
        """Whether nobody knows for whom it works, because the last change was interrupted."""
        return self._stays_for is None
