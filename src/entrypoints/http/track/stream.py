"""A trip told as it changes: server-sent events for everybody who has its page open.

However many look at a trip here, this process looks at it once a second, and tells them when something has changed. Any process
may serve any of them: what a phone reports elsewhere is in the store of positions that all share.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from attrs import define, field, frozen
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.kernel.errors import NotFound, Unavailable
from core.tracking import LinkExpired

AT_MOST: Final = 1_000
"""Streams of a process; whoever comes then asks again and again instead."""
AT_MOST_EACH: Final = 20
"""Streams of one link."""
EVERY: Final = 1.0
"""Seconds between two looks at a trip."""
BEAT: Final = 15.0
"""Seconds of silence after which a stream says that it is there."""
LIFE: Final = 300.0
"""Seconds after which a stream ends; who still looks comes back."""
PATIENCE: Final = 10.0
"""Seconds that a reader may take to take what is sent."""

Look: TypeAlias = Callable[[str], Awaitable[dict[str, Any]]]
"""Return what the page shows of a token's trip; raise as `Tracking.watch`."""
_OVER: Final = ("arrived", "ended")


@define
class _Trip:
    """What was told last, how often something was told, and who waits for the next."""

    told: bytes
    known: dict[str, Any]
    turn: int = 1
    over: bool = False
    followers: int = 0
    changed: asyncio.Event = field(factory=asyncio.Event)
    looking: asyncio.Task[None] | None = None

    def tell(self, event: bytes, *, over: bool) -> None:
        self.told, self.over, self.turn = event, over, self.turn + 1
        waiting, self.changed = self.changed, asyncio.Event()
        waiting.set()


@frozen
class Streams:
    """The trips that people look at from this process."""

    _look: Look
    _every: float = EVERY
    _at_most: int = AT_MOST
    _trips: dict[str, _Trip] = field(factory=dict, init=False, repr=False)

    async def open(self, token: str) -> Response:
        """Return the answer that tells of a trip until it is over, or 204 if too many listen; raise as `Tracking.watch`."""
        trip = self._trips.get(token)
        if trip is None:
            known = await self._look(token)
            trip = self._trips.get(token) or _Trip(_event("trip", known), _lasting(known), over=known["state"] in _OVER)
        if sum(each.followers for each in self._trips.values()) >= self._at_most or trip.followers >= AT_MOST_EACH:
            return Response(status_code=204)
        return _Stream(trip, self._followed(token, trip))

    @contextlib.asynccontextmanager
    async def _followed(self, token: str, trip: _Trip) -> AsyncIterator[None]:
        """Keep looking at the trip while anybody follows it."""
        trip.followers += 1
        if not trip.over and trip.looking is None:
            self._trips[token] = trip
            trip.looking = asyncio.create_task(self._keep_looking(token, trip))
        try:
            yield
        finally:
            trip.followers -= 1
            if not trip.followers and trip.looking is not None:
                trip.looking.cancel()
                trip.looking = None
                if self._trips.get(token) is trip:
                    del self._trips[token]

    async def _keep_looking(self, token: str, trip: _Trip) -> None:
        while not trip.over:
            await asyncio.sleep(self._every)
            try:
                known = await self._look(token)
            except Unavailable:  # what was told last is what we know
                continue
            except NotFound as gone:
                trip.tell(_event("gone", "expired" if isinstance(gone, LinkExpired) else "unknown"), over=True)
                continue
            if (lasting := _lasting(known)) != trip.known:
                trip.known = lasting
                trip.tell(_event("trip", known), over=known["state"] in _OVER)


class _Stream(Response):
    """One reader's stream: ends when the trip is over, the reader leaves, the server ends or its life is over."""

    def __init__(self, trip: _Trip, followed: contextlib.AbstractAsyncContextManager[None]) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._trip, self._followed = trip, followed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LIFE
        scope["state"]["limit"].reschedule(until + 2 * PATIENCE)

        async def say(what: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(PATIENCE):
                await send({"type": "http.response.body", "body": what, "more_body": more})

        async with self._followed, _any_of(_left(receive), _ending(scope)) as over:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            turn, trip = 0, self._trip
            with contextlib.suppress(TimeoutError):  # of one who does not read
                await say(b"retry: 3000\n\n")
                while not over.done() and loop.time() < until:
                    if trip.turn != turn:
                        turn = trip.turn
                        await say(trip.told)
                        if trip.over:
                            break
                        continue
                    changed = asyncio.ensure_future(trip.changed.wait())
                    waiting: set[asyncio.Future[Any]] = {over, changed}
                    await asyncio.wait(waiting, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    if trip.turn == turn and not over.done():
                        await say(b"event: beat\ndata:\n\n")
                await say(b"", more=False)


@contextlib.asynccontextmanager
async def _any_of(*coroutines: Awaitable[object]) -> AsyncIterator[asyncio.Future[None]]:
    """Give a future that is done when the first of them is."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for task in tasks:
        task.add_done_callback(lambda _: None if first.done() else first.set_result(None))
    try:
        yield first
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        first.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ending(scope: Scope) -> None:
    """Return when the server wants to end; one that does not tell cuts us off."""
    ending: asyncio.Event = scope["state"].get("ending") or asyncio.Event()
    await ending.wait()


def _lasting(known: dict[str, Any]) -> dict[str, Any]:
    """Return what is known without the instant at which it is, which changes by itself."""
    return {name: value for name, value in known.items() if name != "at"}


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
