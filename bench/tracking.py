"""Reports of positions: how many a process takes, and how fast; PostgreSQL and Redis behind it, the history written meanwhile.

Every report is one that changes its trip: phones that measured one fix after the other without signal, and send them now.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.figure import Figure, compare
from bench.load import request, requests_per_second
from bench.web import running_server, up
from core.identity import Origin, Tenant, User
from core.kernel.actor import Actor
from core.tracking import Point
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate
from tests import servers

TRIPS: Final = 500
DOOR: Final = Point(-34.6037, -58.3816)
ROUND_TRIP: Final = "/redis"
"""The floor's route: one round trip, and nothing else."""
SECONDS: Final = 4.0


async def figures() -> AsyncIterator[Figure]:
    """Take the two figures."""
    with servers.postgres() as postgres, servers.redis() as redis, servers.fresh_database(postgres) as url:
        folder = Path(tempfile.mkdtemp())
        environ = {
            "CUADRILLA_ENV": "test",
            "CUADRILLA_VAR": str(folder),
            "CUADRILLA_DATABASE_URL": url,
            "CUADRILLA_REDIS_URL": redis,
            "CUADRILLA_LOG_LEVEL": "info",
        }
        settings = read_settings(environ, directory=folder)
        await asyncio.to_thread(migrate, settings)
        async with build(settings).running() as app:
            tokens = await _set_out(app)
            reports = _reports(tokens, app.clock() - timedelta(hours=3, minutes=50))
        with running_server("floor", environ) as floor, running_server("ours", environ) as ours:
            await up(floor, ours)
            await _p95(ours, reports, 100.0, TRIPS)  # everybody was here before: the usual path
            bare = itertools.repeat(request("GET", ROUND_TRIP))
            most = await compare(
                "tracking update, all layers / bare Starlette and one Redis round trip",
                floor=lambda: requests_per_second(floor, bare),
                ours=lambda: requests_per_second(ours, reports),
                goal=0.6,
            )
            yield most
            yield await compare(
                "p95 of a tracking update at half of that rate / 20 ms",
                floor=_bar,
                ours=lambda: _p95(ours, reports, most.ours / 2, int(most.ours / 2 * SECONDS)),
                goal=1.0,
                unit=" s",
                at_most=True,
                rounds=3,
            )


async def _bar() -> float:
    return 0.02


async def _set_out(app: App) -> list[str]:
    """Let so many technicians be on their way, and return their access tokens."""
    people = [User(id=f"user_{n}", tenant="bench", name="Bea", role="technician") for n in range(TRIPS)]
    await app.store.directory.enrol(Tenant(id="bench", name="Bench"), people)
    office = Actor(tenant="bench", id="bench", role="service", correlation="bench")
    tokens = []
    for number, person in enumerate(people):
        async with app.store.begin(office) as tx:
            tokens.append((await app.sessions.start(tx, user=person, method="otp", origin=Origin("bench"))).access)
        await app.tracking.open(
            actor=office, job_id=f"job_{number}", technician_id=person.id, customer_id="cust_1", destination=DOOR
        )
    return tokens


def _reports(tokens: list[str], began: datetime) -> Iterator[bytes]:
    """Give one technician's report after the other's, each round half a minute later and 250 m farther round the door."""
    for turn in itertools.count():
        at, angle = began + timedelta(seconds=30 * turn), turn / 20
        lat, lng = DOOR.lat + 0.045 * math.cos(angle), DOOR.lng + 0.055 * math.sin(angle)
        for number, token in enumerate(tokens):
            body = (
                f'{{"jobId":"job_{number}","lat":{lat:.6f},"lng":{lng:.6f},"accuracy":8.5,"speed":8.3,"heading":90,'
                f'"recordedAt":"{at:%Y-%m-%dT%H:%M:%SZ}"}}'
            )
            yield request(
                "POST",
                "/api/v1/tracking/update",
                body.encode(),
                Content_Type="application/json",
                Authorization=f"Bearer {token}",
            )


async def _p95(port: int, requests: Iterator[bytes], rate: float, times: int) -> float:
    """Return the 95th percentile in seconds, from when each request was due, of so many that come at a rate."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(64):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    taken: list[float] = []
    began = time.perf_counter()

    async def one(due: float, sent: bytes) -> None:
        reader, writer = await free.get()
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head)
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        taken.append(time.perf_counter() - due)
        free.put_nowait((reader, writer))

    async with asyncio.TaskGroup() as group:
        for number in range(times):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due, next(requests)))
    while not free.empty():
        free.get_nowait()[1].close()
    return statistics.quantiles(taken, n=20)[18]
