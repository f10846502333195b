"""What can be asked of invoicing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from core.invoicing.model import OPEN, AnswerLost, Invoice, Refused, SeriesBusy
from core.invoicing.ports import (
    Begin,
    CompletedWork,
    InvoicePrinter,
    InvoiceReader,
    Issuers,
    LocalDay,
    TaxAuthority,
)
from core.invoicing.qr import qr_text
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, StaleVersion, Unavailable
from core.kernel.money import Line
from core.kernel.ports import NewId
from core.kernel.time import Clock


@frozen(kw_only=True)
class InvoicingRules:
    """`answer_within`: how long a call to AFIP may take; an invoice that waits longer has lost its answer."""

    answer_within: timedelta = timedelta(seconds=60)


@frozen
class Invoicing:
    """Invoices of all tenants.

    AFIP numbers each series without gaps and knows no idempotency, so the number is stored before AFIP is asked, and a voucher whose
    answer was lost is settled (AFIP is asked what it has) before anybody takes the next number of its series.
    """

    _begin: Begin
    _invoices: InvoiceReader
    _work: CompletedWork
    _issuers: Issuers
    _authority: TaxAuthority
    _printer: InvoicePrinter
    _local_day: LocalDay
    _clock: Clock
    _new_id: NewId
    _rules: InvoicingRules = InvoicingRules()

    async def invoice(self, *, actor: Actor, job_id: str, lines: tuple[Line, ...] | None = None) -> Invoice:
        """Charge a completed job: draft the invoice and have AFIP authorise it. An issued one is returned as it is.

        Lines default to the job's. An invoice that comes back `unknown` was sent and got no answer: it is settled by itself later.
        Raise `Refused` with AFIP's own codes (the invoice is `cae_failed`, asking again starts anew), and `SeriesBusy` or
        `Unavailable` when nothing was asked.
        """
        actor.must("invoices.write")
        invoice = await self._draft(actor, job_id, lines)
        if invoice.state == "issued":
            return invoice
        return await self._authorise(actor, invoice.id)

    async def settle(self, *, actor: Actor, invoice_id: str) -> Invoice:
        """Find out what became of an invoice whose answer was lost; one that still may be answered is left alone."""
        actor.must("invoices.write")
        return await self._settle(actor, await self._invoices.get(actor.tenant, invoice_id))

    async def settle_unanswered(self, *, limit: int = 20) -> int:
        """Settle what has waited too long, of all tenants, and return how many were looked at."""
        before = self._clock() - self._rules.answer_within
        waiting = await self._invoices.unanswered(before=before, limit=limit)
        for tenant, invoice_id in waiting:
            correlation = self._new_id("corr")
            actor = Actor(tenant=tenant, id="invoicing.settler", role="service", correlation=correlation)
            try:
                await self.settle(actor=actor, invoice_id=invoice_id)
            except CuadrillaError:  # still unknown; the next round asks again
                continue
        return len(waiting)

    async def show(self, *, actor: Actor, invoice_id: str) -> Invoice:
        """Return one invoice."""
        actor.must("invoices.read")
        return await self._invoices.get(actor.tenant, invoice_id)

    async def list(
        self, *, actor: Actor, job_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return a page of invoices, the newest first."""
        actor.must("invoices.read")
        return await self._invoices.page(actor.tenant, job_id=job_id, limit=limit, cursor=cursor)

    async def pdf(self, *, actor: Actor, invoice_id: str) -> tuple[str, bytes]:
        """Return the file name and the PDF of an issued invoice; raise `NotIssued`."""
        invoice = await self.show(actor=actor, invoice_id=invoice_id)
        return invoice.filename, await self._printer.print(invoice, qr_text=qr_text(invoice))

    async def _draft(self, actor: Actor, job_id: str, lines: tuple[Line, ...] | None) -> Invoice:
        existing = await self._of_job(actor, job_id)
        if existing is not None and existing.state in {*OPEN, "issued"}:
            return existing
        work = await self._work.get(actor.tenant, job_id)
        issuer = await self._issuers.get(actor.tenant)
        charged = work.lines if lines is None else lines
        async with self._begin(actor) as tx:
            invoice = await tx.invoices.of_job(actor.tenant, job_id)
            if invoice is None:
                return await tx.invoices.save(
                    Invoice.drafted(
                        id_=self._new_id("inv"),
                        job_id=job_id,
                        issuer=issuer,
                        receiver=work.receiver,
                        lines=charged,
                        currency=work.currency,
                        serviced_on=work.serviced_on,
                        at=self._clock(),
                    )
                )
            if invoice.state in {*OPEN, "issued"}:  # somebody else was faster
                return invoice
            if (invoice.issuer, invoice.receiver, invoice.lines, invoice.state) == (
                issuer,
                work.receiver,
                charged,
                "draft",
            ):
                return invoice
            return await tx.invoices.save(
                invoice.revise(issuer=issuer, receiver=work.receiver, lines=charged, at=self._clock())
            )

    async def _of_job(self, actor: Actor, job_id: str) -> Invoice | None:
        found, _ = await self._invoices.page(actor.tenant, job_id=job_id, limit=1, cursor=None)
        return found[0] if found else None

    async def _authorise(self, actor: Actor, invoice_id: str) -> Invoice:
        invoice = await self._invoices.get(actor.tenant, invoice_id)
        if invoice.state in OPEN:
            invoice = await self._settle(actor, invoice)
            if invoice.state != "draft":
                return invoice
        await self._free_series(actor, invoice)
        last = await self._authority.last_authorised(invoice.tenant, invoice.series)
        return await self._ask(actor, await self._submit(actor, invoice, number=last + 1))

    async def _ask(self, actor: Actor, submitted: Invoice, *, again: bool = False) -> Invoice:
        """Ask for the CAE. AFIP gives a number once, so the same question may be asked twice, by two processes or after a crash."""
        try:
            authorisation = await self._authority.authorise(submitted)
        except Refused as refusal:
            if refusal.number_taken:
                found = await self._authority.find(submitted)
                if found is not None and found.same:
                    return await self._conclude(actor, submitted.issue(found.authorisation, at=self._clock()))
            concluded = await self._conclude(actor, submitted.refuse(refusal.observations, at=self._clock()))
            if concluded.state == "issued":
                return concluded
            raise
        except AnswerLost:
            return await self._conclude(actor, submitted.lose_answer(at=self._clock()))
        except Unavailable:
            # Not asked now. A first question leaves the number free; an earlier one may still be on its way.
            after = submitted.lose_answer(at=self._clock()) if again else submitted.release(at=self._clock())
            await self._conclude(actor, after)
            raise
        return await self._conclude(actor, submitted.issue(authorisation, at=self._clock()))

    async def _free_series(self, actor: Actor, invoice: Invoice) -> None:
        async with self._begin(actor) as tx:
            blocker = await tx.invoices.open_in(invoice.tenant, invoice.series)
        if blocker is not None and blocker.id != invoice.id:
            try:
                settled = await self._settle(actor, blocker)
            except Refused:  # that was its answer, and the series is free
                return
            if settled.state in OPEN:
                msg = f"{blocker.printed_number} of the same series still waits for AFIP's word; try again in a minute"
                raise SeriesBusy(msg)

    async def _submit(self, actor: Actor, invoice: Invoice, *, number: int) -> Invoice:
        now = self._clock()
        try:
            return await self._save(actor, invoice.submit(number=number, issued_on=self._local_day(now), at=now))
        except StaleVersion as stale:  # somebody else submits this very invoice
            raise _faster() from stale

    async def _settle(self, actor: Actor, invoice: Invoice) -> Invoice:
        now = self._clock()
        if invoice.state not in OPEN:
            return invoice
        if invoice.submitted_at is not None and now - invoice.submitted_at < self._rules.answer_within:
            msg = f"{invoice.printed_number} still waits for AFIP's answer; look again in a minute"
            raise SeriesBusy(msg)
        found = await self._authority.find(invoice)
        if found is not None and found.same:
            return await self._conclude(actor, invoice.issue(found.authorisation, at=now))
        try:
            if found is not None:  # somebody else's: ours was never authorised, and never will be under this number
                return await self._save(actor, invoice.release(at=now))
            asking = await self._save(actor, invoice.ask_again(at=now))
        except StaleVersion as stale:
            raise _faster() from stale
        return await self._ask(actor, asking, again=True)

    async def _conclude(self, actor: Actor, after: Invoice) -> Invoice:
        """Store what became of the question; whoever asked the same and stored AFIP's yes before is right."""
        try:
            return await self._save(actor, after)
        except StaleVersion:
            stored = await self._invoices.get(after.tenant, after.id)
            if stored.state != "issued":
                raise
            return stored

    async def _save(self, actor: Actor, invoice: Invoice) -> Invoice:
        async with self._begin(actor) as tx:
            return await tx.invoices.save(invoice)


def _faster() -> SeriesBusy:
    return SeriesBusy("the invoice is being authorised; look again in a moment")
