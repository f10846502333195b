"""What is particular to dramatiq over Redis."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message

from adapters.dramatiq import DramatiqQueue, broker_for, consuming
from tests.adapters.brokers import DEAD, Reactions, RedisSide, facts


@pytest.fixture
def client(redis_url: str) -> Any:
    """Give a client of an empty database."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


async def test_a_batch_lies_in_redis_as_dramatiq_itself_would_have_put_it(client: Any, redis_url: str) -> None:
    broker = broker_for(redis_url)

    def react(fact_id: str, reaction: str) -> None:
        raise NotImplementedError

    theirs = dramatiq.actor(broker=broker, actor_name="react", queue_name="reactions")(react)
    theirs.send("fact_0", "jobs.tell_technician")
    queue = DramatiqQueue(redis_url)
    await queue.publish(facts(1))
    await queue.close()
    broker.close()
    ids = client.lrange("dramatiq:reactions", 0, -1)
    messages = [Message.decode(client.hget("dramatiq:reactions.msgs", id_)) for id_ in ids]
    assert [message.options for message in messages] == [{"redis_message_id": id_.decode()} for id_ in ids]
    assert {(message.queue_name, message.actor_name, message.args, str(message.kwargs)) for message in messages} == {
        ("reactions", "react", ("fact_0", "jobs.tell_technician"), "{}")
    }


async def test_a_message_of_another_queue_is_buried(redis_url: str) -> None:
    side, react, queue = RedisSide(redis_url), Reactions(), DramatiqQueue(redis_url)
    side.put(
        b'{"queue_name":"other","actor_name":"react","args":["f","r"],"kwargs":{},"options":{"redis_message_id":"strange"}}'
    )
    await queue.publish(facts(2))
    async with consuming(broker_for(redis_url), react, threads=1):
        await react.until(2)
    await queue.close()
    assert (react.seen, side.waiting(), side.waiting(DEAD)) == (facts(2), 0, 1)


async def test_a_message_without_its_id_is_buried(redis_url: str) -> None:
    side, react, queue = RedisSide(redis_url), Reactions(), DramatiqQueue(redis_url)
    side.put(b'{"queue_name":"reactions","actor_name":"react","args":["f","r"],"kwargs":{},"options":null}')
    await queue.publish(facts(2))
    async with consuming(broker_for(redis_url), react, threads=1):
        await react.until(2)
    await queue.close()
    assert (react.seen, side.waiting(), side.waiting(DEAD)) == (facts(2), 0, 1)


async def test_what_a_killed_worker_held_goes_to_another(client: Any, redis_url: str) -> None:
    killed: Any = broker_for(redis_url)
    react, queue = Reactions(), DramatiqQueue(redis_url)
    await queue.publish(facts(3))
    assert len(killed.do_fetch("reactions", 2)) == 2
    killed.close()
    client.zadd("dramatiq:__heartbeats__", {killed.broker_id: 0})  # it was long ago
    async with consuming(broker_for(redis_url), react):
        await react.until(3)
    await queue.close()
    assert (sorted(react.seen), RedisSide(redis_url).waiting()) == (facts(3), 0)


async def test_a_server_that_forgot_everything_takes_and_gives_again(client: Any, redis_url: str) -> None:
    react, queue = Reactions(), DramatiqQueue(redis_url)
    async with consuming(broker_for(redis_url), react):
        await queue.publish(facts(1))
        await react.until(1)
        client.flushall()
        client.script_flush()
        await queue.publish(facts(1, "after"))
        await react.until(2)
    await queue.close()
    assert react.seen == [*facts(1), *facts(1, "after")]
