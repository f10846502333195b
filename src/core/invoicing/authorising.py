"""From a draft to AFIP's word, one voucher or many at once, and how a lost answer is found again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from core.invoicing.model import OPEN, Invoice
from core.invoicing.notes import left_of, of_lines
from core.invoicing.outcome import AnswerLost, Authorisation, Refused, SeriesBusy
from core.invoicing.ports import Begin, InvoiceReader, InvoiceTransaction, LocalDay, TaxAuthority, Turn
from core.invoicing.preflight import NotAcceptable
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock


@frozen(kw_only=True)
class InvoicingRules:
    """`answer_within`: how long a call to AFIP may take; an invoice that waits longer has lost its answer.

    `late_within`: how long after that a request may still arrive and be authorised: its access ticket lives 12 hours.
    """

    answer_within: timedelta = timedelta(seconds=60)
    late_within: timedelta = timedelta(hours=13)


async def impatient(_: int) -> bool:
    """Wait for no busy series."""
    return False


@frozen
class Authorising:
    """Takes numbers and asks AFIP.

    AFIP numbers each series without gaps and knows no idempotency, so the number is stored before AFIP is asked, and a voucher whose
    answer was lost is settled (AFIP is asked what it has) before anybody takes the next number of its series.
    """

    _begin: Begin
    _invoices: InvoiceReader
    _authority: TaxAuthority
    _local_day: LocalDay
    _clock: Clock
    _new_id: NewId
    _rules: InvoicingRules
    _turn: Turn

    async def authorise(self, actor: Actor, invoice_id: str) -> Invoice:
        """Have a voucher authorised as soon as its series is free; `SeriesBusy` when it was not for too long."""
        waited = 0
        while True:
            try:
                return await self._authorise(actor, invoice_id)
            except SeriesBusy:
                if not await self._turn(waited):
                    raise
            waited += 1

    async def authorise_many(self, actor: Actor, invoices: Sequence[Invoice]) -> None:
        """Have drafts of one series authorised, as many in one request as AFIP takes.

        Those after one that AFIP refuses go into the next request; one that AFIP would refuse stays a draft. Raise `SeriesBusy`
        or `Unavailable` when AFIP was not asked.
        """
        ids = [each.id for each in invoices]
        waited = 0
        while waiting := [each for each in await self._all(actor, ids) if each.state == "draft"]:
            try:
                asked = await self._submit_many(actor, waiting)
            except SeriesBusy:
                if not await self._turn(waited):
                    raise
                waited += 1
                continue
            if not asked:
                return
            after = await self._ask_many(actor, asked)
            if any(each.state in OPEN for each in after) or all(each.state == "draft" for each in after):
                return

    async def _all(self, actor: Actor, ids: Sequence[str]) -> list[Invoice]:
        return [await self._invoices.get(actor.tenant, id_) for id_ in ids]

    async def settle(self, actor: Actor, invoice: Invoice) -> Invoice:
        """Find out what became of a voucher whose answer was lost; the lowest number of a series comes first.

        Of one that is not open any more, find out whether a request that was given up for lost arrived after all.
        """
        now = self._clock()
        if invoice.state not in OPEN:
            return await self._look_again(actor, invoice)
        if invoice.submitted_at is not None and now - invoice.submitted_at < self._rules.answer_within:
            msg = f"{invoice.printed_number} still waits for AFIP's answer; look again in a minute"
            raise SeriesBusy(msg)
        if invoice.slot:
            await self._after_those_before(actor, invoice)
        found = await self._authority.find(invoice)
        if found is not None and found.same:
            return await self._conclude(actor, invoice.issue(found.authorisation, at=now))
        # Somebody else's: ours was never authorised, and never will be under this number.
        hopeless, late = found is not None, False
        if not hopeless and invoice.slot:
            # One before it in its request was refused: so was this one, unless the request has still to arrive.
            last = await self._authority.last_authorised(invoice.tenant, invoice.series)
            hopeless = late = last + 1 < (invoice.number or 0)
        try:
            if hopeless:
                return await self._save(actor, invoice.release(at=now, late=late))
            asking = await self._save(actor, invoice.ask_again(at=now))
        except StaleVersion as stale:
            raise _faster() from stale
        return await self._ask(actor, asking, again=True)

    async def _authorise(self, actor: Actor, invoice_id: str) -> Invoice:
        invoice = await self._invoices.get(actor.tenant, invoice_id)
        if invoice.state in OPEN:
            invoice = await self.settle(actor, invoice)
        if invoice.state != "draft":
            return invoice
        await self._free_series(actor, invoice)
        last = await self._authority.last_authorised(invoice.tenant, invoice.series)
        invoice = await self._beyond_doubt(actor, invoice, last)
        if invoice.state != "draft":
            return invoice
        return await self._ask(actor, await self._submit(actor, invoice, number=last + 1))

    async def _beyond_doubt(self, actor: Actor, invoice: Invoice, last: int) -> Invoice:
        """Return the draft if it may be asked for, or what became of it meanwhile; raise `SeriesBusy` if neither can be told.

        Where a late request names a number that the series has yet to give, asking is safe: the new number is no higher, and
        AFIP gives it once, to the one question or to the other.
        """
        if self._decides(invoice, last):
            return invoice
        looked = await self._look_again(actor, invoice)
        if looked.state == "draft" and not self._decides(looked, last):
            until = max(each.since for each in looked.doubts) + self._rules.late_within
            msg = f"AFIP may still authorise an earlier request for this voucher in another series, until {until:%H:%M} UTC"
            raise SeriesBusy(msg)
        return looked

    @staticmethod
    def _decides(invoice: Invoice, last: int) -> bool:
        return all(each.number > last and invoice.as_asked(each).series == invoice.series for each in invoice.doubts)

    async def _look_again(self, actor: Actor, invoice: Invoice) -> Invoice:
        """Find out what became of requests that were given up for lost, and adopt what AFIP made of one."""
        if not invoice.doubts:
            return invoice
        now = self._clock()
        for doubt in invoice.doubts:
            asked = invoice.as_asked(doubt)
            found = await self._authority.find(asked)
            if found is not None and found.same:
                try:
                    return await self._save(actor, invoice.adopt(doubt, found.authorisation, at=now))
                except SeriesBusy:  # one of ours has the number, and is the same in AFIP's eyes
                    async with self._begin(actor) as tx:
                        holder = await tx.invoices.numbered(asked.tenant, asked.series, doubt.number)
                    if holder is None or holder.state != "issued":
                        raise  # it was only asked for under the number, and is settled first
            if found is not None or now - doubt.since >= self._rules.late_within:
                invoice = invoice.dispel(doubt)
        return await self._save(actor, invoice.look_later(at=now) if invoice.doubts else invoice)

    async def _ask(self, actor: Actor, submitted: Invoice, *, again: bool = False) -> Invoice:
        """Ask for the CAE. AFIP gives a number once, so the same question may be asked twice, by two processes or after a crash."""
        try:
            authorisation = await self._authority.authorise(submitted)
        except Refused as refusal:
            found = None
            if refusal.number_taken:
                found = await self._authority.find(submitted)
                if found is not None and found.same:
                    return await self._conclude(actor, submitted.issue(found.authorisation, at=self._clock()))
                submitted = await self._look_again(actor, submitted)
                if submitted.state == "issued":
                    return submitted
            refused = submitted.refuse(refusal.observations, at=self._clock(), late=again and found is None)
            concluded = await self._conclude(actor, refused)
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

    async def _ask_many(self, actor: Actor, asked: Sequence[Invoice]) -> list[Invoice]:
        try:
            answers = await self._authority.authorise_many(asked)
        except AnswerLost:
            return await self._conclude_all(actor, [each.lose_answer(at=self._clock()) for each in asked])
        except Refused as refusal:  # of the request as a whole
            answers = [refusal, *(None for _ in asked[1:])]
        except Unavailable:
            await self._conclude_all(actor, [each.release(at=self._clock()) for each in asked])
            raise
        now = self._clock()
        doubtful = False
        after = []
        for each, answer in zip(asked, answers, strict=True):
            # A number that is taken may be taken by us: each is then looked for, one by one, in its turn.
            doubtful = doubtful or (isinstance(answer, Refused) and answer.number_taken)
            if isinstance(answer, Authorisation):
                after.append(each.issue(answer, at=now))
            elif doubtful:
                after.append(each.lose_answer(at=now))
            elif isinstance(answer, Refused):
                after.append(each.refuse(answer.observations, at=now))
            else:
                after.append(each.release(at=now))
        return await self._conclude_all(actor, after)

    async def _free_series(self, actor: Actor, invoice: Invoice) -> None:
        while True:
            blocker = await self._open_in(actor, invoice)
            if blocker is None or blocker.id == invoice.id:
                return
            try:
                settled = await self.settle(actor, blocker)
            except Refused:  # that was its answer, and the series is free of it
                continue
            if settled.state in OPEN:
                msg = f"{blocker.printed_number} of the same series still waits for AFIP's word; try again in a minute"
                raise SeriesBusy(msg)

    async def _after_those_before(self, actor: Actor, invoice: Invoice) -> None:
        first = await self._open_in(actor, invoice)
        if first is not None and (first.number or 0) < (invoice.number or 0):
            msg = f"{first.printed_number} of the same request has to be settled first"
            raise SeriesBusy(msg)

    async def _open_in(self, actor: Actor, invoice: Invoice) -> Invoice | None:
        async with self._begin(actor) as tx:
            return await tx.invoices.open_in(invoice.tenant, invoice.series)

    async def _submit(self, actor: Actor, invoice: Invoice, *, number: int) -> Invoice:
        try:
            async with self._begin(actor) as tx:
                submitted = await self._numbered(tx, invoice, number=number)
                return await tx.invoices.save(submitted)
        except StaleVersion as stale:  # somebody else submits this very invoice, or credits the same one
            raise _faster() from stale

    async def _submit_many(self, actor: Actor, waiting: Sequence[Invoice]) -> list[Invoice]:
        await self._free_series(actor, waiting[0])
        first = waiting[0]
        most = await self._authority.most_at_once(first.tenant, first.series)
        last = await self._authority.last_authorised(first.tenant, first.series)
        sure: list[Invoice] = []
        for each in waiting:
            try:
                beyond_doubt = await self._beyond_doubt(actor, each, last)
            except Unavailable:  # it goes alone, later
                continue
            if beyond_doubt.state == "draft":
                sure.append(beyond_doubt)
        today = self._local_day(self._clock())
        asked: list[Invoice] = []
        batch = self._new_id("batch")
        try:
            async with self._begin(actor) as tx:
                for each in sorted(sure, key=lambda invoice: invoice.terms.issued_on or today):
                    if len(asked) == most:
                        break
                    try:
                        numbered = await self._numbered(
                            tx, each, number=last + 1 + len(asked), batch=batch, slot=len(asked)
                        )
                    except NotAcceptable:  # it stays a draft, and says why when it is asked for alone
                        continue
                    asked.append(await tx.invoices.save(numbered))
        except StaleVersion as stale:
            raise _faster() from stale
        return asked

    async def _numbered(
        self, tx: InvoiceTransaction, invoice: Invoice, *, number: int, batch: str | None = None, slot: int = 0
    ) -> Invoice:
        """Give the draft its number and day; of a credit note, make sure that nobody else credits the same money."""
        now = self._clock()
        today = self._local_day(now)
        newest = await tx.invoices.newest_day(invoice.tenant, invoice.series)
        day = invoice.terms.issued_on or max(today, newest or today)
        submitted = invoice.submit(number=number, issued_on=day, at=now, batch=batch, slot=slot)
        submitted.check(today=today, newest=newest)
        await self.check_left(tx, invoice)
        return submitted

    async def check_left(self, tx: InvoiceTransaction, invoice: Invoice) -> None:
        """Make sure that nobody else credits the money that a credit note takes; raise `NotAcceptable`."""
        if invoice.kind != "credit_note":
            return
        since = self._clock() - self._rules.answer_within
        for corrected in invoice.corrects:
            original = await tx.invoices.get(invoice.tenant, corrected.invoice_id)
            notes = await tx.invoices.notes_of(invoice.tenant, corrected.invoice_id)
            others = [each for each in notes if each.id != invoice.id]
            of_lines(invoice.lines, invoice.terms.taxes, invoice.totals.rates, left_of(original, others, since=since))
            await tx.invoices.save(original)  # its next version: of two that credit it at once, one is too late

    async def _conclude(self, actor: Actor, after: Invoice) -> Invoice:
        """Store what became of the question; whoever asked the same and stored AFIP's yes before is right."""
        try:
            return await self._save(actor, after)
        except StaleVersion:
            stored = await self._invoices.get(after.tenant, after.id)
            if stored.state != "issued":
                raise
            return stored

    async def _conclude_all(self, actor: Actor, after: Sequence[Invoice]) -> list[Invoice]:
        try:
            async with self._begin(actor) as tx:
                return [await tx.invoices.save(each) for each in after]
        except StaleVersion:  # somebody has settled some of them
            pass
        concluded = []
        for each in after:
            try:
                concluded.append(await self._conclude(actor, each))
            except CuadrillaError:  # settled otherwise meanwhile
                concluded.append(await self._invoices.get(each.tenant, each.id))
        return concluded

    async def _save(self, actor: Actor, invoice: Invoice) -> Invoice:
        async with self._begin(actor) as tx:
            return await tx.invoices.save(invoice)


def _faster() -> SeriesBusy:
    return SeriesBusy("the invoice is being authorised; look again in a moment")
