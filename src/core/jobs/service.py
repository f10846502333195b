"""What can be asked of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from core.jobs.model import Job, JobNotFound, Photo, Place, Signature, Wish
from core.jobs.ports import Begin, Clients, Colleagues, JobFilter, JobReader, MediaStore, TimelineEntry
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, NotFound, StaleVersion
from core.kernel.money import Line
from core.kernel.ports import NewId
from core.kernel.time import Clock, utc

PHOTO_BYTES = 10 * 1024 * 1024
PICTURES: dict[bytes, str] = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


class NotAPicture(Invalid):
    """The bytes are neither a JPEG nor a PNG, or too many."""

    code: ClassVar[str] = "job.not_a_picture"


class UnknownPerson(Invalid):
    """A job refers to somebody whom the tenant does not have."""

    code: ClassVar[str] = "job.unknown_person"


def picture_type(content: bytes) -> str:
    """Return the media type by the first bytes, never by what the sender says; raise `NotAPicture`."""
    if len(content) > PHOTO_BYTES:
        msg = f"a picture may have {PHOTO_BYTES} bytes at most"
        raise NotAPicture(msg)
    for start, content_type in PICTURES.items():
        if content.startswith(start):
            return content_type
    msg = "send a JPEG or a PNG"
    raise NotAPicture(msg)


@frozen
class Jobs:
    """Jobs of all tenants; each use case is one transaction of the actor's tenant."""

    _begin: Begin
    _jobs: JobReader
    _colleagues: Colleagues
    _clients: Clients
    _media: MediaStore
    _clock: Clock
    _new_id: NewId

    async def open(
        self,
        *,
        actor: Actor,
        customer_id: str,
        title: str,
        wish: Wish = Wish(),
        place: Place = Place(),
        source: str | None = None,
    ) -> Job:
        """Note that a customer wants a visit."""
        actor.must("jobs.write")
        if not await self._clients.exists(actor.tenant, customer_id):
            msg = f"there is no customer {customer_id}"
            raise UnknownPerson(msg, field="customerId")
        job = Job.opened(
            id_=self._new_id("job"),
            tenant=actor.tenant,
            customer_id=customer_id,
            title=title,
            wish=wish,
            place=place,
            source=source,
            actor=actor.id,
            at=self._clock(),
        )
        async with self._begin(actor) as tx:
            return await tx.jobs.save(job)

    async def show(self, *, actor: Actor, job_id: str) -> Job:
        """Return a job that the actor may see."""
        job = await self._jobs.get(actor.tenant, job_id)
        if not actor.may("jobs.read", owner=job.technician_id):
            raise JobNotFound(job_id)
        return job

    async def list(
        self, *, actor: Actor, where: JobFilter = JobFilter(), limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Job], str | None]:
        """Return a page of jobs, the newest first; a technician sees their own."""
        if not actor.may("jobs.read"):
            actor.must("jobs.read", owner=actor.id)
            where = JobFilter(status=where.status, technician_id=actor.id, customer_id=where.customer_id)
        return await self._jobs.page(actor.tenant, where=where, limit=limit, cursor=cursor)

    async def starting(self, *, after: datetime, until: datetime) -> Sequence[tuple[str, str, datetime]]:
        """Return (tenant, job id, start) of all tenants' scheduled visits that start after one instant and not after another."""
        return await self._jobs.starting(after=after, until=until)

    async def timeline(self, *, actor: Actor, job_id: str) -> Sequence[TimelineEntry]:
        """Return all that happened, message to invoice, in order."""
        await self.show(actor=actor, job_id=job_id)
        return await self._jobs.timeline(actor.tenant, job_id)

    async def change(
        self,
        *,
        actor: Actor,
        job_id: str,
        title: str | None = None,
        place: Place | None = None,
        wish: Wish | None = None,
        notes: str | None = None,
        version: int | None = None,
    ) -> Job:
        """Correct what is known about the job."""
        actor.must("jobs.write")
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            _must_be(job, version)
            changed = job.change(title=title, place=place, wish=wish, notes=notes, actor=actor.id, at=self._clock())
            return await tx.jobs.save(changed) if changed is not job else job

    async def schedule(
        self,
        *,
        actor: Actor,
        job_id: str,
        technician_id: str,
        starts_at: datetime,
        ends_at: datetime,
        place: Place | None = None,
        version: int | None = None,
    ) -> Job:
        """Give the job to a technician for a time."""
        actor.must("jobs.write")
        if not await self._colleagues.is_technician(actor.tenant, technician_id):
            msg = f"there is no technician {technician_id}"
            raise UnknownPerson(msg, field="technicianId")
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            _must_be(job, version)
            scheduled = job.schedule(
                technician_id=technician_id,
                starts_at=utc(starts_at),
                ends_at=utc(ends_at),
                place=place,
                actor=actor.id,
                at=self._clock(),
            )
            return await tx.jobs.save(scheduled)

    async def unschedule(
        self, *, actor: Actor, job_id: str, reason: str | None = None, version: int | None = None
    ) -> Job:
        """Take the job back; it waits for another time or technician."""
        actor.must("jobs.write")
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            _must_be(job, version)
            return await tx.jobs.save(job.unschedule(reason=reason, actor=actor.id, at=self._clock()))

    async def depart(self, *, actor: Actor, job_id: str, version: int | None = None) -> Job:
        """Set the technician on the way; only the job's own technician or a dispatcher may."""
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            self._must_move(actor, job, version)
            return await tx.jobs.save(job.depart(actor=actor.id, at=self._clock()))

    async def turn_back(
        self, *, actor: Actor, job_id: str, reason: str | None = None, version: int | None = None
    ) -> Job:
        """The technician cannot go after all."""
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            self._must_move(actor, job, version)
            return await tx.jobs.save(job.turn_back(reason=reason, actor=actor.id, at=self._clock()))

    async def arrive(self, *, actor: Actor, job_id: str, at: datetime | None = None, version: int | None = None) -> Job:
        """The technician is there: says so, or was seen within the radius at `at`."""
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            self._must_move(actor, job, version)
            return await tx.jobs.save(job.arrive(actor=actor.id, at=at or self._clock()))

    async def complete(
        self, *, actor: Actor, job_id: str, lines: tuple[Line, ...], notes: str = "", version: int | None = None
    ) -> Job:
        """The work is done and comes to the lines."""
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            self._must_move(actor, job, version)
            return await tx.jobs.save(job.complete(lines=lines, notes=notes, actor=actor.id, at=self._clock()))

    async def mark_invoiced(self, *, actor: Actor, job_id: str, invoice_id: str) -> Job:
        """AFIP has authorised the job's invoice."""
        actor.must("jobs.write")
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            if job.invoice_id == invoice_id:
                return job
            return await tx.jobs.save(job.invoice(invoice_id=invoice_id, actor=actor.id, at=self._clock()))

    async def cancel(self, *, actor: Actor, job_id: str, reason: str, version: int | None = None) -> Job:
        """Nobody will go, and why."""
        actor.must("jobs.write")
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            _must_be(job, version)
            return await tx.jobs.save(job.cancel(reason=reason, actor=actor.id, at=self._clock()))

    async def add_photo(self, *, actor: Actor, job_id: str, content: bytes) -> tuple[Job, Photo]:
        """Keep a JPEG or PNG of the work.

        The bytes are stored before the row that names them: a crash between leaves bytes nobody refers to, never a photo
        without its bytes.
        """
        content_type = picture_type(content)
        await self._must_own(actor, job_id)
        photo = Photo(id=self._new_id("photo"), content_type=content_type, size=len(content), at=self._clock())
        await self._media.put(actor.tenant, photo.id, content)
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            return await tx.jobs.save(job.add_photo(photo, actor=actor.id)), photo

    async def sign(self, *, actor: Actor, job_id: str, content: bytes, signed_by: str) -> Job:
        """Keep the customer's signature, a picture."""
        picture_type(content)
        await self._must_own(actor, job_id)
        signature = Signature(media_id=self._new_id("sign"), signed_by=signed_by, at=self._clock())
        await self._media.put(actor.tenant, signature.media_id, content)
        async with self._begin(actor) as tx:
            job = await tx.jobs.get(actor.tenant, job_id)
            return await tx.jobs.save(job.sign(signature, actor=actor.id))

    async def picture(self, *, actor: Actor, job_id: str, media_id: str) -> tuple[bytes, str]:
        """Return a photo's or signature's bytes and media type."""
        job = await self.show(actor=actor, job_id=job_id)
        known = {photo.id for photo in job.photos} | ({job.signature.media_id} if job.signature else set())
        if media_id not in known:
            msg = f"job {job_id} has no picture {media_id}"
            raise NotFound(msg)
        content = await self._media.get(actor.tenant, media_id)
        return content, picture_type(content)

    async def _must_own(self, actor: Actor, job_id: str) -> None:
        job = await self._jobs.get(actor.tenant, job_id)
        self._must_move(actor, job, None)

    @staticmethod
    def _must_move(actor: Actor, job: Job, version: int | None) -> None:
        # A technician learns nothing of other people's jobs, not even that they exist.
        if not actor.may("jobs.read", owner=job.technician_id):
            raise JobNotFound(job.id)
        actor.must("jobs.move", owner=job.technician_id)
        _must_be(job, version)


def _must_be(job: Job, version: int | None) -> None:
    if version is not None and version != job.version:
        raise StaleVersion("job", job.id, version=version)
