"""An ASGI application served inside this process, on the loopback or wherever it is told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp


class PortTaken(Exception):
    """Somebody else listens there."""


def free_port() -> int:
    """Return a port of the loopback on which nobody listens, below those the system gives to outgoing connections."""
    for port in random.SystemRandom().sample(range(20_000, 32_768), 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    msg = "no free port was found"
    raise PortTaken(msg)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the process: it may serve more than one application."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and where that fails leave the process alone: uvicorn would end it."""
        try:
            await super().startup(sockets)
        except SystemExit:
            self.should_exit = True


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the application beside the block and give its address; port 0 takes a free one. Raise `PortTaken`.

    Leaving the block lets requests finish, for at most five seconds; those that wait for something learn of it from the event in
    `scope["state"]["ending"]`.
    """
    # Named as TCP, or asyncio would leave Nagle's algorithm on and every second answer would take 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as failure:
        listener.close()
        msg = f"cannot listen on {host}:{port} ({failure.strerror}); stop what does, or choose another port"
        raise PortTaken(msg) from failure
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # it would believe whoever sits on this machine; whom to believe is a setting
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server, ending = _Server(config), asyncio.Event()
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                msg = "the application did not start; the log says why"
                raise RuntimeError(msg)
            await asyncio.sleep(0.01)
        server.lifespan.state["ending"] = ending
        named = f"[{host}]" if ":" in host else host
        yield f"http://{named}:{listener.getsockname()[1]}"
    finally:
        ending.set()
        server.should_exit = True
        await task
        listener.close()
