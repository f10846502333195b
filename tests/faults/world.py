"""A business under attack: customers, staff, workers and providers, and what must hold when the storm is over."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from attrs import define, field, frozen

from core.invoicing import OPEN
from core.jobs import Job, Place
from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, CuadrillaError
from core.messaging import InboundMessage, Sender, StatusReport
from core.reactions import Reactor
from core.tracking import Point
from tests.contracts.samples import MINE, Hands
from tests.core.office import CARLOS, GAS, MARTA, Office
from tests.faults.scheduler import Faults, Scheduler

DOOR: Final = Point(-34.6037, -58.3816)
DIALOGUES: Final = (
    ("Hola", "necesito", "un técnico para el aire"),
    ("Buenas, se rompió el lavarropas", "en Mitre 450", "mañana a la tarde"),
    ("Quiero un plomero", "pierde la canilla", "gracias", "soy Ana"),
)
TOLD: Final = (
    "request_received_customer",
    "job_assigned_tech",
    "job_scheduled_customer",
    "tracking_link_customer",
    "technician_arrived",
    "job_completed",
    "invoice_ready",
)
ORDER: Final = (
    "message.received",
    "messages.aggregated",
    "request.understood",
    "job.opened",
    "job.scheduled",
    "job.en_camino",
    "job.working",
    "job.completed",
    "invoice.issued",
    "job.invoiced",
)
BUGS: Final = ("settles_first", "deaf_to_afip", "answers_before_storing")


@frozen(kw_only=True)
class Outcome:
    """What a seed came to: `violations` is empty when everything held."""

    seed: int
    violations: tuple[str, ...]
    digest: str
    steps: int
    happened: Counter[str] = field(repr=False)


class SettlesFirst(Reactor):
    """A planted bug: the reaction is settled, then applied."""

    async def react(self, *, fact_id: str, reaction: str) -> str:
        envelope = await self._settlements.get(fact_id)
        handler = self._reactions[envelope.event_type][reaction]
        actor = Actor.reacting(envelope, reaction=reaction)
        await self._settlements.settle(actor)
        try:
            await handler(actor.unsettled(), envelope.fact)
        except AlreadySettled:
            return "applied"
        return "applied"


@define
class Fragment:
    """A message as the provider will deliver it until somebody says that it has it."""

    event_id: str
    wa_id: str
    text: str
    order: int
    acknowledged: bool = False
    in_flight: bool = False
    again: bool = False


@define
class World:
    """One run: `play` it, then read `outcome`."""

    seed: int
    bug: str | None = None
    faults: Faults = field(factory=Faults)
    rng: random.Random = field(init=False)
    scheduler: Scheduler = field(init=False)
    office: Office = field(init=False)
    fragments: list[Fragment] = field(init=False)
    reports: list[StatusReport] = field(factory=list, init=False)
    reported: set[str] = field(factory=set, init=False)
    metres: dict[str, float] = field(factory=dict, init=False)
    happened: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        clock = Hands()
        self.scheduler = Scheduler(rng=self.rng, clock=clock, faults=self.faults, lies=self.bug == "deaf_to_afip")
        self.office = Office(clock=clock, weather=self.scheduler)
        if self.bug == "settles_first":
            self.office.reactor = SettlesFirst(self.office.store.outbox, self.office.reactions)
        dialogues = self.rng.sample(DIALOGUES, self.rng.randint(1, len(DIALOGUES)))
        self.fragments = [
            Fragment(f"wamid.{person}.{number}", f"54911555500{person:02}", text, number)
            for person, dialogue in enumerate(dialogues)
            for number, text in enumerate(dialogue)
        ]

    def play(self) -> Outcome:
        """Live through the storm, let it calm down, and look at what is left."""
        _at_once(self.office.move_in())
        for _ in range(self.rng.randint(3000, 6000)):
            self._something()
        self.scheduler.raging = False
        self._calm_down()
        violations = (*self.scheduler.defects, *self._violations())
        return Outcome(
            seed=self.seed,
            violations=violations,
            digest=self.scheduler.digest,
            steps=self.scheduler.steps,
            happened=self.happened,
        )

    # --- the storm

    def _something(self) -> None:
        tasks, chance = self.scheduler.tasks, self.rng.random()
        if tasks and chance < self.faults.kill:
            self._count("killed")
            self.scheduler.kill()
        elif chance < self.faults.kill + self.faults.forget:
            self._lose_something()
        elif chance < 0.04:
            self._wait(self.rng.choice((0.1, 0.5, 1, 2, 5, 10, 30)))
        elif chance < 0.25 and len(tasks) < 8:
            self.rng.choice((self._deliver, self._work, self._work, self._act, self._act, self._report))()
        elif tasks:
            self.scheduler.step()

    def _lose_something(self) -> None:
        what = self.rng.choice(("buffer", "positions", "broker"))
        self._count(f"{what} lost")
        self.scheduler.note(f"lost {what}")
        if what == "buffer":
            self.office.buffer.forget()
        elif what == "positions":
            self.office.positions.forget()
        else:
            self.office.queue.clear()

    def _wait(self, seconds: float) -> None:
        self.scheduler.note(f"+{seconds}")
        self.office.clock.forward(seconds=seconds)

    # --- the customers' provider

    def _deliver(self) -> None:
        """Deliver the next fragment of somebody, or the one after it, or one that was delivered before."""
        people = sorted({each.wa_id for each in self.fragments if not each.acknowledged and not each.in_flight})
        again = [each for each in self.fragments if each.acknowledged and not each.again]
        if again and self.rng.random() < self.faults.redeliver:
            self._count("delivered again")
            twice = self.rng.choice(again)
            twice.again = True
            if self.rng.random() < 0.5:
                self._send_in([twice])
        elif people:
            wa_id = self.rng.choice(people)
            waiting = [
                each for each in self.fragments if each.wa_id == wa_id and not each.acknowledged and not each.in_flight
            ]
            self._send_in(waiting[: self.rng.choice((1, 1, 1, 2))][:: self.rng.choice((1, -1))])

    def _send_in(self, fragments: list[Fragment]) -> None:
        now = self.office.clock()
        messages = [
            InboundMessage(
                id=self.office.new_id("msg"),
                tenant=MINE,
                source="whatsapp",
                event_id=each.event_id,
                sender=Sender(identities=(f"whatsapp:{each.wa_id}",), name="Ana", phone=f"+{each.wa_id}"),
                kind="text",
                text=each.text,
                sent_at=now + timedelta(milliseconds=each.order),
                received_at=now,
            )
            for each in fragments
        ]
        for each in fragments:
            each.in_flight = True

        def answered(well: bool) -> None:
            for each in fragments:
                each.in_flight = False
                each.acknowledged = each.acknowledged or well or self.bug == "answers_before_storing"

        self.scheduler.start(f"webhook {messages[0].id}", self.office.messaging.receive(messages), answered)

    def _report(self) -> None:
        """The provider says what became of a message; late, twice, in any order."""
        if not self.office.channel.visible:
            return
        shown = self.rng.choice(self.office.channel.visible)
        status = self.rng.choice(("sent", "delivered", "read"))
        report = StatusReport(
            tenant=MINE,
            source="whatsapp",
            event_id=f"{shown.provider_id}:{status}",
            provider_id=shown.provider_id,
            status=status,
            at=self.office.clock(),
            received_at=self.office.clock(),
            reference=shown.delivery.id,
        )
        self._count("reported")
        self.scheduler.start(f"status {report.event_id}", self.office.messaging.note([report]))

    # --- the workers

    def _work(self) -> None:
        office = self.office
        if office.queue and self.rng.random() < 0.7:
            place = self.rng.randrange(len(office.queue))  # a broker keeps no order
            fact_id, reaction = office.queue[place]
            if self.rng.random() >= self.faults.send_twice:
                del office.queue[place]
            if self.rng.random() < self.faults.lose_message:
                self._count("message lost")
                return
            self._react(fact_id, reaction)
            return
        name, work = self.rng.choice(self._loops())
        self.scheduler.start(f"{name} {self.scheduler.steps}", work())

    def _react(self, fact_id: str, reaction: str) -> None:
        work = self.office.reactor.react(fact_id=fact_id, reaction=reaction)
        self.scheduler.start(f"react {fact_id} {reaction}", work)

    def _loops(self) -> list[tuple[str, Callable[[], Any]]]:
        office = self.office
        return [
            ("relay", lambda: office.relay.send(limit=self.rng.randint(1, 20))),
            ("relay again", lambda: office.relay.send_again(limit=20)),
            ("windows", office.messaging.close_due),
            ("windows", office.messaging.close_due),
            ("sweeper", office.messaging.sweep),
            ("settler", office.invoicing.settle_unanswered),
            ("errands", self._errands),
            ("backlog", self._backlog),
        ]

    async def _errands(self) -> None:
        """Send what is due, each message as a task of its own."""
        for errand in await self.office.notifications.due(limit=20):
            self.scheduler.start(f"errand {errand.delivery_ids[0]}", self.office.notifications.run(errand))

    def _backlog(self) -> Any:
        """Have what is still a draft authorised, many in one request."""
        drafts = [each.id for each in self.office.store._tables.invoices.all() if each.state in {"draft", "cae_failed"}]
        self._count("backlog" if len(drafts) > 1 else "nothing to do")
        return self.office.invoicing.issue_many(actor=MARTA, invoice_ids=sorted(drafts))

    def _correct(self, job: Job) -> None:
        """Take some or all of an invoice back, or charge more on it; several clerks at once."""
        invoicing, id_ = self.office.invoicing, job.invoice_id
        if id_ is None or self.rng.random() > 0.3:
            return
        chance = self.rng.random()
        if chance < 0.15:
            work = invoicing.debit(actor=MARTA, invoice_id=id_, reason="traslado", lines=(GAS,))
        elif chance < 0.5:
            work = invoicing.credit(actor=MARTA, invoice_id=id_, reason="no enfría")
        else:
            amount = Decimal(self.rng.choice((9000, 12100, 24200)))
            work = invoicing.credit(actor=MARTA, invoice_id=id_, reason="descuento", amount=amount)
        self._human(f"correct {job.id}", work)

    # --- the staff

    def _act(self) -> None:
        jobs = self._jobs()
        if jobs:
            self._act_on(self.rng.choice(jobs))

    def _act_on(self, job: Job, *, cancelling: bool = True) -> None:
        jobs, id_ = self.office.jobs, job.id
        if cancelling and job.status in {"pending", "scheduled"} and self.rng.random() < 0.03:
            self._count("cancelled")
            self._human(f"cancel {id_}", jobs.cancel(actor=MARTA, job_id=id_, reason="no hace falta"))
        elif job.status == "pending":
            starts_at = self.office.clock() + timedelta(hours=1)
            self._human(
                f"schedule {id_}",
                jobs.schedule(
                    actor=MARTA,
                    job_id=id_,
                    technician_id="user_carlos",
                    starts_at=starts_at,
                    ends_at=starts_at + timedelta(hours=2),
                    place=Place(address="Mitre 450", lat=DOOR.lat, lng=DOOR.lng),
                ),
            )
        elif job.status == "scheduled":
            self._human(f"depart {id_}", jobs.depart(actor=CARLOS, job_id=id_))
        elif job.status == "en_camino":
            self._move_on(id_)
        elif job.status == "working":
            self._human(f"complete {id_}", jobs.complete(actor=CARLOS, job_id=id_, lines=(GAS,)))
        elif job.status == "completed":
            self._human(f"invoice {id_}", self.office.invoicing.invoice(actor=MARTA, job_id=id_))
        elif job.status == "invoiced":
            self._correct(job)

    def _move_on(self, job_id: str) -> None:
        metres = self.metres[job_id] = max(0.0, self.metres.get(job_id, 600.0) - 40.0)
        if not self.scheduler.raging:
            self._wait(30)
        where = Point(DOOR.lat + metres / 111_195, DOOR.lng)
        update = self.office.tracking.update(actor=CARLOS, job_id=job_id, point=where, accuracy=8.0)
        self._human(f"fix {job_id} {metres:.0f}", update)

    def _human(self, what: str, work: Any) -> None:
        self._count(what.split(maxsplit=1)[0])
        self.scheduler.start(f"{what} {self.scheduler.steps}", work)

    # --- after the storm

    def _calm_down(self) -> None:
        self.scheduler.run_all()
        for _ in range(120):
            self._wait(31)
            for fragment in self.fragments:
                if not fragment.acknowledged:
                    self._send_in([fragment])
                    self.scheduler.run_all()
            for name, work in self._loops():
                self.scheduler.start(name, work())
                self.scheduler.run_all()
            while self.office.queue:
                self._react(*self.office.queue.pop(0))
                self.scheduler.run_all()
            for job in self._jobs():
                self._act_on(job, cancelling=False)
                self.scheduler.run_all()
            if self._settled():
                return

    def _settled(self) -> bool:
        outbox = self.office.store._tables.outbox
        over = all(job.status in {"invoiced", "cancelled"} for job in self._jobs())
        stored = all(each.acknowledged for each in self.fragments)
        batched = all(each.batch_id for each in self.office.store._tables.inbox.all())
        answered = not any(each.state in OPEN for each in self.office.store._tables.invoices.all())
        sent = not any(each.state in {"queued", "sending"} for each in self.office.store._tables.deliveries.all())
        return over and stored and batched and answered and sent and not outbox.unsent and not outbox.unfinished

    def _jobs(self) -> list[Job]:
        return sorted(self.office.store._tables.jobs.all(), key=lambda job: job.id)

    def _count(self, what: str) -> None:
        self.happened[what] += 1

    # --- what must hold

    def _violations(self) -> list[str]:
        found: list[str] = []
        tables = self.office.store._tables
        received = tables.inbox.all()
        texts = Counter(each.message.event_id for each in received)
        found += [
            f"{each.event_id} was acknowledged and is not stored"
            for each in self.fragments
            if each.event_id not in texts
        ]
        found += [f"{event} is stored {count} times" for event, count in texts.items() if count > 1]
        found += [f"{each.message.id} is in no batch" for each in received if each.batch_id is None]
        placed = Counter(id_ for batch in tables.batches.all() for id_ in batch.message_ids)
        found += [
            f"{each.message.id} is in {placed[each.message.id]} batches"
            for each in received
            if placed[each.message.id] != 1
        ]
        found += [
            f"{each.id} has {len(each.message_ids)} messages"
            for each in tables.batches.all()
            if len(each.message_ids) > 10
        ]
        jobs = self._jobs()
        sources = Counter(job.source for job in jobs)
        found += [
            f"{sources[batch.id]} jobs were opened for {batch.id}"
            for batch in tables.batches.all()
            if sources[batch.id] != 1
        ]
        people = Counter(identity for each in tables.customers.all() for identity in each.identities)
        found += [f"{identity} is {count} customers" for identity, count in people.items() if count > 1]
        found += [f"{fact} is not finished" for fact in (*tables.outbox.unsent, *tables.outbox.unfinished)]
        found += [
            f"{reaction} to {fact_id} failed: {mark.error}"
            for fact_id, marks in tables.outbox.settlements.items()
            for reaction, mark in marks.items()
            if mark.state == "failed"
        ]
        for job in jobs:
            found += self._about(job)
        return [*found, *self._about_afip(), *self._about_messages()]

    def _about(self, job: Job) -> list[str]:
        if job.status == "cancelled":
            return []
        if job.status != "invoiced":
            return [f"{job.id} came no further than {job.status}"]
        found: list[str] = []
        entries = _at_once(self.office.jobs.timeline(actor=MARTA, job_id=job.id))
        kinds = iter(entry.kind for entry in entries)
        found += [f"the timeline of {job.id} lacks {wanted}" for wanted in ORDER if wanted not in kinds]
        told = Counter(each.delivery.template for each in self.office.channel.visible if each.delivery.job_id == job.id)
        found += [f"nobody was told {template} of {job.id}" for template in TOLD if not told[template]]
        session = _at_once(self.office.store.sessions.of_job(MINE, job.id))
        if session is None or not session.over:
            found.append(f"the trip to {job.id} is not over")
        return found

    def _about_afip(self) -> list[str]:
        found: list[str] = []
        vouchers = [voucher for series in self.office.authority.series.values() for voucher in series]
        of_job = Counter(voucher.job_id for voucher in vouchers if not voucher.corrects)
        found += [f"{job_id} has {count} vouchers" for job_id, count in of_job.items() if count > 1]
        invoices = {each.id: each for each in self.office.store._tables.invoices.all()}
        for voucher in vouchers:
            ours = invoices.get(voucher.invoice_id)
            if ours is None or ours.state != "issued" or ours.number != voucher.number:
                found.append(f"AFIP has {voucher.number} of {voucher.invoice_id}, and we do not")
        for original in (each for each in invoices.values() if each.kind == "invoice" and each.state == "issued"):
            notes = [each for each in vouchers if any(about.invoice_id == original.id for about in each.corrects)]
            kinds = {each.invoice_id: invoices[each.invoice_id].kind for each in notes if each.invoice_id in invoices}
            taken = sum(each.total for each in notes if kinds.get(each.invoice_id) == "credit_note")
            added = sum(each.total for each in notes if kinds.get(each.invoice_id) == "debit_note")
            if taken > original.totals.total + added:
                found.append(f"{taken} of {original.id} were credited, and it came to {original.totals.total + added}")
        found += [f"{each.id} is still {each.state}" for each in invoices.values() if each.state in OPEN]
        for series, book in self.office.authority.series.items():
            if [each.number for each in book] != list(range(1, len(book) + 1)):
                found.append(f"{series} has gaps")
        issued = sum(each.state == "issued" for each in invoices.values())
        if issued != len(vouchers):
            found.append(f"{issued} invoices are issued and AFIP has {len(vouchers)}")
        return found

    def _about_messages(self) -> list[str]:
        """A message is on the phone once, except where a mishap met us between the provider's act and our note of it."""
        outbox = self.office.store._tables.outbox
        shown = Counter(each.delivery.id for each in self.office.channel.visible)
        doubtful = {
            str(getattr(outbox.facts[name.split()[1]].fact, "delivery_id", ""))
            for name in self.scheduler.doubtful
            if name.startswith("react ")
        }
        doubtful |= {name.split()[1] for name in self.scheduler.doubtful if name.startswith("errand ")}
        keys = Counter((each.key, each.channel) for each in self.office.store._tables.deliveries.all())
        found = [f"{key} was queued {count} times" for key, count in keys.items() if count > 1]
        return found + [
            f"{delivery} was shown {count} times and no answer was lost"
            for delivery, count in shown.items()
            if count > 1 and delivery not in doubtful
        ]


def _at_once(work: Any) -> Any:
    """Run a coroutine that nothing interrupts."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    except CuadrillaError:
        raise
    msg = "it waited"
    raise RuntimeError(msg)
