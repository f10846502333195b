"""Batches to RabbitMQ on one channel, with one wait for the confirmations of each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pika
from attrs import define, field
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError, NackError, UnroutableError

from adapters.dramatiq.broker import QUEUE, amqp_parameters, rabbitmq_broker

_PERSISTENT: Final = pika.BasicProperties(delivery_mode=2)


@define
class RabbitmqLink:
    """Connects when a batch has to go, and again after a connection has gone."""

    _url: str
    _within: float
    _session: _Session | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def send(self, messages: Mapping[str, bytes]) -> None:
        """Return when RabbitMQ has confirmed all messages."""
        texts = list(messages.values())
        async with self._turn:
            used_before = self._session is not None
            try:
                await self._send(texts)
            except (AMQPError, OSError):
                if not used_before:
                    raise
                await self._send(texts)  # that connection may have gone long ago, without a word

    async def close(self) -> None:
        """Disconnect."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, texts: Sequence[bytes]) -> None:
        try:
            async with asyncio.timeout(self._within):
                if self._session is None:
                    await asyncio.to_thread(_declare_queue, self._url)
                    self._session = await _Session.opened(self._url)
                await self._session.publish(texts)
        except BaseException:  # what is on its way now must not be taken for a later batch
            session, self._session = self._session, None
            if session is not None:
                session.leave()
            raise


class _Connection(AsyncioConnection):  # type: ignore[misc] # pika has no types
    """Writes the frames of a batch at once: three system calls for each message would halve the rate."""

    _gathered: list[bytes] | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        self._gathered = []
        try:
            yield
        finally:
            gathered, self._gathered = b"".join(self._gathered), None
            if gathered:
                self._adapter_emit_data(gathered)

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._gathered is None:
            super()._adapter_emit_data(data)
        else:
            self._gathered.append(data)


@define(eq=False)
class _Session:
    """A connection with its one channel; what goes wrong with either ends both."""

    _connection: Any
    _ready: asyncio.Future[None] = field(factory=lambda: asyncio.get_running_loop().create_future())
    _gone: asyncio.Future[BaseException] = field(factory=lambda: asyncio.get_running_loop().create_future())
    _channel: Any = None
    _published: int = 0
    _unconfirmed: set[int] = field(factory=set)
    _taken: asyncio.Future[None] | None = None

    @classmethod
    async def opened(cls, url: str) -> _Session:
        session = cls(None)
        session._connection = _Connection(
            amqp_parameters(url),
            on_open_callback=session._open_channel,
            on_open_error_callback=session._ended,
            on_close_callback=session._ended,
            custom_ioloop=asyncio.get_running_loop(),
        )
        try:
            await session._ready
        except BaseException:
            session.leave()
            raise
        return session

    async def publish(self, texts: Sequence[bytes]) -> None:
        self._taken = asyncio.get_running_loop().create_future()
        with self._connection.together():
            for text in texts:
                self._channel.basic_publish("", QUEUE, text, _PERSISTENT, mandatory=True)
                self._published += 1
                self._unconfirmed.add(self._published)
        await self._taken

    def leave(self) -> None:
        if self._connection.is_open:
            self._connection.close()

    async def close(self) -> None:
        self.leave()
        await self._gone

    def _open_channel(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._ask_for_confirmations)

    def _ask_for_confirmations(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._channel_ended)
        channel.add_on_return_callback(lambda *_: _settle(self._taken, UnroutableError([])))
        channel.confirm_delivery(self._confirmed, callback=lambda _: _settle(self._ready))

    def _confirmed(self, frame: Any) -> None:
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self._unconfirmed = {each for each in self._unconfirmed if each > tag}
        else:
            self._unconfirmed.discard(tag)
        if isinstance(frame.method, pika.spec.Basic.Nack):
            _settle(self._taken, NackError([]))
        elif not self._unconfirmed:
            _settle(self._taken)

    def _channel_ended(self, _: object, failure: BaseException) -> None:
        _settle(self._taken, failure)
        self.leave()

    def _ended(self, _: object, failure: BaseException) -> None:
        if not self._gone.done():
            self._gone.set_result(failure)
        _settle(self._ready, failure)
        _settle(self._taken, failure)


def _settle(future: asyncio.Future[None] | None, failure: BaseException | None = None) -> None:
    if future is None or future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)


def _declare_queue(url: str) -> None:
    """Let dramatiq declare its queue; publishing to one that is not there would be refused."""
    with contextlib.closing(rabbitmq_broker(url)) as broker:
        broker.declare_queue(QUEUE, ensure=True)
