"""Asking an engine, which may be slow, away, or somebody else's error page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

import httpx2
from attrs import define, field

from core.kernel.errors import Unavailable

PATIENCE: Final = 2.0
"""Seconds for a whole answer: the estimate by distance is at hand, and somebody waits for it."""
REST: Final = 30.0
"""Seconds in which an engine that failed is not asked."""
LARGEST: Final = 1_000_000
"""Bytes of an answer; one of two places has some hundreds."""
_SERVER_ERROR, _TOO_MANY = 500, 429


def _client() -> httpx2.AsyncClient:
    """Return a client without a limit of its own: that of the engine is over the whole answer."""
    return httpx2.AsyncClient(timeout=None, limits=httpx2.Limits(max_connections=20))


@define
class Engine:
    """Requests to one engine; after a failure it rests, so that not everybody waits for what does not answer."""

    base_url: str
    client: httpx2.AsyncClient = field(factory=_client, repr=False)
    patience: float = PATIENCE
    rest: float = REST
    _rests_until: float = 0.0

    async def ask(self, method: str, path: str, **content: Any) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the object that the engine answered; raise `Unavailable`."""
        if time.monotonic() < self._rests_until:
            msg = "the routing engine failed a moment ago"
            raise Unavailable(msg)
        try:
            async with asyncio.timeout(self.patience):
                answer = await self._answer(method, f"{self.base_url.rstrip('/')}{path}", **content)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as failure:
            self._rests_until = time.monotonic() + self.rest
            msg = "the routing engine does not answer"
            raise Unavailable(msg) from failure
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _answer(self, method: str, url: str, **content: Any) -> tuple[int, Mapping[str, Any]]:
        async with self.client.stream(method, url, **content) as answer:
            if answer.status_code >= _SERVER_ERROR or answer.status_code == _TOO_MANY:
                msg = f"it answered {answer.status_code}"
                raise ValueError(msg)
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    msg = "its answer has no end"
                    raise ValueError(msg)
        data = httpx2.Response(200, content=bytes(body)).json()
        if not isinstance(data, dict):
            msg = "its answer is no object"
            raise ValueError(msg)  # noqa: TRY004 - every bad answer is one kind of failure
        return answer.status_code, data


def seconds(time_: object) -> float:
    """Return a duration that an engine names; raise `Unavailable` for what is none."""
    if isinstance(time_, int | float) and not isinstance(time_, bool) and isfinite(time_) and time_ >= 0:
        return float(time_)
    msg = "the routing engine names no duration"
    raise Unavailable(msg)


def refused(code: object) -> Unavailable:
    """Return the failure of a question that the engine does not accept."""
    return Unavailable(f"the routing engine does not accept the question ({str(code)[:40]})")
