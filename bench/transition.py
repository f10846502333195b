"""A move of a job, returning the job and its fact, against `transitions` on the same chart."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from transitions import Machine

from bench.figure import Figure, compare
from core.jobs import MOVES, Job, Place, Wish

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
TIMES = 20_000


class Peer:
    """What `transitions` moves; one machine serves all, the library's own advice for many objects."""

    state: str


async def figures() -> AsyncIterator[Figure]:
    """Take the figure."""
    moves = [
        {"trigger": f"to_{target}_now", "source": source, "dest": target}
        for source, targets in MOVES.items()
        for target in targets
    ]
    peer: Any = Peer()
    Machine(model=peer, states=list(MOVES), transitions=moves, initial="scheduled", auto_transitions=False)
    job = Job.opened(
        id_="job_1",
        tenant="demo",
        customer_id="cust_1",
        title="Aire",
        wish=Wish(),
        place=Place(),
        source=None,
        actor="m",
        at=AT,
    ).schedule(technician_id="t", starts_at=AT, ends_at=AT + timedelta(hours=2), place=None, actor="m", at=AT)

    async def theirs() -> float:
        began = time.perf_counter()
        for _ in range(TIMES // 2):
            peer.to_en_camino_now()
            peer.to_scheduled_now()
        return (time.perf_counter() - began) / TIMES

    async def ours() -> float:
        moved = job
        began = time.perf_counter()
        for _ in range(TIMES):
            moved = job.depart(actor="user_carlos", at=AT)
        assert (moved.status, len(moved.facts)) == ("en_camino", len(job.facts) + 1)
        return (time.perf_counter() - began) / TIMES

    yield await compare(
        "a move with its fact / transitions on the same chart",
        floor=theirs,
        ours=ours,
        goal=0.35,
        unit=" s",
        at_most=True,
    )
