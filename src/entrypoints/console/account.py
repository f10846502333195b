"""One's own account: password, second factor, sessions."""

from __future__ import annotations

import segno
from starlette.responses import Response

from core.identity import SessionNotFound, Visit, WrongCredentials
from core.kernel.errors import CuadrillaError
from entrypoints.console.pages import form_again, page, say
from entrypoints.console.turn import LOG_IN, Given, Turn

ACCOUNT = "/app/settings/account"
SESSIONS = "/app/settings/sessions"
ONLY_THE_CODE = {"HX-Retarget": "#confirm", "HX-Reselect": "#confirm", "HX-Reswap": "outerHTML", "HX-Push-Url": "false"}
"""htmx leaves the QR code where it is: its secret is shown once."""


async def index(turn: Turn) -> Response:
    """Show what can be set, beside one's account."""
    return await page(turn, "account.html", index=True, **await _account(turn))


async def show(turn: Turn) -> Response:
    """Show one's account."""
    said = {"password": "account.changed", "factor": "factor.removed"}.get(turn.request.query_params.get("said", ""))
    return await page(turn, "account.html", said=said and say(turn.language, said), **await _account(turn))


async def set_password(turn: Turn) -> Response:
    """Choose another password."""
    try:
        await turn.app.passwords.set_password(
            actor=turn.actor,
            old=turn.secret("current"),
            new=turn.secret("password"),
            session_id=_visit(turn).session_id,
            origin=turn.origin,
        )
    except WrongCredentials:
        problems = {"current": say(turn.language, "problem.wrong_current")}
        return await page(turn, "account.html", status=422, problems=problems, **await _account(turn))
    except CuadrillaError as error:
        return await form_again(turn, "account.html", error, **await _account(turn))
    return turn.go(f"{ACCOUNT}?said=password")


async def enrol(turn: Turn) -> Response:
    """Begin a second factor, and show its secret this once."""
    try:
        enrolment = await turn.app.second_factors.enrol(actor=turn.actor, origin=turn.origin)
    except CuadrillaError as error:
        return await form_again(turn, "account.html", error, **await _account(turn))
    picture = segno.make(enrolment.uri, error="m").svg_data_uri(scale=4, border=4)
    grouped = " ".join(enrolment.secret[start : start + 4] for start in range(0, len(enrolment.secret), 4))
    return await page(turn, "factor.html", picture=picture, secret=grouped, uri=enrolment.uri)


async def confirm(turn: Turn) -> Response:
    """Prove that the app has the secret, and show the recovery codes this once."""
    try:
        codes = await turn.app.second_factors.confirm(actor=turn.actor, code=turn.text("totp"), origin=turn.origin)
    except CuadrillaError as error:
        again = await form_again(turn, "factor.html", error, picture=None, secret=None, uri=None)
        again.headers.update(ONLY_THE_CODE)
        return again
    return await page(turn, "recovery.html", codes=codes)


async def remove(turn: Turn) -> Response:
    """Ask for the second factor no more."""
    try:
        await turn.app.second_factors.remove(actor=turn.actor, code=turn.text("totp"), origin=turn.origin)
    except CuadrillaError as error:
        return await form_again(turn, "account.html", error, **await _account(turn))
    return turn.go(f"{ACCOUNT}?said=factor")


async def list_sessions(turn: Turn) -> Response:
    """Show where one is logged in."""
    said = {"one": "sessions.ended", "others": "sessions.ended_others"}.get(turn.request.query_params.get("said", ""))
    sessions = await turn.app.sessions.list(actor=turn.actor)
    here = _visit(turn).session_id
    ordered = sorted(sessions, key=lambda session: session.id != here)
    return await page(turn, "sessions.html", sessions=ordered, here=here, said=said and say(turn.language, said))


async def end_session(turn: Turn) -> Response:
    """End one of one's own sessions."""
    session_id = turn.request.path_params["id"]
    if session_id not in {session.id for session in await turn.app.sessions.list(actor=turn.actor)}:
        raise SessionNotFound(session_id)
    await turn.app.sessions.revoke(actor=turn.actor, session_id=session_id, origin=turn.origin)
    return turn.out(f"{LOG_IN}?said=left") if session_id == _visit(turn).session_id else turn.go(f"{SESSIONS}?said=one")


async def end_other_sessions(turn: Turn) -> Response:
    """End all sessions but this one."""
    for session in await turn.app.sessions.list(actor=turn.actor):
        if session.id != _visit(turn).session_id:
            await turn.app.sessions.revoke(actor=turn.actor, session_id=session.id, origin=turn.origin)
    return turn.go(f"{SESSIONS}?said=others")


def _visit(turn: Turn) -> Visit:
    assert turn.visit is not None  # noqa: S101 - these pages are for those who are logged in
    return turn.visit


async def _account(turn: Turn) -> Given:
    account = await turn.app.store.accounts.get(turn.actor.tenant, turn.actor.id)
    return {"account": account}
