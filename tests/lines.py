"""A line to a server that a test may cut, freeze and mend, as networks and restarts do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field

from tests import servers


@define
class Line:
    """Listens on a port of its own and passes everything on; `url` is the server's through it."""

    url: str
    _host: str
    _server_port: int
    _port: int
    _listener: asyncio.Server | None = None
    _passing: set[asyncio.Task[None]] = field(factory=set)
    _flowing: asyncio.Event = field(factory=asyncio.Event)

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def freeze(self) -> None:
        """Accept everything and pass on nothing."""
        self._flowing.clear()

    async def mend(self) -> None:
        """Pass everything on again."""
        self._flowing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                there, back = await asyncio.open_connection(self._host, self._server_port)
                try:
                    both = [
                        asyncio.create_task(self._pass(reader, back)),
                        asyncio.create_task(self._pass(there, writer)),
                    ]
                    try:
                        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for each in both:
                            each.cancel()
                        await asyncio.gather(*both, return_exceptions=True)
                finally:
                    back.close()
        finally:
            writer.close()
            self._passing.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """Give a line to the server of a URL, in order."""
    parts, port = urlsplit(url), servers.free_port()
    login, at, _ = parts.netloc.rpartition("@")
    line = Line(
        url=urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{port}")),
        host=parts.hostname or "",
        server_port=parts.port or 0,
        port=port,
    )
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()
