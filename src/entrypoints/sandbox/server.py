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
from entrypoints.sandbox.mail import MailState, mail_routes, mail_server
from entrypoints.sandbox.push import PushState, push_routes
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
    """Return the whole sandbox, to be served on the loopback only; it remembers in files under `var`.

    While it is served, `state.smtp_url` is where its mail server takes letters.
    """
    state = WhatsAppState(var / "sandbox-whatsapp.db")
    twilio = TwilioState(var / "sandbox-twilio.db")
    afip = AfipState(var / "sandbox-afip.db")
    push = PushState(var / "sandbox-push.db")
    mail = MailState(var / "sandbox-mail.db")
    api = Api()
    drives = Drives(api)
    webhooks = Webhooks(state=state, clock=clock, retries=retries or Retries())

    @contextlib.asynccontextmanager
    async def lifespan(starlette: Starlette) -> AsyncIterator[None]:
        posting = asyncio.create_task(webhooks.run(), name="sandbox webhooks")
        try:
            async with mail_server(mail, clock) as address:
                starlette.state.smtp_url = address
                yield
        finally:
            await drives.stop()
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting
            state.close()
            twilio.close()
            afip.close()
            push.close()
            mail.close()

    app = Starlette(
        routes=[
            index_route(state=state),
            *desk_routes(api=api, drives=drives, clock=clock),
            *push_routes(state=push, clock=clock),  # before what answers for every version of the Graph API
            *whatsapp_routes(state=state, deliver=webhooks, clock=clock),
            *twilio_routes(state=twilio, clock=clock),
            *mail_routes(state=mail, address=lambda: str(app.state.smtp_url)),
            *afip_routes(wsaa_wsdl=wsaa_wsdl, wsfe_wsdl=wsfe_wsdl, state=afip, clock=clock),
        ],
        lifespan=lifespan,
    )
    return app
