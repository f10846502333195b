"""What else happens when AFIP has authorised an invoice."""

from __future__ import annotations

from attrs import frozen

from core.invoicing.events import InvoiceIssued
from core.jobs import Jobs
from core.kernel.actor import Actor
from core.reactions.telling import Telling


@frozen
class WhenAnInvoiceIsIssued:
    """The job is invoiced and the customer gets the document."""

    _jobs: Jobs
    _telling: Telling

    async def mark_the_job(self, actor: Actor, fact: InvoiceIssued) -> None:
        """The job is invoiced; a note that corrects its invoice changes nothing of that."""
        if fact.job_id is not None and fact.kind == "invoice":
            await self._jobs.mark_invoiced(actor=actor, job_id=fact.job_id, invoice_id=fact.invoice_id)

    async def send_the_document(self, actor: Actor, fact: InvoiceIssued) -> None:
        """Send the invoice or note to the customer."""
        await self._telling.customer(
            actor,
            fact.customer_id,
            f"{fact.kind}_ready",
            fact.number,
            fact.total,
            fact.cae,
            job_id=fact.job_id,
            attachment=f"invoice:{fact.invoice_id}",
        )
