"""Staying logged in in a browser, by a cookie that stays the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from attrs import evolve

from core.identity import Origin, Tokens, Unauthenticated, Visit
from core.identity.model import Session
from tests.contracts.samples import MINE, OTHER
from tests.core.identity.house import HERE, MARTA, House, acting

ELSEWHERE = Origin("corr_5", ip="198.51.100.9", agent="Chrome")


async def in_browser(house: House) -> tuple[str, Tokens]:
    tokens = await house.log_in()
    return await house.sessions.keep_in_browser(tokens=tokens, origin=HERE), tokens


async def visit(house: House, cookie: str, origin: Origin = HERE) -> Visit:
    return await house.sessions.visit(cookie=cookie, correlation="corr_9", origin=origin)


async def stored(house: House, tokens: Tokens) -> Session:
    session = await house.store.log_ins.get(MINE, tokens.session_id)
    assert session is not None
    return session


async def refused(house: House, cookie: str) -> None:
    with pytest.raises(Unauthenticated):
        await visit(house, cookie)


async def test_a_cookie_brings_its_person_back_with_the_role_they_have_now(house: House) -> None:
    cookie, tokens = await in_browser(house)
    seen = await visit(house, cookie)
    assert (seen.actor.tenant, seen.actor.id, seen.actor.role) == (MINE, "user_marta", "dispatcher")
    assert (seen.actor.correlation, seen.session_id) == ("corr_9", tokens.session_id)
    await house.store.directory.enrol(await house.store.directory.tenant(MINE), [evolve(MARTA, role="admin")])
    house.clock.forward(seconds=6)
    assert (await visit(house, cookie)).actor.role == "admin"


async def test_many_tabs_at_once_stay_logged_in(house: House) -> None:
    cookie, _ = await in_browser(house)
    for _ in range(3):
        house.clock.forward(hours=2)
        assert len({(await each).actor.id for each in [visit(house, cookie) for _ in range(2)]}) == 1
        assert len(await asyncio.gather(*(visit(house, cookie) for _ in range(20)))) == 20


async def test_no_refresh_token_counts_in_a_session_that_a_browser_keeps(house: House) -> None:
    cookie, tokens = await in_browser(house)
    with pytest.raises(Unauthenticated):
        await house.sessions.refresh(token=tokens.refresh, origin=ELSEWHERE)
    await refused(house, cookie)
    assert (await house.names())[-2:] == ["identity.refresh_reused", "identity.session_revoked"]


async def test_what_is_known_from_a_refresh_token_opens_no_door_of_a_browser(house: House) -> None:
    tokens = await house.log_in()
    await refused(house, tokens.refresh.rpartition(".")[0])
    assert (await house.sessions.refresh(token=tokens.refresh, origin=HERE)).user == MARTA


async def test_only_the_newest_token_of_a_session_turns_it_into_a_browser_s(house: House) -> None:
    first = await house.log_in()
    second = await house.sessions.refresh(token=first.refresh, origin=HERE)
    with pytest.raises(Unauthenticated):
        await house.sessions.keep_in_browser(tokens=first, origin=HERE)
    with pytest.raises(Unauthenticated):
        await house.sessions.keep_in_browser(tokens=evolve(second, refresh="a.b.c.d"), origin=HERE)
    cookie = await house.sessions.keep_in_browser(tokens=second, origin=HERE)
    assert (await visit(house, cookie)).actor.id == "user_marta"
    await house.sessions.leave(cookie=cookie, origin=HERE)
    with pytest.raises(Unauthenticated):
        await house.sessions.keep_in_browser(tokens=second, origin=HERE)


async def test_a_cookie_that_never_was_is_nobody_s(house: House) -> None:
    cookie, _ = await in_browser(house)
    tenant, session, family = cookie.rsplit(".", 2)
    for forged in (
        f"{tenant}.{session}.{'x' * 43}",
        f"{OTHER}.{session}.{family}",
        f"{tenant}.session_99.{family}",
        f"{tenant}.{session}",
        f"{cookie}.-",
        f" {cookie}",
        f"{cookie}\x00",
        "..",
        "",
        "é" * 50,
        "\ud800.a.b",
        "x" * 100_000,
    ):
        await refused(house, forged)
        await house.sessions.leave(cookie=forged, origin=HERE)
    assert (await visit(house, cookie)).actor.id == "user_marta"


async def test_a_visit_lets_the_session_live_on_and_is_noted_once_an_hour(house: House) -> None:
    cookie, tokens = await in_browser(house)
    opened = await stored(house, tokens)
    house.clock.forward(minutes=59)
    await visit(house, cookie, ELSEWHERE)
    assert await stored(house, tokens) == opened
    house.clock.forward(minutes=1)
    await visit(house, cookie, ELSEWHERE)
    noted = await stored(house, tokens)
    assert (noted.used_at, noted.expires_at) == (house.clock.at, house.clock.at + timedelta(days=7))
    assert (noted.ip, noted.agent, noted.version) == ("198.51.100.9", "Chrome", opened.version + 1)
    await visit(house, cookie)
    assert await stored(house, tokens) == noted
    assert (await house.names()).count("identity.logged_in") == 1


async def test_a_browser_that_stays_away_for_seven_days_is_logged_out(house: House) -> None:
    cookie, _ = await in_browser(house)
    house.clock.forward(days=6, hours=23)
    await visit(house, cookie)
    house.clock.forward(days=6, hours=23)
    await visit(house, cookie)
    house.clock.forward(days=7)
    await refused(house, cookie)


async def test_a_browser_that_comes_every_day_is_logged_out_after_thirty(house: House) -> None:
    cookie, _ = await in_browser(house)
    for _ in range(29):
        house.clock.forward(days=1)
        await visit(house, cookie)
    house.clock.forward(days=1)
    await refused(house, cookie)


async def test_whoever_leaves_is_out_at_once_and_once(house: House) -> None:
    cookie, _ = await in_browser(house)
    await visit(house, cookie)
    await house.sessions.leave(cookie=cookie, origin=HERE)
    await refused(house, cookie)
    await house.sessions.leave(cookie=cookie, origin=HERE)
    assert (await house.names()).count("identity.session_revoked") == 1


async def test_a_browser_s_session_is_listed_and_ended_like_any_other(house: House) -> None:
    cookie, tokens = await in_browser(house)
    other = await house.log_in()
    assert {each.id for each in await house.sessions.list(actor=acting(other))} == {tokens.session_id, other.session_id}
    await house.sessions.revoke(actor=acting(other), session_id=tokens.session_id, origin=HERE)
    await refused(house, cookie)


async def test_another_process_notices_that_a_browser_left_within_five_seconds(house: House) -> None:
    cookie, _ = await in_browser(house)
    elsewhere = evolve(house.sessions, remembered={})
    await elsewhere.visit(cookie=cookie, correlation="c", origin=HERE)
    await house.sessions.leave(cookie=cookie, origin=HERE)
    house.clock.forward(seconds=5)
    with pytest.raises(Unauthenticated):
        await elsewhere.visit(cookie=cookie, correlation="c", origin=HERE)


async def test_a_session_that_ends_while_its_visit_is_noted_lets_nobody_in(house: House) -> None:
    cookie, tokens = await in_browser(house)
    elsewhere = evolve(house.sessions, remembered={})
    house.clock.forward(hours=2)
    key = (MINE, tokens.session_id)
    session = await stored(house, tokens)
    house.sessions._remembered[key] = (house.clock.at + timedelta(seconds=5), MARTA, session)
    await elsewhere.leave(cookie=cookie, origin=HERE)
    await refused(house, cookie)


async def test_a_person_who_has_left_is_not_let_in_by_a_cookie(house: House) -> None:
    cookie, _ = await in_browser(house)
    await house.store.directory.enrol(await house.store.directory.tenant(MINE), [evolve(MARTA, active=False)])
    house.clock.forward(seconds=6)
    await refused(house, cookie)
