"""What else happens on the way to a customer."""

from __future__ import annotations

from attrs import frozen

from core.jobs import Jobs
from core.kernel.actor import Actor
from core.kernel.states import IllegalMove
from core.reactions.telling import Telling
from core.tracking import Tracking
from core.tracking.events import ArrivalDetected, TrackingClosed, TrackingOpened


@frozen
class WhenATripMoves:
    """The customer gets the link; an arrival is the job's."""

    _jobs: Jobs
    _tracking: Tracking
    _telling: Telling

    async def send_the_link(self, actor: Actor, fact: TrackingOpened) -> None:
        """Send the customer the link to the map."""
        technician = await self._telling.person(actor, fact.technician_id)
        await self._telling.customer(
            actor,
            fact.customer_id,
            "tracking_link_customer",
            technician.name,
            job_id=fact.job_id,
            link=self._tracking.token_of(fact.session_id),
        )

    async def start_the_work(self, actor: Actor, fact: ArrivalDetected) -> None:
        """The job is being worked on since the arrival; a job that has moved on by other means stays where it is."""
        if fact.job_id is None:
            return
        try:
            await self._jobs.arrive(actor=actor, job_id=fact.job_id, at=fact.at)
        except IllegalMove:
            return

    async def make_the_end_known(self, actor: Actor, fact: TrackingClosed) -> None:
        """Whoever takes positions learns that the trip is over, even if the store of positions did not answer when it ended."""
        if fact.job_id is not None:
            await self._tracking.make_known(tenant=actor.tenant, job_id=fact.job_id)
