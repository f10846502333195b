"""The whole system in one process: sandbox, product, worker, demo tenant."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from attrs import evolve, frozen

from core.kernel.time import Clock
from entrypoints.demo_tenant import seed
from entrypoints.http.app import http_app
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import serving
from entrypoints.settings import Settings
from entrypoints.wiring import App, afip_descriptions, build, migrate, now
from entrypoints.worker import working


@frozen(kw_only=True)
class Running:
    """A system that answers, and where; `sandbox` is None where the outside world is real."""

    app: App
    api: str
    sandbox: str | None


@contextlib.asynccontextmanager
async def running(settings: Settings, *, clock: Clock = now) -> AsyncIterator[Running]:
    """Run everything that the settings describe beside the block; a database without tables gets them.

    The sandbox runs, and the demo tenant is seeded, where the settings lead to the sandbox. Raise `PortTaken`, `Unavailable`.
    """
    await asyncio.to_thread(migrate, settings)
    async with contextlib.AsyncExitStack() as stack:
        sandbox = None
        if leads_to_sandbox(settings):
            wsaa, wsfe = afip_descriptions()
            outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=settings.var, clock=clock)
            sandbox = await stack.enter_async_context(serving(outside, port=settings.sandbox_port))
            settings = evolve(settings, smtp_url=settings.smtp_url or outside.state.smtp_url)
        app = build(settings, clock=clock)
        web = http_app(app, lifespan=lambda: working(app))
        api = await stack.enter_async_context(serving(web, host=settings.host, port=settings.port))
        if sandbox is not None:
            await seed(app, api=api)
        yield Running(app=app, api=api, sandbox=sandbox)


def leads_to_sandbox(settings: Settings) -> bool:
    """Say whether WhatsApp's address is the sandbox that this process would serve."""
    outside = urlsplit(settings.whatsapp_api_url)
    return outside.hostname == "127.0.0.1" and outside.port == settings.sandbox_port and settings.env != "production"
