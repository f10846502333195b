"""What can be asked of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from core.identity.ports import AuditLog
from core.kernel.actor import Actor
from core.kernel.events import Envelope


@frozen
class Audit:
    """Who was let in, who was not, and what changed about that."""

    _log: AuditLog

    async def read(
        self, *, actor: Actor, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Envelope], str | None]:
        """Return a page of the tenant's log, the newest first."""
        actor.must("audit.read")
        return await self._log.page(actor.tenant, limit=limit, cursor=cursor)
