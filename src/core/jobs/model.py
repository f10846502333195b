"""A job and the moves it may make."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.jobs.events import (
    JobCancelled,
    JobChanged,
    JobCompleted,
    JobFact,
    JobInvoiced,
    JobOpened,
    JobScheduled,
    JobSigned,
    JobUnscheduled,
    PhotoAdded,
    TechnicianArrived,
    TechnicianDeparted,
    TechnicianTurnedBack,
)
from core.kernel.errors import Conflict, Invalid, NotFound
from core.kernel.money import Line, Totals, totals
from core.kernel.states import IllegalMove, Moves, check_move, evolved

MOVES: Final[Moves] = {
    "pending": frozenset({"scheduled", "cancelled"}),
    "scheduled": frozenset({"en_camino", "pending", "cancelled"}),
    "en_camino": frozenset({"working", "scheduled", "cancelled"}),
    "working": frozenset({"completed", "cancelled"}),
    "completed": frozenset({"invoiced"}),
    "invoiced": frozenset(),
    "cancelled": frozenset(),
}

STATUSES: Final = tuple(MOVES)
URGENCIES: Final = ("normal", "urgente", "emergencia")
PHOTOS_AT_MOST: Final = 30


class JobNotFound(NotFound):
    """This tenant has no such job."""

    code: ClassVar[str] = "job.not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}")


class JobClosed(Conflict):
    """A finished job takes no more changes."""

    code: ClassVar[str] = "job.closed"


@frozen(kw_only=True)
class Place:
    """Where the work is: the address as people write it and, once known, its position in WGS 84 degrees."""

    address: str | None = None
    lat: float | None = None
    lng: float | None = None

    def __attrs_post_init__(self) -> None:
        if (self.lat is None) != (self.lng is None):
            msg = "a position needs both lat and lng"
            raise Invalid(msg, field="location")
        if self.lat is not None and self.lng is not None and not (abs(self.lat) <= 90 and abs(self.lng) <= 180):  # noqa: PLR2004 - degrees
            msg = "lat must lie in -90..90 and lng in -180..180"
            raise Invalid(msg, field="location")


@frozen(kw_only=True)
class Wish:
    """What the customer asked for, as far as it was understood."""

    text: str = ""
    trade: str | None = None
    urgency: str = "normal"
    day: date | None = None
    part_of_day: str | None = None


@frozen(kw_only=True)
class Photo:
    """A picture of the work; the bytes lie in the media store under `id`."""

    id: str
    content_type: str
    size: int
    at: datetime


@frozen(kw_only=True)
class Signature:
    """The customer's signature; the picture lies in the media store under `media_id`."""

    media_id: str
    signed_by: str
    at: datetime


