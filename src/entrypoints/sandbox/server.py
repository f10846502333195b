"""The sandbox as one application: WhatsApp with its phone page, Twilio, AFIP, and the desk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette

from entrypoints.sandbox.afip import AfipState, afip_routes
from entrypoints.sandbox.desk import Api, Drives, desk_routes
from entrypoints.sandbox.twilio import TwilioState, twilio_routes
from entrypoints.sandbox.whatsapp import Retries, Webhooks, WhatsAppState, index_route, whatsapp_routes


def _now() -> datetime:
    return datetime.now(UTC)


def sandbox_app(
    *,
    wsaa_wsdl: bytes,
    wsfe_wsdl: bytes,
    var: Path,
    clock: Callable[[], datetime] = _now,
    retries: Retries | None = None,
) -> Starlette:
    """Return the whole sandbox, to be served on the loopback only; it remembers in three files under `var`."""
    state = WhatsAppState(var / "sandbox-whatsapp.db")
    twilio = TwilioState(var / "sandbox-twilio.db")
    afip = AfipState(var / "sandbox-afip.db")
    api = Api()
    drives = Drives(api)
    webhooks = Webhooks(state=state, clock=clock, retries=retries or Retries())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        posting = asyncio.create_task(webhooks.run(), name="sandbox webhooks")
        try:
            yield
        finally:
            await drives.stop()
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting
            state.close()
            twilio.close()
            afip.close()

    return Starlette(
        routes=[
            index_route(state=state),
            *desk_routes(api=api, drives=drives, clock=clock),
            *whatsapp_routes(state=state, deliver=webhooks, clock=clock),
            *twilio_routes(state=twilio, clock=clock),
            *afip_routes(wsaa_wsdl=wsaa_wsdl, wsfe_wsdl=wsfe_wsdl, state=afip, clock=clock),
        ],
        lifespan=lifespan,
    )
