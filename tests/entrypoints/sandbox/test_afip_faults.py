"""Failures of the sandbox AFIP: those that are ordered over the control door, and its own death."""

from __future__ import annotations

import asyncio
import http.client
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from lxml import etree

from adapters.afip import AfipCredentials
from adapters.afip.tickets import sign_request
from entrypoints.sandbox.afip import AfipState
from entrypoints.sandbox.afip.faults import Fault, Faults
from tests.adapters.afip_bench import CUIT, Bench, bench
from tests.contracts.samples import NOW
from tests.entrypoints.sandbox.afip_raw import Answer, Raw, voucher, xml
from tests.entrypoints.sandbox.afip_refusals import detail
from tests.servers import free_port

pytestmark = pytest.mark.anyio
ARGENTINA = timezone(timedelta(hours=-3))


@define
class Place:
    """A running sandbox, a raw client for it, and an issuer's token."""

    afip: Bench
    raw: Raw
    auth: dict[str, str]

    async def authorise(self, number: int, **changed: Any) -> Answer:
        return await asyncio.to_thread(
            lambda: self.raw.wsfe("FECAESolicitar", voucher(self.auth, number, detail(**changed)))
        )

    async def last(self) -> Answer:
        content = xml({"Auth": self.auth, "PtoVta": 1, "CbteTipo": 6})
        return await asyncio.to_thread(lambda: self.raw.wsfe("FECompUltimoAutorizado", content))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with bench(tmp_path) as running:
        ticket = await running.wsaa().ticket(running.credentials)
        yield Place(running, Raw(running.url), {"Token": ticket.token, "Sign": ticket.sign, "Cuit": CUIT})


async def test_each_failure_is_what_it_is_called_and_leaves_what_it_should(place: Place) -> None:
    async def number() -> int:
        return int((await place.last()).all("CbteNro")[0])

    for kind, wanted, grows in (
        ("cut", {}, 0),
        ("cut", {"afterEffect": True}, 1),
        ("http500", {"status": 503}, 0),
        ("http500", {"after_effect": True}, 1),
        ("malformed", {}, 0),
        ("malformed", {"after_effect": True}, 1),
        ("slow", {"seconds": 0.01}, 1),
        ("error", {"code": 501}, 0),
        ("error", {"code": 502, "after_effect": True}, 1),
        ("expired_token", {}, 0),
        ("refuse", {"code": 10192}, 0),
        ("duplicate", {}, 1),
    ):
        await place.afip.fault(kind, **wanted)
        before = await number()
        try:
            answer = await place.authorise(before + 1)
        except http.client.IncompleteRead:
            assert kind == "cut"
        else:
            said = {
                "http500": lambda told: (told.status, told.kind.split(";")[0]),
                "malformed": lambda told: (told.status, told.body.endswith("<")),
            }.get(kind, lambda told: (told.status, told.all("Code")))(answer)
            assert (
                said
                == {
                    "http500": (wanted.get("status", 500), "text/plain"),
                    "malformed": (200, True),
                    "slow": (200, []),
                    "error": (200, [str(wanted.get("code"))]),
                    "expired_token": (200, ["600"]),
                    "refuse": (200, ["10192"]),
                    "duplicate": (200, ["10016"]),
                }[kind]
            )
        assert await number() == before + grows, (kind, wanted)
    vouchers = await place.afip.vouchers()
    assert [each["number"] for each in vouchers] == [6, 5, 4, 3, 2, 1]
    assert len({each["cae"] for each in vouchers}) == 6


async def test_an_order_holds_for_so_many_calls_of_its_operation_and_can_be_taken_back(place: Place) -> None:
    await place.afip.fault("error", "FECompUltimoAutorizado", code=500, calls=2)
    await place.afip.fault("error", "FECompUltimoAutorizado", code=501, calls=None)
    assert [(await place.last()).all("Code") for _ in range(4)] == [["500"], ["500"], ["501"], ["501"]]
    assert (await place.authorise(1)).all("Resultado") == ["A", "A"]
    listed = (await place.afip.control.get("/afip/control/faults")).json()["items"]
    assert [(each["number"], each["left"], each["fired"]) for each in listed] == [(2, None, 2)]
    assert (await place.afip.control.delete("/afip/control/faults/2")).json() == {"cleared": 1}
    assert (await place.afip.control.delete("/afip/control/faults/2")).status_code == 404
    assert (await place.last()).all("CbteNro") == ["1"]


