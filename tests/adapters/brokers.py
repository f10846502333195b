"""What tests of both brokers need: what is in the queue, and what reacts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pika
import redis
from attrs import define, field, frozen

QUEUE: Final = "reactions"
DEAD: Final = "reactions.XQ"


@frozen
class RedisSide:
    """A look at dramatiq's queue in Redis."""

    url: str

    def empty(self) -> None:
        """Have nothing there."""
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()

    def waiting(self, queue: str = QUEUE) -> int:
        """Count what is not acknowledged."""
        with redis.Redis.from_url(self.url) as client:
            return int(client.hlen(f"dramatiq:{queue}.msgs"))

    def put(self, text: bytes) -> None:
        """Put a text into the queue that no program of ours wrote."""
        with redis.Redis.from_url(self.url) as client:
            client.hset("dramatiq:reactions.msgs", "strange", text)
            client.rpush("dramatiq:reactions", "strange")


@frozen
class RabbitmqSide:
    """A look at dramatiq's queue in RabbitMQ."""

    url: str

    def empty(self) -> None:
        """Have nothing there."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            for name in (QUEUE, DEAD, "reactions.DQ"):
                connection.channel().queue_delete(name)

    def waiting(self, queue: str = QUEUE) -> int:
        """Count what nobody holds."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)

    def put(self, text: bytes) -> None:
        """Put a text into the queue that no program of ours wrote."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("", QUEUE, text, mandatory=True)


@define
class Reactions:
    """Remembers what it is asked to react to."""

    seen: list[tuple[str, str]] = field(factory=list)
    _changed: asyncio.Condition = field(factory=asyncio.Condition)

    async def __call__(self, fact_id: str, reaction: str) -> None:
        async with self._changed:
            self.seen.append((fact_id, reaction))
            self._changed.notify_all()

    async def until(self, count: int, *, within: float = 60.0) -> list[tuple[str, str]]:
        """Return what was asked for, once it is so many different ones."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(set(self.seen)) >= count)
        return self.seen


def facts(count: int, reaction: str = "jobs.tell_technician") -> Sequence[tuple[str, str]]:
    """Return so many messages."""
    return [(f"fact_{number}", reaction) for number in range(count)]


Side = RedisSide | RabbitmqSide


def side_of(kind: str, request: Any) -> Side:
    """Return an empty queue of a kind."""
    side: Side = (
        RedisSide(request.getfixturevalue("redis_url"))
        if kind == "redis"
        else RabbitmqSide(request.getfixturevalue("rabbitmq_url"))
    )
    side.empty()
    return side
