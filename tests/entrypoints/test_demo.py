"""The player believes nothing that was not seen; recordings and the clock that skips."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from entrypoints.demo import NoRecording, NotObserved, Player, SkippingClock, Stage, read_recording, stage_of
from entrypoints.demo.player import _Story
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import Running, running
from tests.servers import ROOT

RECORDING = read_recording(ROOT / "demo")


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Running]:
    """Give a whole running system on SQLite."""
    environ = {
        "CUADRILLA_ENV": "test",
        "CUADRILLA_VAR": str(tmp_path),
        "CUADRILLA_PORT": str(free_port()),
        "CUADRILLA_SANDBOX_PORT": str(free_port()),
    }
    async with running(read_settings(environ, directory=tmp_path), clock=SkippingClock(RECORDING.started_at)) as system:
        yield system


def test_a_clock_runs_from_its_start_and_skips() -> None:
    start = datetime(2026, 11, 20, 12, tzinfo=UTC)
    clock = SkippingClock(start)
    first, second = clock(), clock()
    assert start <= first <= second < start + timedelta(minutes=5)
    clock.skip(timedelta(hours=1))
    assert clock() >= second + timedelta(hours=1)
    clock.skip_to(start + timedelta(hours=3))
    assert clock() >= start + timedelta(hours=3)
    before = clock()
    clock.skip_to(start)
    assert before <= clock() < before + timedelta(minutes=5)


def test_a_recording_begins_with_its_first_message() -> None:
    assert RECORDING.started_at == RECORDING.webhooks[0][0]
    assert len(RECORDING.webhooks) == 3
    assert len(RECORDING.trace) >= 60
    assert [each.after for each in RECORDING.trace] == sorted(each.after for each in RECORDING.trace)


def test_a_folder_that_is_not_there_holds_no_recording(tmp_path: Path) -> None:
    with pytest.raises(NoRecording, match=r"there is no folder .*nowhere"):
        read_recording(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trace.json", "no json"),
        ("trace.json", '[{"after": 1}]'),
        ("trace.json", None),
        ("photo.png", None),
        ("signature.png", None),
        ("webhooks/1.json", "{}"),
        ("webhooks/2.json", '{"entry": []}'),
        ("webhooks", None),
    ],
)
def test_a_recording_that_is_broken_is_refused(name: str, content: str | None, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "demo", tmp_path / "demo")
    if content is not None:
        (folder / name).write_text(content)
    elif (folder / name).is_dir():
        shutil.rmtree(folder / name)
    else:
        (folder / name).unlink()
    with pytest.raises(NoRecording, match="holds no recording that can be played"):
        read_recording(folder)


async def test_a_story_whose_webhooks_are_refused_ends_there(system: Running) -> None:
    stage = attrs.evolve(stage_of(system), app_secret="another secret")
    with pytest.raises(NotObserved, match="a webhook was answered 401"):
        await Player(stage, RECORDING, SkippingClock(RECORDING.started_at)).play()


async def test_a_story_whose_dispatcher_is_not_let_in_ends_there(system: Running) -> None:
    stage = attrs.evolve(stage_of(system), dispatcher_phone="12345678")
    with pytest.raises(NotObserved, match=r"POST /api/v1/auth/otp was answered 422"):
        await Player(stage, RECORDING, SkippingClock(RECORDING.started_at)).play()


async def test_a_product_that_takes_every_signature_is_found_out() -> None:
    async def gullible(_: Request) -> Response:
        return JSONResponse({})

    async with serving(Starlette(routes=[Route("/webhooks/whatsapp", gullible, methods=["POST"])])) as url:
        stage = Stage(
            api=url,
            sandbox=url,
            phone_number_id="1",
            app_secret="s",
            dispatcher_phone="+54",
            technician_id="t",
            technician_phone="+54",
        )
        with pytest.raises(NotObserved, match="wrong signature was not refused"):
            await Player(stage, RECORDING, SkippingClock(RECORDING.started_at)).play()


async def story(jobs: list[dict[str, object]]) -> None:
    """Look for the job at a product that shows these."""

    async def shown(_: Request) -> Response:
        return JSONResponse({"items": jobs})

    phone: list[dict[str, str]] = []

    async def chat(_: Request) -> Response:
        return JSONResponse({"messages": phone})

    async def otp(_: Request) -> Response:
        phone.append({"id": "1", "template": "otp_login", "text": "123456 es tu código"})
        return JSONResponse({}, 202)

    async def verify(request: Request) -> Response:
        assert (await request.json())["otp"] == "123456"
        user = {"name": "Marta", "role": "dispatcher"}
        return JSONResponse({"accessToken": "a", "refreshToken": "r", "expiresIn": 900, "user": user})

    routes = [
        Route("/api/v1/jobs", shown),
        Route("/whatsapp/control/chats/1/54", chat),
        Route("/api/v1/auth/otp", otp, methods=["POST"]),
        Route("/api/v1/auth/verify", verify, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes)) as url:
        stage = Stage(
            api=url,
            sandbox=url,
            phone_number_id="1",
            app_secret="s",
            dispatcher_phone="+54",
            technician_id="t",
            technician_phone="+54",
        )
        async with httpx2.AsyncClient(trust_env=False) as client:
            clock = SkippingClock(RECORDING.started_at)
            await _Story(client, stage, RECORDING, clock, lambda _: None).open()


@pytest.mark.parametrize(
    ("jobs", "missing"),
    [
        ([{"id": "1"}, {"id": "2"}], "2 jobs were opened by three fragments"),
        ([{"id": "1", "status": "scheduled"}], "the job's status is 'scheduled', not 'pending'"),
        ([{"id": "1", "status": "pending", "request": "Hola"}], "the job's request is 'Hola'"),
    ],
)
async def test_a_job_that_is_not_the_one_asked_for_is_no_success(jobs: list[dict[str, object]], missing: str) -> None:
    with pytest.raises(NotObserved, match=missing):
        await story(jobs)


async def test_a_system_without_a_sandbox_has_no_stage(system: Running) -> None:
    with pytest.raises(ValueError, match="sandbox"):
        stage_of(attrs.evolve(system, sandbox=None))
    assert stage_of(system).app_secret not in repr(stage_of(system))


async def test_a_person_logs_in_once_and_stays_logged_in_when_the_clock_skips(system: Running) -> None:
    stage, clock = stage_of(system), system.app.clock
    assert isinstance(clock, SkippingClock)
    async with httpx2.AsyncClient(trust_env=False) as client:
        marta = stage.person(stage.dispatcher_phone, client, clock)
        first = await marta.token()
        assert await marta.token() == first
        clock.skip(timedelta(hours=20))
        renewed = set(await asyncio.gather(*(marta.token() for _ in range(10))))
        assert first not in renewed
        assert len(renewed) == 1
        me = await client.get(f"{stage.api}/api/v1/auth/me", headers=await marta.bearer())
        chat = (await client.get(stage.chat(stage.dispatcher_phone))).json()["messages"]
    assert me.json()["id"] == "user_marta"
    assert [each["template"] for each in chat] == ["otp_login"]
    assert {first, *renewed}.isdisjoint(repr(marta).split("'"))
