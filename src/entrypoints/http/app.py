"""The Starlette application over a running `App`."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog
from attrs import evolve, field, frozen
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from core.identity import OUTSIDE, Origin, Unauthenticated
from core.kernel.actor import Actor
from core.kernel.errors import NotFound
from core.tracking import LinkExpired
from entrypoints.console import Doors, console_routes
from entrypoints.http import track
from entrypoints.http.endpoints import ENDPOINTS, UPLOAD, Call, Endpoint, bearer_token
from entrypoints.http.endpoints.auth import bring
from entrypoints.http.guards import Addresses, Limits, Once, RateRules
from entrypoints.http.metrics import Metrics
from entrypoints.http.middleware import Edge
from entrypoints.http.openapi import document
from entrypoints.http.operations import Operations
from entrypoints.http.problems import HANDLERS
from entrypoints.http.routing import Table
from entrypoints.http.webhooks import receive_twilio, receive_whatsapp, verify_whatsapp
from entrypoints.http.wire import decode, encode
from entrypoints.wiring import App

BODY_AT_MOST: Final = 1024 * 1024
"""Bytes of a request body, uploads apart (SETTLED: 1 MiB for a webhook)."""

NOBODY: Final = Actor(tenant=OUTSIDE, id="nobody", role="nobody", correlation="")
"""Who asks where no log-in is needed; may nothing."""
_log: Final = structlog.get_logger("http")

STATIC: Final = Path(__file__).parent / "static"
_PAGES: Final = Environment(loader=PackageLoader("entrypoints.http"), autoescape=select_autoescape())
_PAGE_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


CORS: Final[dict[str, Any]] = {
    "allow_methods": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "allow_headers": ("authorization", "content-type", "idempotency-key", "x-request-id"),
    "expose_headers": ("idempotency-replayed", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"),
}
"""What a page of an allowed origin may send and read; it sends a bearer token, never a cookie."""


@frozen
class Bearers:
    """Who a token belongs to.

    An access token is signed, and whom it stands for is remembered where sessions are. Any other token has to be looked for, so
    an address may send only so many unknown ones, and the known are remembered for a few seconds.
    """

    _app: App
    _limits: Limits
    _rules: RateRules
    _life: timedelta = timedelta(seconds=5)
    _at_most: int = 10_000
    _known: dict[str, tuple[datetime, Actor]] = field(factory=dict, repr=False)

    async def actor(self, request: Request) -> Actor:
        """Return the actor of a request; raise `Unauthenticated`, or `Limited` where too many unknown tokens come from."""
        token, correlation = bearer_token(request), request.state.request_id
        if token.count(".") == 2:  # noqa: PLR2004 - the three parts of a signed token
            try:
                return await self._app.identity.who(token=token, correlation=correlation)
            except Unauthenticated:
                await self._limits.admit_stranger(request, self._rules.stranger)
                raise
        at = self._app.clock()
        until, actor = self._known.get(token, (at, None))
        if actor is None or until <= at:
            await self._limits.admit_stranger(request, self._rules.stranger)
            actor = await self._app.identity.who(token=token, correlation=correlation)
            if len(self._known) >= self._at_most:
                self._known.clear()
            self._known[token] = (at + self._life, actor)
        return evolve(actor, correlation=correlation)


class Later:
    """What runs after an answer, in this process and no longer than it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the requests."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("later", exc_info=failure)

    async def end(self) -> None:
        """Drop what has not run yet."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Assets(StaticFiles):
    """The files that our pages load; a browser keeps them, and asks whether they changed before it uses them."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response


def http_app(
    app: App,
    *,
    lifespan: Callable[[], contextlib.AbstractAsyncContextManager[None]] | None = None,
    rules: RateRules | None = None,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
) -> ASGIApp:
    """Return the ASGI application; `lifespan` runs beside it (in a single process, the workers).

    Without `rules` requests are limited as the environment wants it.
    """
    rules = rules or RateRules.for_environment(app.settings.env)
    addresses, later = Addresses(app.settings.trusted_proxies), Later()
    limits = Limits(app.limiter, addresses)
    guards = Guards(app, Bearers(app, limits, rules), limits, rules, Once(app.idempotency), addresses, later)
    metrics = Metrics(version=version("cuadrilla"))
    webhook, page = partial(limits.by_address, rules.webhooks), partial(limits.by_address, rules.pages)
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    table: list[Route] = []
    for path, by_method in by_path.items():
        # Only what reads a body limits it: each layer costs every request that passes it.
        reads = [
            each.largest or (UPLOAD if each.upload else BODY_AT_MOST)
            for each in by_method.values()
            if each.body or each.upload
        ]
        size = max(reads, default=None)
        table.append(Route(path, _serve(by_method, guards), methods=list(by_method), max_body_size=size))
    # Tried in this order; what is asked most comes first.
    routes: list[BaseRoute] = [
        Route("/health", alive, methods=["GET"]),
        Table(table),
        Route("/webhooks/whatsapp", webhook(receive_whatsapp), methods=["POST"], max_body_size=BODY_AT_MOST),
        Route("/track/{token}", page(watch), methods=["GET"]),
        Route("/track/{token}/events", page(_following(app)), methods=["GET"]),
        Route("/webhooks/whatsapp", webhook(verify_whatsapp), methods=["GET"]),
        Route("/webhooks/twilio", webhook(receive_twilio), methods=["POST"], max_body_size=BODY_AT_MOST),
        Route("/health/ready", ready, methods=["GET"]),
        *Operations(app, limits, rules, metrics, app.clock()).routes(),
        Route("/openapi.json", page(openapi), methods=["GET"]),
        Route("/docs", page(docs), methods=["GET"]),
        Route("/", home, methods=["GET"]),
        Mount("/static", Assets(directory=STATIC), name="static"),
        *console_routes(_console(guards)),
    ]

    @contextlib.asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        async with app.running(), (lifespan or contextlib.nullcontext)():
            try:
                yield
            finally:
                await later.end()

    starlette = Starlette(routes=routes, lifespan=living, exception_handlers={**HANDLERS, ClientDisconnect: _left})
    starlette.state.app = app
    edge = Edge(starlette, app.settings.env == "production", requests=metrics.requests)
    # Outside the edge, so that a page of another origin may read every answer, the edge's own refusals included.
    return CORSMiddleware(edge, app.settings.cors_origins, **CORS) if app.settings.cors_origins else edge


