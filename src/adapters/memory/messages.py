"""The inbox and its batches in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define, field, frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Rows, Staged
from core.kernel.errors import Unavailable
from core.messaging import Batch, BatchNotFound, InboundMessage, StatusReport


def batch_rows() -> Rows[Batch]:
    """Return an empty table of batches."""
    return Rows("batch", {})


@define
class Received:
    """A stored message: its place in the order of arrival, and its batch once it has one."""

    seq: int
    message: InboundMessage
    batch_id: str | None = None


@define
class InboxRows:
    """Everything that providers delivered, as committed.

    `claimed` are messages that an open transaction is gathering: others leave them to it, as SKIP LOCKED would.
    """

    _events: set[tuple[str, str, str]] = field(factory=set)
    _received: dict[str, Received] = field(factory=dict)
    _waiting: dict[tuple[str, str], dict[str, Received]] = field(factory=dict)
    _batches: dict[tuple[str, str], list[Received]] = field(factory=dict)
    _reports: list[StatusReport] = field(factory=list)
    claimed: set[str] = field(factory=set)

    def add(self, messages: Sequence[InboundMessage]) -> frozenset[str]:
        """Store the messages whose event is new and return their ids."""
        new: set[str] = set()
        for message in messages:
            event = (message.tenant, message.source, message.event_id)
            if event in self._events:
                continue
            self._events.add(event)
            new.add(message.id)
            received = Received(len(self._received), message)
            self._received[message.id] = received
            self._waiting.setdefault((message.tenant, message.sender.thread), {})[message.id] = received
        return frozenset(new)

    def add_report(self, report: StatusReport) -> None:
        self._events.add(event_of(report))
        self._reports.append(report)

    def knows(self, report: StatusReport) -> bool:
        return event_of(report) in self._events

    def knows_any(self, tenant: str, source: str, event_ids: Sequence[str]) -> bool:
        return any((tenant, source, event_id) in self._events for event_id in event_ids)

    def waiting(self, tenant: str, thread: str, *, up_to: str) -> list[Received]:
        """Return the thread's messages in no batch that arrived no later than one, in the order of arrival."""
        last = self._received.get(up_to)
        if last is None:
            return []
        return [each for each in self._waiting.get((tenant, thread), {}).values() if each.seq <= last.seq]

    def forgotten(self, *, before: datetime, limit: int) -> list[tuple[str, str, str]]:
        found = [
            (tenant, thread, list(messages)[-1])
            for (tenant, thread), messages in self._waiting.items()
            if any(each.message.received_at < before for each in messages.values())
        ]
        return found[:limit]

    def put_into(self, batch_id: str, received: Received) -> None:
        message = received.message
        thread = (message.tenant, message.sender.thread)
        received.batch_id = batch_id
        del self._waiting[thread][message.id]
        if not self._waiting[thread]:
            del self._waiting[thread]
        self._batches.setdefault((message.tenant, batch_id), []).append(received)

    def in_batch(self, tenant: str, batch_id: str) -> list[Received]:
        """Return the messages of a batch in the order of arrival."""
        return self._batches.get((tenant, batch_id), [])

    def all(self) -> list[Received]:
        return list(self._received.values())


def event_of(report: StatusReport) -> tuple[str, str, str]:
    return report.tenant, report.source, report.event_id


@define
class StagedInbox:
    """What one transaction does to the inbox."""

    _rows: InboxRows
    _gathered: list[tuple[str, Received]] = field(factory=list)
    _reports: list[StatusReport] = field(factory=list)

    def note(self, reports: Sequence[StatusReport]) -> list[StatusReport]:
        """Stage the reports that nobody knows and return them."""
        known = {event_of(report) for report in self._reports}
        fresh: list[StatusReport] = []
        for report in reports:
            if not self._rows.knows(report) and event_of(report) not in known:
                known.add(event_of(report))
                fresh.append(report)
        self._reports += fresh
        return fresh

    def gather(self, tenant: str, thread: str, *, batch_id: str, up_to: str, limit: int) -> list[InboundMessage]:
        """Claim what waits in the thread and return it."""
        mine = [
            each
            for each in self._rows.waiting(tenant, thread, up_to=up_to)
            if each.message.id not in self._rows.claimed
        ][:limit]
        self._rows.claimed.update(each.message.id for each in mine)
        self._gathered += [(batch_id, each) for each in mine]
        return [each.message for each in mine]

    def check(self) -> None:
        """Raise `Unavailable` if another transaction stored one of the reports first: ask again, then it is known."""
        if any(self._rows.knows(report) for report in self._reports):
            msg = "another transaction stored the same report"
            raise Unavailable(msg)

    def apply(self) -> None:
        for batch_id, received in self._gathered:
            self._rows.put_into(batch_id, received)
        for report in self._reports:
            self._rows.add_report(report)

    def release(self) -> None:
        """Give up what was claimed; after a commit it is in its batch."""
        self._rows.claimed.difference_update(received.message.id for _, received in self._gathered)


@frozen
class MemoryInbox:
    """`core.messaging.ports.Inbox`."""

    _rows: InboxRows
    _steps: Steps

    async def receive(self, messages: Sequence[InboundMessage]) -> frozenset[str]:
        """Store the messages, all or none, and return the ids of the new ones."""
        return await self._steps("inbox.receive", lambda: self._rows.add(messages))

    async def knows(self, tenant: str, source: str, event_ids: Sequence[str]) -> bool:
        """Say whether one of the events is stored."""
        return await self._steps("inbox.knows", lambda: self._rows.knows_any(tenant, source, event_ids))

    async def forgotten(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str, str]]:
        """Return (tenant, thread, newest message id) of threads with a message that no batch took in time."""
        return await self._steps("inbox.forgotten", lambda: self._rows.forgotten(before=before, limit=limit))


@frozen
class MemoryMessages:
    """`core.messaging.ports.MessageRepository`."""

    _inbox: StagedInbox
    _batches: Staged[Batch]
    _steps: Steps

    async def note(self, reports: Sequence[StatusReport]) -> Sequence[StatusReport]:
        """Store the reports and return the new ones."""
        return await self._steps("messages.note", lambda: self._inbox.note(reports))

    async def gather(
        self, tenant: str, thread: str, *, batch_id: str, up_to: str, limit: int
    ) -> Sequence[InboundMessage]:
        """Put messages of the thread that no batch has, up to one, into the batch."""
        return await self._steps(
            "messages.gather", lambda: self._inbox.gather(tenant, thread, batch_id=batch_id, up_to=up_to, limit=limit)
        )

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """Return the batch; raise `BatchNotFound`."""

        def found() -> Batch:
            batch = self._batches.get(tenant, batch_id)
            if batch is None:
                msg = f"there is no batch {batch_id}"
                raise BatchNotFound(msg)
            return batch

        return await self._steps("messages.get", found)

    async def save(self, batch: Batch) -> Batch:
        """Store the batch and its facts; raise `StaleVersion`."""
        return await self._steps("messages.save", lambda: self._batches.save(batch))
