"""Dramatiq's brokers with the settings that our promises need."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import pika
import redis
from dramatiq import Broker, Message
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DecodeError

QUEUE: Final = "reactions"
ACTOR: Final = "react"
NAMESPACE: Final = "dramatiq"
CONNECT: Final = 1.0
"""Seconds within which a broker must accept a connection."""
ANSWER: Final = 5.0
"""Seconds within which a broker must take what it is sent."""


def broker_for(url: str) -> Broker:
    """Return a broker for a redis://, rediss://, amqp:// or amqps:// URL; it connects when it is first used.

    It has no middleware: what fails is acknowledged, logged, and comes back through the outbox.
    """
    return _redis_broker(url) if urlsplit(url).scheme in {"redis", "rediss"} else rabbitmq_broker(url)


def rabbitmq_broker(url: str) -> RabbitmqBroker:
    """Return dramatiq's broker for an amqp:// or amqps:// URL."""
    broker = RabbitmqBroker(url=url, middleware=[], confirm_delivery=True)
    broker.parameters = amqp_parameters(url)
    return broker


def amqp_parameters(url: str) -> pika.URLParameters:
    """Return how to connect to RabbitMQ: what does not answer is noticed soon and not tried again."""
    parameters = pika.URLParameters(url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = CONNECT
    parameters.stack_timeout = 2 * CONNECT
    parameters.blocked_connection_timeout = ANSWER
    return parameters


class _SiftingRedisBroker(RedisBroker):
    """Buries what is no message of ours.

    Dramatiq's consumer stops at a text that it cannot decode and keeps the messages fetched with it until the process ends, and a
    message of another queue ends the thread that works on it. (RabbitMQ's consumer rejects such texts itself.)
    """

    def do_fetch(self, queue_name: str, limit: int) -> list[bytes | None]:
        """Fetch up to `limit` messages; dramatiq calls it by this name."""
        fetch: Any = self._dispatch
        fetched: list[bytes | None] = fetch("fetch")(queue_name, limit)
        sound = [data for data in fetched if data is None or _is_sound(data, queue_name)]
        if len(sound) < len(fetched):
            self._bury(set(fetched).difference(sound), queue_name)
        return sound

    def _bury(self, unsound: set[bytes | None], queue_name: str) -> None:
        """Move the texts, whose ids only Redis knows, to the dead letters."""
        self.logger.error("%d texts on queue %r are no messages and are now dead letters.", len(unsound), queue_name)
        client: Any = self.client
        held = list(client.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"))
        texts = client.hmget(f"{self.namespace}:{queue_name}.msgs", held) if held else []
        for id_, text in zip(held, texts, strict=True):
            if text in unsound:
                self.do_nack(queue_name, id_)


def _is_sound(data: bytes, queue_name: str) -> bool:
    try:
        message: Message[None] = Message.decode(data)
    except DecodeError:
        return False
    return (
        message.queue_name == queue_name and isinstance(message.options, dict) and "redis_message_id" in message.options
    )


def _redis_broker(url: str) -> RedisBroker:
    make: Any = _SiftingRedisBroker  # dramatiq's own has no types
    made: RedisBroker = make(
        client=redis.Redis.from_url(url, retry=None, socket_connect_timeout=CONNECT, socket_timeout=ANSWER),
        middleware=[],
        namespace=NAMESPACE,
        # What a killed worker held is delivered again after this long; with the defaults it may be minutes.
        heartbeat_timeout=15_000,
        maintenance_chance=1_000_000,
    )
    return made
