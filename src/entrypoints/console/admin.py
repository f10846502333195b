"""What those who manage the business see: the team, machines' tokens, the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from core.identity import AboveOneself, LoginTaken, PhoneTaken
from core.identity.model import FOR_PEOPLE, RANK, SCOPES
from core.kernel.errors import Conflict, Invalid
from core.kernel.events import Envelope
from entrypoints.console.pages import form_again, page, say
from entrypoints.console.sentences import is_alarming, kinds, sentence
from entrypoints.console.turn import Given, Turn

TEAM: Final = "/app/settings/team"
TOKENS: Final = "/app/settings/service-tokens"
DAYS: Final = ("30", "90", "180", "365")
_PAGE: Final = 40
_LOOKED_AT: Final = 1000
"""Entries of the log that are read for one page of those that were asked for."""


async def team(turn: Turn) -> Response:
    """Show who works here."""
    said = {"added": "team.added", "changed": "team.changed"}.get(turn.request.query_params.get("said", ""))
    return await page(turn, "team.html", said=said and say(turn.language, said), **await _team(turn))


async def enrol(turn: Turn) -> Response:
    """Let somebody work here."""
    given = {name: turn.text(name) for name in ("name", "phone", "role")}
    try:
        await turn.app.colleagues.enrol(actor=turn.actor, **given, origin=turn.origin)
    except (LoginTaken, PhoneTaken):
        problems = {"phone": say(turn.language, "problem.phone_taken")}
        return await page(turn, "team.html", status=422, problems=problems, given=given, **await _team(turn))
    except (Invalid, AboveOneself) as error:
        return await form_again(turn, "team.html", error, given=given, **await _team(turn))
    return turn.go(f"{TEAM}?said=added")


async def change(turn: Turn) -> Response:
    """Give somebody another role, take their access or give it back."""
    user_id, active = turn.request.path_params["id"], turn.text("active")
    try:
        await turn.app.colleagues.change(
            actor=turn.actor,
            user_id=user_id,
            origin=turn.origin,
            role=turn.text("role") or None,
            active={"yes": True, "no": False}.get(active),
        )
    except (LoginTaken, PhoneTaken):
        problems = {"": say(turn.language, "problem.phone_taken")}
        return await page(turn, "team.html", status=422, problems=problems, **await _team(turn))
    except Conflict as error:
        return await form_again(turn, "team.html", error, **await _team(turn))
    return turn.go(f"{TEAM}?said=changed")


async def list_tokens(turn: Turn) -> Response:
    """Show machines' tokens."""
    said = say(turn.language, "tokens.revoked_done") if turn.request.query_params.get("said") == "revoked" else None
    return await page(turn, "tokens.html", said=said, **await _tokens(turn))


async def make_token(turn: Turn) -> Response:
    """Make a token, and show it this once."""
    label, chosen, days = turn.text("label"), turn.form.getlist("scopes"), turn.text("days")
    given = {"label": label, "scopes": chosen, "days": days}
    try:
        if not chosen:
            msg = "no scope was chosen"
            raise Invalid(msg, field="scopes")
        token, made = await turn.app.machines.make(
            actor=turn.actor,
            label=label,
            scopes=frozenset(chosen),
            life=timedelta(days=int(days) if days in DAYS else 90),
        )
    except Invalid as error:
        return await form_again(turn, "tokens.html", error, given=given, **await _tokens(turn))
    return await page(turn, "token.html", token_shown=token, made=made)


async def revoke_token(turn: Turn) -> Response:
    """Let nobody in by a token any more."""
    await turn.app.machines.revoke(actor=turn.actor, token_id=turn.request.path_params["id"])
    return turn.go(f"{TOKENS}?said=revoked")


async def audit(turn: Turn) -> Response:
    """Show what happened, the newest first."""
    query = turn.request.query_params
    names = {user.id: user.name for user in await turn.app.identity.people(actor=turn.actor)}
    known = kinds(turn.language)
    kind = query.get("kind") if query.get("kind") in known else None
    person = query.get("person") if query.get("person") in names else None
    entries, cursor, cut = await _entries(turn, kind, person, query.get("cursor") or None)
    somebody = say(turn.language, "audit.somebody")
    told = [
        {
            "text": sentence(entry, names=names, somebody=somebody, language=turn.language),
            "at": entry.timestamp,
            "event": entry.event_type,
            "alarming": is_alarming(entry.event_type),
            "ip": entry.payload.get("ip", ""),
            "agent": entry.payload.get("agent", ""),
        }
        for entry in entries
    ]
    return await page(
        turn, "audit.html", entries=told, cursor=cursor, cut=cut, kinds=known, kind=kind, people=names, person=person
    )


async def _entries(
    turn: Turn, kind: str | None, person: str | None, cursor: str | None
) -> tuple[Sequence[Envelope], str | None, bool]:
    """Return a page of the entries asked for, its cursor, and whether the search stopped before the page was full."""
    if kind is None and person is None:
        entries, cursor = await turn.app.audit.read(actor=turn.actor, limit=_PAGE, cursor=cursor)
        return entries, cursor, False
    found: list[Envelope] = []
    for _ in range(_LOOKED_AT // 200):
        entries, cursor = await turn.app.audit.read(actor=turn.actor, limit=200, cursor=cursor)
        found += [
            entry
            for entry in entries
            if kind in (None, entry.event_type) and person in (None, entry.actor, entry.payload.get("user_id"))
        ]
        if cursor is None or len(found) >= _PAGE:
            return found, cursor, False
    return found, cursor, True


async def _team(turn: Turn) -> Given:
    manages, rank = turn.actor.may("users.write"), RANK.get(turn.actor.role, 0)
    return {
        "people": await turn.app.identity.people(actor=turn.actor),
        "own": turn.actor.id,
        "manages": manages,
        "roles": [role for role in FOR_PEOPLE if manages and RANK[role] <= rank],
    }


async def _tokens(turn: Turn) -> Given:
    tokens = await turn.app.machines.list(actor=turn.actor)
    names = {user.id: user.name for user in await turn.app.identity.people(actor=turn.actor)}
    return {
        "tokens": tokens,
        "names": names,
        "scopes": [scope for scope in sorted(SCOPES) if turn.actor.may(scope)],
        "days": DAYS,
        "at": turn.app.clock(),
    }
