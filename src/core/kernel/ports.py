"""Technical needs that two or more contexts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.events import Envelope, Fact

NewId: TypeAlias = Callable[[str], str]
"""Make a new identifier from a kind: `new_id("job")` is `job_` and a random UUID (version 4)."""


@frozen
class Overdue:
    """A fact that was sent and is not finished: which reactions are over, and which wait for a later retry."""

    envelope: Envelope
    settled: frozenset[str]
    waiting: frozenset[str]


class Facts(Protocol):
    """The outbox as a transaction sees it."""

    async def add(self, *facts: Fact) -> None:
        """Store facts that belong to no saved aggregate; they commit or vanish with the transaction."""
        ...


class Outbox(Protocol):
    """Stored facts on their way to reactions, of all tenants: the relay's side."""

    def unsent(self, *, limit: int) -> AbstractAsyncContextManager[Sequence[Envelope]]:
        """Hold up to `limit` facts that were never sent, oldest first; no other holder sees them meanwhile.

        Leaving the block well marks them sent; raising leaves them unsent.
        """
        ...

    def overdue(self, *, at: datetime, lease: timedelta, limit: int) -> AbstractAsyncContextManager[Sequence[Overdue]]:
        """Hold facts that are not finished and were sent longer than `lease` ago or have a retry due.

        Leaving the block well starts a new lease.
        """
        ...

    async def finish(self, fact_ids: Sequence[str]) -> None:
        """Note that nothing is left to do about these facts; `overdue` shows them no more."""
        ...


class Settlements(Protocol):
    """Which reactions to which facts are over: the reactor's side of the outbox."""

    async def get(self, fact_id: str) -> Envelope:
        """Return the fact; raise `NotFound`."""
        ...

    async def settle(self, actor: Actor, *, failure: str | None = None) -> None:
        """Note that the actor's reaction to its fact is over: applied, or given up with the reason; twice changes nothing."""
        ...

    async def postpone(self, actor: Actor, *, failure: str, wait: Callable[[int], timedelta | None]) -> datetime | None:
        """Count a failed attempt and return when the next is due; None, and given up, when `wait` names no more pauses."""
        ...
