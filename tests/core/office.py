"""A whole business on memory adapters: every service, a clock moved by hand, and mishaps on demand."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from attrs import define, field

from adapters.bridge import DescribedVisits, DirectoryColleagues, InvoiceDocuments, JobsAsWork, RegisteredClients
from adapters.memory import (
    MemoryBuffer,
    MemoryChannel,
    MemoryKnownLogIns,
    MemoryLanguageModel,
    MemoryMedia,
    MemoryPositions,
    MemoryPrinter,
    MemoryStore,
    MemoryTaxAuthority,
    Visible,
)
from core.customers import Customers
from core.identity import Identity, Tenant, User, token_hash
from core.invoicing import Invoicing
from core.jobs import Job, Jobs
from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from core.kernel.money import Line
from core.messaging import AggregationRules, Messaging
from core.messaging.ports import LanguageModel
from core.notifications import Choices, Delivery, Notifications, Wanted
from core.notifications.ports import Channel, PushService
from core.reactions import (
    Reactions,
    Reactor,
    Relay,
    Reminders,
    Telling,
    WhenAJobMoves,
    WhenALogInEnds,
    WhenAnInvoiceIsIssued,
    WhenANotificationIsQueued,
    WhenATripMoves,
    WhenSomebodyWrites,
    reactions_to_facts,
)
from core.tracking import Tracking
from tests.contracts.samples import MINE, Counter, Hands, an_issuer

ZONE: Final = ZoneInfo("America/Argentina/Buenos_Aires")
JPEG: Final = b"\xff\xd8\xff\xe0 a picture"
PNG: Final = b"\x89PNG\r\n\x1a\n a picture"
GAS: Final = Line(description="Carga de gas", quantity=Decimal(2), unit_price=Decimal(10000))

MARTA: Final = Actor(tenant=MINE, id="user_marta", role="dispatcher", correlation="corr_marta")
CARLOS: Final = Actor(tenant=MINE, id="user_carlos", role="technician", correlation="corr_carlos")
LUCIA: Final = Actor(tenant=MINE, id="user_lucia", role="technician", correlation="corr_lucia")
PLANNER: Final = Actor(tenant=MINE, id="user_agustin", role="planner", correlation="corr_agustin")
BOT: Final = Actor(tenant=MINE, id="bot", role="bot", correlation="corr_bot")
STRANGER: Final = Actor(tenant="tenant_other", id="user_zoe", role="owner", correlation="corr_zoe")

PEOPLE: Final = (
    User(id="user_marta", tenant=MINE, name="Marta Díaz", role="dispatcher", phone="+5491150000001"),
    User(id="user_carlos", tenant=MINE, name="Carlos Gómez", role="technician", phone="+5491150000002"),
    User(id="user_lucia", tenant=MINE, name="Lucía Paz", role="technician", token_hash=token_hash("lucia's token")),
    User(id="user_raul", tenant=MINE, name="Raúl Sosa", role="technician", active=False),
)

Mishap: TypeAlias = Exception | Callable[[], Awaitable[object]] | None
_T = TypeVar("_T")


@define
class Weather:
    """What goes wrong at which step of an adapter, in order: an error that comes out of it, or something done meanwhile."""

    _planned: dict[str, list[Mishap]] = field(factory=dict)

    def plan(self, step: str, *mishaps: Mishap) -> None:
        """Let these happen at the next visits of the step (`jobs.save:before`); None lets one visit pass."""
        self._planned.setdefault(step, []).extend(mishaps)

    @property
    def calm(self) -> bool:
        """Say whether everything that was planned has happened."""
        return not any(self._planned.values())

    def clear(self) -> None:
        """Let nothing more happen."""
        self._planned.clear()

    async def __call__(self, step: str) -> None:
        waiting = self._planned.get(step)
        mishap = waiting.pop(0) if waiting else None
        if isinstance(mishap, Exception):
            raise mishap
        if mishap is not None:
            await mishap()


async def elsewhere(work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work as another process would: outside the transaction that is open here."""
    return await asyncio.create_task(work, context=contextvars.Context())


