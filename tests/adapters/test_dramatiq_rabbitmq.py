"""What is particular to dramatiq over RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pika
import pytest

from adapters.dramatiq import DramatiqQueue
from core.kernel.errors import Unavailable
from tests.adapters.brokers import QUEUE, Side, facts, side_of
from tests.lines import line_to


@pytest.fixture
def side(request: pytest.FixtureRequest) -> Side:
    """Give an empty queue."""
    return side_of("rabbitmq", request)


@pytest.fixture
async def queue(side: Side) -> AsyncIterator[DramatiqQueue]:
    """Give the way into it."""
    queue = DramatiqQueue(side.url)
    yield queue
    await queue.close()


async def test_messages_survive_a_restart_of_the_broker(side: Side, queue: DramatiqQueue) -> None:
    await queue.publish(facts(1))
    with pika.BlockingConnection(pika.URLParameters(side.url)) as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, passive=True, durable=True)
        _, properties, _ = channel.basic_get(QUEUE)
    assert properties.delivery_mode == 2


async def test_a_queue_that_somebody_deleted_is_declared_again(side: Side, queue: DramatiqQueue) -> None:
    await queue.publish(facts(1))
    side.empty()
    await queue.publish(facts(3))
    assert side.waiting() == 3


async def test_a_connection_lost_while_a_batch_is_on_its_way_is_unavailable(side: Side) -> None:
    async with line_to(side.url) as line:
        queue = DramatiqQueue(line.url)
        await queue.publish(facts(1))
        line.freeze()
        publishing = asyncio.create_task(queue.publish(facts(10)))
        await asyncio.sleep(0.05)
        await line.cut()
        with pytest.raises(Unavailable):
            await publishing
        await line.mend()
        await queue.publish(facts(2))
        await queue.close()
    assert side.waiting() == 3


async def test_a_publisher_who_is_cancelled_leaves_nothing_to_confuse_the_next(side: Side) -> None:
    async with line_to(side.url) as line:
        queue = DramatiqQueue(line.url)
        await queue.publish(facts(1))
        line.freeze()
        publishing = asyncio.create_task(queue.publish(facts(10)))
        await asyncio.sleep(0.05)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        await line.mend()
        await queue.publish(facts(2))
        await queue.close()
    assert side.waiting() in {3, 13}  # those on their way may have arrived


async def test_a_broker_that_refuses_the_log_in_is_unavailable(side: Side) -> None:
    queue = DramatiqQueue(side.url.replace("guest:guest", "guest:wrong"))
    with pytest.raises(Unavailable):
        await queue.publish(facts(1))
    await queue.close()


async def test_an_address_without_a_broker_is_unavailable() -> None:
    queue = DramatiqQueue("amqp://guest:guest@127.0.0.1:1/")
    with pytest.raises(Unavailable):
        await queue.publish(facts(1))
    await queue.close()
