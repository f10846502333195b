"""The loops of a worker process, each a use case called again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import structlog
from attrs import field, frozen

from core.kernel.errors import Unavailable
from core.notifications import Errand
from core.reactions import Publish, Reactor
from entrypoints.wiring import App, over_broker

_log: Final = structlog.get_logger("worker")

BATCH: Final = 100
BACKLOG: Final = 2_000
"""Messages that may wait in a process; what is not taken waits in the outbox, where it costs nothing."""
HISTORY: Final = 200
"""Reports of positions that are written together."""
WRITTEN_EVERY: Final = 5.0
"""Seconds between two writings: what a crash may cost the history."""
PRUNED: Final = 5_000
"""Old positions that are deleted together."""
ERRANDS: Final = 8
"""Notifications that are sent at once."""
REST: Final = 1.0
"""Seconds to wait after a failure before the next try."""


@frozen
class LocalQueue:
    """Dispatch without a broker: messages wait in this process and are lost with it, which the outbox makes good."""

    _reactor: Reactor
    _tasks: int = 4
    _queue: asyncio.Queue[tuple[str, str]] = field(factory=asyncio.Queue)

    async def publish(self, messages: Sequence[tuple[str, str]]) -> None:
        """Take (fact id, reaction) messages; `core.reactions.Publish`. Raise `Unavailable` while too many wait."""
        if self._queue.qsize() >= BACKLOG:
            msg = f"{BACKLOG} messages wait for a worker of this process"
            raise Unavailable(msg)
        for message in messages:
            self._queue.put_nowait(message)

    async def work(self) -> None:
        """React until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._tasks):
                group.create_task(self._react())

    async def _react(self) -> None:
        while True:
            fact_id, reaction = await self._queue.get()
            await react(self._reactor, fact_id, reaction)


async def react(reactor: Reactor, fact_id: str, reaction: str) -> None:
    """Let one reaction react; whatever goes wrong is logged, and comes back through the outbox."""
    try:
        outcome = await reactor.react(fact_id=fact_id, reaction=reaction)
    except Unavailable as failure:  # not even the database answered
        _log.warning("unavailable", fact_id=fact_id, reaction=reaction, reason=str(failure))
    except Exception:
        _log.exception("defect", fact_id=fact_id, reaction=reaction)
    else:
        if outcome != "applied":
            _log.warning("not_applied", fact_id=fact_id, reaction=reaction, outcome=outcome)


async def again_and_again(
    name: str, step: Callable[[], Awaitable[int]], *, wait: Callable[[], Awaitable[None]]
) -> None:
    """Call the step until cancelled: at once when it had something to do, else after the wait."""
    while True:
        try:
            did = await step()
        except Unavailable as failure:
            _log.warning("unavailable", loop=name, reason=str(failure))
            await asyncio.sleep(REST)
        except Exception:
            _log.exception("defect", loop=name)
            await asyncio.sleep(REST)
        else:
            if not did:
                await wait()


def every(seconds: float) -> Callable[[], Awaitable[None]]:
    """Return a wait of a fixed length."""

    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


@contextlib.asynccontextmanager
async def relaying(app: App, publish: Publish) -> AsyncIterator[None]:
    """Send facts towards their reactions, beside the block."""
    relay = app.relay_to(publish)

    async def changed() -> None:
        await app.store.outbox.wait(timeout=0.5)

    async with _beside(
        again_and_again("relay", lambda: relay.send(limit=BATCH), wait=changed),
        again_and_again("relay.again", lambda: relay.send_again(limit=BATCH), wait=every(1.0)),
    ):
        yield


@contextlib.asynccontextmanager
async def closing_windows(app: App) -> AsyncIterator[None]:
    """End the windows whose time has come, beside the block; every process may, each window ends once."""
    async with _beside(again_and_again("windows", lambda: app.messaging.close_due(limit=BATCH), wait=every(0.05))):
        yield