def test_a_share_of_the_calls_fails_and_the_seed_says_which() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults()
        faults.order(Fault(kind="cut", probability=0.1, seed=seed, calls=None))
        return [faults.next("FEDummy") is not None for _ in range(1000)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 60 < sum(struck(1)) < 140


async def test_the_clock_is_moved_by_a_span_or_to_a_moment_and_seen(place: Place) -> None:
    async def moved(**wanted: Any) -> str:
        return str((await place.afip.control.post("/afip/control/clock", json=wanted)).json()["now"])

    assert datetime.fromisoformat(await moved(offsetSeconds=3600)) == NOW + timedelta(hours=1)
    assert datetime.fromisoformat(await moved(at="2026-12-01T00:00:00")) == datetime(2026, 12, 1, tzinfo=ARGENTINA)
    ticket = await asyncio.to_thread(
        lambda: _log_in(place.raw, sign_request(place.afip.credentials, at=datetime(2026, 12, 1, 3, tzinfo=UTC)))
    )
    place.auth |= ticket
    assert (await place.authorise(1, CbteFch="20261201", CondicionIVAReceptorId=None)).all("Code") == ["10246"]
    await moved(offsetSeconds=0)
    place.auth |= await asyncio.to_thread(lambda: _log_in(place.raw, sign_request(place.afip.credentials, at=NOW)))
    assert (await place.authorise(1, CondicionIVAReceptorId=None)).all("Code") == ["10245"]


def _log_in(raw: Raw, cms: str) -> dict[str, str]:
    answer = raw.soap("/ws/services/LoginCms", f"<loginCms><in0>{cms}</in0></loginCms>", action="")
    assert answer.status == 200, answer.body
    ticket = etree.fromstring(answer.all("loginCmsReturn")[0].replace("&lt;", "<").replace("&gt;", ">").encode())
    return {name.title(): str(ticket.findtext(f"credentials/{name}")) for name in ("token", "sign")}


@contextmanager
def process(path: Path) -> Iterator[tuple[Raw, subprocess.Popen[bytes]]]:
    port = free_port()
    started = subprocess.Popen([sys.executable, "-m", "tests.entrypoints.sandbox.afip_process", str(path), str(port)])
    raw = Raw(f"http://127.0.0.1:{port}")
    try:
        for _ in range(200):
            try:
                raw.post("/afip/control/faults", b"", {})
                break
            except OSError:
                time.sleep(0.05)
        yield raw, started
    finally:
        started.kill()
        started.wait()


@define
class Issuer:
    """Somebody who issues without end and notes what was answered."""

    auth: dict[str, str]
    answered: dict[tuple[int, int], str]

    def issue(self, raw: Raw, point: int) -> None:
        """Issue one voucher after the other until the connection breaks."""
        today = f"{datetime.now(UTC).astimezone(ARGENTINA):%Y%m%d}"
        asked = xml({"Auth": self.auth, "PtoVta": point, "CbteTipo": 6})
        try:
            while True:
                number = int(raw.wsfe("FECompUltimoAutorizado", asked).all("CbteNro")[0]) + 1
                answer = raw.wsfe("FECAESolicitar", voucher(self.auth, number, detail(CbteFch=today), point=point))
                self.answered[point, number] = answer.all("CAE")[0]
        except (OSError, http.client.HTTPException):
            return


async def test_what_was_answered_survives_kill_9_and_no_number_is_given_twice(tmp_path: Path) -> None:
    """Takes some seconds: it starts the sandbox twice and kills it in the middle of authorising."""

    def work() -> dict[tuple[int, int], str]:
        issuer = Issuer({}, {})
        for death in range(2):
            with process(tmp_path / "afip.db") as (raw, running):
                if not issuer.auth:
                    order = {"cuit": CUIT, "points": [1, 2, 3]}
                    credentials = AfipCredentials(**raw.control("certificates", order))
                    issuer.auth = {**_log_in(raw, sign_request(credentials, at=datetime.now(UTC))), "Cuit": CUIT}
                with ThreadPoolExecutor(3) as pool:
                    issuing = [pool.submit(issuer.issue, raw, point) for point in (1, 2, 3)]
                    time.sleep(0.4 + death / 10)
                    running.send_signal(signal.SIGKILL)
                    for each in issuing:
                        each.result()
        return issuer.answered

    answered = await asyncio.to_thread(work)
    state = AfipState(tmp_path / "afip.db")
    kept = {(each.point, each.number): each.cae for each in state.vouchers(limit=100_000)}
    state.close()
    assert len(answered) > 6
    assert answered.items() <= kept.items()
    assert len(kept) - len(answered) <= 6, (
        "at most one for each of three series and two deaths was kept and not answered"
    )
    for point in (1, 2, 3):
        numbers = sorted(number for at, number in kept if at == point)
        assert numbers == list(range(1, len(numbers) + 1))
    assert len(set(kept.values())) == len(kept)
