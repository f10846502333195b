"""Load on an HTTP server: connections that stay open, each sending its next request when the answer is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

CONNECTIONS = 32


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[None]) -> None:
        self._requests, self._until, self._done = requests, until, done
        self._waiting = b""
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, found, body = self._waiting.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            self._finish(RuntimeError(self._waiting[:300]))
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._waiting = body[length:]
            self.answered += 1
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))

    def _next(self) -> None:
        if time.perf_counter() >= self._until:
            self._finish(None)
        else:
            self._transport.write(next(self._requests))  # type: ignore[attr-defined] # it is a stream's

    def _finish(self, failure: Exception | None) -> None:
        if not self._done.done():
            if failure is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(failure)
        self._transport.close()


async def requests_per_second(port: int, requests: Iterator[bytes], *, seconds: float = 3.0) -> float:
    """Return how many requests were answered in a second; raise if one was refused."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    connections: list[_Connection] = []
    futures = []
    for _ in range(CONNECTIONS):
        done: asyncio.Future[None] = loop.create_future()
        connection = _Connection(requests, began + seconds, done)
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", port)  # type: ignore[misc]
        connections.append(connection)
        futures.append(done)
    await asyncio.gather(*futures)
    return sum(connection.answered for connection in connections) / (time.perf_counter() - began)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
