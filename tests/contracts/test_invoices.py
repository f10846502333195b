"""The promises of `InvoiceRepository`, `InvoiceReader`, `Issuers` and `CompletedWork`."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from adapters.bridge import JobsAsWork
from core.invoicing import (
    Authorisation,
    Corrected,
    Exchange,
    Invoice,
    InvoiceNotFound,
    Mipyme,
    NoTaxProfile,
    Observation,
    Receiver,
    Series,
    SeriesBusy,
    Tax,
    Terms,
    Work,
)
from core.kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from core.kernel.money import Line, RateTotal
from tests.contracts.conftest import Store
from tests.contracts.samples import (
    ACTOR,
    MINE,
    NOW,
    OTHER,
    Hands,
    a_cae,
    a_customer,
    a_job,
    acting_for,
    an_invoice,
    an_issuer,
    scheduled,
    submitted,
)

B1 = Series(cuit="30712345671", point_of_sale=1, voucher_type=6)


async def save(store: Store, invoice: Invoice) -> Invoice:
    async with store.begin(acting_for(invoice.tenant)) as tx:
        return await tx.invoices.save(invoice)


async def open_in(store: Store, series: Series, *, tenant: str = MINE) -> str | None:
    async with store.begin(acting_for(tenant)) as tx:
        found = await tx.invoices.open_in(tenant, series)
    return None if found is None else found.id


async def test_an_invoice_comes_back_whole(store: Store) -> None:
    authorisation = Authorisation(
        cae="70000000000001", expires_on=date(2026, 11, 30), observations=(Observation(10217, "DNI"),)
    )
    saved = await save(store, submitted(an_invoice(), 42).issue(authorisation, at=NOW))
    found = await store.invoices.get(MINE, "inv_1")
    assert found == saved
    assert (found.version, found.facts, found.state, found.number) == (1, (), "issued", 42)
    assert (found.totals.total, found.issued_on, found.authorisation) == (
        Decimal("18150.91"),
        date(2026, 11, 20),
        authorisation,
    )


async def test_a_refused_invoice_keeps_afips_words(store: Store) -> None:
    await save(store, submitted(an_invoice()).refuse([Observation(10016, "No corresponde")], at=NOW))
    found = await store.invoices.get(MINE, "inv_1")
    assert (found.errors, found.number) == ((Observation(10016, "No corresponde"),), None)


async def test_an_invoice_that_the_tenant_does_not_have_is_not_found(store: Store) -> None:
    await save(store, an_invoice())
    async with store.begin(ACTOR) as tx:
        assert (await tx.invoices.get(MINE, "inv_1")).id == "inv_1"
        with pytest.raises(InvoiceNotFound):
            await tx.invoices.get(OTHER, "inv_1")
    with pytest.raises(InvoiceNotFound):
        await store.invoices.get(OTHER, "inv_1")


async def test_the_invoice_of_a_job_is_found(store: Store) -> None:
    await save(store, an_invoice())
    async with store.begin(ACTOR) as tx:
        found = await tx.invoices.of_job(MINE, "job_1")
        assert (found and found.id) == "inv_1"
        assert await tx.invoices.of_job(MINE, "job_2") is None
        assert await tx.invoices.of_job(OTHER, "job_1") is None


async def test_a_job_has_one_invoice_at_most(store: Store) -> None:
    await save(store, an_invoice("inv_1"))
    with pytest.raises(StaleVersion):
        await save(store, an_invoice("inv_2"))
    await save(store, an_invoice("inv_2", tenant=OTHER))


@pytest.mark.parametrize("state", ["pending_cae", "unknown"])
async def test_the_invoice_that_waits_for_afips_word_is_open_in_its_series(store: Store, state: str) -> None:
    invoice = submitted(an_invoice())
    await save(store, invoice if state == "pending_cae" else invoice.lose_answer(at=NOW))
    assert await open_in(store, B1) == "inv_1"
    assert await open_in(store, B1, tenant=OTHER) is None
    assert await open_in(store, Series(cuit="30712345671", point_of_sale=2, voucher_type=6)) is None
    assert await open_in(store, Series(cuit="30712345671", point_of_sale=1, voucher_type=1)) is None


async def test_drafts_and_issued_invoices_are_not_open(store: Store) -> None:
    await save(store, an_invoice("inv_1", job_id="job_1"))
    await save(store, submitted(an_invoice("inv_2", job_id="job_2")).issue(a_cae(), at=NOW))
    assert await open_in(store, B1) is None


async def test_a_second_open_voucher_of_a_series_must_wait(store: Store) -> None:
    await save(store, submitted(an_invoice("inv_1", job_id="job_1"), 1).lose_answer(at=NOW))
    draft = await save(store, an_invoice("inv_2", job_id="job_2"))
    with pytest.raises(SeriesBusy):
        await save(store, submitted(draft, 2))
    assert (await store.invoices.get(MINE, "inv_2")).state == "draft"
    await save(store, submitted(an_invoice("inv_3", job_id="job_3", point_of_sale=2), 1))


async def test_a_number_is_taken_once_in_a_series(store: Store) -> None:
    await save(store, submitted(an_invoice("inv_1", job_id="job_1"), 1).issue(a_cae(), at=NOW))
    with pytest.raises(SeriesBusy):
        await save(store, submitted(an_invoice("inv_2", job_id="job_2"), 1))


async def test_the_voucher_that_has_a_number_is_found(store: Store) -> None:
    await save(store, submitted(an_invoice("inv_1", job_id="job_1"), 1).issue(a_cae(), at=NOW))
    await save(store, submitted(an_invoice("inv_2", job_id="job_2"), 2))
    other = Series(cuit="30712345671", point_of_sale=2, voucher_type=6)
    async with store.begin(ACTOR) as tx:
        found = [await tx.invoices.numbered(MINE, B1, number) for number in (1, 2, 3)]
        assert [each and each.id for each in found] == ["inv_1", "inv_2", None]
        assert await tx.invoices.numbered(OTHER, B1, 1) is None
        assert await tx.invoices.numbered(MINE, other, 1) is None


async def test_a_released_number_may_be_taken_again(store: Store) -> None:
    lost = await save(store, submitted(an_invoice("inv_1", job_id="job_1"), 1).lose_answer(at=NOW))
    await save(store, lost.release(at=NOW))
    saved = await save(store, submitted(an_invoice("inv_2", job_id="job_2"), 1))
    assert (saved.number, saved.state) == (1, "pending_cae")


async def test_the_second_of_two_writers_of_an_invoice_is_told_so(store: Store) -> None:
    read = await save(store, an_invoice())
    await save(store, submitted(read))
    with pytest.raises(StaleVersion):
        await save(store, submitted(read, 2))


async def test_invoices_are_listed_by_pages_the_newest_first(store: Store) -> None:
    for n in range(3):
        await save(store, an_invoice(f"inv_{n}", job_id=f"job_{n}", at=NOW + timedelta(minutes=n)))
    await save(store, an_invoice(tenant=OTHER))
    first, cursor = await store.invoices.page(MINE, job_id=None, limit=2, cursor=None)
    second, end = await store.invoices.page(MINE, job_id=None, limit=2, cursor=cursor)
    assert ([invoice.id for invoice in (*first, *second)], end) == (["inv_2", "inv_1", "inv_0"], None)
    of_job, _ = await store.invoices.page(MINE, job_id="job_1", limit=2, cursor=None)
    assert [invoice.id for invoice in of_job] == ["inv_1"]
    with pytest.raises(Invalid):
        await store.invoices.page(MINE, job_id=None, limit=2, cursor="x")


async def test_invoices_are_listed_by_their_states_page_by_page(store: Store) -> None:
    for n in range(4):
        draft = an_invoice(f"inv_{n}", job_id=f"job_{n}", at=NOW + timedelta(minutes=n), point_of_sale=n + 1)
        await save(store, draft if n == 1 else submitted(draft).lose_answer(at=NOW) if n else submitted(draft))
    await save(store, submitted(an_invoice(tenant=OTHER)))
    waiting = ("unknown", "pending_cae")
    first, cursor = await store.invoices.page(MINE, job_id=None, states=waiting, limit=2, cursor=None)
    second, end = await store.invoices.page(MINE, job_id=None, states=waiting, limit=2, cursor=cursor)
    assert ([each.id for each in first], [each.id for each in second], end) == (["inv_3", "inv_2"], ["inv_0"], None)
    drafts, _ = await store.invoices.page(MINE, job_id="job_1", states=["draft"], limit=2, cursor=None)
    assert [each.id for each in drafts] == ["inv_1"]
    for job_id, states in (("job_1", ["issued"]), (None, ["cae_failed"]), (None, [])):
        assert await store.invoices.page(MINE, job_id=job_id, states=states, limit=2, cursor=None) == ([], None)


async def test_unanswered_invoices_are_those_submitted_before_and_still_open(store: Store) -> None:
    late = NOW + timedelta(minutes=5)
    await save(store, submitted(an_invoice("inv_1", job_id="job_1", point_of_sale=1), at=NOW).lose_answer(at=NOW))
    await save(store, submitted(an_invoice("inv_2", job_id="job_2", point_of_sale=2), at=late))
    await save(store, submitted(an_invoice("inv_3", job_id="job_3", point_of_sale=3), at=NOW).issue(a_cae(), at=NOW))
    await save(store, submitted(an_invoice(tenant=OTHER), at=NOW))
    await save(store, an_invoice("inv_4", job_id="job_4"))
    found = await store.invoices.unanswered(before=NOW + timedelta(minutes=1), limit=10)
    assert sorted(found) == [(MINE, "inv_1"), (OTHER, "inv_1")]
    assert list(await store.invoices.unanswered(before=NOW, limit=10)) == []
    assert len(await store.invoices.unanswered(before=late + timedelta(seconds=1), limit=2)) == 2


async def test_doubts_are_kept_and_due_when_they_say(store: Store) -> None:
    refused = submitted(an_invoice("inv_1", job_id="job_1")).refuse([Observation(600, "no")], at=NOW, late=True)
    saved = await save(store, refused)
    released = submitted(an_invoice("inv_2", job_id="job_2", point_of_sale=2)).release(at=NOW, late=True)
    await save(store, released.look_later(at=NOW + timedelta(minutes=2)))
    await save(store, submitted(an_invoice("inv_3", job_id="job_3", point_of_sale=3)).refuse([], at=NOW))
    found = await store.invoices.get(MINE, "inv_1")
    assert (found.doubts, found.look_at, found.as_asked(found.doubts[0]).series) == (refused.doubts, NOW, B1)
    assert list(await store.invoices.unanswered(before=NOW, limit=9)) == []
    due = [(MINE, "inv_1"), (MINE, "inv_2")]
    assert list(await store.invoices.unanswered(before=NOW + timedelta(minutes=1), limit=9)) == due[:1]
    assert list(await store.invoices.unanswered(before=NOW + timedelta(minutes=5), limit=9)) == due
    assert list(await store.invoices.unanswered(before=NOW + timedelta(minutes=5), limit=9, skip=1)) == due[1:]
    await save(store, saved.dispel(saved.doubts[0]))
    assert list(await store.invoices.unanswered(before=NOW + timedelta(minutes=5), limit=9)) == due[1:]


async def test_an_issuer_comes_back_as_it_was_last_put(store: Store) -> None:
    await store.issuers.put(an_issuer())
    await store.issuers.put(an_issuer(point_of_sale=7))
    assert await store.issuers.get(MINE) == an_issuer(point_of_sale=7)


async def test_a_tenant_without_a_tax_profile_is_told_so(store: Store) -> None:
    await store.issuers.put(an_issuer())
    with pytest.raises(NoTaxProfile):
        await store.issuers.get(OTHER)


async def test_only_completed_work_is_charged(store: Store, clock: Hands) -> None:
    line = Line(description="Gas", quantity=Decimal(1), unit_price=Decimal(100))
    working = scheduled(a_job()).depart(actor="c", at=NOW).arrive(actor="c", at=NOW)
    async with store.begin(ACTOR) as tx:
        await tx.customers.save(a_customer(vat_condition="exento"))
        saved = await tx.jobs.save(working)
    work = JobsAsWork(store.jobs, store.customers, lambda instant: instant.date(), clock)
    with pytest.raises(Conflict):
        await work.get(MINE, "job_1")
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(saved.complete(lines=(line,), notes="", actor="c", at=NOW))
    assert await work.get(MINE, "job_1") == Work(
        job_id="job_1",
        receiver=Receiver(customer_id="cust_1", name="Ana Ruiz", vat_condition="exento"),
        lines=(line,),
        currency="ARS",
        serviced_on=date(2026, 11, 20),
    )
    with pytest.raises(NotFound):
        await work.get(OTHER, "job_1")


def a_note(
    id_: str, *, kind: str = "credit_note", about: str = "inv_1", tenant: str = MINE, minutes: int = 0
) -> Invoice:
    at = NOW + timedelta(minutes=minutes)
    corrected = Corrected(
        invoice_id=about, voucher_type=6, point_of_sale=1, number=1, cuit="30712345671", issued_on=at.date()
    )
    return evolve(an_invoice(id_, tenant=tenant, at=at), kind=kind, corrects=(corrected,), reason="no enfriaba")


async def test_everything_that_a_voucher_may_say_comes_back(store: Store) -> None:
    terms = Terms(
        concept="both",
        service_from=date(2026, 10, 1),
        service_to=date(2026, 10, 31),
        due_on=date(2026, 12, 1),
        issued_on=date(2026, 11, 19),
        rate=Decimal("1480.5"),
        paid_in_currency=True,
        taxes=(Tax.at_rate(id_=7, base=Decimal(100), rate=Decimal("3.5"), description="IIBB CABA"),),
        mipyme=Mipyme(cbu="0" * 22, reference="OC 1"),
        exact=(RateTotal(Decimal(21), Decimal("15000.75"), Decimal("3150.17")),),
    )
    lines = (
        *an_invoice().lines,
        Line(
            description="Sellado", quantity=Decimal(1), unit_price=Decimal(9), vat_rate=Decimal(0), treatment="exempt"
        ),
    )
    note = evolve(a_note("inv_2"), terms=terms, lines=lines, currency="USD")
    period = (date(2026, 10, 1), date(2026, 10, 31))
    other = evolve(a_note("inv_3"), job_id=None, corrects=(), corrects_period=period)
    for each in (evolve(note, facts=()), evolve(other, facts=())):
        saved = await save(store, each)
        assert await store.invoices.get(MINE, each.id) == saved == evolve(each, version=1)


async def test_a_job_has_any_number_of_notes_beside_its_invoice(store: Store) -> None:
    await save(store, an_invoice())
    for number in (1, 2):
        await save(store, a_note(f"note_{number}", minutes=number))
    await save(store, a_note("note_3", kind="debit_note", minutes=-1))
    await save(store, a_note("note_4", about="inv_9"))
    await save(store, a_note("note_1", tenant=OTHER))
    found = await store.invoices.of_job(MINE, "job_1")
    assert (found and found.id) == "inv_1"
    assert await store.invoices.of_job(MINE, "job_2") is None
    async with store.begin(ACTOR) as tx:
        notes = await tx.invoices.notes_of(MINE, "inv_1")
        assert await tx.invoices.notes_of(MINE, "inv_2") == []
        found = await tx.invoices.of_job(MINE, "job_1")
    assert [each.id for each in notes] == ["note_3", "note_1", "note_2"]
    assert (found and found.id) == "inv_1"


async def test_vouchers_of_one_request_are_open_side_by_side_and_the_lowest_number_comes_first(store: Store) -> None:
    drafts = [await save(store, an_invoice(f"inv_{n}", job_id=f"job_{n}")) for n in range(3)]
    async with store.begin(ACTOR) as tx:
        for slot in (2, 0, 1):
            day = date(2026, 11, 20)
            numbered = drafts[slot].submit(number=slot + 5, issued_on=day, at=NOW, batch="batch_1", slot=slot)
            drafts[slot] = await tx.invoices.save(numbered)
    assert await open_in(store, B1) == "inv_0"
    with pytest.raises(SeriesBusy):
        await save(store, submitted(an_invoice("inv_9", job_id="job_9"), 9))
    found = await store.invoices.unanswered(before=NOW + timedelta(minutes=1), limit=2)
    assert list(found) == [(MINE, "inv_0"), (MINE, "inv_1")]
    await save(store, drafts[0].issue(a_cae(5), at=NOW))
    assert await open_in(store, B1) == "inv_1"
    with pytest.raises(SeriesBusy):  # the first place is free, the number is not
        await save(store, submitted(an_invoice("inv_9", job_id="job_9"), 6))
    stored = await store.invoices.get(MINE, "inv_2")
    assert (stored.batch, stored.slot) == ("batch_1", 2)


async def test_the_newest_day_of_a_series_is_that_of_its_issued_vouchers(store: Store) -> None:
    async def newest() -> date | None:
        async with store.begin(ACTOR) as tx:
            return await tx.invoices.newest_day(MINE, B1)

    assert await newest() is None
    for number, (day, point) in enumerate(((20, 1), (22, 1), (21, 1), (25, 2)), start=1):
        draft = an_invoice(f"inv_{number}", job_id=f"job_{number}", point_of_sale=point)
        numbered = draft.submit(number=number, issued_on=date(2026, 11, day), at=NOW)
        await save(store, numbered.issue(a_cae(number), at=NOW))
    open_ = an_invoice("inv_9", job_id="job_9").submit(number=9, issued_on=date(2026, 11, 28), at=NOW)
    await save(store, open_)
    assert await newest() == date(2026, 11, 22)


async def test_the_trail_is_kept_by_tenant_and_subject_the_newest_first(store: Store) -> None:
    def exchange(subject: str, operation: str) -> Exchange:
        return Exchange(subject=subject, operation=operation, at=NOW, request="<é/>", response="", failure="x")

    for subject, operation in (("inv_1", "a"), ("inv_2", "b"), ("batch_1", "c"), ("inv_1", "d")):
        await store.trail.add(MINE, exchange(subject, operation))
    await store.trail.add(OTHER, exchange("inv_1", "e"))
    found = await store.trail.of(MINE, ["inv_1", "batch_1"], limit=10)
    assert list(found) == [exchange("inv_1", "d"), exchange("batch_1", "c"), exchange("inv_1", "a")]
    assert [each.operation for each in await store.trail.of(MINE, ["inv_1"], limit=1)] == ["d"]
    assert [each.operation for each in await store.trail.of(OTHER, ["inv_1"], limit=9)] == ["e"]
