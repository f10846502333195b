"""What is told to whoever runs this installation, and to nobody else: it is about all tenants."""

from __future__ import annotations

import asyncio
import hmac
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from attrs import asdict, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.identity import Unauthenticated
from entrypoints.examination import Finding, examined, overall
from entrypoints.http.endpoints import bearer_token
from entrypoints.http.guards import Limits, RateRules
from entrypoints.http.metrics import Metrics
from entrypoints.wiring import App

LOOPBACK: Final = ("127.0.0.1", "::1")
_STATUS: Final = {"ok": 200, "warning": 200, "failed": 503}


@frozen
class Operations:
    """The routes of an operator: services, the whole, metrics.

    An operator shows the token of the settings. Where none is set, nobody is one in production; elsewhere whoever asks from this
    machine is, and not over a proxy, behind which anybody may be.
    """

    _app: App
    _limits: Limits
    _rules: RateRules
    _metrics: Metrics
    _started_at: datetime

    def routes(self) -> list[Route]:
        """Return them."""
        return [
            Route("/health/services", self.services, methods=["GET"]),
            Route("/health/detailed", self.detailed, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def services(self, request: Request) -> Response:
        """Say how each configured service does, as `cuadrilla doctor` says it."""
        await self._must_be_operator(request)
        findings = await examined(self._app.checks)
        return JSONResponse(_said(findings), _STATUS[overall(findings)])

    async def detailed(self, request: Request) -> Response:
        """Say what runs here, since when, and how each configured service does."""
        await self._must_be_operator(request)
        findings, now = await examined(self._app.checks), self._app.clock()
        about = {
            "version": version("cuadrilla"),
            "environment": self._app.settings.env,
            "python": platform.python_version(),
            "startedAt": self._started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "uptimeSeconds": int((now - self._started_at).total_seconds()),
        }
        return JSONResponse({**_said(findings), **about}, _STATUS[overall(findings)])

    async def metrics(self, request: Request) -> Response:
        """Tell Prometheus about this process."""
        await self._must_be_operator(request)
        # In a thread: with many routes it would hold up every other request.
        text, media_type = await asyncio.to_thread(self._metrics.written, request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    async def _must_be_operator(self, request: Request) -> None:
        await self._limits.admit_stranger(request, self._rules.pages)
        expected = self._app.settings.operations_token
        if expected is not None:
            known = hmac.compare_digest(bearer_token(request).encode(), expected.encode())
        else:
            here = request.client is not None and request.client.host in LOOPBACK
            known = here and self._app.settings.env != "production" and "x-forwarded-for" not in request.headers
        if not known:
            raise Unauthenticated


def _said(findings: Sequence[Finding]) -> dict[str, Any]:
    return {"status": overall(findings), "services": [asdict(each) for each in findings]}
