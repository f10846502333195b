"""An application served inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from entrypoints.serving import PortTaken, free_port, serving


def application(events: list[str], *, fails: bool = False) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        events.append("opened")
        if fails:
            raise ZeroDivisionError
        yield
        events.append("closed")

    async def hello(_: Request) -> Response:
        events.append("asked")
        await asyncio.sleep(0.2)
        return PlainTextResponse("hello")

    return Starlette(routes=[Route("/", hello)], lifespan=lifespan)


async def ask(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_application_answers_inside_the_block_and_nobody_after_it(host: str) -> None:
    events: list[str] = []
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    async with serving(application(events), host=host) as url:
        assert (await ask(url)).text == "hello"
    assert events == ["opened", "asked", "closed"]
    with pytest.raises(httpx2.ConnectError):
        await ask(url)


async def test_it_listens_where_it_is_told() -> None:
    port = free_port()
    async with serving(application([]), port=port) as url:
        assert url == f"http://127.0.0.1:{port}"
    async with serving(application([]), port=port) as again:
        assert again == url


async def test_leaving_lets_a_request_finish() -> None:
    events: list[str] = []
    async with serving(application(events)) as url:
        asking = asyncio.create_task(ask(url))
        while "asked" not in events:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert (await asking).text == "hello"
    assert events == ["opened", "asked", "closed"]


async def test_a_port_that_somebody_has_is_named() -> None:
    events: list[str] = []
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"cannot listen on 127\.0\.0\.1:{port} \(.*in use\); stop what does"):
            async with serving(application(events), port=port):
                pass
    assert events == []


async def test_an_application_that_cannot_open_does_not_serve() -> None:
    events: list[str] = []
    with pytest.raises(RuntimeError, match="did not start"):
        async with serving(application(events, fails=True)):
            events.append("served")
    assert events == ["opened"]


async def test_what_the_block_raises_comes_out_after_the_application_has_closed() -> None:
    events: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with serving(application(events)):
            raise ZeroDivisionError
    assert events == ["opened", "closed"]


def test_a_free_port_is_not_one_that_the_system_gives_away() -> None:
    assert 20_000 <= free_port() < 32_768
