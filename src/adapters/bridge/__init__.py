"""One context's question, answered with what another context knows.

A context asks through a port of its own and never imports the context that has the answer; these classes join the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from attrs import frozen

from core.customers import Customer, CustomerNotFound
from core.customers.ports import CustomerReader
from core.identity import UserNotFound
from core.identity.ports import Directory
from core.invoicing import Invoicing, Receiver, Work
from core.jobs.ports import JobReader
from core.kernel.actor import Actor
from core.kernel.errors import Conflict, NotFound
from core.messaging.ports import Inbox
from core.notifications import Document
from core.tracking import TrackingSession, Visit


class NotCompleted(Conflict):
    """Only a completed job is charged."""

    code = "invoice.job_not_completed"


@frozen
class DirectoryColleagues:
    """`core.jobs` asks whether a technician exists; the directory knows."""

    _directory: Directory

    async def is_technician(self, tenant: str, user_id: str) -> bool:
        try:
            user = await self._directory.user(tenant, user_id)
        except UserNotFound:
            return False
        return user.role == "technician" and user.active


@frozen
class RegisteredClients:
    """`core.jobs` asks whether a customer exists; customers know."""

    _customers: CustomerReader

    async def exists(self, tenant: str, customer_id: str) -> bool:
        try:
            await self._customers.get(tenant, customer_id)
        except CustomerNotFound:
            return False
        return True


@frozen
class JobsAsWork:
    """`core.invoicing` asks what to charge; the job knows what was done, the customer to whom."""

    _jobs: JobReader
    _customers: CustomerReader
    _local_day: Callable[[datetime], date]
    _clock: Callable[[], datetime]

    async def get(self, tenant: str, job_id: str) -> Work:
        job = await self._jobs.get(tenant, job_id)
        if job.status != "completed":
            msg = f"only a completed job is charged; this one is {job.status}"
            raise NotCompleted(msg)
        return Work(
            job_id=job.id,
            receiver=_receiver(await self._customers.get(tenant, job.customer_id)),
            lines=job.lines,
            currency=job.currency,
            serviced_on=self._local_day(self._clock()),
        )


def _receiver(customer: Customer) -> Receiver:
    return Receiver(
        customer_id=customer.id,
        name=customer.name,
        vat_condition=customer.vat_condition,
        document_type=customer.document_type,
        document_number=customer.document_number,
        address=customer.address,
    )


@frozen
class DescribedVisits:
    """`core.tracking` asks what a customer may know of who comes; directory and job know."""

    _directory: Directory
    _jobs: JobReader

    async def describe(self, session: TrackingSession) -> Visit:
        tenant = await self._directory.tenant(session.tenant)
        technician = await self._directory.user(session.tenant, session.technician_id)
        job = await self._jobs.get(session.tenant, session.job_id)
        return Visit(
            technician=technician.name,
            business=tenant.name,
            business_phone=tenant.phone,
            address=job.place.address,
            zone=tenant.zone,
        )


@frozen
class InvoiceDocuments:
    """`core.notifications` asks for the file of a message; invoicing prints it."""

    _invoicing: Invoicing

    async def fetch(self, tenant: str, reference: str) -> Document:
        kind, _, id_ = reference.partition(":")
        if kind != "invoice":
            msg = f"there is no document {reference}"
            raise NotFound(msg)
        actor = Actor(tenant=tenant, id="notifications", role="service", correlation=reference)
        filename, content = await self._invoicing.pdf(actor=actor, invoice_id=id_)
        return Document(filename=filename, content_type="application/pdf", content=content)


@frozen
class ReportedArrivals:
    """`core.identity` asks whether a code on WhatsApp has reached its phone; the inbox has the reports.

    A code of a tenant without a channel went out from the house's number, whose reports are the house's.
    """

    _inbox: Inbox
    _events: Callable[[str], Sequence[str]]
    """The provider's events that each say so of the message it calls so."""
    _house: str | None

    async def __call__(self, tenant: str, reference: str) -> bool:
        events = self._events(reference)
        for whose in dict.fromkeys(each for each in (tenant, self._house) if each):
            if await self._inbox.knows(whose, "whatsapp", events):
                return True
        return False
