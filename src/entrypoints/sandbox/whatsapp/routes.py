"""All of the sandbox WhatsApp's routes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.routing import BaseRoute

from entrypoints.sandbox.whatsapp.control import Control
from entrypoints.sandbox.whatsapp.graph import Graph
from entrypoints.sandbox.whatsapp.pages import page_routes
from entrypoints.sandbox.whatsapp.state import WhatsAppState
from entrypoints.sandbox.whatsapp.webhooks import Webhooks


def whatsapp_routes(*, state: WhatsAppState, deliver: Webhooks, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """Return the Graph API, the control door and the phone page; whoever serves them keeps `deliver.run()` running."""
    return [*Control(state, deliver, clock).routes(), *page_routes(state), *Graph(state, deliver, clock).routes()]
