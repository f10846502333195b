"""What messaging needs from the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol, TypeAlias

from core.kernel.actor import Actor
from core.kernel.ports import Facts
from core.messaging.aggregation import Signal, Window
from core.messaging.model import Batch, InboundMessage, StatusReport, Understanding


class Inbox(Protocol):
    """Everything that providers deliver, each event once, stored before the delivery is answered."""

    async def receive(self, messages: Sequence[InboundMessage]) -> frozenset[str]:
        """Store the messages, all or none, and return the ids of those whose event was not known before.

        They are durable when this returns. All must belong to one tenant.
        """
        ...

    async def knows(self, tenant: str, source: str, event_ids: Sequence[str]) -> bool:
        """Say whether one of these events of the source, a message or a report, is stored."""
        ...

    async def forgotten(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str, str]]:
        """Return (tenant, thread, newest message id) of threads with a message received before the instant and in no batch."""
        ...


class MessageRepository(Protocol):
    """Messages and their batches inside a transaction."""

    async def note(self, reports: Sequence[StatusReport]) -> Sequence[StatusReport]:
        """Store reports of one tenant and return those whose event was not known before."""
        ...

    async def gather(
        self, tenant: str, thread: str, *, batch_id: str, up_to: str, limit: int
    ) -> Sequence[InboundMessage]:
        """Put messages of the thread that are in no batch and not received after `up_to` into the batch, and return them.

        Up to `limit` of them, the first received first.

        A message that another transaction gathers at the same time goes to one of the two batches, never to both.
        """
        ...

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """Return the batch; raise `BatchNotFound`."""
        ...

    async def save(self, batch: Batch) -> Batch:
        """Store the batch and its facts and return it as the next version; raise `StaleVersion`."""
        ...


class MessageTransaction(Protocol):
    """A tenant's transaction over messages."""

    @property
    def messages(self) -> MessageRepository: ...

    @property
    def facts(self) -> Facts: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[MessageTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class MessageBuffer(Protocol):
    """Open windows, shared by all processes; may forget everything at any time, which costs delay and nothing else."""

    async def add(self, *, tenant: str, thread: str, message_id: str, signal: Signal, at: datetime) -> Window:
        """Add a fragment to its thread's window, opening one if none is open, and return it as it is now.

        Atomic among all callers; a fragment that the window has already changes nothing. Raise `Unavailable`.
        """
        ...

    async def take_due(self, *, at: datetime, limit: int) -> Sequence[Window]:
        """Remove and return windows that close at or before the instant; each goes to one caller only. Raise `Unavailable`."""
        ...


class LanguageModel(Protocol):
    """Reads Spanish and English as people write it."""

    async def understand(self, text: str, *, today: date) -> Understanding:
        """Return what the text asks for; `today` is the day in the reader's zone. Raise `Unavailable`."""
        ...
