"""What happens to every request, in one layer: an id, a log line, safe headers, a time limit, and nothing unforeseen gets out."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Final

import structlog
from attrs import field, frozen
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.http.metrics import Requests
from entrypoints.http.problems import RETRY_AFTER, problem

_log: Final = structlog.get_logger("http")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")

HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""Sent with every answer that does not say otherwise."""
_PAIRS: Final = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())
_STRICT: Final = ((b"strict-transport-security", b"max-age=31536000"),)
_TOO_LARGE: Final = 413
LONGEST: Final = 30.0
"""Seconds that a request may take, its body's arrival included."""
_PLAIN: Final = 2
"""As many headers as an answer has that says nothing of what stands above: length and type."""


@frozen
class Edge:
    """The outermost layer. The request's id, the caller's if it is sane, is on `scope["state"]["request_id"]`.

    What a layer inside leaves in `scope["state"]["told"]`, as raw headers, is sent with the answer, whichever that is. A request
    that is not answered within `longest` seconds ends, and is answered 503 if nothing was said so far. What takes longer by nature
    moves the limit, which is in `scope["state"]["limit"]`.
    """

    _app: ASGIApp
    _strict_transport: bool = False
    _longest: float = LONGEST
    _requests: Requests = field(factory=Requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _given_id(scope) or f"req_{secrets.token_hex(12)}"
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status, over, instead = 0, False, None

        async def send_marked(message: Message) -> None:
            nonlocal status, over, instead
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                if status == _TOO_LARGE and (b"content-type", b"application/problem+json") not in headers:
                    answer = problem(status, code="too_large", detail="The body is too large.", request_id=request_id)
                    headers, instead = answer.raw_headers, answer.body
                marked = [*headers, (b"x-request-id", request_id.encode())]
                if len(headers) <= _PLAIN:
                    marked += _PAIRS
                else:
                    present = {name for name, _ in headers}
                    marked += [pair for pair in _PAIRS if pair[0] not in present]
                if self._strict_transport:
                    marked += _STRICT
                if "told" in state:
                    marked += state["told"]
                message["headers"] = marked
            else:
                over = not message.get("more_body", False)
                if instead is not None:
                    message = {"type": "http.response.body", "body": instead}
            await send(message)

        try:
            async with asyncio.timeout(self._longest) as limit:
                state["limit"] = limit
                await self._app(scope, receive, send_marked)
        except Exception:
            if limit.expired() and not status:
                detail = f"This took longer than {self._longest:.0f} seconds and was given up."
                late = problem(503, code="timeout", detail=detail, request_id=request_id)
                late.headers["retry-after"] = str(RETRY_AFTER)
                await late(scope, receive, send_marked)
                return
            _log.exception("defect", request_id=request_id, method=scope["method"], path=_path(scope))
            if not over:
                raise
        finally:
            seconds = time.perf_counter() - started
            self._requests.count(scope, status, seconds)
            _log.info(
                "request",
                method=scope["method"],
                path=_path(scope),
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=request_id,
            )


def _path(scope: Scope) -> str:
    """Return the path for the log; a tracking link is a secret and is not written down."""
    path: str = scope["path"]
    return "/track/…" if path.startswith("/track/") else path


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text if _ID.match(text) else None
    return None
