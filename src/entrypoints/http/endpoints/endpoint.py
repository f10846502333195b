"""What an endpoint is, and the one request that it handles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from core.identity import Origin, Unauthenticated
from core.kernel.actor import Actor
from entrypoints.http.problems import Malformed
from entrypoints.wiring import App

PAGE: Final = 50
PAGE_AT_MOST: Final = 200
PAGED: Final = ("limit", "cursor")
TOKEN: Final = 2048
"""Characters of a bearer token; ours are far shorter."""
UPLOAD: Final = 11 * 1024 * 1024
"""Bytes of an upload, a little above the 10 MiB that a picture may have."""


@frozen(kw_only=True)
class Call:
    """One request, decoded as far as every endpoint needs it."""

    app: App
    actor: Actor
    request: Request
    body: Any = None
    origin_of: Callable[[Request], Origin]
    later: Callable[[Coroutine[Any, Any, None]], None]
    """Lets something run after the answer; a process that ends drops it."""

    def path(self, name: str) -> str:
        value: str = self.request.path_params[name]
        return value

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name) or None

    @property
    def origin(self) -> Origin:
        """Where the request comes from."""
        return self.origin_of(self.request)

    @property
    def token(self) -> str:
        """The bearer token of the request."""
        return bearer_token(self.request)

    @property
    def limit(self) -> int:
        text = self.query("limit")
        if text is None:
            return PAGE
        if not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_AT_MOST:
            msg = f"limit must be a number from 1 to {PAGE_AT_MOST}"
            raise Malformed(msg, field="limit")
        return int(text)


def bearer_token(request: Request) -> str:
    """Return the bearer token that a request shows; raise `Unauthenticated` if it shows none, or several."""
    # The raw list: Starlette's mapping decodes every header to find one.
    shown = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if len(shown) != 1 or len(shown[0]) > TOKEN:
        raise Unauthenticated
    text: str = shown[0].decode("latin-1")
    scheme, _, token = text.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return token


Answer = tuple[int, object]
Handler = Callable[[Call], Awaitable[Answer | Response]]


@frozen(kw_only=True)
class Endpoint:
    """One route: how it is asked, what it does, what it answers.

    `answers` maps a status to a shape, or to None where there is no body. One that is `open` needs no log-in.
    One that `resumes` may fail with a part of it done, and goes on from there when it is asked again.
    """

    method: str
    path: str
    area: str
    summary: str
    handler: Handler
    body: type | None = None
    upload: str | None = None
    largest: int | None = None
    """Bytes of its body, where the usual are too few."""
    query: tuple[str, ...] = ()
    answers: dict[int, Any]
    problems: tuple[int, ...] = ()
    open: bool = False
    resumes: bool = False
