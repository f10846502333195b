"""Telling people: what is written down, what is sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field, frozen

from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Invalid, StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock
from core.notifications.devices import Device
from core.notifications.model import (
    DIGEST,
    MOVES,
    AnswerLost,
    AskedToWait,
    Delivery,
    DeliveryNotFound,
    Recipient,
    SendRefused,
    Ticket,
)
from core.notifications.ports import (
    Begin,
    Channel,
    DeliveryReader,
    Documents,
    NotificationTransaction,
    PushAnswer,
    PushNote,
    PushService,
    Wanted,
)
from core.notifications.preferences import CHANNELS, CUSTOMERS, Preferences, ZoneNamed
from core.notifications.rules import SendingRules, news, ways_to
from core.notifications.templates import TEMPLATES, Template, Variable, check, first_name, title

PUSH = "push"


@frozen
class Errand:
    """Something that is due: deliveries of one tenant to `send`, to `push` together, or to `ask` push services about."""

    tenant: str
    kind: str
    delivery_ids: tuple[str, ...]


@define
class _Pushed:
    """What push services said of one delivery, by device."""

    tickets: list[Ticket] = field(factory=list)
    lost: bool = False
    waits: list[float] = field(factory=list)
    refused: list[PushAnswer] = field(factory=list)


@frozen
class Notifications:
    """Messages to the people of all tenants.

    Writing down that somebody shall be told and telling them are two steps: the first joins the transaction of the reason, the second
    calls the provider. What could not be sent yet is due later, as the delivery says; `due` and `run` see to that.
    """

    _begin: Begin
    _deliveries: DeliveryReader
    _channels: Mapping[str, Channel]
    _documents: Documents
    _zone_named: ZoneNamed
    _clock: Clock
    _new_id: NewId
    _push: Mapping[str, PushService] = field(factory=dict)
    """By the devices' provider."""
    _link_to: Callable[[str], str] = str
    """Return the address behind a delivery's link."""
    _chance: Callable[[], float] = lambda: 0.5
    """Draws from 0 to 1, for the waits."""
    _rules: SendingRules = SendingRules()
    _sound: tuple[Mapping[str, Template], tuple[str, ...]] = field(factory=lambda: check(TEMPLATES))

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with messages that cannot be sent."""
        return self._sound[1]

    async def notify(
        self,
        *,
        actor: Actor,
        key: str,
        template: str,
        recipient: Recipient,
        parameters: Sequence[Variable | None],
        link: str | None = None,
        attachment: str | None = None,
        job_id: str | None = None,
        urgent: bool = False,
    ) -> Delivery | None:
        """Note that somebody shall be told, by the ways that they chose and when it suits them.

        The same key again gives the delivery that exists; None means that there is no way to them, or they want none of it. What
        is `urgent`, by its template or here, does not wait for the morning. Raise `BadVariables`, or `Invalid` for a template that
        cannot be sent.
        """
        about = self._sound[0].get(template)
        if about is None:
            msg = f"there is no sound template {template}"
            raise Invalid(msg, field="template")
        async with self._begin(actor) as tx:
            known = await tx.deliveries.by_key(actor.tenant, key)
            if known:
                return known[0]
            preferences = await _preferences(tx, actor.tenant, recipient)
            written = about.fill(parameters, preferences.language)
            if about.event in preferences.muted:
                return None
            at = self._clock()
            until = None
            if not (urgent or about.urgent):
                until = preferences.held_until(at, self._zone(preferences, recipient))
            channels = ways_to(recipient, about, preferences, self._available)
            if about.document:
                ways: list[tuple[str, tuple[str, ...]]] = [(each, ()) for each in channels]
            else:
                way = await _first(tx, actor.tenant, recipient.id, channels)
                ways = [] if way is None else [way]
            made = [
                await tx.deliveries.save(
                    Delivery.queued(
                        id_=self._new_id("dlv"),
                        tenant=actor.tenant,
                        key=key,
                        template=template,
                        recipient=recipient,
                        parameters=written,
                        link=link,
                        attachment=attachment,
                        job_id=job_id,
                        at=at,
                        channel=channel,
                        left=left,
                        language=preferences.language,
                        urgent=urgent or about.urgent,
                        until=until,
                    )
                )
                for channel, left in ways
            ]
            return made[0] if made else None

    async def send(self, *, actor: Actor, delivery_id: str) -> None:
        """Send a delivery if it is to be sent now. The attempt is written down before the provider is called.

        A provider that gave no answer may have taken the message, and cannot be asked: a report on it settles the question, and
        only when none comes for a minute is it sent again. One that will never take it leaves it to the next channel.
        """
        actor = actor.unsettled()
        delivery = await self._claim(actor, delivery_id)
        if delivery is None:
            return
        if delivery.channel == PUSH:
            await self._push_all(actor, [delivery])
            return
        try:
            document = (
                await self._documents.fetch(delivery.tenant, delivery.attachment) if delivery.attachment else None
            )
            channel = self._channels.get(delivery.channel)
            if channel is None:
                raise SendRefused("no_channel", f"nothing sends by {delivery.channel}")
            if self._clock() - delivery.updated_at > self._rules.doubt / 2:
                return  # we stood still for so long that somebody else may soon take us for dead and send it
            provider_id = await channel.send(delivery, document=document)
        except AnswerLost:
            return
        except Unavailable as failure:
            wait = failure.retry_after if isinstance(failure, AskedToWait) else 0.0
            await self._put_back(actor, delivery_id, str(failure), wait)
        except CuadrillaError as refusal:  # the provider's no, or a document that is not there
            code, text = refusal.code, str(refusal)
            if isinstance(refusal, SendRefused):
                code, text = refusal.error_code, refusal.text
            await self._failed(actor, delivery_id, code, text)
        else:
            await self._note(actor, delivery_id, lambda current, at: current.sent(provider_id=provider_id, at=at))

    async def due(self, *, limit: int = 100) -> Sequence[Errand]:
        """Return what is to be done by now, of all tenants; several processes may ask, each delivery is sent by one."""
        errands: list[Errand] = []
        together: dict[tuple[str, str], list[str]] = {}
        for each in await self._deliveries.due(at=self._clock(), limit=limit):
            if each.state not in {"queued", "sending"}:
                together.setdefault((each.tenant, "ask"), []).append(each.id)
            elif each.channel == PUSH:
                together.setdefault((each.tenant, PUSH), []).append(each.id)
            else:
                errands.append(Errand(each.tenant, "send", (each.id,)))
        return [*errands, *(Errand(tenant, kind, tuple(ids)) for (tenant, kind), ids in together.items())]

    async def run(self, errand: Errand) -> None:
        """See to what is due; what somebody else was faster at is left to them."""
        actor = Actor(tenant=errand.tenant, id="notifications", role="service", correlation=errand.delivery_ids[0])
        if errand.kind == "ask":
            await self._ask(actor, errand.delivery_ids)
        elif errand.kind == PUSH:
            claimed = [each for id_ in errand.delivery_ids if (each := await self._claimed_by_us(actor, id_))]
            await self._push_all(actor, claimed)
        else:
            try:
                await self.send(actor=actor, delivery_id=errand.delivery_ids[0])
            except StaleVersion:
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
        """Take a provider's report on a message of ours; reports on messages that we did not send are let pass.

        A failure leaves the message to the next channel.
        """
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
                await self._keep(tx, told)

    async def log(
        self, *, actor: Actor, wanted: Wanted = Wanted(), limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of the delivery log, the newest first; raise `Invalid` for a state or channel that there is not."""
        actor.must("notifications.read")
        if wanted.state is not None and wanted.state not in MOVES:
            msg = f"the status must be one of {', '.join(MOVES)}"
            raise Invalid(msg, field="status")
        if wanted.channel is not None and wanted.channel not in CHANNELS:
            msg = f"the channel must be one of {', '.join(CHANNELS)}"
            raise Invalid(msg, field="channel")
        return await self._deliveries.page(actor.tenant, wanted=wanted, limit=limit, cursor=cursor)

    @property
    def _available(self) -> frozenset[str]:
        return frozenset(self._channels) | ({PUSH} if self._push else set())

    def _zone(self, preferences: Preferences, recipient: Recipient) -> Any:
        return self._zone_named(preferences.zone or recipient.zone)

    async def _claim(self, actor: Actor, delivery_id: str) -> Delivery | None:
        """Write down an attempt and return the delivery, or None if there is nothing to send now."""
        at = self._clock()
        async with self._begin(actor) as tx:
            delivery = await tx.deliveries.get(actor.tenant, delivery_id)
            if not delivery.is_ready(at):
                return None
            if delivery.template not in self._sound[0]:
                text = f"{delivery.template} is no template that can be sent"
                await tx.deliveries.save(delivery.refused(error_code="template", error_text=text, at=at))
                return None
            if self._rules.gives_up(delivery):
                text = delivery.error_text or "no answer came"
                await self._keep(tx, delivery.refused(error_code="gave_up", error_text=text, at=at))
                return None
            if not delivery.urgent:
                preferences = await _preferences(tx, actor.tenant, delivery.recipient)
                until = preferences.held_until(at, self._zone(preferences, delivery.recipient))
                if until is not None:
                    await tx.deliveries.save(delivery.hold(until))
                    return None
                if delivery.waiting and preferences.digest and await self._gather(tx, delivery, at):
                    return None
            doubt = self._rules.doubt * (delivery.attempts + 1)
            return await tx.deliveries.save(delivery.attempt(at=at, doubt=doubt))

    async def _claimed_by_us(self, actor: Actor, delivery_id: str) -> Delivery | None:
        try:
            return await self._claim(actor, delivery_id)
        except StaleVersion:
            return None

    async def _gather(self, tx: NotificationTransaction, first: Delivery, at: datetime) -> bool:
        """Put what waits for somebody into one digest, if it is more than this; the digest is sent like any other delivery."""
        if not first.gathers:
            return False
        waiting = await tx.deliveries.waiting(first.tenant, recipient_id=first.recipient.id, channel=first.channel)
        several = [each for each in waiting if each.gathers]
        if len(several) < 2:  # noqa: PLR2004 - several
            return False
        language, recipient = several[-1].language, several[-1].recipient
        digest = Delivery.queued(
            id_=self._new_id("dlv"),
            tenant=first.tenant,
            key=f"digest:{several[0].id}",
            template=DIGEST,
            recipient=recipient,
            parameters=TEMPLATES[DIGEST].fill(
                (first_name(recipient.name), len(several), news(several, language)), language
            ),
            link=None,
            attachment=None,
            job_id=None,
            at=at,
            channel=first.channel,
            left=several[-1].left,
            language=language,
        )
        await tx.deliveries.save(digest)
        for each in several:
            await tx.deliveries.save(each.gather(digest.id, at=at))
        return True

    async def _keep(self, tx: NotificationTransaction, delivery: Delivery) -> None:
        """Save what became of a delivery; if it failed, the next channel has its turn."""
        await tx.deliveries.save(delivery)
        if delivery.state != "failed":
            return
        way = await _first(tx, delivery.tenant, delivery.recipient.id, delivery.left)
        if way is None:
            return
        channel, left = way
        if all(each.channel != channel for each in await tx.deliveries.by_key(delivery.tenant, delivery.key)):
            await tx.deliveries.save(delivery.by(channel, id_=self._new_id("dlv"), left=left, at=self._clock()))

    async def _note(
        self, actor: Actor, delivery_id: str, change: Callable[[Delivery, datetime], Delivery | None]
    ) -> None:
        """Save a change of a delivery; where a report was faster, once more on top of it."""
        for last in (False, True):
            try:
                async with self._begin(actor) as tx:
                    changed = change(await tx.deliveries.get(actor.tenant, delivery_id), self._clock())
                    if changed is not None:
                        await self._keep(tx, changed)
            except StaleVersion:
                if last:
                    raise
            else:
                return

    async def _put_back(self, actor: Actor, delivery_id: str, error: str, retry_after: float) -> None:
        def put_back(current: Delivery, at: datetime) -> Delivery | None:
            if current.state != "sending":
                return None
            if self._rules.gives_up(current):
                return current.refused(error_code="gave_up", error_text=error, at=at)
            wait = self._rules.wait(current.attempts, chance=self._chance()).total_seconds()
            return current.put_back(error=error, at=at, wait=timedelta(seconds=max(wait, retry_after)))

        await self._note(actor, delivery_id, put_back)

    async def _failed(self, actor: Actor, delivery_id: str, code: str, text: str) -> None:
        def fail(current: Delivery, at: datetime) -> Delivery | None:
            if current.state not in {"queued", "sending"}:
                return None
            return current.refused(error_code=code, error_text=text, at=at)

        await self._note(actor, delivery_id, fail)

    # --- apps on phones

    async def _push_all(self, actor: Actor, deliveries: Sequence[Delivery]) -> None:
        """Push deliveries that are claimed, those to the same service in one go."""
        wanted: dict[str, list[tuple[Delivery, PushNote]]] = {}
        outcomes = {each.id: _Pushed() for each in deliveries}
        async with self._begin(actor) as tx:
            for delivery in deliveries:
                for device in await tx.devices.of(actor.tenant, delivery.recipient.id):
                    wanted.setdefault(device.provider, []).append((delivery, self._note_for(delivery, device)))
        for provider, asked in wanted.items():
            answers = await self._answers(actor.tenant, provider, [note for _, note in asked])
            for (delivery, note), answer in zip(asked, answers, strict=True):
                outcome = outcomes[delivery.id]
                if answer.ticket is not None:
                    outcome.tickets.append(Ticket(device_id=note.device_id, provider=provider, id=answer.ticket))
                elif answer.lost:
                    outcome.lost = True
                elif answer.again:
                    outcome.waits.append(answer.retry_after)
                else:
                    outcome.refused.append(answer)
                    if answer.gone:
                        await self._retire(actor, note.device_id, answer.error_code)
        for delivery in deliveries:
            await self._settle_push(actor, delivery.id, outcomes[delivery.id])

    async def _answers(self, tenant: str, provider: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        service = self._push.get(provider)
        if service is None:
            return [PushAnswer(error_code="no_channel", error_text=f"nothing pushes by {provider}")] * len(notes)
        return await service.push(tenant, notes)

    async def _settle_push(self, actor: Actor, delivery_id: str, outcome: _Pushed) -> None:
        if outcome.tickets:
            tickets = tuple(outcome.tickets)
            asking = any(self._push[each.provider].gives_receipts for each in tickets)

            def pushed(current: Delivery, at: datetime) -> Delivery:
                return current.pushed(tickets, at=at, ask_at=at + self._rules.receipts_after if asking else None)

            await self._note(actor, delivery_id, pushed)
        elif outcome.waits:
            await self._put_back(actor, delivery_id, "the push service asks to wait", max(outcome.waits))
        elif not outcome.lost:
            why = (
                outcome.refused[0] if outcome.refused else PushAnswer(error_code="no_device", error_text="no app left")
            )
            await self._failed(actor, delivery_id, why.error_code, why.error_text)

    async def _ask(self, actor: Actor, delivery_ids: Sequence[str]) -> None:
        """Ask push services what became of their tickets."""
        async with self._begin(actor) as tx:
            deliveries = [await tx.deliveries.get(actor.tenant, each) for each in delivery_ids]
        known: dict[str, PushAnswer] = {}
        for provider, service in self._push.items():
            tickets = [each.id for delivery in deliveries for each in delivery.tickets if each.provider == provider]
            if tickets and service.gives_receipts:
                known.update(await service.receipts(actor.tenant, tickets))
        for delivery in deliveries:
            for ticket in delivery.tickets:
                if ticket.id in known and known[ticket.id].gone:
                    await self._retire(actor, ticket.device_id, known[ticket.id].error_code)
            try:
                await self._note(actor, delivery.id, lambda current, at: self._told(current, known, at))
            except StaleVersion:
                continue

    def _told(self, current: Delivery, known: Mapping[str, PushAnswer], at: datetime) -> Delivery | None:
        """Return a pushed delivery as the receipts leave it."""
        if current.due_at is None or current.due_at > at or not current.provider_id:
            return None
        answers = [known[each.id] for each in current.tickets if each.id in known]
        left = tuple(each for each in current.tickets if each.id not in known)
        if any(not each.error_code for each in answers):
            told = current.report("delivered", provider_id=current.provider_id, error_code=None, error_text=None, at=at)
            return told.asked((), ask_at=None)
        if answers and not left:
            why = answers[0]
            failed = current.report(
                "failed",
                provider_id=current.provider_id,
                error_code=why.error_code,
                error_text=why.error_text,
                at=at,
            )
            return failed.asked((), ask_at=None)
        still = at - current.updated_at < self._rules.receipts_life
        return current.asked(left if still else (), ask_at=at + self._rules.receipts_after)

    async def _retire(self, actor: Actor, device_id: str, reason: str) -> None:
        """Write to a device no more; one that reported again meanwhile lives."""
        try:
            async with self._begin(actor) as tx:
                device = await tx.devices.get(actor.tenant, device_id)
                if device.retired is None:
                    await tx.devices.save(device.retire(reason, at=self._clock()))
        except StaleVersion:
            return

    def _note_for(self, delivery: Delivery, device: Device) -> PushNote:
        data = {"deliveryId": delivery.id, "event": delivery.event}
        if delivery.job_id is not None:
            data["jobId"] = delivery.job_id
        if delivery.link is not None:
            data["url"] = self._link_to(delivery.link)
        return PushNote(
            device_id=device.id,
            token=device.token,
            title=title(delivery.event, delivery.language),
            body=delivery.text,
            data=data,
            urgent=delivery.urgent,
        )


async def _preferences(tx: NotificationTransaction, tenant: str, recipient: Recipient) -> Preferences:
    kept = await tx.preferences.get(tenant, recipient.id)
    if kept is None and recipient.kind == "customer":
        kept = await tx.preferences.get(tenant, CUSTOMERS)
    return kept or Preferences(tenant=tenant, id=recipient.id)


async def _first(
    tx: NotificationTransaction, tenant: str, recipient_id: str, channels: Sequence[str]
) -> tuple[str, tuple[str, ...]] | None:
    """Return the first channel that leads to somebody, and those after it; push leads nowhere without an app."""
    for place, channel in enumerate(channels):
        if channel != PUSH or await tx.devices.of(tenant, recipient_id):
            return channel, tuple(channels[place + 1 :])
    return None
