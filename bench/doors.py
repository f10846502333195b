"""What the log-in routes give away by their time, and what they cost everybody else; the bars are absolute: 5 ms and 50 ms."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.figure import Figure, compare
from bench.web import running_server, up
from core.identity import Tenant, User
from entrypoints.settings import read_settings
from entrypoints.wiring import build, migrate
from tests import servers

AUTH: Final = "/api/v1/auth"
KNOWN: Final = "+54911555{:05}"
UNKNOWN: Final = "+54911666{:05}"
TIMES: Final = 100
A_SECOND: Final = 50
SECONDS: Final = 4
_numbers: Final = itertools.count()


async def figures() -> AsyncIterator[Figure]:
    """Take the three figures."""
    with servers.postgres() as postgres, servers.fresh_database(postgres) as url:
        folder = Path(tempfile.mkdtemp())
        environ = {
            "CUADRILLA_ENV": "test",
            "CUADRILLA_VAR": str(folder),
            "CUADRILLA_DATABASE_URL": url,
            "CUADRILLA_LOG_LEVEL": "error",
            "CUADRILLA_TRUSTED_PROXIES": "127.0.0.1",
        }
        settings = read_settings(environ, directory=folder)
        await asyncio.to_thread(migrate, settings)
        people = [
            User(id=f"user_{number}", tenant="bench", name="Bea", role="dispatcher", phone=KNOWN.format(number))
            for number in range(TIMES * 10)
        ]
        async with build(settings).running() as app:
            await app.store.directory.enrol(Tenant(id="bench", name="Bench"), people)
        with running_server("ours", environ) as port:
            await up(port)
            limits = httpx2.Limits(max_connections=200)
            async with httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, limits=limits
            ) as client:
                yield await _apart("a code for a phone, known or not: difference / 5 ms", client, "otp")
                yield await _apart("a wrong code for a phone, known or not: difference / 5 ms", client, "verify")
                yield await compare(
                    f"p99 of /health at {A_SECOND} log-ins a second / 50 ms",
                    floor=_bar(0.05),
                    ours=lambda: _health(client),
                    goal=1.0,
                    unit=" s",
                    at_most=True,
                    rounds=3,
                )


def _bar(seconds: float) -> Any:
    async def bar() -> float:
        return seconds

    return bar


def _somewhere() -> Iterator[dict[str, str]]:
    for number in itertools.count():
        yield {"x-forwarded-for": f"198.18.{number // 250 % 250}.{number % 250}"}


_addresses: Final = _somewhere()


async def _apart(name: str, client: httpx2.AsyncClient, way: str) -> Figure:
    async def difference() -> float:
        seconds: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
        for _ in range(TIMES):
            number = next(_numbers) % (TIMES * 10)
            for phone, taken in seconds.items():
                body = {"phone": phone.format(number), **({"otp": "000000"} if way == "verify" else {})}
                began = time.perf_counter()
                answer = await client.post(f"{AUTH}/{way}", json=body, headers=next(_addresses))
                taken.append(time.perf_counter() - began)
                if answer.status_code not in (202, 401):
                    raise RuntimeError(answer.text)
        return abs(statistics.median(seconds[KNOWN]) - statistics.median(seconds[UNKNOWN]))

    return await compare(name, floor=_bar(0.005), ours=difference, goal=1.0, unit=" s", at_most=True, rounds=3)


async def _health(client: httpx2.AsyncClient) -> float:
    """Return the 99th percentile of `/health` in seconds, asked every 10 ms while people log in."""
    tasks, taken = [], []
    began = time.perf_counter()

    async def log_in(number: int) -> None:
        body = {"email": f"somebody{number}@example.com", "password": "tres tristes tigres"}
        answer = await client.post(f"{AUTH}/login", json=body, headers=next(_addresses), timeout=60)
        if answer.status_code not in (
            401,
            503,
        ):  # nobody has this address, and the work is the same; or there is too much
            raise RuntimeError(answer.text)

    for turn in range(A_SECOND * SECONDS * 2):
        if turn % 2 == 0:
            tasks.append(asyncio.create_task(log_in(next(_numbers))))
        asked = time.perf_counter()
        await client.get("/health", timeout=60)
        taken.append(time.perf_counter() - asked)
        await asyncio.sleep(max(0.0, began + (turn + 1) / (A_SECOND * 2) - time.perf_counter()))
    await asyncio.gather(*tasks)
    return statistics.quantiles(taken, n=100)[98]
