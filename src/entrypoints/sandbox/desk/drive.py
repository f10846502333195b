"""A van on its way, whose phone reports where it is."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from attrs import define, field, frozen

from entrypoints.sandbox.desk.api import Api, Refusal

EVERY: Final = 3.0
"""Seconds between two positions; a real phone sends one every 30."""
STAYS: Final = 40
"""Positions sent from the door; an arrival needs a minute there."""
METRES: Final = 111_195.0
"""Of a degree of latitude."""
BENDS: Final = ((-1020.0, -760.0), (-1020.0, -300.0), (-520.0, -300.0), (-520.0, 0.0), (-40.0, 0.0), (0.0, 0.0))
"""The way to the door in metres east and north of it: round two corners, the last steps on foot."""


@frozen
class Place:
    """A point in WGS 84 degrees."""

    lat: float
    lng: float


@define
class Drives:
    """The vans under way, by job."""

    _api: Api
    _running: dict[str, asyncio.Task[None]] = field(factory=dict)

    def start(self, job_id: str, door: Place) -> None:
        """Set a van out for the door; one that is under way goes on."""
        if job_id not in self._running:
            task = asyncio.create_task(self._drive(job_id, door))
            self._running[job_id] = task
            task.add_done_callback(lambda _: self._running.pop(job_id, None))

    async def stop(self) -> None:
        """Stop all vans."""
        for task in list(self._running.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _drive(self, job_id: str, door: Place) -> None:
        chance = random.Random(job_id)  # noqa: S311 - the shaking of a GPS
        for east, north, speed in _way():
            noise = 3.0
            report = {
                "jobId": job_id,
                "lat": door.lat + (north + chance.gauss(0, noise)) / METRES,
                "lng": door.lng + (east + chance.gauss(0, noise)) / (METRES * math.cos(math.radians(door.lat))),
                "accuracy": round(chance.uniform(4, 10), 1),
                "speed": speed,
                "recordedAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            }
            try:
                progress = await self._api.post("/api/v1/tracking/update", report, technician=True)
            except Refusal:  # not yet open, or over; what is over ends here
                progress = {}
            if progress.get("state") not in {None, "active"}:
                return
            await asyncio.sleep(EVERY)


def _way() -> list[tuple[float, float, float]]:
    """Return (metres east, metres north, m/s) at each position, `EVERY` seconds apart."""
    points: list[tuple[float, float, float]] = []
    for (east, north), (next_east, next_north) in pairwise(BENDS):
        length = math.hypot(next_east - east, next_north - north)
        speed = 1.4 if length < 60 else 13.0  # noqa: PLR2004 - the last steps are on foot
        steps = max(1, round(length / (speed * EVERY)))
        points += [
            (east + (next_east - east) * n / steps, north + (next_north - north) * n / steps, speed)
            for n in range(steps)
        ]
    return [*points, *[(0.0, 0.0, 0.0)] * STAYS]
