"""Facts travel to the workers over either broker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence

import pytest

from adapters.dramatiq import DramatiqQueue, broker_for, consuming
from core.kernel.errors import Unavailable
from tests.adapters.brokers import DEAD, Reactions, Side, facts, side_of
from tests.lines import line_to


@pytest.fixture(params=["redis", "rabbitmq"])
def side(request: pytest.FixtureRequest) -> Side:
    """Give an empty queue of each kind."""
    return side_of(request.param, request)


@pytest.fixture
async def queue(side: Side) -> AsyncIterator[DramatiqQueue]:
    """Give the way into it."""
    queue = DramatiqQueue(side.url)
    yield queue
    await queue.close()


async def test_every_message_is_reacted_to_once(side: Side, queue: DramatiqQueue) -> None:
    react = Reactions()
    async with consuming(broker_for(side.url), react, threads=4):
        await queue.publish(facts(150))
        await queue.publish([("fact_0", "invoices.send")])
        await react.until(151)
    assert sorted(react.seen) == sorted([*facts(150), ("fact_0", "invoices.send")])
    assert side.waiting() == 0


async def test_messages_come_in_the_order_in_which_they_were_published(side: Side, queue: DramatiqQueue) -> None:
    react = Reactions()
    await queue.publish(facts(30))
    await queue.publish(facts(30, "second"))
    async with consuming(broker_for(side.url), react, threads=1):
        assert await react.until(60) == [*facts(30), *facts(30, "second")]


async def test_what_was_published_is_there_when_publish_returns(side: Side, queue: DramatiqQueue) -> None:
    await queue.publish(facts(100))
    assert side.waiting() == 100


async def test_batches_published_at_the_same_time_all_arrive(side: Side, queue: DramatiqQueue) -> None:
    await asyncio.gather(*(queue.publish(facts(20, f"relay_{number}")) for number in range(5)))
    assert side.waiting() == 100


async def test_reactions_run_on_the_callers_loop_several_at_a_time(side: Side, queue: DramatiqQueue) -> None:
    done, loops, together = Reactions(), list[asyncio.AbstractEventLoop](), asyncio.Barrier(3)

    async def react(fact_id: str, reaction: str) -> None:
        loops.append(asyncio.get_running_loop())
        await together.wait()  # nobody passes alone
        await done(fact_id, reaction)

    await queue.publish(facts(3))
    async with consuming(broker_for(side.url), react, threads=3):
        await done.until(3)
    assert loops == [asyncio.get_running_loop()] * 3


async def test_a_reaction_that_raises_is_not_delivered_again_by_the_broker(side: Side, queue: DramatiqQueue) -> None:
    done = Reactions()

    async def react(fact_id: str, reaction: str) -> None:
        await done(fact_id, reaction)
        if fact_id == "fact_0":
            raise RuntimeError(fact_id)

    await queue.publish(facts(3))
    async with consuming(broker_for(side.url), react, threads=1):
        await done.until(3)
    assert (done.seen, side.waiting(), side.waiting(DEAD)) == (facts(3), 0, 0)


async def test_a_reaction_that_takes_too_long_is_ended(side: Side, queue: DramatiqQueue) -> None:
    done, ended = Reactions(), list[str]()

    async def react(fact_id: str, reaction: str) -> None:
        if fact_id == "fact_0":
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(fact_id)
        await done(fact_id, reaction)

    await queue.publish(facts(2))
    async with consuming(broker_for(side.url), react, threads=1, limit=0.05):
        await done.until(1)
    assert (ended, done.seen, side.waiting()) == (["fact_0"], facts(2)[1:], 0)


async def test_leaving_lets_what_runs_finish_and_gives_back_the_rest(side: Side, queue: DramatiqQueue) -> None:
    started, release, first, rest = asyncio.Event(), asyncio.Event(), Reactions(), Reactions()

    async def react(fact_id: str, reaction: str) -> None:
        started.set()
        await release.wait()
        await first(fact_id, reaction)

    await queue.publish(facts(8))
    async with consuming(broker_for(side.url), react, threads=1):
        await started.wait()
        asyncio.get_running_loop().call_later(0.2, release.set)
    assert first.seen == facts(1)
    assert side.waiting() == 7
    async with consuming(broker_for(side.url), rest, threads=1):
        await rest.until(7)
    assert sorted(rest.seen) == facts(8)[1:]


@pytest.mark.parametrize(
    ("text", "buried"),
    [
        (b"\xff no message", 1),
        (b"{}", 1),
        (
            b'{"queue_name":"reactions","actor_name":"other","args":[],"kwargs":{},"options":{"redis_message_id":"strange"}}',
            1,
        ),
        (
            b'{"queue_name":"reactions","actor_name":"react","args":[1],"kwargs":{},"options":{"redis_message_id":"strange"}}',
            0,
        ),
    ],
)
async def test_what_is_no_message_harms_nobody(side: Side, queue: DramatiqQueue, text: bytes, buried: int) -> None:
    react = Reactions()
    await queue.publish(facts(3))
    side.put(text)
    await queue.publish(facts(3, "after"))
    async with consuming(broker_for(side.url), react, threads=4):
        await react.until(6)
    assert sorted(react.seen) == sorted([*facts(3), *facts(3, "after")])
    assert (side.waiting(), side.waiting(DEAD)) == (0, buried)


async def test_publishing_nothing_asks_nobody() -> None:
    await DramatiqQueue("redis://127.0.0.1:1/0").publish([])
    await DramatiqQueue("amqp://127.0.0.1:1/").publish([])


async def test_a_broker_that_is_away_is_unavailable_and_takes_messages_when_it_is_back(side: Side) -> None:
    async with line_to(side.url) as line:
        queue = DramatiqQueue(line.url)
        await queue.publish(facts(1))
        await line.cut()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await queue.publish(facts(1))
        await line.mend()
        await queue.publish(facts(2))
        await queue.close()
    assert side.waiting() == 3


async def test_a_broker_that_was_away_between_two_batches_is_not_noticed(side: Side) -> None:
    async with line_to(side.url) as line:
        queue = DramatiqQueue(line.url)
        await queue.publish(facts(1))
        await line.cut()
        await line.mend()
        await queue.publish(facts(1))
        await queue.close()
    assert side.waiting() == 2


async def test_a_broker_that_says_nothing_is_unavailable(side: Side) -> None:
    async with line_to(side.url) as line:
        queue = DramatiqQueue(line.url, within=0.5)
        await queue.publish(facts(1))
        line.freeze()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(10):
                await queue.publish(facts(1))
        await line.mend()
        await queue.publish(facts(1))
        await queue.close()
    assert side.waiting() >= 2  # what was on its way may have arrived


@pytest.mark.filterwarnings(
    # A consumer of dramatiq's that loses its connection while it begins leaves pika's wake-up sockets to the collector.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
async def test_workers_come_back_to_a_broker_that_was_away(side: Side, queue: DramatiqQueue) -> None:
    react = Reactions()
    async with line_to(side.url) as line, consuming(broker_for(line.url), react, threads=2):
        await queue.publish(facts(2))
        await react.until(2)
        await line.cut()
        await queue.publish(facts(2, "later"))
        await line.mend()
        # What was fetched in the instant of the cut stays with this worker; the outbox sends it again when its lease ends.
        await _sent_until(react, queue, facts(2, "later"), count=4)
    gc.collect()
    assert set(react.seen) == {*facts(2), *facts(2, "later")}


async def _sent_until(
    react: Reactions, queue: DramatiqQueue, messages: Sequence[tuple[str, str]], *, count: int
) -> None:
    """Send the messages as often as the outbox would until so many different ones were reacted to."""
    for _ in range(12):
        with contextlib.suppress(TimeoutError):
            await react.until(count, within=5.0)
            return
        await queue.publish(messages)
    await react.until(count)
