"""The jobs, to look at."""

from __future__ import annotations

from starlette.responses import Response

from core.jobs import STATUSES, JobFilter
from entrypoints.console.pages import areas, page
from entrypoints.console.turn import Turn

_PAGE = 30


async def home(turn: Turn) -> Response:
    """Lead to the first area that somebody has."""
    return turn.go(f"/app/{areas(turn.actor)[0][0]}")


async def list_jobs(turn: Turn) -> Response:
    """Show the jobs, the newest first."""
    query = turn.request.query_params
    status = query.get("status") if query.get("status") in STATUSES else None
    jobs, cursor = await turn.app.jobs.list(
        actor=turn.actor, where=JobFilter(status=status), limit=_PAGE, cursor=query.get("cursor") or None
    )
    names = {}
    if turn.actor.may("users.read"):
        names = {user.id: user.name for user in await turn.app.identity.people(actor=turn.actor)}
    return await page(
        turn,
        "jobs.html",
        jobs=jobs,
        cursor=cursor,
        chosen=status,
        statuses=STATUSES,
        names=names,
        own=not turn.actor.may("jobs.read"),
    )
