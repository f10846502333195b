"""The way towards the workers: whole batches, each taken by the broker before the relay marks it sent."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import redis.asyncio as redis
from attrs import define, field, frozen
from dramatiq.errors import BrokerConnectionError
from pika.exceptions import AMQPError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from adapters.dramatiq.broker import ACTOR, ANSWER, CONNECT, NAMESPACE, QUEUE
from adapters.dramatiq.rabbitmq import RabbitmqLink
from core.kernel.errors import Unavailable


class _Link(Protocol):
    async def send(self, messages: Mapping[str, bytes]) -> None:
        """Return when the broker has taken all messages, which are given by their ids."""

    async def close(self) -> None:
        """Disconnect."""


@frozen
class DramatiqQueue:
    """`core.reactions.Publish` over a broker; nothing is connected before it is used, and all on one event loop."""

    _url: str = field(repr=False)
    _within: float = ANSWER
    """Seconds that a batch may take."""
    _link: _Link = field(init=False, repr=False)

    @_link.default
    def _link_to_the_broker(self) -> _Link:
        kind = _RedisLink if urlsplit(self._url).scheme in {"redis", "rediss"} else RabbitmqLink
        return kind(self._url, self._within)

    async def publish(self, messages: Sequence[tuple[str, str]]) -> None:
        """Send (fact id, reaction) messages in order and return when the broker has taken them; raise `Unavailable`.

        Some of them may be there twice, and after `Unavailable` nevertheless.
        """
        if not messages:
            return
        try:
            await self._link.send(dict(_message(*message) for message in messages))
        except (AMQPError, BrokerConnectionError, OSError, RedisError) as failure:
            msg = f"the broker does not take messages: {failure or type(failure).__name__}"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()


def _message(fact_id: str, reaction: str) -> tuple[str, bytes]:
    """Return a message's id and its text as `dramatiq.Message.encode` would write it, at a fifth of the price."""
    id_ = uuid.uuid4().hex
    text = {
        "queue_name": QUEUE,
        "actor_name": ACTOR,
        "args": (fact_id, reaction),
        "kwargs": {},
        "options": {"redis_message_id": id_},
        "message_id": id_,
        "message_timestamp": int(time.time() * 1000),
    }
    return id_, msgspec.json.encode(text)


@define
class _RedisLink:
    """Does for a batch, as one transaction, what `RedisBroker.enqueue` does for each message with a script."""

    _url: str
    _within: float
    _client: redis.Redis = field(init=False)

    @_client.default
    def _new_client(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url,
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),  # that connection may have gone long ago
            socket_connect_timeout=CONNECT,
            socket_timeout=self._within,
        )

    async def send(self, messages: Mapping[str, bytes]) -> None:
        texts: Mapping[Any, Any] = messages
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(f"{NAMESPACE}:{QUEUE}.msgs", mapping=texts)
            pipeline.rpush(f"{NAMESPACE}:{QUEUE}", *texts)
            await pipeline.execute()

    async def close(self) -> None:
        await self._client.aclose()
