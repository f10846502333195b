"""What can be asked of notifications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock
from core.notifications.model import AnswerLost, Delivery, DeliveryNotFound, Recipient, SendRefused
from core.notifications.ports import Begin, Channel, DeliveryReader, Documents


@frozen
class Notifications:
    """Messages to the people of all tenants.

    Writing down that somebody shall be told and telling them are two steps: the first joins the transaction of the reason, the second
    calls the provider.
    """

    _begin: Begin
    _deliveries: DeliveryReader
    _channel: Channel
    _documents: Documents
    _clock: Clock
    _new_id: NewId
    _doubt: timedelta = timedelta(seconds=60)
    """How long to wait for a report on a message whose answer was lost, before it is sent again."""

    async def notify(
        self,
        *,
        actor: Actor,
        key: str,
        template: str,
        recipient: Recipient,
        parameters: tuple[str, ...],
        link: str | None = None,
        attachment: str | None = None,
        job_id: str | None = None,
    ) -> Delivery:
        """Note that somebody shall be told; the same key again gives the delivery that exists."""
        async with self._begin(actor) as tx:
            known = await tx.deliveries.by_key(actor.tenant, key)
            if known is not None:
                return known
            return await tx.deliveries.save(
                Delivery.queued(
                    id_=self._new_id("dlv"),
                    tenant=actor.tenant,
                    key=key,
                    template=template,
                    recipient=recipient,
                    parameters=parameters,
                    link=link,
                    attachment=attachment,
                    job_id=job_id,
                    at=self._clock(),
                )
            )

    async def send(self, *, actor: Actor, delivery_id: str) -> None:
        """Send a queued delivery. The attempt is written down before the provider is called.

        A provider that gave no answer may have taken the message, and cannot be asked: a report on it settles the question, and
        only when none comes for a minute is it sent again. Raise `Unavailable` while there is something left to do.
        """
        async with self._begin(actor.unsettled()) as tx:
            delivery = await tx.deliveries.get(actor.tenant, delivery_id)
            if delivery.state not in {"queued", "sending"}:
                return
            if delivery.state == "sending" and self._clock() - delivery.updated_at < self._doubt:
                msg = "waiting for word of a message whose answer was lost"
                raise AnswerLost(msg)
            delivery = await tx.deliveries.save(delivery.attempt(at=self._clock()))
        try:
            document = (
                await self._documents.fetch(delivery.tenant, delivery.attachment) if delivery.attachment else None
            )
            if self._clock() - delivery.updated_at > self._doubt / 2:
                # We stood still for so long that somebody else may soon take us for dead and send it.
                msg = "too much time went by before the message could be sent"
                raise AnswerLost(msg)
            provider_id = await self._channel.send(delivery, document=document)
        except AnswerLost:
            raise
        except Unavailable as failure:
            async with self._begin(actor.unsettled()) as tx:
                current = await tx.deliveries.get(actor.tenant, delivery_id)
                if current.state == "sending":
                    await tx.deliveries.save(current.put_back(error=str(failure), at=self._clock()))
            raise
        except CuadrillaError as refusal:  # the provider's no, or a document that is not there
            code, text = refusal.code, str(refusal)
            if isinstance(refusal, SendRefused):
                code, text = refusal.error_code, refusal.text
            async with self._begin(actor) as tx:
                current = await tx.deliveries.get(actor.tenant, delivery_id)
                await tx.deliveries.save(current.refused(error_code=code, error_text=text, at=self._clock()))
            return
        await self._note_sent(actor, delivery_id, provider_id)

    async def _note_sent(self, actor: Actor, delivery_id: str, provider_id: str) -> None:
        for last in (False, True):
            try:
                async with self._begin(actor) as tx:
                    current = await tx.deliveries.get(actor.tenant, delivery_id)
                    await tx.deliveries.save(current.sent(provider_id=provider_id, at=self._clock()))
            except StaleVersion:  # a report was faster
                if last:
                    raise
            else:
                return

    async def record(
        self,
        *,
        actor: Actor,
        provider_id: str,
        status: str,
        reference: str | None,
        error_code: str | None = None,
        error_text: str | None = None,
    ) -> None:
        """Take a provider's report on a message of ours; reports on messages that we did not send are let pass."""
        async with self._begin(actor) as tx:
            delivery = await tx.deliveries.by_provider_id(actor.tenant, provider_id)
            if delivery is None and reference is not None:
                try:
                    delivery = await tx.deliveries.get(actor.tenant, reference)
                except DeliveryNotFound:
                    return
            if delivery is None:
                return
            told = delivery.report(
                status, provider_id=provider_id, error_code=error_code, error_text=error_text, at=self._clock()
            )
            if told is not delivery:
                await tx.deliveries.save(told)

    async def log(
        self, *, actor: Actor, job_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of the delivery log, the newest first."""
        actor.must("notifications.read")
        return await self._deliveries.page(actor.tenant, job_id=job_id, limit=limit, cursor=cursor)
