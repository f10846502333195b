"""Access tickets, against the sandbox's WSAA over real HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from adapters.afip.tickets import Wsaa, fingerprint, parse_ticket, sign_request
from adapters.memory.pauses import Steps
from adapters.memory.secrets import MemoryTickets
from core.invoicing import Refused
from core.kernel.errors import Unavailable
from tests.adapters.afip_bench import HOUR, Bench, answering, bench, http

pytestmark = pytest.mark.anyio


@pytest.fixture
async def afip(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


async def test_a_ticket_serves_until_ten_minutes_before_its_end(afip: Bench) -> None:
    wsaa = afip.wsaa()
    first = await wsaa.ticket(afip.credentials)
    assert first.expires_at == afip.clock() + 12 * HOUR
    afip.clock.forward(hours=11, minutes=49)
    assert await wsaa.ticket(afip.credentials) == first
    assert afip.logins == 1
    afip.clock.forward(minutes=2)
    second = await wsaa.ticket(afip.credentials)
    assert (second == first, afip.logins) == (False, 2)
    assert second.expires_at == afip.clock() + 12 * HOUR


async def test_many_callers_and_many_processes_ask_once(afip: Bench) -> None:
    await afip.fault("slow", "loginCms", seconds=0.5)
    processes = [afip.wsaa() for _ in range(3)]
    tickets = await asyncio.gather(*(wsaa.ticket(afip.credentials) for wsaa in processes for _ in range(20)))
    assert len({each.token for each in tickets}) == 1
    assert afip.logins == 1


async def test_a_renewal_is_asked_for_once_too(afip: Bench) -> None:
    processes = [afip.wsaa() for _ in range(3)]
    for wsaa in processes:
        await wsaa.ticket(afip.credentials)
    afip.clock.forward(hours=11, minutes=55)
    tickets = await asyncio.gather(*(wsaa.ticket(afip.credentials) for wsaa in processes for _ in range(20)))
    assert len({each.token for each in tickets}) == 1
    assert afip.logins == 2


async def test_a_restart_finds_the_ticket_in_the_store(afip: Bench) -> None:
    first = await afip.wsaa().ticket(afip.credentials)
    assert await afip.wsaa().ticket(afip.credentials) == first
    assert afip.logins == 1


async def test_two_certificates_have_two_tickets(afip: Bench) -> None:
    wsaa, other = afip.wsaa(), await afip.certificate("20111111112")
    first, second = await wsaa.ticket(afip.credentials), await wsaa.ticket(other)
    assert (first == second, afip.logins) == (False, 2)


async def test_a_rejected_ticket_is_replaced_for_all_who_had_it(afip: Bench) -> None:
    wsaa = afip.wsaa()
    first = await wsaa.ticket(afip.credentials)
    afip.clock.forward(minutes=11)
    tickets = await asyncio.gather(*(wsaa.ticket(afip.credentials, rejected=first) for _ in range(10)))
    assert first not in tickets
    assert await afip.wsaa().ticket(afip.credentials, rejected=first) == tickets[0]
    assert afip.logins == 2


async def test_already_authenticated_without_a_ticket_waits_for_the_window(afip: Bench) -> None:
    await afip.wsaa().ticket(afip.credentials)
    lost = MemoryTickets(Steps(), afip.clock)
    with pytest.raises(Unavailable, match="ten minutes"):
        await afip.wsaa(lost).ticket(afip.credentials)
    afip.clock.forward(minutes=10)
    await afip.wsaa(lost).ticket(afip.credentials)


async def test_already_authenticated_near_the_end_falls_back_on_what_is_stored(afip: Bench) -> None:
    first = await afip.wsaa().ticket(afip.credentials)
    afip.clock.forward(hours=11, minutes=55)
    await afip.fault("error", "loginCms", code="coe.alreadyAuthenticated")
    assert await afip.wsaa().ticket(afip.credentials) == first
    afip.clock.forward(minutes=5)
    await afip.fault("error", "loginCms", code="coe.alreadyAuthenticated")
    with pytest.raises(Unavailable):
        await afip.wsaa().ticket(afip.credentials)


async def test_a_ticket_whose_answer_was_lost_says_unavailable_and_never_hangs(afip: Bench) -> None:
    wsaa = afip.wsaa()
    await afip.fault("cut", "loginCms", after_effect=True)
    with pytest.raises(Unavailable):
        await wsaa.ticket(afip.credentials)
    with pytest.raises(Unavailable, match="ten minutes"):
        await wsaa.ticket(afip.credentials)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("http500", {}), ("cut", {}), ("error", {"code": "wsaa.unavailable"}), ("error", {"code": "wsn.unavailable"})],
)
async def test_an_outage_is_unavailable_for_all_who_wait_and_leaves_the_next_free(
    afip: Bench, kind: str, more: dict[str, str]
) -> None:
    wsaa = afip.wsaa()
    await afip.fault(kind, "loginCms", **more)
    answers = await asyncio.gather(*(wsaa.ticket(afip.credentials) for _ in range(5)), return_exceptions=True)
    assert {type(each) for each in answers} == {Unavailable}
    assert afip.logins == 1
    await wsaa.ticket(afip.credentials)


async def test_a_refusal_carries_the_code_of_wsaa(afip: Bench) -> None:
    expired = await afip.certificate(days=-2)
    with pytest.raises(Refused, match=r"WSAA cms\.cert\.expired"):
        await afip.wsaa().ticket(expired)


async def test_a_caller_who_gives_up_does_not_lose_the_ticket(afip: Bench) -> None:
    wsaa = afip.wsaa()
    await afip.fault("slow", "loginCms", seconds=0.3, after_effect=True)
    caller = asyncio.create_task(wsaa.ticket(afip.credentials))
    await asyncio.sleep(0.1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await wsaa.ticket(afip.credentials)
    assert afip.logins == 1


async def test_credentials_that_make_no_sense_are_refused_without_asking(afip: Bench) -> None:
    other = await afip.certificate()
    for broken in (
        evolve(afip.credentials, certificate="no certificate"),
        evolve(afip.credentials, key="no key"),
        evolve(afip.credentials, key=other.key),
    ):
        with pytest.raises(Refused):
            await afip.wsaa().ticket(broken)
    assert afip.logins == 0


async def test_what_cannot_be_read_in_the_store_is_asked_for_anew(afip: Bench) -> None:
    await afip.store.save(f"wsaa:{afip.wsaa_url}:{fingerprint(afip.credentials)}:wsfe", "<broken")
    await afip.wsaa().ticket(afip.credentials)
    assert afip.logins == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff\xfe"])
async def test_a_senseless_wsaa_is_unavailable(afip: Bench, body: bytes) -> None:
    async with answering(lambda: http(body)) as url:
        with pytest.raises(Unavailable):
            await Wsaa(url, afip.store, afip.clock).ticket(afip.credentials)


@pytest.mark.parametrize("text", ["", "<a/>", "<a><header><expirationTime>soon</expirationTime></header></a>"])
def test_what_is_no_ticket_is_unavailable(text: str) -> None:
    with pytest.raises(Unavailable):
        parse_ticket(text)


async def test_the_request_is_signed_around_its_content(afip: Bench) -> None:
    signed = base64.b64decode(sign_request(afip.credentials, at=afip.clock()))
    assert b"<generationTime>2026-11-20T08:50:00-03:00</generationTime>" in signed
    assert b"<expirationTime>2026-11-20T09:10:00-03:00</expirationTime>" in signed


async def test_secrets_are_never_shown(afip: Bench) -> None:
    ticket = await afip.wsaa().ticket(afip.credentials)
    assert "PRIVATE" not in repr(afip.credentials)
    assert ticket.token not in repr(ticket)
    assert timedelta() < ticket.expires_at - afip.clock()