@frozen
class Guards:
    """What every endpoint stands behind."""

    app: App
    bearers: Bearers
    limits: Limits
    rules: RateRules
    once: Once
    addresses: Addresses
    later: Later

    def origin(self, request: Request) -> Origin:
        """Return where a request comes from, for the audit log."""
        ip = self.addresses.client(request.scope)
        return Origin(request.state.request_id, ip, request.headers.get("user-agent", ""))


def _console(guards: Guards) -> Doors:
    app, limits, rules = guards.app, guards.limits, guards.rules
    return Doors(
        app=app,
        origin=guards.origin,
        admit=lambda request: limits.admit_stranger(request, rules.pages),
        admit_to_log_in=lambda request: limits.admit_stranger(request, rules.doors),
        bring=lambda made, origin: guards.later(bring(app.otp, made, origin)),
    )


def _serve(endpoints: dict[str, Endpoint], guards: Guards) -> Callable[[Request], Awaitable[Response]]:
    rules = {method: guards.rules.of(f"{method} {each.path}") for method, each in endpoints.items()}

    async def serve(request: Request) -> Response:
        endpoint = endpoints["GET" if request.method == "HEAD" else request.method]
        if endpoint.open:
            await guards.limits.admit_stranger(request, guards.rules.doors)
            return await handle(request, NOBODY, endpoint)
        actor = await guards.bearers.actor(request)
        await guards.limits.admit(request, actor, rules[endpoint.method])
        if guards.once.concerns(request, endpoint):
            return await guards.once.answer(request, actor, endpoint, lambda: handle(request, actor, endpoint))
        return await handle(request, actor, endpoint)

    async def handle(request: Request, actor: Actor, endpoint: Endpoint) -> Response:
        body = decode(await request.body(), endpoint.body) if endpoint.body is not None else None
        call = Call(
            app=guards.app,
            actor=actor,
            origin_of=guards.origin,
            request=request,
            body=body,
            later=guards.later,
        )
        answer = await endpoint.handler(call)
        if isinstance(answer, Response):
            return answer
        status, content = answer
        return Response(encode(content), status, media_type="application/json")

    return serve


async def watch(request: Request) -> Response:
    """Show a customer who comes and when, as a page or as JSON."""
    app: App = request.app.state.app
    language = track.language_of(request.headers.get("accept-language"))
    as_json = "application/json" in request.headers.get("accept", "")
    try:
        watched = await app.tracking.watch(token=request.path_params["token"])
    except NotFound as gone:
        if as_json:
            raise
        return track.render_gone(language=language, reason="expired" if isinstance(gone, LinkExpired) else "unknown")
    facts = track.facts_of(watched, now=app.clock())
    if as_json:
        return JSONResponse(track.as_json(facts))
    return track.render_tracking(
        facts=facts, language=language, tiles_url=app.settings.tiles_url, zone=watched.visit.zone
    )


def _following(app: App) -> Callable[[Request], Awaitable[Response]]:
    async def look(token: str) -> dict[str, Any]:
        return track.as_json(track.facts_of(await app.tracking.watch(token=token), now=app.clock()))

    streams = track.Streams(look)

    async def follow(request: Request) -> Response:
        """Tell a customer's page what changes, as server-sent events; 204 while too many listen."""
        return await streams.open(request.path_params["token"])

    return follow


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def alive(_: Request) -> Response:
    """Say that the process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> Response:
    """Say whether requests can be served: the database answers."""
    app: App = request.app.state.app
    try:
        await app.ping_database()
    except Exception:
        return JSONResponse({"status": "unavailable", "database": "does not answer"}, 503)
    return JSONResponse({"status": "ok"})


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    app: App = request.app.state.app
    return JSONResponse(document(version=version("cuadrilla"), public_url=app.settings.public_url))


async def docs(request: Request) -> Response:
    """Show the OpenAPI document to people."""
    app: App = request.app.state.app
    spec = document(version=version("cuadrilla"), public_url=app.settings.public_url)
    page = _PAGES.get_template("docs.html").render(spec=spec)
    return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})


async def home(_: Request) -> Response:
    """Lead whoever opens the address to the documentation."""
    return RedirectResponse("/docs")
