"""What the load meets, in a process of its own: `python -m bench.server floor|ours PORT`.

The floor is what a careful person writes first: Starlette, a JSON body, SQLAlchemy's ORM over asyncpg, nothing else.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import redis.asyncio as redis
import uvicorn
from attrs import frozen
from sqlalchemy import JSON, BigInteger, Text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from entrypoints.http.app import http_app
from entrypoints.http.endpoints import ENDPOINTS, Call, Endpoint
from entrypoints.http.endpoints.endpoint import Answer
from entrypoints.logs import configure_logs
from entrypoints.settings import read_settings
from entrypoints.wiring import build
from entrypoints.worker import beside_requests


@frozen
class HelloView:
    """What our trivial route answers; it is mapped like any other answer."""

    status: str


async def hello(_: Call) -> Answer:
    return 200, HelloView("ok")


HELLO: Final = Endpoint(
    method="GET",
    path="/api/v1/hello",
    area="bench",
    summary="Say hello to who is logged in",
    handler=hello,
    answers={200: HelloView},
)
"""Goes through all our layers and asks for nothing behind them."""


class Base(DeclarativeBase):
    """The floor's tables."""


class Row(Base):
    """As many columns as a job has, in one table."""

    __tablename__ = "floor_rows"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


def floor(database_url: str, redis_url: str | None = None) -> Starlette:
    """Return the bare application."""
    cache = redis.from_url(redis_url or "redis://127.0.0.1")
    engine = create_async_engine(database_url, pool_size=10, max_overflow=10)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def insert(request: Request) -> JSONResponse:
        body = await request.json()
        async with sessions() as session:
            session.add(Row(tenant="demo", status="new", text="Hola", body=body))
            await session.commit()
        return JSONResponse({})

    async def get(request: Request) -> JSONResponse:
        async with sessions() as session:
            row = await session.get(Row, int(request.path_params["id"]))
        assert row is not None
        return JSONResponse(
            {"id": row.id, "tenant": row.tenant, "status": row.status, "text": row.text, "body": row.body}
        )

    async def round_trip(_: Request) -> JSONResponse:
        await cache.get("position")
        return JSONResponse({"status": "ok"})

    async def hello(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()
        await cache.aclose()

    return Starlette(
        routes=[
            Route("/insert", insert, methods=["POST"]),
            Route("/rows/{id}", get),
            Route("/redis", round_trip),
            Route("/hello", hello),
        ],
        lifespan=lifespan,
    )


def main() -> None:
    """Serve one of the two until killed."""
    which, port = sys.argv[1], int(sys.argv[2])
    settings = read_settings()
    configure_logs(settings)
    endpoints = (*ENDPOINTS, HELLO)
    if which == "floor":
        app: ASGIApp = floor(settings.database_url, settings.redis_url)
    else:
        ours = build(settings)
        app = http_app(ours, lifespan=lambda: beside_requests(ours), endpoints=endpoints)
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    os.environ.setdefault("CUADRILLA_ENV", "test")
    main()
