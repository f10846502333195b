"""Staying logged in, and not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.identity import Identity, Origin, Session, SessionNotFound, Tokens, Unauthenticated, User, token_hash
from core.identity.model import RefreshToken
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Unavailable
from tests.contracts.samples import MINE, OTHER
from tests.core.identity.house import HERE, MARTA, House, acting
from tests.faults.scheduler import Faults, Scheduler


async def who(house: House, tokens: Tokens) -> Actor:
    return await house.identity.who(token=tokens.access, correlation="corr_9")


async def refuses(house: House, tokens: Tokens) -> None:
    with pytest.raises(Unauthenticated):
        await house.sessions.refresh(token=tokens.refresh, origin=HERE)


async def test_an_access_token_counts_for_fifteen_minutes(house: House) -> None:
    tokens = await house.log_in()
    house.clock.forward(minutes=14, seconds=59)
    assert (await who(house, tokens)).id == "user_marta"
    house.clock.forward(seconds=1)
    with pytest.raises(Unauthenticated):
        await who(house, tokens)


async def test_a_refresh_token_buys_the_next_pair(house: House) -> None:
    first = await house.log_in()
    house.clock.forward(minutes=20)
    second = await house.sessions.refresh(token=first.refresh, origin=HERE)
    assert (second.user, second.session_id) == (first.user, first.session_id)
    assert second.refresh != first.refresh
    assert (await who(house, second)).id == "user_marta"
    third = await house.sessions.refresh(token=second.refresh, origin=HERE)
    assert len({first.refresh, second.refresh, third.refresh}) == 3


async def test_a_spent_refresh_token_ends_the_session_for_whoever_holds_a_token_of_it(house: House) -> None:
    first = await house.log_in()
    second = await house.sessions.refresh(token=first.refresh, origin=HERE)
    await refuses(house, first)
    await refuses(house, second)
    with pytest.raises(Unauthenticated):
        await who(house, second)
    assert (await house.names())[-2:] == ["identity.refresh_reused", "identity.session_revoked"]


async def test_a_token_that_never_was_ends_nobody_s_session(house: House) -> None:
    tokens = await house.log_in()
    tenant, session_id, family, secret = tokens.refresh.rsplit(".", 3)
    for forged in (
        f"{tenant}.{session_id}.{'x' * 43}.{secret}",
        f"{tenant}.{session_id}.{'x' * 43}.{'y' * 43}",
        f"{OTHER}.{session_id}.{family}.{secret}",
        f"{tenant}.session_99.{family}.{secret}",
        f"{tenant}.{session_id}.{family}",
        tokens.refresh + " ",
        tokens.refresh + "\x00",
        "...",
        "",
        "é" * 50,
        "\ud800.a.b.c",
        "x" * 1_000_000,
    ):
        with pytest.raises(Unauthenticated):
            await house.sessions.refresh(token=forged, origin=HERE)
    assert (await house.sessions.refresh(token=tokens.refresh, origin=HERE)).user == MARTA


async def test_a_session_that_nobody_uses_is_over_after_seven_days(house: House) -> None:
    tokens = await house.log_in()
    house.clock.forward(days=7)
    await refuses(house, tokens)
    tokens = await house.log_in()
    house.clock.forward(days=6, hours=23)
    assert (await house.sessions.refresh(token=tokens.refresh, origin=HERE)).user == MARTA


async def test_a_session_that_is_used_is_over_after_thirty_days(house: House) -> None:
    tokens = await house.log_in()
    for _ in range(5):
        house.clock.forward(days=5)
        tokens = await house.sessions.refresh(token=tokens.refresh, origin=HERE)
    house.clock.forward(days=5)
    await refuses(house, tokens)


async def test_of_many_who_refresh_at_once_one_at_most_gets_a_token_and_the_session_ends(house: House) -> None:
    tokens = await house.log_in()

    async def refresh() -> Tokens | None:
        try:
            return await house.sessions.refresh(token=tokens.refresh, origin=HERE)
        except Unauthenticated:
            return None

    got = [each for each in await asyncio.gather(*(refresh() for _ in range(50))) if each]
    assert len(got) == 1
    await refuses(house, got[0])


async def test_whoever_logs_out_is_out_everywhere_at_once(house: House) -> None:
    tokens = await house.log_in()
    assert (await who(house, tokens)).id == "user_marta"
    await house.sessions.log_out(token=tokens.refresh, origin=HERE)
    with pytest.raises(Unauthenticated):
        await who(house, tokens)
    await refuses(house, tokens)
    await house.sessions.log_out(token=tokens.refresh, origin=HERE)
    await house.sessions.log_out(token="nonsense", origin=HERE)
    assert (await house.names()).count("identity.session_revoked") == 1


async def test_a_token_of_another_session_logs_nobody_out(house: House) -> None:
    tokens = await house.log_in()
    tenant, session_id, _, secret = tokens.refresh.rsplit(".", 3)
    await house.sessions.log_out(token=f"{tenant}.{session_id}.{'x' * 43}.{secret}", origin=HERE)
    assert (await who(house, tokens)).id == "user_marta"


async def test_another_process_notices_an_ended_session_within_five_seconds(house: House) -> None:
    tokens = await house.log_in()
    elsewhere = evolve(house.sessions, remembered={})
    assert (await elsewhere.who(token=tokens.access, correlation="c")).id == "user_marta"
    await house.sessions.log_out(token=tokens.refresh, origin=HERE)
    house.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await elsewhere.who(token=tokens.access, correlation="c")


async def test_a_role_that_changed_counts_within_five_seconds(house: House) -> None:
    tokens = await house.log_in()
    await who(house, tokens)
    tenant = await house.store.directory.tenant(MINE)
    await house.store.directory.enrol(tenant, [evolve(MARTA, role="agent")])
    house.clock.forward(seconds=5)
    assert (await who(house, tokens)).role == "agent"


async def test_who_has_left_is_out_and_stays_out(house: House) -> None:
    tokens = await house.log_in()
    tenant = await house.store.directory.tenant(MINE)
    await house.store.directory.enrol(tenant, [evolve(MARTA, active=False)])
    house.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await who(house, tokens)
    await refuses(house, tokens)
    await house.store.directory.enrol(tenant, [MARTA])
    await refuses(house, tokens)


async def test_sessions_are_listed_the_one_used_last_first(house: House) -> None:
    first = await house.log_in()
    second = await house.log_in()
    phone = Origin("c", ip="198.51.100.2", agent="the app")
    house.clock.forward(seconds=1)
    await house.sessions.refresh(token=first.refresh, origin=phone)
    listed = await house.sessions.list(actor=acting(first))
    assert [session.id for session in listed] == [first.session_id, second.session_id]
    assert (listed[0].ip, listed[0].agent, listed[0].method) == ("198.51.100.2", "the app", "otp")
    house.clock.forward(days=8)
    assert await house.sessions.list(actor=acting(first)) == []


async def test_people_end_their_own_sessions_and_admins_everybody_s(house: House) -> None:
    marta, olga = await house.log_in(), await house.log_in("+5491155550009")
    with pytest.raises(SessionNotFound):
        await house.sessions.revoke(actor=acting(marta), session_id=olga.session_id, origin=HERE)
    stranger = Actor(tenant=OTHER, id="user_z", role="owner", correlation="c")
    with pytest.raises(SessionNotFound):
        await house.sessions.revoke(actor=stranger, session_id=marta.session_id, origin=HERE)
    await house.sessions.revoke(actor=acting(olga), session_id=marta.session_id, origin=HERE)
    await refuses(house, marta)
    assert [each.id for each in await house.sessions.list(actor=acting(olga))] == [olga.session_id]
    assert await house.sessions.list(actor=acting(olga), user_id="user_marta") == []
    await house.sessions.revoke(actor=acting(olga), session_id=olga.session_id, origin=HERE)
    with pytest.raises(SessionNotFound):
        await house.sessions.revoke(actor=acting(olga), session_id="session_99", origin=HERE)


async def test_colleagues_do_not_see_each_other_s_sessions(house: House) -> None:
    marta = await house.log_in()
    with pytest.raises(NotAllowed):
        await house.sessions.list(actor=acting(marta), user_id="user_olga")


async def test_the_session_of_an_access_token_is_known(house: House) -> None:
    tokens = await house.log_in()
    assert await house.sessions.session_of(token=tokens.access) == tokens.session_id


async def test_no_token_is_printed_or_stored(house: House) -> None:
    tokens = await house.log_in()
    session = await house.store.log_ins.get(MINE, tokens.session_id)
    shown = repr(tokens) + repr(session) + repr(await house.facts()) + repr(house.sessions)
    for secret in (tokens.access, *tokens.refresh.rsplit(".", 2)[1:]):
        assert secret not in shown


async def test_seeded_people_can_be_kept_out(house: House) -> None:
    tenant = await house.store.directory.tenant(MINE)
    await house.store.directory.enrol(
        tenant, [User(id="user_s", tenant=MINE, name="S", role="owner", token_hash=token_hash("demo"))]
    )
    assert (await house.identity.who(token="demo", correlation="c")).id == "user_s"
    closed = Identity(house.store.directory, house.sessions, house.machines, False)
    with pytest.raises(Unauthenticated):
        await closed.who(token="demo", correlation="c")


def test_however_tasks_interleave_fail_and_die_a_token_buys_one_pair_and_one_line_lives() -> None:
    for seed in range(250):
        rng = random.Random(seed)
        house = House()
        scheduler = Scheduler(
            rng=rng, clock=house.clock, faults=Faults(before=0.03, after=0.03, kill=0.02, lost_answer=0)
        )
        house = House(clock=house.clock, pause=scheduler)
        made: list[Tokens] = []

        async def log_in(house: House = house, made: list[Tokens] = made) -> None:
            await house.move_in()
            made.append(await house.log_in())

        scheduler.raging = False
        scheduler.start("log in", log_in())
        scheduler.run_all()
        scheduler.raging = True
        parents: list[str] = []

        async def refresh(
            token: str, house: House = house, made: list[Tokens] = made, parents: list[str] = parents
        ) -> None:
            tokens = await house.sessions.refresh(token=token, origin=HERE)
            parents.append(token)
            made.append(tokens)

        for turn in range(3):
            for user in range(4):
                scheduler.start(f"refresh {turn}.{user}", refresh(rng.choice(made).refresh))
            while scheduler.tasks:
                if rng.random() < 0.02:
                    scheduler.kill()
                else:
                    scheduler.step()
        assert scheduler.defects == [], seed
        assert len(parents) == len(set(parents)), f"seed {seed}: a token was spent twice"
        session = _now(house.store.log_ins.get(MINE, made[0].session_id), scheduler)
        shown = {RefreshToken.read(tokens.refresh) for tokens in made}
        assert sum(session.ended_at is None and session.counts(token) for token in shown) <= 1, seed


def _now(work: Coroutine[Any, Any, Session | None], scheduler: Scheduler) -> Session:
    found: list[Session | None] = []

    async def ask() -> None:
        found.append(await work)

    scheduler.raging = False
    scheduler.start("look", ask())
    scheduler.run_all()
    assert found[0] is not None
    return found[0]


class Thief(RuleBasedStateMachine):
    """A thief and the owner use whatever tokens they have, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        asyncio.run(self.house.move_in())
        self.tokens = [asyncio.run(self.house.log_in())]
        self.spent: set[str] = set()
        self.over = False

    @rule(pick=st.integers(0, 50), hours=st.integers(0, 24))
    def use(self, pick: int, hours: int) -> None:
        self.house.clock.forward(hours=hours)
        token = self.tokens[pick % len(self.tokens)].refresh
        try:
            fresh = asyncio.run(self.house.sessions.refresh(token=token, origin=HERE))
        except Unauthenticated:
            self.over = True
        else:
            assert not self.over
            assert token not in self.spent
            self.tokens.append(fresh)
            self.spent.add(token)

    @invariant()
    def only_the_newest_can_count(self) -> None:
        session = asyncio.run(self.house.store.log_ins.get(MINE, self.tokens[0].session_id))
        assert session is not None
        live = [each for each in self.tokens if session.counts(RefreshToken.read(each.refresh))]
        assert live == self.tokens[-1:]
        assert self.over == (not session.live(self.house.clock()))


def test_a_thief_and_an_owner_never_both_stay_in() -> None:
    run_state_machine_as_test(Thief, settings=settings(max_examples=30, stateful_step_count=12, deadline=None))


@given(st.text(max_size=80))
@settings(max_examples=200)
def test_any_text_is_a_token_s_parts_or_nobody_s(text: str) -> None:
    try:
        token = RefreshToken.read(text)
    except Unauthenticated:
        return
    assert str(token) == text


async def test_a_database_that_does_not_answer_lets_nobody_in() -> None:
    down = False

    async def fail(step: str) -> None:
        if down and step == "log_ins.get:before":
            raise Unavailable("down")

    house = await House(pause=fail).move_in()
    tokens = await house.log_in()
    down = True
    with pytest.raises(Unavailable):
        await who(house, tokens)
