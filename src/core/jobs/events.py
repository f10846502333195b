"""What happens to a job."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class JobFact(Fact):
    """A fact about one job; `job_id` is always set."""

    job_id: str
    actor: str
    """Who or what moved the job."""


@frozen(kw_only=True, slots=False)
class JobOpened(JobFact):
    name: ClassVar[str] = "job.opened"
    customer_id: str
    title: str
    source: str | None = None
    """The correlation of the conversation that asked for the job, if one did."""


@frozen(kw_only=True, slots=False)
class JobChanged(JobFact):
    name: ClassVar[str] = "job.changed"
    fields: tuple[str, ...]


@frozen(kw_only=True, slots=False)
class JobMoved(JobFact):
    """A transition: from which state to which, and why if somebody said."""

    from_status: str
    to_status: str
    reason: str | None = None


@frozen(kw_only=True, slots=False)
class JobScheduled(JobMoved):
    name: ClassVar[str] = "job.scheduled"
    customer_id: str
    technician_id: str
    starts_at: datetime
    ends_at: datetime


@frozen(kw_only=True, slots=False)
class JobUnscheduled(JobMoved):
    name: ClassVar[str] = "job.unscheduled"
    technician_id: str


@frozen(kw_only=True, slots=False)
class TechnicianDeparted(JobMoved):
    name: ClassVar[str] = "job.en_camino"
    customer_id: str
    technician_id: str
    lat: float | None
    lng: float | None


@frozen(kw_only=True, slots=False)
class TechnicianTurnedBack(JobMoved):
    name: ClassVar[str] = "job.turned_back"
    technician_id: str


@frozen(kw_only=True, slots=False)
class TechnicianArrived(JobMoved):
    name: ClassVar[str] = "job.working"
    customer_id: str
    technician_id: str


@frozen(kw_only=True, slots=False)
class JobCompleted(JobMoved):
    name: ClassVar[str] = "job.completed"
    customer_id: str
    technician_id: str
    total: Decimal
    currency: str


@frozen(kw_only=True, slots=False)
class JobInvoiced(JobMoved):
    name: ClassVar[str] = "job.invoiced"
    invoice_id: str


@frozen(kw_only=True, slots=False)
class JobCancelled(JobMoved):
    name: ClassVar[str] = "job.cancelled"
    customer_id: str
    technician_id: str | None


@frozen(kw_only=True, slots=False)
class PhotoAdded(JobFact):
    name: ClassVar[str] = "job.photo_added"
    photo_id: str


@frozen(kw_only=True, slots=False)
class JobSigned(JobFact):
    name: ClassVar[str] = "job.signed"
    signed_by: str


FACTS: tuple[type[JobFact], ...] = (
    JobOpened,
    JobChanged,
    JobScheduled,
    JobUnscheduled,
    TechnicianDeparted,
    TechnicianTurnedBack,
    TechnicianArrived,
    JobCompleted,
    JobInvoiced,
    JobCancelled,
    PhotoAdded,
    JobSigned,
)
