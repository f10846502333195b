"""Access tokens when processes share whose session counts: the database is asked rarely, and an end is noticed as fast."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from attrs import define, field

from adapters.crypto import SignedTokens, new_bearer
from adapters.memory import MemoryKnownLogIns, MemoryStore
from core.identity import Origin, Sessions, Tenant, Tokens, Unauthenticated, User
from core.identity.ports import KnownLogIn
from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from core.notifications import Choices
from core.reactions import WhenALogInEnds
from tests.contracts.samples import MINE, Counter, Hands
from tests.core.office import Weather

HERE: Final = Origin("corr_1", ip="203.0.113.7", agent="Firefox")
CARLOS: Final = User(id="carlos", tenant=MINE, name="Carlos", role="technician")
OFFICE: Final = Actor(tenant=MINE, id="office", role="service", correlation="corr_1")
DATABASE: Final = ("begin:before", "log_ins.get:before", "directory.user:before")


@define
class Processes:
    """Two web processes over one database; they share what they know of log-ins."""

    clock: Hands = field(factory=Hands)
    new_id: Counter = field(factory=Counter)
    weather: Weather = field(factory=Weather)
    lines: Weather = field(factory=Weather)
    """What happens on the way to what they share."""
    store: MemoryStore = field(init=False)
    known: MemoryKnownLogIns = field(init=False)
    one: Sessions = field(init=False)
    other: Sessions = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(clock=self.clock, new_id=self.new_id, pause=self.weather)
        self.known = MemoryKnownLogIns(self.clock, self.lines)
        signed = SignedTokens.from_secrets([b"0123456789abcdef0123456789abcdef"])
        self.one, self.other = (
            Sessions(
                self.store.begin,
                self.store.log_ins,
                self.store.directory,
                signed,
                new_bearer,
                self.clock,
                self.new_id,
                known=self.known,
            )
            for _ in range(2)
        )

    async def log_in(self) -> Tokens:
        await self.store.directory.enrol(Tenant(id=MINE, name="Demo"), [CARLOS])
        async with self.store.begin(OFFICE) as tx:
            return await self.one.start(tx, user=CARLOS, method="otp", origin=HERE)

    def cut_off_the_database(self) -> None:
        for step in DATABASE:
            self.weather.plan(step, *[Unavailable("nobody may ask")] * 20)


@pytest.fixture
def processes() -> Processes:
    """Give two that have just started."""
    return Processes()


@pytest.fixture
async def tokens(processes: Processes) -> Tokens:
    """Give the tokens of Carlos, whom one of them has seen."""
    tokens = await processes.log_in()
    await processes.one.who(token=tokens.access, correlation="c")
    return tokens


async def test_a_token_is_looked_up_once_for_all_processes(processes: Processes, tokens: Tokens) -> None:
    processes.cut_off_the_database()
    for _ in range(3):
        processes.clock.forward(minutes=4)
        for sessions in (processes.one, processes.other):
            actor = await sessions.who(token=tokens.access, correlation="c")
            assert actor == Actor(tenant=MINE, id="carlos", role="technician", correlation="c")


async def test_a_session_that_ends_in_one_process_counts_nowhere(processes: Processes, tokens: Tokens) -> None:
    await processes.other.who(token=tokens.access, correlation="c")
    await processes.other.log_out(token=tokens.refresh, origin=HERE)
    with pytest.raises(Unauthenticated):
        await processes.other.who(token=tokens.access, correlation="c")
    processes.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await processes.one.who(token=tokens.access, correlation="c")


async def test_who_is_thrown_out_counts_nowhere(processes: Processes, tokens: Tokens) -> None:
    async with processes.store.begin(OFFICE) as tx:
        await processes.other.revoke_all(tx, tenant=MINE, user_id="carlos", reason="left", keep=None, origin=HERE)
    processes.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await processes.one.who(token=tokens.access, correlation="c")


async def test_an_end_that_could_not_be_shared_is_shared_by_its_reaction(processes: Processes, tokens: Tokens) -> None:
    processes.lines.plan("log_ins.forget:before", Unavailable("no redis"))
    await processes.other.log_out(token=tokens.refresh, origin=HERE)
    processes.clock.forward(seconds=5)
    assert await processes.one.who(token=tokens.access, correlation="c"), "this is what the reaction is for"
    async with processes.store.outbox.unsent(limit=100) as envelopes:
        (fact,) = [each.fact for each in envelopes if each.event_type == "identity.session_revoked"]
    choices = Choices(processes.store.begin, ZoneInfo, processes.clock, processes.new_id)
    await WhenALogInEnds(processes.known, choices).forget(OFFICE, fact)  # type: ignore[arg-type] # it has this name
    processes.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await processes.one.who(token=tokens.access, correlation="c")


async def test_while_nothing_is_shared_the_database_is_asked(processes: Processes, tokens: Tokens) -> None:
    down = [Unavailable("no redis")] * 4
    for step in ("log_ins.get:before", "log_ins.remember:before", "log_ins.forget:before"):
        processes.lines.plan(step, *down)
    processes.clock.forward(seconds=5)
    assert (await processes.other.who(token=tokens.access, correlation="c")).id == "carlos"
    await processes.one.log_out(token=tokens.refresh, origin=HERE)
    processes.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await processes.other.who(token=tokens.access, correlation="c")


async def test_a_token_of_somebody_else_s_session_is_nobody_s(processes: Processes, tokens: Tokens) -> None:
    stolen = KnownLogIn(user_id="lucia", role="owner", until=processes.clock() + timedelta(days=1))
    processes.clock.forward(minutes=15, seconds=-1)
    processes.known._known.clear()
    await processes.known.remember(MINE, tokens.session_id, stolen, life=timedelta(minutes=1))
    with pytest.raises(Unauthenticated):
        await processes.other.who(token=tokens.access, correlation="c")
