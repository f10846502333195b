"""What follows from the clock alone: technicians are reminded of their visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field, frozen

from core.jobs import Jobs
from core.jobs.events import JobScheduled
from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion
from core.kernel.time import Clock
from core.reactions.telling import Telling

LEADS: Final[Mapping[timedelta, str]] = {
    timedelta(minutes=30): "job_reminder_tech_30m",
    timedelta(minutes=60): "job_reminder_tech_1h",
    timedelta(minutes=1440): "job_reminder_tech_24h",
}
"""How long before a visit, and by which message."""
WINDOW: Final = timedelta(minutes=10)
"""How late a reminder may be: one that nobody could give for longer is left out."""


@frozen
class Reminder:
    """A visit that starts soon; `lead` before it is when its technician is to be reminded."""

    tenant: str
    job_id: str
    starts_at: datetime
    lead: timedelta

    @property
    def reason(self) -> str:
        """Why it is given: another start is another reason, the same one is told of once."""
        return f"reminder:{self.job_id}:{self.starts_at.isoformat()}:{self.lead // timedelta(minutes=1)}"


@define
class Reminders:
    """Reminders of all tenants' visits; any number of processes may give them, each is given once."""

    _jobs: Jobs
    _telling: Telling
    _clock: Clock
    _given: set[Reminder] = field(factory=set)
    """Those that this process need not look at again."""

    async def due(self) -> Sequence[Reminder]:
        """Return what is to be given by now and this process has not given, the visits that start soonest first."""
        at = self._clock()
        found = [
            Reminder(*visit, lead)
            for lead in LEADS
            for visit in await self._jobs.starting(after=at + lead - WINDOW, until=at + lead)
        ]
        self._given.intersection_update(found)
        return [each for each in found if each not in self._given]

    async def give(self, reminder: Reminder) -> None:
        """Remind the visit's technician, unless the visit has changed meanwhile, or was scheduled too late for this reminder."""
        actor = Actor(tenant=reminder.tenant, id="reminders", role="service", correlation=reminder.job_id)
        job = await self._jobs.show(actor=actor, job_id=reminder.job_id)
        changed = job.status != "scheduled" or job.starts_at != reminder.starts_at
        if changed or job.technician_id is None or job.ends_at is None:
            return
        story = await self._jobs.timeline(actor=actor, job_id=job.id)
        scheduled_at = max((each.at for each in story if each.kind == JobScheduled.name), default=None)
        if scheduled_at is None or scheduled_at < reminder.starts_at - reminder.lead:
            try:
                await self._telling.technician(
                    actor,
                    job.technician_id,
                    LEADS[reminder.lead],
                    job,
                    (reminder.starts_at, job.ends_at),
                    reason=reminder.reason,
                )
            except StaleVersion:  # another process was faster
                return
        self._given.add(reminder)
