"""What else happens when something happens to a job."""

from __future__ import annotations

from attrs import frozen

from core.jobs import Jobs
from core.jobs.events import (
    JobCancelled,
    JobCompleted,
    JobMoved,
    JobOpened,
    JobScheduled,
    TechnicianArrived,
    TechnicianDeparted,
)
from core.kernel.actor import Actor
from core.reactions.telling import Telling
from core.tracking import Point, Tracking


@frozen
class WhenAJobMoves:
    """People are told; the trip begins and ends."""

    _jobs: Jobs
    _tracking: Tracking
    _telling: Telling

    async def acknowledge(self, actor: Actor, fact: JobOpened) -> None:
        """Tell whoever asked by message that the request is noted."""
        if fact.source is None:
            return
        await self._telling.customer(
            actor, fact.customer_id, "request_received_customer", fact.title, job_id=fact.job_id
        )

    async def tell_the_technician_of_the_visit(self, actor: Actor, fact: JobScheduled) -> None:
        """Tell the technician what, when, for whom and where."""
        job = await self._jobs.show(actor=actor, job_id=fact.job_id)
        await self._telling.technician(
            actor,
            fact.technician_id,
            "job_assigned_tech",
            job,
            (fact.starts_at, fact.ends_at),
            urgent=job.wish.urgency != "normal",
        )

    async def tell_the_customer_of_the_visit(self, actor: Actor, fact: JobScheduled) -> None:
        """Tell the customer when and who."""
        technician = await self._telling.person(actor, fact.technician_id)
        zone = await self._telling.zone(actor)
        await self._telling.customer(
            actor,
            fact.customer_id,
            "job_scheduled_customer",
            fact.starts_at.astimezone(zone),
            (fact.starts_at.astimezone(zone), fact.ends_at.astimezone(zone)),
            technician.name,
            job_id=fact.job_id,
        )

    async def start_the_trip(self, actor: Actor, fact: TechnicianDeparted) -> None:
        """Open the tracking session."""
        destination = None if fact.lat is None or fact.lng is None else Point(fact.lat, fact.lng)
        await self._tracking.open(
            actor=actor,
            job_id=fact.job_id,
            technician_id=fact.technician_id,
            customer_id=fact.customer_id,
            destination=destination,
        )

    async def finish_the_trip(self, actor: Actor, fact: TechnicianArrived) -> None:
        """The technician is there: the session is complete."""
        await self._tracking.close(actor=actor, job_id=fact.job_id, state="completed")

    async def call_off_the_trip(self, actor: Actor, fact: JobMoved) -> None:
        """Nobody comes after all: the link shows so."""
        await self._tracking.close(actor=actor, job_id=fact.job_id, state="cancelled")

    async def tell_the_customer_of_the_arrival(self, actor: Actor, fact: TechnicianArrived) -> None:
        """Tell the customer to open the door."""
        technician = await self._telling.person(actor, fact.technician_id)
        await self._telling.customer(actor, fact.customer_id, "technician_arrived", technician.name, job_id=fact.job_id)

    async def tell_the_customer_of_the_end(self, actor: Actor, fact: JobCompleted) -> None:
        """Tell the customer that the work is done and what it comes to."""
        job = await self._jobs.show(actor=actor, job_id=fact.job_id)
        await self._telling.customer(
            actor, fact.customer_id, "job_completed", job.title, fact.total, job_id=fact.job_id
        )

    async def tell_the_technician_of_the_end(self, actor: Actor, fact: JobCompleted) -> None:
        """Confirm to the technician what was noted."""
        job = await self._jobs.show(actor=actor, job_id=fact.job_id)
        await self._telling.colleague(
            actor,
            fact.technician_id,
            "job_completed",
            job.title,
            fact.total,
            job_id=fact.job_id,
            greet=True,
        )

    async def tell_the_customer_of_the_cancellation(self, actor: Actor, fact: JobCancelled) -> None:
        """Tell the customer that nobody comes, and why."""
        job = await self._jobs.show(actor=actor, job_id=fact.job_id)
        await self._telling.customer(
            actor, fact.customer_id, "job_cancelled", job.title, fact.reason or "-", job_id=fact.job_id
        )

    async def tell_the_technician_of_the_cancellation(self, actor: Actor, fact: JobCancelled) -> None:
        """Tell the technician, if one had the job."""
        if fact.technician_id is None:
            return
        job = await self._jobs.show(actor=actor, job_id=fact.job_id)
        await self._telling.colleague(
            actor,
            fact.technician_id,
            "job_cancelled",
            job.title,
            fact.reason or "-",
            job_id=fact.job_id,
            greet=True,
        )
