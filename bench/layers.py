"""What our layers cost a request: authentication, tenant, limit, log, mapping; PostgreSQL and Redis behind them.

CPU time is taken in one process and without sockets: the difference between the same hello through our application and through
bare Starlette, against one `get` of SQLAlchemy's ORM. All of them are asked sixteen at a time, as a server is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.types import ASGIApp, Message

from bench.figure import Figure, compare
from bench.load import request, requests_per_second
from bench.server import HELLO, Base, Row, floor
from bench.web import running_server, up
from core.identity import Origin, Tenant, User
from core.kernel.actor import Actor
from entrypoints.http.app import http_app
from entrypoints.http.endpoints import ENDPOINTS
from entrypoints.logs import configure_logs
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate
from tests import servers

TIMES = 4000
TOGETHER = 16
PERSON = User(id="user_bench", tenant="bench", name="Bea", role="dispatcher")


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
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: ASYNC230, PTH123 - it takes no time
            configure_logs(settings)
            async with build(settings).running() as app:
                yield await _cpu(app, await token(app))
        with running_server("floor", environ) as bare, running_server("ours", environ) as ours:
            await up(bare, ours)
            async with build(settings).running() as app:
                bearer = await token(app)
            mine = itertools.repeat(request("GET", HELLO.path, Authorization=f"Bearer {bearer}"))
            theirs = itertools.repeat(request("GET", "/hello"))
            yield await compare(
                "hello, authenticated, all layers / bare Starlette",
                floor=lambda: requests_per_second(bare, theirs),
                ours=lambda: requests_per_second(ours, mine),
                goal=0.5,
            )


async def token(app: App) -> str:
    """Return an access token of somebody."""
    await app.store.directory.enrol(Tenant(id=PERSON.tenant, name="Bench"), [PERSON])
    actor = Actor(tenant=PERSON.tenant, id=PERSON.id, role="service", correlation="bench")
    async with app.store.begin(actor) as tx:
        return (await app.sessions.start(tx, user=PERSON, method="otp", origin=Origin("bench"))).access


async def _cpu(app: App, bearer: str) -> Figure:
    engine = create_async_engine(app.settings.database_url, pool_size=TOGETHER)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        session.add(Row(id=1, tenant="bench", status="new", text="Hola", body={}))
        await session.commit()

    async def get() -> None:
        async with sessions() as session:
            assert await session.get(Row, 1) is not None

    mine = asked(http_app(app, endpoints=(*ENDPOINTS, HELLO)), HELLO.path, bearer)
    bare = asked(floor(app.settings.database_url), "/hello")

    async def layers() -> float:
        ours = await cpu(mine)
        return ours - await cpu(bare)

    try:
        return await compare(
            "CPU of all our layers on a request / one ORM get",
            floor=lambda: cpu(get),
            ours=layers,
            goal=0.25,
            unit=" s",
            at_most=True,
        )
    finally:
        await engine.dispose()


async def cpu(once: Callable[[], Awaitable[None]]) -> float:
    """Return the CPU seconds of this process that one of many takes."""

    async def one_of_them() -> None:
        for _ in range(TIMES // TOGETHER):
            await once()

    began = time.process_time()
    await asyncio.gather(*(one_of_them() for _ in range(TOGETHER)))
    return (time.process_time() - began) / TIMES


def asked(app: ASGIApp, path: str, bearer: str | None = None) -> Callable[[], Awaitable[None]]:
    """Return what sends one request to an application, as a server hands it over."""
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"bench"), (b"accept", b"*/*")]
    if bearer is not None:
        headers.append((b"authorization", f"Bearer {bearer}".encode()))
    common = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "query_string": b""}
    where = {"path": path, "raw_path": path.encode(), "root_path": "", "server": ("127.0.0.1", 80)}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def once() -> None:
        scope: Any = {**common, **where, "headers": list(headers), "client": ("127.0.0.1", 40_000), "state": {}}
        status = 0

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        if status != 200:
            msg = f"{path} was answered {status}"
            raise RuntimeError(msg)

    return once
