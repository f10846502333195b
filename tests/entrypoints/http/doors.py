"""The same application behind other rules and settings, asked from other addresses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from attrs import evolve

from entrypoints.http.app import http_app
from entrypoints.http.guards import RateRules
from tests.entrypoints.http.web import Sending, Web


@contextlib.asynccontextmanager
async def door(
    web: Web,
    *,
    rules: RateRules | None = None,
    address: str = "203.0.113.7",
    settings: dict[str, Any] | None = None,
    **parts: Any,
) -> AsyncIterator[Web]:
    """Give another way into the same data: with these rules, settings and parts, as seen by a client at the address."""
    app = evolve(web.app, settings=evolve(web.app.settings, **(settings or {})), **parts)
    transport = Sending(http_app(app, rules=rules), web.whatsapp, client=(address, 40_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Web(app, client, web.clock, web.whatsapp)