def local_day(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()


def token_for(session_id: str) -> str:
    return f"link-{session_id}"


@define
class Office:
    """Every service of one tenant, `MINE`; `queue` is what the relay sent and nobody has taken yet."""

    clock: Hands = field(factory=Hands)
    new_id: Counter = field(factory=Counter)
    weather: Weather = field(factory=Weather)
    queue: list[tuple[str, str]] = field(factory=list)
    model: LanguageModel = field(factory=MemoryLanguageModel)
    rules: AggregationRules = field(factory=AggregationRules)
    outlets: dict[str, Channel] = field(factory=dict)
    push: dict[str, PushService] = field(factory=dict)

    store: MemoryStore = field(init=False)
    buffer: MemoryBuffer = field(init=False)
    positions: MemoryPositions = field(init=False)
    channel: MemoryChannel = field(init=False)
    authority: MemoryTaxAuthority = field(init=False)
    media: MemoryMedia = field(init=False)
    identity: Identity = field(init=False)
    customers: Customers = field(init=False)
    jobs: Jobs = field(init=False)
    messaging: Messaging = field(init=False)
    tracking: Tracking = field(init=False)
    invoicing: Invoicing = field(init=False)
    notifications: Notifications = field(init=False)
    choices: Choices = field(init=False)
    telling: Telling = field(init=False)
    reminders: Reminders = field(init=False)
    reactions: Reactions = field(init=False)
    reactor: Reactor = field(init=False)
    relay: Relay = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock, new_id, weather = self.clock, self.new_id, self.weather
        self.store = store = MemoryStore(clock=clock, new_id=new_id, pause=weather)
        self.buffer = MemoryBuffer(self.rules, weather)
        self.positions = MemoryPositions(clock, weather)
        self.channel = MemoryChannel(new_id, weather)
        self.authority = MemoryTaxAuthority(weather)
        self.media = MemoryMedia(weather)
        self.identity = Identity(store.directory)
        self.customers = Customers(store.begin, store.customers, clock, new_id)
        colleagues, clients = DirectoryColleagues(store.directory), RegisteredClients(store.customers)
        self.jobs = Jobs(store.begin, store.jobs, colleagues, clients, self.media, clock, new_id)
        self.messaging = Messaging(
            store.begin, store.inbox, self.buffer, self.model, local_day, clock, new_id, self.rules
        )
        visits = DescribedVisits(store.directory, store.jobs)
        self.tracking = Tracking(
            store.begin, store.sessions, self.positions, store.history, visits, token_for, clock, new_id
        )
        self.invoicing = Invoicing(
            store.begin,
            store.invoices,
            JobsAsWork(store.jobs, store.customers, local_day, clock),
            store.issuers,
            self.authority,
            MemoryPrinter(),
            local_day,
            clock,
            new_id,
        )
        self.notifications = Notifications(
            store.begin,
            store.deliveries,
            {"whatsapp": self.channel, **self.outlets},
            InvoiceDocuments(self.invoicing),
            ZoneInfo,
            clock,
            new_id,
            self.push,
            "https://cuadrilla.example/track/{}".format,
        )
        self.choices = Choices(store.begin, ZoneInfo, clock, new_id)
        self.telling = Telling(self.notifications, self.customers, self.identity, ZoneInfo)
        self.reminders = Reminders(self.jobs, self.telling, clock)
        self.reactions = reactions_to_facts(
            messages=WhenSomebodyWrites(self.messaging, self.customers, self.jobs, self.notifications),
            jobs=WhenAJobMoves(self.jobs, self.tracking, self.telling),
            trips=WhenATripMoves(self.jobs, self.tracking, self.telling),
            invoices=WhenAnInvoiceIsIssued(self.jobs, self.telling),
            notifications=WhenANotificationIsQueued(self.notifications),
            log_ins=WhenALogInEnds(MemoryKnownLogIns(clock, weather), self.choices),
        )
        self.reactor = Reactor(store.outbox, self.reactions)
        self.relay = Relay(store.outbox, self._publish, self.reactions, clock)

    async def _publish(self, messages: Sequence[tuple[str, str]]) -> None:
        await self.weather("publish:before")
        self.queue.extend(messages)
        await self.weather("publish:after")

    async def move_in(self) -> Office:
        """Enrol the people and the issuer, and return the office."""
        await self.store.directory.enrol(Tenant(id=MINE, name="Climatización Palermo", phone="+541150000000"), PEOPLE)
        await self.store.issuers.put(an_issuer())
        return self

    async def react(self) -> list[tuple[str, str]]:
        """Let every reaction that was sent react, and return (reaction, outcome) of each."""
        taken, self.queue = self.queue, []
        return [(name, await self.reactor.react(fact_id=id_, reaction=name)) for id_, name in taken]

    async def quiet(self) -> list[tuple[str, str]]:
        """Relay and react until nothing follows any more."""
        outcomes: list[tuple[str, str]] = []
        while await self.relay.send():
            outcomes += await self.react()
        return outcomes

    async def facts(self, *names: str) -> list[Any]:
        """Return the facts that nobody has relayed yet, those of some names if any are given; they stay unsent."""

        class Look(Exception):
            pass

        found: list[Any] = []
        try:
            async with self.store.outbox.unsent(limit=10_000) as envelopes:
                found = [each.fact for each in envelopes if not names or each.event_type in names]
                raise Look
        except Look:
            return found

    async def fact_ids(self, name: str) -> list[str]:
        """Return the ids of the unsent facts of a name; they stay unsent."""
        facts = await self.facts()
        return [f"fact_{number}" for number, fact in enumerate(facts, start=1) if fact.name == name]

    async def errands(self) -> int:
        """See to every notification that is due, as a worker does, and return how many errands that were."""
        errands = await self.notifications.due()
        for errand in errands:
            with contextlib.suppress(Unavailable):
                await self.notifications.run(errand)
        return len(errands)

    def shown(self) -> list[Visible]:
        return self.channel.visible

    async def deliveries(self) -> dict[str, Delivery]:
        """Return the delivery log by template and recipient's id (`job_completed/cust_1`)."""
        log, _ = await self.store.deliveries.page(MINE, wanted=Wanted(), limit=100, cursor=None)
        return {f"{each.template}/{each.recipient.id}": each for each in log}

    async def a_customer(self, **known: Any) -> str:
        wanted = {"name": "Ana Ruiz", "phone": "+5491155550001", **known}
        return (await self.customers.register(actor=MARTA, **wanted)).id

    async def a_job(self, *, status: str = "pending", customer_id: str | None = None, **wanted: Any) -> Job:
        """Open a job and take it as far as `status` on the straight way, Carlos's hands and Marta's permission."""
        owner = customer_id or await self.a_customer(
            phone=f"+54911555500{self.new_id('phone').removeprefix('phone_'):0>2}"
        )
        job = await self.jobs.open(actor=MARTA, customer_id=owner, title="Aire acondicionado", **wanted)
        way = ("pending", "scheduled", "en_camino", "working", "completed")
        for step in way[1 : way.index(status) + 1]:
            match step:
                case "scheduled":
                    job = await self.jobs.schedule(
                        actor=MARTA,
                        job_id=job.id,
                        technician_id="user_carlos",
                        starts_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
                        ends_at=datetime(2026, 11, 21, 14, 0, tzinfo=UTC),
                    )
                case "en_camino":
                    job = await self.jobs.depart(actor=CARLOS, job_id=job.id)
                case "working":
                    job = await self.jobs.arrive(actor=CARLOS, job_id=job.id)
                case _:
                    job = await self.jobs.complete(actor=CARLOS, job_id=job.id, lines=(GAS,))
        return job
