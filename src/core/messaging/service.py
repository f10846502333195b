"""What can be asked of messaging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import groupby

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock
from core.messaging.aggregation import AggregationRules, Window
from core.messaging.events import DeliveryReported
from core.messaging.model import Batch, InboundMessage, StatusReport
from core.messaging.ports import Begin, Inbox, LanguageModel, MessageBuffer

LocalDay = Callable[[datetime], date]
"""The calendar day of an instant where the tenants live."""


@frozen
class Messaging:
    """Messages of all tenants, from the provider's delivery to what they ask for."""

    _begin: Begin
    _inbox: Inbox
    _buffer: MessageBuffer
    _model: LanguageModel
    _local_day: LocalDay
    _clock: Clock
    _new_id: NewId
    _rules: AggregationRules = AggregationRules()

    async def receive(self, messages: Sequence[InboundMessage]) -> int:
        """Keep the messages of one delivery and return how many were new.

        They are in the database when this returns, so the provider may be answered. A message whose event is known changes
        nothing. If the buffer does not answer, the text is not waited for: it is a batch at once.
        """
        new = 0
        for _, of_tenant in groupby(sorted(messages, key=lambda m: m.tenant), key=lambda m: m.tenant):
            delivered = list(of_tenant)
            fresh = await self._inbox.receive(delivered)
            new += len(fresh)
            for message in delivered:
                if message.id in fresh:
                    await self._buffer_or_close(message)
        return new

    async def _buffer_or_close(self, message: InboundMessage) -> None:
        try:
            await self._buffer.add(
                tenant=message.tenant,
                thread=message.sender.thread,
                message_id=message.id,
                signal=self._rules.read(message.text),
                at=message.received_at,
            )
        except Unavailable:
            await self._close(message.tenant, message.sender.thread, up_to=message.id, reason="immediate")

    async def note(self, reports: Sequence[StatusReport]) -> int:
        """Keep what providers say of our messages, each report once, and return how many were new."""
        new = 0
        for tenant, of_tenant in groupby(sorted(reports, key=lambda r: r.tenant), key=lambda r: r.tenant):
            async with self._begin(self._provider(tenant)) as tx:
                fresh = await tx.messages.note(list(of_tenant))
                new += len(fresh)
                await tx.facts.add(
                    *(
                        DeliveryReported(
                            tenant=report.tenant,
                            at=report.at,
                            provider_id=report.provider_id,
                            status=report.status,
                            reference=report.reference,
                            error_code=report.error_code,
                            error_text=report.error_text,
                        )
                        for report in fresh
                    )
                )
        return new

    async def close_due(self, *, limit: int = 100) -> int:
        """Close the windows whose time has come, whoever opened them, and return how many there were."""
        windows = await self._buffer.take_due(at=self._clock(), limit=limit)
        for window in windows:
            await self._close_window(window)
        return len(windows)

    async def sweep(self, *, limit: int = 100) -> int:
        """Gather messages that no window remembers (their buffer vanished) and return how many threads had any."""
        before = self._clock() - self._rules.window - self._rules.patience
        threads = await self._inbox.forgotten(before=before, limit=limit)
        for tenant, thread, newest in threads:
            await self._close(tenant, thread, up_to=newest, reason="timeout")
        return len(threads)

    async def understand(self, *, actor: Actor, batch_id: str) -> Batch:
        """Ask the language model what a batch's text wants, and keep the answer."""
        async with self._begin(actor.unsettled()) as tx:
            batch = await tx.messages.get(actor.tenant, batch_id)
        understanding = await self._model.understand(batch.text, today=self._local_day(batch.closed_at))
        async with self._begin(actor) as tx:
            batch = await tx.messages.get(actor.tenant, batch_id)
            if batch.understanding is not None:
                return batch
            return await tx.messages.save(batch.understand(understanding, at=self._clock()))

    async def _close_window(self, window: Window) -> None:
        await self._close(window.tenant, window.thread, up_to=window.message_ids[-1], reason=window.reason)

    async def _close(self, tenant: str, thread: str, *, up_to: str, reason: str) -> None:
        """Gather what waits in the thread up to a message, in batches of no more than the rules allow."""
        full = True
        while full:
            batch_id = self._new_id("batch")
            actor = Actor(tenant=tenant, id="messaging.aggregator", role="service", correlation=batch_id)
            async with self._begin(actor) as tx:
                messages = await tx.messages.gather(
                    tenant, thread, batch_id=batch_id, up_to=up_to, limit=self._rules.limit
                )
                if messages:
                    batch = Batch.gathered(id_=batch_id, messages=messages, reason=reason, at=self._clock())
                    await tx.messages.save(batch)
            full = len(messages) == self._rules.limit

    def _provider(self, tenant: str) -> Actor:
        return Actor(tenant=tenant, id="whatsapp", role="service", correlation=self._new_id("corr"))
