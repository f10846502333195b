"""`kill -9` of a web process that takes positions, with real processes: what was answered is in the history, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import frozen

from core.identity import Origin, Tenant, User
from core.kernel.actor import Actor
from core.tracking import Point
from entrypoints.serving import free_port
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate

AT_RISK: Final = 30.0
"""Seconds within which a position has to be in the database."""
OFFICE: Final = Actor(tenant="demo", id="office", role="service", correlation="corr_test")
CARLOS: Final = User(id="carlos", tenant="demo", name="Carlos", role="technician")


@frozen
class Field:
    """A technician on the way to `job_1`, and the settings of the process that takes the positions."""

    app: App
    token: str
    environ: dict[str, str]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "entrypoints.cli",
            "serve",
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"serving ")
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    async def report(self, number: int) -> dict[str, Any]:
        body = {"jobId": "job_1", "lat": -34.62 + number / 1000, "lng": -58.4, "speed": number}
        address = f"http://127.0.0.1:{self.environ['CUADRILLA_PORT']}/api/v1/tracking/update"
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.post(address, json=body, headers={"authorization": f"Bearer {self.token}"})
        assert answer.status_code == 200, answer.text
        progress: dict[str, Any] = answer.json()
        return progress

    async def written(self, *numbers: int) -> None:
        """Wait until the history has these reports, each once."""
        end = time.monotonic() + AT_RISK
        while True:
            kept, _ = await self.app.store.history.page("demo", "job_1", limit=100, cursor=None)
            found = [int(each.fix.speed or 0) for each in kept]
            assert len(found) == len(set(found))
            if set(found) >= set(numbers):
                return
            assert time.monotonic() < end, f"{found} are in the history"
            await asyncio.sleep(0.1)


@pytest.fixture(params=["with Redis", "without Redis"])
async def field(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> AsyncIterator[Field]:
    """Let Carlos set out."""
    ours = {
        "CUADRILLA_ENV": "test",
        "CUADRILLA_VAR": str(tmp_path),
        "CUADRILLA_DATABASE_URL": postgres_url,
        "CUADRILLA_PORT": str(free_port()),
        "CUADRILLA_LOG_LEVEL": "error",
    }
    if request.param == "with Redis":
        ours["CUADRILLA_REDIS_URL"] = request.getfixturevalue("redis_url")
    settings = read_settings(ours, directory=tmp_path)
    await asyncio.to_thread(migrate, settings)
    async with build(settings).running() as app:
        await app.store.directory.enrol(Tenant(id="demo", name="Demo"), [CARLOS])
        async with app.store.begin(OFFICE) as tx:
            tokens = await app.sessions.start(tx, user=CARLOS, method="otp", origin=Origin("corr_test"))
        await app.tracking.open(
            actor=OFFICE, job_id="job_1", technician_id="carlos", customer_id="ana", destination=Point(-34.6, -58.4)
        )
        yield Field(app, tokens.access, {**os.environ, **ours})


async def test_a_web_process_that_is_killed_loses_no_position_that_is_older_than_half_a_minute(field: Field) -> None:
    """It starts two processes, and waits for what they write every few seconds."""
    async with field.serving() as first:
        for number in (1, 2):
            await field.report(number)
        await field.written(1, 2)
        await field.report(3)  # the history has not been written since; only Redis survives what comes now
        first.kill()
        await first.wait()
    survives = field.app.settings.redis_url is not None
    async with field.serving():
        assert (await field.report(4))["state"] == "active"
        await field.written(1, 2, *((3,) if survives else ()), 4)