@contextlib.asynccontextmanager
async def writing_history(app: App) -> AsyncIterator[None]:
    """Bring positions from where they were reported into the history, beside the block and once more at its end.

    Every process may, and those that take reports do: in one without Redis nobody else knows of them.
    """

    async def write() -> int:
        # Only a full load is followed by another at once: many small ones cost several times as much, here and in the database.
        return int(await app.tracking.write_history(limit=HISTORY) == HISTORY)

    try:
        async with _beside(again_and_again("history", write, wait=every(WRITTEN_EVERY))):
            yield
    finally:
        with contextlib.suppress(Unavailable):
            while await write():
                pass


@contextlib.asynccontextmanager
async def asking_the_way(app: App) -> AsyncIterator[None]:
    """Ask the routing engine, if there is one, about the trips that are reported to this process, beside the block."""
    if app.settings.routing_url is None:
        yield
        return
    async with _beside(again_and_again("ways", lambda: app.tracking.ask_the_way(limit=BATCH), wait=every(0.5))):
        yield


@contextlib.asynccontextmanager
async def tidying(app: App) -> AsyncIterator[None]:
    """Run what looks after forgotten messages, unanswered invoices, visits, old keys, trips and positions, beside the block."""

    async def tidy() -> int:
        await app.messaging.sweep(limit=BATCH)
        await app.idempotency.tidy(limit=BATCH)
        await app.tracking.expire_due(limit=BATCH)
        return 0

    async def settle() -> int:  # on its own: AFIP may take its time
        await app.invoicing.settle_unanswered()
        return 0

    async def remind() -> int:
        for reminder in await app.reminders.due():
            try:
                await app.reminders.give(reminder)
            except Unavailable:
                raise
            except Exception:  # one that cannot be given keeps nobody else's back
                _log.exception("defect", loop="remind", reason=reminder.reason)
        return 0

    async def prune() -> int:
        return await app.tracking.prune_history(limit=PRUNED)

    async with _beside(
        again_and_again("tidy", tidy, wait=every(2.0)),
        again_and_again("settle", settle, wait=every(2.0)),
        again_and_again("remind", remind, wait=every(30.0)),
        again_and_again("prune", prune, wait=every(300.0)),
    ):
        yield


@contextlib.asynccontextmanager
async def sending(app: App) -> AsyncIterator[None]:
    """Send the notifications whose time has come, beside the block: what waited for the morning, or for another try."""
    for problem in app.notifications.problems:
        _log.error("template", problem=problem)
    gate = asyncio.Semaphore(ERRANDS)

    async def run(errand: Errand) -> int:
        async with gate:
            try:
                await app.notifications.run(errand)
            except Unavailable as failure:
                _log.warning("unavailable", loop="sending", reason=str(failure))
            except Exception:
                _log.exception("defect", loop="sending", deliveries=errand.delivery_ids)
            else:
                return 1
            return 0

    async def send() -> int:
        return sum(await asyncio.gather(*map(run, await app.notifications.due(limit=BATCH))))

    async with _beside(again_and_again("sending", send, wait=every(1.0))):
        yield


@contextlib.asynccontextmanager
async def working(app: App) -> AsyncIterator[None]:
    """Run all of a worker beside the block, over the broker that the settings name, or within this process."""
    async with (
        _dispatching(app) as publish,
        relaying(app, publish),
        closing_windows(app),
        writing_history(app),
        asking_the_way(app),
        sending(app),
        tidying(app),
    ):
        yield


@contextlib.asynccontextmanager
async def beside_requests(app: App) -> AsyncIterator[None]:
    """Run beside the block what a process that only serves HTTP owes to what it takes in.

    Positions are written, and ways asked for, by whoever takes them. Windows of messages only without Redis: nobody else knows
    of them then.
    """
    async with writing_history(app), asking_the_way(app), contextlib.AsyncExitStack() as stack:
        if app.settings.redis_url is None:
            await stack.enter_async_context(closing_windows(app))
        yield


@contextlib.asynccontextmanager
async def _dispatching(app: App) -> AsyncIterator[Publish]:
    if app.settings.broker_url is None:
        queue = LocalQueue(app.reactor)
        async with _beside(queue.work()):
            yield queue.publish
    else:
        async with over_broker(app.settings.broker_url, lambda *message: react(app.reactor, *message)) as publish:
            yield publish


@contextlib.asynccontextmanager
async def _beside(*coroutines: Awaitable[None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
