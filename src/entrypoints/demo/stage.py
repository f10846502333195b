"""A running system as the player sees it."""

from __future__ import annotations

from entrypoints.demo.player import Stage
from entrypoints.demo_tenant import PEOPLE, PHONE_NUMBER_ID, app_secret
from entrypoints.staging import Running


def stage_of(running: Running) -> Stage:
    """Return the addresses and phones of a seeded system; raise `ValueError` if it has no sandbox."""
    if running.sandbox is None:
        msg = "the story needs the sandbox"
        raise ValueError(msg)
    settings = running.app.settings
    return Stage(
        api=running.api,
        sandbox=running.sandbox,
        phone_number_id=PHONE_NUMBER_ID,
        app_secret=app_secret(settings),
        dispatcher_phone=PEOPLE["user_marta"][2],
        technician_id="user_carlos",
        technician_phone=PEOPLE["user_carlos"][2],
    )
