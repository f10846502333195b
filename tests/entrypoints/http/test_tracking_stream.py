"""Trips as server-sent events: who is told what, and that nobody stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx2
import pytest
from attrs import define, field

from core.kernel.errors import Unavailable
from core.tracking import LinkExpired, SessionNotFound
from entrypoints.http.app import http_app
from entrypoints.http.track import Streams
from entrypoints.http.track.stream import AT_MOST_EACH
from entrypoints.serving import serving
from tests.entrypoints.http.web import Web

PATIENCE: Final = 60.0
MOVING: Final = {"state": "moving", "distance": 900, "at": "12:00"}


@define
class Trip:
    """What a look at a trip gives, and how often somebody looked."""

    known: dict[str, Any] = field(factory=lambda: dict(MOVING))
    fails: Exception | None = None
    looks: int = 0

    async def look(self, token: str) -> dict[str, Any]:
        self.looks += 1
        if self.fails is not None:
            raise self.fails
        return {**self.known, "token": token}


@define
class Reader:
    """A browser at the other end of a stream, as the server sees it."""

    heard: list[str] = field(factory=list)
    statuses: list[int] = field(factory=list)
    ending: asyncio.Event = field(factory=asyncio.Event)
    leaves: asyncio.Event = field(factory=asyncio.Event)
    over: bool = False

    async def listen(self, streams: Streams, token: str = "t") -> None:
        """Open the stream and stay until it ends."""
        response = await streams.open(token)
        async with asyncio.timeout(None) as limit:
            scope = {"type": "http", "state": {"ending": self.ending, "limit": limit}}
            await response(scope, self._receive, self._send)
        self.over = True

    async def _receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])
        elif message.get("body"):
            self.heard.append(message["body"].decode())

    def news(self) -> list[Any]:
        """Return what the events said so far, without the first line about reconnecting."""
        said = [each.split("\n") for each in self.heard[1:]]
        return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in said]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - what we wait for happens elsewhere
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(streams: Streams, *readers: Reader) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(reader.listen(streams)) for reader in readers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def idle(streams: Streams) -> bool:
    """Say whether nothing is left behind."""
    return not streams._trips and all("_keep_looking" not in repr(task) for task in asyncio.all_tasks())


async def test_everybody_is_told_what_changes_by_one_who_looks() -> None:
    trip, readers = Trip(), [Reader(), Reader(), Reader()]
    streams = Streams(trip.look, 0.01)
    async with listening(streams, *readers):
        await until(lambda: all(reader.news() for reader in readers))
        trip.known["at"] = "12:01"
        began = trip.looks
        await until(lambda: trip.looks > began + 3)
        assert [len(reader.news()) for reader in readers] == [1, 1, 1], "time passing is no news"
        trip.known["distance"] = 800
        await until(lambda: all(len(reader.news()) == 2 for reader in readers))
        looking = [task for task in asyncio.all_tasks() if "_keep_looking" in repr(task)]
        assert len(looking) == 1
    assert readers[0].news() == [
        ("trip", {**MOVING, "token": "t"}),
        ("trip", {**MOVING, "at": "12:01", "distance": 800, "token": "t"}),
    ]
    assert idle(streams)


@pytest.mark.parametrize("state", ["arrived", "ended"])
async def test_a_stream_ends_with_its_trip(state: str) -> None:
    trip, reader = Trip(), Reader()
    streams = Streams(trip.look, 0.01)
    async with listening(streams, reader):
        await until(lambda: bool(reader.news()))
        trip.known["state"] = state
        await until(lambda: reader.over)
    assert reader.news()[-1][1]["state"] == state
    late = Reader()
    async with listening(streams, late):
        await until(lambda: late.over)
    assert len(late.news()) == 1, "and who comes afterwards hears the end"
    assert idle(streams)


@pytest.mark.parametrize(("gone", "said"), [(LinkExpired("x"), "expired"), (SessionNotFound("x"), "unknown")])
async def test_a_link_that_ends_says_how(gone: Exception, said: str) -> None:
    trip, reader = Trip(), Reader()
    streams = Streams(trip.look, 0.01)
    async with listening(streams, reader):
        await until(lambda: bool(reader.news()))
        trip.fails = gone
        await until(lambda: reader.over)
    assert reader.news()[-1] == ("gone", said)
    with pytest.raises(type(gone)):
        await streams.open("t")
    assert idle(streams)


async def test_what_was_told_stays_true_while_nobody_can_look() -> None:
    trip, reader = Trip(), Reader()
    streams = Streams(trip.look, 0.01)
    async with listening(streams, reader):
        await until(lambda: bool(reader.news()))
        trip.fails, began = Unavailable("no database"), trip.looks
        await until(lambda: trip.looks > began + 3)
        trip.fails, trip.known["distance"] = None, 700
        await until(lambda: len(reader.news()) == 2)
    assert [news["distance"] for _, news in reader.news()] == [900, 700]


@pytest.mark.parametrize("how", ["leaves", "ending"])
async def test_nobody_looks_for_who_has_left_or_when_the_server_ends(how: str) -> None:
    trip, readers = Trip(), [Reader(), Reader()]
    streams = Streams(trip.look, 0.01)
    async with listening(streams, *readers):
        await until(lambda: all(reader.news() for reader in readers))
        getattr(readers[0], how).set()
        await until(lambda: readers[0].over)
        assert not readers[1].over
        getattr(readers[1], how).set()
        await until(lambda: readers[1].over)
        assert idle(streams)


async def test_who_finds_no_room_is_told_to_ask_instead() -> None:
    trip, readers = Trip(), [Reader() for _ in range(AT_MOST_EACH)]
    streams = Streams(trip.look, 0.01)
    async with listening(streams, *readers):
        await until(lambda: all(reader.news() for reader in readers))
        assert (await streams.open("t")).status_code == 204
        assert (await streams.open("another")).status_code == 200
    narrow = Streams(trip.look, 0.01, 1)
    first = Reader()
    async with listening(narrow, first):
        await until(lambda: bool(first.news()))
        assert (await narrow.open("another")).status_code == 204
        first.leaves.set()
        await until(lambda: first.over)
        assert (await narrow.open("another")).status_code == 200


@pytest.fixture
async def link(web: Web) -> str:
    """Give the path of the link of a trip under way."""
    job = await web.scheduled(await web.a_job())
    await web.move(job, "carlos", to="en_camino")
    await web.settle()
    session = await web.app.store.sessions.of_job("demo", job["id"])
    assert session is not None
    return f"/track/{web.app.tracking.token_of(session.id)}"


async def test_a_server_that_ends_takes_its_streams_with_it_at_once(web: Web, link: str) -> None:
    read: list[str] = []

    async def listen(client: httpx2.AsyncClient, address: str) -> None:
        async with client.stream("GET", f"{address}{link}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            async for line in answer.aiter_lines():
                read.append(line)  # noqa: PERF401 - others look at it meanwhile

    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        async with serving(http_app(web.app)) as address:
            task = asyncio.create_task(listen(client, address))
            await until(lambda: any("event: trip" in each for each in read))
        await task  # a stream that was cut off would raise


async def test_a_link_that_shows_nothing_has_no_stream(web: Web, link: str) -> None:
    unknown = await web.ask("GET", "/track/nobody-knows-this-one/events", None)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "tracking.not_found")
    web.clock.forward(hours=4)
    expired = await web.ask("GET", f"{link}/events", None)
    assert (expired.status_code, expired.json()["code"]) == (410, "tracking.link_expired")
