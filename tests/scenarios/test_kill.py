"""`kill -9` of a worker, with real processes: nothing is lost and nobody is told twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from attrs import define, frozen

from entrypoints.demo import Person, Stage, stage_of
from entrypoints.demo_tenant import seed
from entrypoints.http.app import http_app
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import Running
from entrypoints.wiring import afip_descriptions, build, migrate, now

PATIENCE = 90.0
"""Seconds; what a killed worker had is taken up again when its lease of 30 s is over."""
CUSTOMER = "5491155550777"


@define
class WorkerProcess:
    """`cuadrilla work`, as its own process."""

    process: asyncio.subprocess.Process

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@frozen
class Scene:
    """The product's web process and the sandbox in this process, workers in others, one PostgreSQL between them."""

    stage: Stage
    environ: dict[str, str]
    database: psycopg.AsyncConnection[Any]
    client: httpx2.AsyncClient
    marta: Person
    carlos: Person

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[WorkerProcess]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "entrypoints.cli",
            "work",
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"working\n"
        try:
            yield WorkerProcess(process)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
                await process.wait()

    async def post(self, path: str, body: object, *, who: Person | None = None) -> Any:
        headers = await (who or self.marta).bearer()
        answer = await self.client.post(self.stage.api + path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def chat(self, wa_id: str) -> list[str]:
        """Return what the phone shows of the business, without codes for log-in."""
        shown = (await self.client.get(self.stage.chat(wa_id))).json()["messages"]
        out = [each for each in shown if each["direction"] == "out" and each.get("template") != "otp_login"]
        return [str(each.get("text")) for each in out]

    async def logged_in(self) -> None:
        """Log both people in, and wait for the last report on their codes, so that nothing of it comes in between later."""
        await asyncio.gather(self.marta.token(), self.carlos.token())

        async def reported() -> bool:
            return bool(await self.value("SELECT count(*) = 4 FROM inbox WHERE kind = 'status'"))

        await until(reported)

    async def value(self, query: str, *given: object) -> Any:
        cursor = await self.database.execute(query, given)
        row = await cursor.fetchone()
        return row[0] if row else None

    async def told(self, wa_id: str, words: str) -> None:
        async def shown() -> bool:
            return any(words in text for text in await self.chat(wa_id))

        await until(shown)

    async def idle(self) -> None:
        """Wait until every fact was sent and every reaction to it is over, and a moment more."""

        async def nothing_open() -> bool:
            return bool(await self.value(NOTHING_OPEN))

        await until(nothing_open)


NOTHING_OPEN = """
SELECT NOT EXISTS (SELECT FROM outbox WHERE sent_at IS NULL)
   AND NOT EXISTS (SELECT FROM deliveries WHERE state IN ('queued', 'sending'))
   AND NOT EXISTS (SELECT FROM settlements WHERE state <> 'done')
"""


ON_ITS_WAY = "SELECT sent_at IS NOT NULL FROM outbox WHERE event_type = 'job.en_camino'"
A_REACTION_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock' AND relation = 'settlements'::regclass)
"""
"""Who looks for reactions to repeat waits as well, but to read. (`pg_stat_activity` would not change within a transaction.)"""


async def until(seen: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + PATIENCE
    while not await seen():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)


@pytest.fixture(params=["redis_url", "rabbitmq_url"])
async def scene(
    request: pytest.FixtureRequest, postgres_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    """Set the scene over one of the brokers."""
    ours = {
        "CUADRILLA_ENV": "test",
        "CUADRILLA_VAR": str(tmp_path),
        "CUADRILLA_DATABASE_URL": postgres_url,
        "CUADRILLA_REDIS_URL": redis_url,
        "CUADRILLA_BROKER_URL": request.getfixturevalue(request.param),
        "CUADRILLA_PORT": str(free_port()),
        "CUADRILLA_SANDBOX_PORT": str(free_port()),
        "CUADRILLA_LOG_LEVEL": "error",
    }
    settings = read_settings(ours, directory=tmp_path)
    await asyncio.to_thread(migrate, settings)
    wsaa, wsfe = afip_descriptions()
    outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=tmp_path)
    app = build(settings)
    async with (
        serving(outside, port=settings.sandbox_port) as sandbox,
        serving(http_app(app), port=settings.port) as api,
        await psycopg.AsyncConnection.connect(postgres_url.replace("+asyncpg", ""), autocommit=True) as database,
        httpx2.AsyncClient(timeout=30, trust_env=False) as client,
    ):
        await seed(app)
        stage = stage_of(Running(app=app, api=api, sandbox=sandbox))
        marta, carlos = (stage.person(phone, client, now) for phone in (stage.dispatcher_phone, stage.technician_phone))
        yield Scene(stage, {**os.environ, **ours}, database, client, marta, carlos)


async def test_a_worker_killed_between_commit_and_dispatch_and_between_dispatch_and_handling(scene: Scene) -> None:
    carlos = scene.stage.technician_phone
    async with scene.worker() as first:
        await scene.logged_in()
        customer = await scene.post("/api/v1/customers", {"name": "Eva Luna", "phone": f"+{CUSTOMER}"})
        job = await scene.post("/api/v1/jobs", {"customerId": customer["id"], "title": "Heladera"})
        await scene.idle()

        # Between commit and dispatch: the worker stands still while the visit is stored, and dies before it sends a thing.
        first.freeze()
        move = f"/api/v1/jobs/{job['id']}/transitions"
        visit = {"startsAt": "2026-11-25T12:00:00Z", "endsAt": "2026-11-25T14:00:00Z", "technicianId": "user_carlos"}
        place = {"address": "Mitre 450", "lat": -34.6, "lng": -58.4}
        await scene.post(move, {"to": "scheduled", **visit, "location": place})
        assert await scene.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 1
        await first.kill()
    assert await scene.chat(carlos) == []

    async with scene.worker() as second:
        await scene.told(carlos, "Tenés un trabajo nuevo")
        await scene.told(CUSTOMER, "quedó agendada")
        await scene.idle()

        # Between dispatch and handling: the message is with the worker, whose first statement waits for a lock.
        async with scene.database.transaction():
            await scene.database.execute("LOCK TABLE settlements IN ACCESS EXCLUSIVE MODE")
            await scene.post(move, {"to": "en_camino"}, who=scene.carlos)

            async def taken() -> bool:
                return bool(await scene.value(A_REACTION_WAITS)) and bool(await scene.value(ON_ITS_WAY))

            await until(taken)
            await second.kill()
        assert await scene.value("SELECT count(*) FROM tracking_sessions") == 0

    async with scene.worker():
        await scene.told(CUSTOMER, "ya salió para tu domicilio")
        await scene.idle()
    assert await scene.value("SELECT count(*) FROM tracking_sessions") == 1
    assert [len(await scene.chat(phone)) for phone in (carlos, CUSTOMER)] == [1, 2]
    assert await scene.value("SELECT count(*) FROM deliveries") == 3
