"""What can be asked of invoicing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from attrs import evolve, field, frozen

from core.invoicing.authorising import Authorising, InvoicingRules, impatient
from core.invoicing.model import OPEN, Invoice
from core.invoicing.notes import (
    Credit,
    Left,
    everything,
    left_of,
    of_amount,
    of_lines,
    on_its_way,
    refuse_annulment,
    refuse_without_reason,
)
from core.invoicing.outcome import NotIssued
from core.invoicing.ports import (
    Begin,
    CompletedWork,
    Exchange,
    InvoicePrinter,
    InvoiceReader,
    Issuers,
    LocalDay,
    TaxAuthority,
    Turn,
    VoucherTrail,
)
from core.invoicing.qr import qr_text
from core.invoicing.terms import PLAIN, Mipyme, Tax, Terms
from core.invoicing.voucher import Corrected, Series
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Invalid, StaleVersion
from core.kernel.money import Line, totals
from core.kernel.ports import NewId
from core.kernel.time import Clock

FINAL = frozenset({*OPEN, "issued"})
"""States in which a voucher's contents stand."""


@frozen
class Invoicing:
    """Invoices and notes of all tenants; see `core.invoicing.authorising` for what holds when answers are lost.

    `turn` waits for a busy series; without it a busy series is `SeriesBusy` at once. `trail` is where calls to AFIP are kept.
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
    _turn: Turn = impatient
    _trail: VoucherTrail | None = None
    _authorising: Authorising = field(init=False)

    def __attrs_post_init__(self) -> None:
        authorising = Authorising(
            self._begin,
            self._invoices,
            self._authority,
            self._local_day,
            self._clock,
            self._new_id,
            self._rules,
            self._turn,
        )
        object.__setattr__(self, "_authorising", authorising)

    async def invoice(
        self,
        *,
        actor: Actor,
        job_id: str,
        lines: tuple[Line, ...] | None = None,
        terms: Terms | None = None,
        currency: str | None = None,
    ) -> Invoice:
        """Charge a completed job: draft the invoice and have AFIP authorise it. An issued one is returned as it is.

        Lines default to the job's. An invoice that comes back `unknown` was sent and got no answer: it is settled by itself later.
        Raise `NotAcceptable` before AFIP is asked, `Refused` with AFIP's own codes (the invoice is `cae_failed`, asking again
        starts anew), and `SeriesBusy` or `Unavailable` when nothing was asked.
        """
        actor.must("invoices.write")
        try:
            invoice = await self._draft(actor, job_id, lines, terms, currency)
        except StaleVersion:
            drafted = await self._invoices.of_job(actor.tenant, job_id)
            if drafted is None:
                raise
            invoice = drafted  # somebody else's wish for the same job was faster
        if invoice.state == "issued":
            return invoice
        return await self._authorising.authorise(actor, invoice.id)

    async def credit(
        self,
        *,
        actor: Actor,
        invoice_id: str,
        reason: str,
        lines: tuple[Line, ...] | None = None,
        taxes: tuple[Tax, ...] = (),
        amount: Decimal | None = None,
        issued_on: date | None = None,
        period: tuple[date, date] | None = None,
        annuls: bool = False,
    ) -> Invoice:
        """Take back an issued invoice: these lines, or this amount with its taxes, or all that other notes have left of it.

        With `period` (its first and last day) AFIP is told that instead of the invoice. `annuls`: the receiver refused the MiPyME
        credit invoice. A draft of the same note that nobody asks AFIP for is taken up again. Raise `NotIssued`, `NotAcceptable`
        above what is left, and what `invoice` raises.
        """
        actor.must("invoices.write")
        original = await self._original(actor, invoice_id)
        if lines is not None and amount is not None:
            msg = "a credit note is of lines or of an amount"
            raise Invalid(msg, field="amount")

        def wanted(left: Left) -> Credit:
            if lines is not None:
                return of_lines(lines, taxes, totals(lines).rates, left)
            return everything(original, left) if amount is None else of_amount(amount, left)

        said = {"kind": "credit_note", "reason": reason, "corrects_period": period}
        return await self._note(actor, original, wanted, said, issued_on=issued_on, annuls=annuls)

    async def debit(
        self,
        *,
        actor: Actor,
        invoice_id: str,
        reason: str,
        lines: tuple[Line, ...],
        taxes: tuple[Tax, ...] = (),
        issued_on: date | None = None,
        period: tuple[date, date] | None = None,
        annuls: bool = False,
    ) -> Invoice:
        """Charge more on an issued invoice; `period` and `annuls` as in `credit`. Raise `NotIssued` and what `invoice` raises."""
        actor.must("invoices.write")
        original = await self._original(actor, invoice_id)
        said = {"kind": "debit_note", "reason": reason, "corrects_period": period}
        charge = Credit(lines, taxes, ())
        return await self._note(actor, original, lambda _: charge, said, issued_on=issued_on, annuls=annuls)

    async def issue(self, *, actor: Actor, invoice_id: str) -> Invoice:
        """Have a draft or refused voucher authorised as it stands; an issued one is returned as it is. Raise as `invoice` does."""
        actor.must("invoices.write")
        invoice = await self._ready(actor, invoice_id)
        return invoice if invoice.state == "issued" else await self._authorising.authorise(actor, invoice.id)

    async def issue_many(self, *, actor: Actor, invoice_ids: Sequence[str]) -> Sequence[Invoice]:
        """Have a backlog authorised, many vouchers in one request, and return each as it is afterwards.

        Nothing of one voucher is raised: a refused one is `cae_failed`, one that AFIP would refuse is still a draft. Raise
        `SeriesBusy` or `Unavailable` when AFIP could not be asked at all.
        """
        actor.must("invoices.write")
        by_series: dict[Series, list[Invoice]] = {}
        for invoice_id in dict.fromkeys(invoice_ids):
            invoice = await self._ready(actor, invoice_id)
            if invoice.state == "draft":
                by_series.setdefault(invoice.series, []).append(invoice)
        for waiting in by_series.values():
            await self._authorising.authorise_many(actor, waiting)
        return [await self._invoices.get(actor.tenant, invoice_id) for invoice_id in invoice_ids]

    async def settle(self, *, actor: Actor, invoice_id: str) -> Invoice:
        """Find out what became of an invoice whose answer was lost; one that still may be answered is left alone."""
        actor.must("invoices.write")
        return await self._authorising.settle(actor, await self._invoices.get(actor.tenant, invoice_id))

    async def settle_unanswered(self, *, page: int = 50) -> int:
        """Settle what has waited too long, of all tenants, and return how many were looked at; `page` are read at once.

        Those that cannot be settled now wait for the next call, and keep nobody behind them waiting.
        """
        before = self._clock() - self._rules.answer_within
        seen: set[tuple[str, str]] = set()
        left = 0
        while True:
            waiting = await self._invoices.unanswered(before=before, limit=page, skip=left)
            for tenant, invoice_id in waiting:
                if (tenant, invoice_id) in seen:
                    left += 1
                    continue
                seen.add((tenant, invoice_id))
                correlation = self._new_id("corr")
                actor = Actor(tenant=tenant, id="invoicing.settler", role="service", correlation=correlation)
                try:
                    await self.settle(actor=actor, invoice_id=invoice_id)
                except CuadrillaError:  # still unknown
                    left += 1
            if len(waiting) < page:
                return len(seen)

    async def show(self, *, actor: Actor, invoice_id: str) -> Invoice:
        """Return one invoice."""
        actor.must("invoices.read")
        return await self._invoices.get(actor.tenant, invoice_id)

    async def list(
        self,
        *,
        actor: Actor,
        job_id: str | None = None,
        states: Collection[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return a page of invoices and notes, of these states or of all, the newest first."""
        actor.must("invoices.read")
        return await self._invoices.page(actor.tenant, job_id=job_id, states=states, limit=limit, cursor=cursor)

    async def pdf(self, *, actor: Actor, invoice_id: str, copy: str = "original") -> tuple[str, bytes]:
        """Return the file name and the PDF of an issued invoice; `copy` is one of `COPIES`. Raise `NotIssued`."""
        invoice = await self.show(actor=actor, invoice_id=invoice_id)
        return invoice.filename, await self._printer.print(invoice, qr_text=qr_text(invoice), copy=copy)

    async def exchanges(self, *, actor: Actor, invoice_id: str, limit: int = 20) -> Sequence[Exchange]:
        """Return what was said between AFIP and us about a voucher, the newest first."""
        invoice = await self.show(actor=actor, invoice_id=invoice_id)
        if self._trail is None:
            return ()
        subjects = [invoice.id] if invoice.batch is None else [invoice.id, invoice.batch]
        return await self._trail.of(actor.tenant, subjects, limit=limit)

    async def _draft(
        self, actor: Actor, job_id: str, lines: tuple[Line, ...] | None, terms: Terms | None, currency: str | None
    ) -> Invoice:
        existing = await self._invoices.of_job(actor.tenant, job_id)
        if existing is not None and existing.state in FINAL:
            return existing
        work = await self._work.get(actor.tenant, job_id)
        issuer = await self._issuers.get(actor.tenant)
        charged = work.lines if lines is None else lines
        now = self._clock()
        today = self._local_day(now)
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
                        currency=currency or work.currency,
                        serviced_on=work.serviced_on,
                        terms=terms or PLAIN,
                        at=now,
                        today=today,
                    )
                )
            if invoice.state in FINAL:  # somebody else was faster
                return invoice
            wanted: dict[str, Any] = {
                "issuer": issuer,
                "receiver": work.receiver,
                "lines": charged,
                "terms": terms or invoice.terms,
                "currency": currency or invoice.currency,
            }
            if invoice.state == "draft" and all(getattr(invoice, name) == value for name, value in wanted.items()):
                return invoice
            return await tx.invoices.save(invoice.revise(**wanted, at=now, today=today))

    async def _original(self, actor: Actor, invoice_id: str) -> Invoice:
        original = await self._invoices.get(actor.tenant, invoice_id)
        if original.kind != "invoice":
            msg = "a note corrects an invoice, not another note"
            raise Invalid(msg, field="invoiceId")
        if original.state != "issued":
            msg = f"only an issued invoice is corrected; this one is {original.state}"
            raise NotIssued(msg)
        return original

    async def _note(
        self,
        actor: Actor,
        original: Invoice,
        wanted: Callable[[Left], Credit],
        said: Mapping[str, Any],
        *,
        issued_on: date | None,
        annuls: bool,
    ) -> Invoice:
        if not said["reason"].strip():
            refuse_without_reason()
        if annuls and original.terms.mipyme is None:
            refuse_annulment()
        terms = evolve(
            original.terms,
            issued_on=issued_on,
            due_on=None,
            mipyme=None if original.terms.mipyme is None else Mipyme(annuls=annuls),
        )
        draft = await self._draft_note(actor, original, wanted, {**said, "reason": said["reason"].strip()}, terms)
        try:
            return await self._authorising.authorise(actor, draft.id)
        except CuadrillaError:
            await self._rest(actor, draft)
            raise

    async def _draft_note(
        self,
        actor: Actor,
        original: Invoice,
        wanted: Callable[[Left], Credit],
        said: Mapping[str, Any],
        terms: Terms,
    ) -> Invoice:
        """Store the note's draft, which takes its money from now on; of two at once the second sees what the first has left."""
        while True:
            now = self._clock()
            today, since = self._local_day(now), now - self._rules.answer_within
            try:
                async with self._begin(actor) as tx:
                    current = await tx.invoices.get(original.tenant, original.id)
                    notes = await tx.invoices.notes_of(original.tenant, original.id)
                    credit = wanted(left_of(current, notes, since=since))
                    note = Invoice.drafted(
                        id_=self._new_id("inv"),
                        job_id=original.job_id,
                        issuer=original.issuer,
                        receiver=original.receiver,
                        lines=credit.lines,
                        currency=original.currency,
                        serviced_on=original.serviced_on,
                        corrects=(_named(original),),
                        terms=evolve(terms, taxes=credit.taxes, exact=credit.exact),
                        at=now,
                        today=today,
                        submitted_at=now,
                        **said,
                    )
                    resting = next((each for each in notes if _is_again(each, note, since)), None)
                    if resting is not None:
                        note = resting.revise(
                            issuer=note.issuer,
                            receiver=note.receiver,
                            lines=note.lines,
                            at=now,
                            terms=note.terms,
                            reason=note.reason,
                            today=today,
                        )
                    if note.kind == "credit_note":
                        await tx.invoices.save(current)
                    return await tx.invoices.save(note)
            except StaleVersion:  # somebody corrects the same invoice at this moment
                continue

    async def _rest(self, actor: Actor, note: Invoice) -> None:
        """Note that a draft is not on its way any more, so that others may have its money; one that was refused is none."""
        with contextlib.suppress(CuadrillaError):  # it rests by itself in a minute
            async with self._begin(actor) as tx:
                stored = await tx.invoices.get(note.tenant, note.id)
                if stored.state == "draft" and stored.submitted_at == note.submitted_at:
                    await tx.invoices.save(stored.rest())

    async def _ready(self, actor: Actor, invoice_id: str) -> Invoice:
        """Return the voucher, a refused one as a draft again."""
        async with self._begin(actor) as tx:
            invoice = await tx.invoices.get(actor.tenant, invoice_id)
            if invoice.state != "cae_failed":
                return invoice
            now = self._clock()
            again = invoice.revise(issuer=invoice.issuer, receiver=invoice.receiver, lines=invoice.lines, at=now)
            await self._authorising.check_left(tx, again)
            return await tx.invoices.save(again)


def _is_again(draft: Invoice, note: Invoice, since: datetime) -> bool:
    """Whether a note's draft that AFIP is not asked for says the same as a new one."""
    return (
        draft.state == "draft"
        and not on_its_way(draft, since)
        and (draft.kind, draft.lines, draft.terms.taxes, draft.terms.exact, draft.corrects_period)
        == (note.kind, note.lines, note.terms.taxes, note.terms.exact, note.corrects_period)
    )


def _named(original: Invoice) -> Corrected:
    if original.number is None or original.issued_on is None:
        msg = f"invoice {original.id} has no number"
        raise NotIssued(msg)
    return Corrected(
        invoice_id=original.id,
        voucher_type=original.voucher_type,
        point_of_sale=original.issuer.point_of_sale,
        number=original.number,
        cuit=original.issuer.cuit,
        issued_on=original.issued_on,
    )