@frozen(kw_only=True, slots=False)
class Job:
    """One visit to one customer, from the request to the invoice.

    It is asked for (`pending`), given to a technician for a time (`scheduled`), travelled to (`en_camino`), done (`working`,
    `completed`) and charged (`invoiced`), or it is `cancelled` on the way. Every move returns the job as it is afterwards,
    with the facts it created; storing both is `JobRepository.save`'s.
    """

    id: str
    tenant: str
    customer_id: str
    title: str
    created_at: datetime
    wish: Wish = Wish()
    place: Place = Place()
    source: str | None = None
    status: str = "pending"
    technician_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    notes: str = ""
    photos: tuple[Photo, ...] = ()
    signature: Signature | None = None
    invoice_id: str | None = None
    currency: str = "ARS"
    version: int = 0
    facts: tuple[JobFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def opened(
        cls,
        *,
        id_: str,
        tenant: str,
        customer_id: str,
        title: str,
        wish: Wish,
        place: Place,
        source: str | None,
        actor: str,
        at: datetime,
    ) -> Job:
        """Somebody asked for a visit."""
        if not title.strip():
            msg = "a job needs a title"
            raise Invalid(msg, field="title")
        if wish.urgency not in URGENCIES:
            msg = f"urgency must be one of {', '.join(URGENCIES)}"
            raise Invalid(msg, field="urgency")
        fact = JobOpened(
            tenant=tenant, at=at, job_id=id_, actor=actor, customer_id=customer_id, title=title, source=source
        )
        return cls(
            id=id_,
            tenant=tenant,
            customer_id=customer_id,
            title=title.strip(),
            created_at=at,
            wish=wish,
            place=place,
            source=source,
            facts=(fact,),
        )

    @property
    def totals(self) -> Totals:
        """What the lines come to."""
        return totals(self.lines, currency=self.currency)

    def schedule(
        self,
        *,
        technician_id: str,
        starts_at: datetime,
        ends_at: datetime,
        place: Place | None,
        actor: str,
        at: datetime,
    ) -> Job:
        """Give the job to a technician for a time."""
        if ends_at <= starts_at:
            msg = "a visit must end after it starts"
            raise Invalid(msg, field="endsAt")
        self._check("schedule", "scheduled")
        if self.status != "pending":  # from en_camino the way to `scheduled` is `turn_back`
            raise IllegalMove(
                "job", state=self.status, event="schedule", wanted="scheduled", allowed=MOVES[self.status]
            )
        fact = JobScheduled(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="scheduled",
            customer_id=self.customer_id,
            technician_id=technician_id,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        changes: dict[str, Any] = {"technician_id": technician_id, "starts_at": starts_at, "ends_at": ends_at}
        if place is not None:
            changes["place"] = place
        return self._after("scheduled", fact, changes)

    def unschedule(self, *, reason: str | None, actor: str, at: datetime) -> Job:
        """Take the job back from its technician; it waits again."""
        self._check("unschedule", "pending")
        fact = JobUnscheduled(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="pending",
            reason=reason,
            technician_id=self.technician_id or "",
        )
        return self._after("pending", fact, {"technician_id": None, "starts_at": None, "ends_at": None})

    def depart(self, *, actor: str, at: datetime) -> Job:
        """The technician is on the way."""
        self._check("depart", "en_camino")
        fact = TechnicianDeparted(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="en_camino",
            customer_id=self.customer_id,
            technician_id=self.technician_id or "",
            lat=self.place.lat,
            lng=self.place.lng,
        )
        return self._after("en_camino", fact, {})

    def turn_back(self, *, reason: str | None, actor: str, at: datetime) -> Job:
        """The technician cannot go after all; the visit stays scheduled."""
        self._check("turn back", "scheduled")
        if self.status != "en_camino":  # from pending the way to `scheduled` is `schedule`
            raise IllegalMove(
                "job", state=self.status, event="turn back", wanted="scheduled", allowed=MOVES[self.status]
            )
        fact = TechnicianTurnedBack(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="scheduled",
            reason=reason,
            technician_id=self.technician_id or "",
        )
        return self._after("scheduled", fact, {})

    def arrive(self, *, actor: str, at: datetime) -> Job:
        """The technician is at the customer's and works."""
        self._check("arrive", "working")
        fact = TechnicianArrived(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="working",
            customer_id=self.customer_id,
            technician_id=self.technician_id or "",
        )
        return self._after("working", fact, {})

    def complete(self, *, lines: tuple[Line, ...], notes: str, actor: str, at: datetime) -> Job:
        """The work is done; the lines are what it comes to."""
        self._check("complete", "completed")
        if not lines:
            msg = "a completed job needs at least one line"
            raise Invalid(msg, field="lines")
        sums = totals(lines, currency=self.currency)
        fact = JobCompleted(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="completed",
            customer_id=self.customer_id,
            technician_id=self.technician_id or "",
            total=sums.total,
            currency=sums.currency,
        )
        return self._after("completed", fact, {"lines": lines, "notes": notes})

    def invoice(self, *, invoice_id: str, actor: str, at: datetime) -> Job:
        """AFIP has authorised the invoice."""
        self._check("invoice", "invoiced")
        fact = JobInvoiced(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="invoiced",
            invoice_id=invoice_id,
        )
        return self._after("invoiced", fact, {"invoice_id": invoice_id})

    def cancel(self, *, reason: str, actor: str, at: datetime) -> Job:
        """Nobody will go, or nobody will go on."""
        self._check("cancel", "cancelled")
        if not reason.strip():
            msg = "say why the job is cancelled"
            raise Invalid(msg, field="reason")
        fact = JobCancelled(
            tenant=self.tenant,
            at=at,
            job_id=self.id,
            actor=actor,
            from_status=self.status,
            to_status="cancelled",
            reason=reason.strip(),
            customer_id=self.customer_id,
            technician_id=self.technician_id,
        )
        return self._after("cancelled", fact, {})

    def change(
        self, *, title: str | None, place: Place | None, wish: Wish | None, notes: str | None, actor: str, at: datetime
    ) -> Job:
        """Correct what is known about the job; None leaves a thing as it is."""
        self._check_open()
        wanted = {"title": title, "place": place, "wish": wish, "notes": notes}
        changes = {name: value for name, value in wanted.items() if value not in (None, getattr(self, name))}
        if not changes:
            return self
        if "title" in changes and not str(title).strip():
            msg = "a job needs a title"
            raise Invalid(msg, field="title")
        fact = JobChanged(tenant=self.tenant, at=at, job_id=self.id, actor=actor, fields=tuple(sorted(changes)))
        return self._after(self.status, fact, changes)

    def add_photo(self, photo: Photo, *, actor: str) -> Job:
        """Keep a picture of the work."""
        self._check_open()
        if len(self.photos) >= PHOTOS_AT_MOST:
            msg = f"a job keeps {PHOTOS_AT_MOST} photos at most"
            raise Conflict(msg)
        fact = PhotoAdded(tenant=self.tenant, at=photo.at, job_id=self.id, actor=actor, photo_id=photo.id)
        return self._after(self.status, fact, {"photos": (*self.photos, photo)})

    def sign(self, signature: Signature, *, actor: str) -> Job:
        """Keep the customer's signature; a later one takes its place."""
        self._check_open()
        fact = JobSigned(
            tenant=self.tenant, at=signature.at, job_id=self.id, actor=actor, signed_by=signature.signed_by
        )
        return self._after(self.status, fact, {"signature": signature})

    def _check(self, event: str, wanted: str) -> None:
        check_move(MOVES, kind="job", state=self.status, event=event, wanted=wanted)

    def _check_open(self) -> None:
        if self.status in {"invoiced", "cancelled"}:
            msg = f"the job is {self.status} and takes no more changes"
            raise JobClosed(msg)

    def _after(self, status: str, fact: JobFact, changes: dict[str, Any]) -> Job:
        changes["status"] = status
        changes["facts"] = (*self.facts, fact)
        return evolved(self, changes)
