"""A running system as the player sees it."""

from __future__ import annotations

from entrypoints.demo.player import Stage
from entrypoints.demo_tenant import PEOPLE, PHONE_NUMBER_ID, app_secret, log_ins
from entrypoints.staging import Running


def stage_of(running: Running) -> Stage:
    """Return the addresses and log-ins of a seeded system; raise `ValueError` if it has no sandbox."""
    if running.sandbox is None:
        msg = "the story needs the sandbox"
        raise ValueError(msg)
    settings = running.app.settings
    tokens = {each.user_id: each.token for each in log_ins(settings)}
    return Stage(
        api=running.api,
        sandbox=running.sandbox,
        phone_number_id=PHONE_NUMBER_ID,
        app_secret=app_secret(settings),
        dispatcher=tokens["user_marta"],
        technician=tokens["user_carlos"],
        technician_id="user_carlos",
        technician_phone=str(PEOPLE["user_carlos"][2]),
    )
