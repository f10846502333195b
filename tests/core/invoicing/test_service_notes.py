"""Notes, backlogs in one request, and turns: what the service does beyond one invoice at a time."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from attrs import evolve

from core.invoicing import (
    AnswerLost,
    Exchange,
    Invoice,
    Invoicing,
    Mipyme,
    NotAcceptable,
    NotIssued,
    Refused,
    Series,
    SeriesBusy,
    Terms,
)
from core.invoicing.ports import Turn
from core.kernel.actor import NotAllowed
from core.kernel.errors import Invalid, NotFound, Unavailable
from core.kernel.money import Line
from tests.contracts.samples import MINE, NOW, an_issuer
from tests.core.office import CARLOS, MARTA, STRANGER, Office, elsewhere

B: Final = Series(cuit="30712345671", point_of_sale=1, voucher_type=6)
CREDITS: Final = Series(cuit="30712345671", point_of_sale=1, voucher_type=8)
LOST: Final = AnswerLost("read timeout")
DOWN: Final = Unavailable("connection refused")
TODAY: Final = date(2026, 11, 20)


async def charged(office: Office) -> Invoice:
    """Return an issued invoice of 24,200."""
    job = await office.a_job(status="completed")
    return await office.invoicing.invoice(actor=MARTA, job_id=job.id)


async def credit(office: Office, of: Invoice, **wanted: Any) -> Invoice:
    return await office.invoicing.credit(actor=MARTA, invoice_id=of.id, reason="no enfriaba", **wanted)


async def drafts(office: Office, *descriptions: str) -> list[str]:
    """Return drafts of jobs, each with a line that says one of these."""
    ids = []
    for each in descriptions:
        job = await office.a_job(status="completed")
        office.weather.plan("tax_authority.last_authorised:before", DOWN)
        line = Line(description=each, quantity=Decimal(1), unit_price=Decimal(100))
        with pytest.raises(Unavailable):
            await office.invoicing.invoice(actor=MARTA, job_id=job.id, lines=(line,))
        (draft,), _ = await office.invoicing.list(actor=MARTA, job_id=job.id)
        ids.append(draft.id)
        office.clock.forward(seconds=1)
    return ids


def numbers(office: Office, series: Series = B) -> list[tuple[int, str]]:
    return [(each.number, each.invoice_id) for each in office.authority.series.get(series, [])]


async def test_an_invoice_is_taken_back_whole(office: Office) -> None:
    original = await charged(office)
    note = await credit(office, original)
    assert (note.kind, note.state, note.voucher_type, note.number) == ("credit_note", "issued", 8, 1)
    assert (note.totals.total, note.lines, note.reason) == (original.totals.total, original.lines, "no enfriaba")
    assert (note.receiver, note.job_id) == (original.receiver, original.job_id)
    (about,) = note.corrects
    assert (about.voucher_type, about.point_of_sale, about.number, about.issued_on) == (6, 1, 1, TODAY)
    with pytest.raises(NotAcceptable, match="above what is left"):
        await credit(office, original)


async def test_partial_credits_add_up_and_a_debit_raises_what_is_left(office: Office) -> None:
    original = await charged(office)
    await credit(office, original, amount=Decimal(20000))
    with pytest.raises(NotAcceptable, match=r"4200\.00"):
        await credit(office, original, amount=Decimal("4200.01"))
    more = (Line(description="Traslado", quantity=Decimal(1), unit_price=Decimal(1000)),)
    debit = await office.invoicing.debit(actor=MARTA, invoice_id=original.id, reason="traslado", lines=more)
    assert (debit.voucher_type, debit.number, debit.totals.total) == (7, 1, Decimal("1210.00"))
    rest = await credit(office, original)
    assert rest.totals.total == Decimal("5410.00")


async def test_a_job_s_invoice_is_its_invoice_whatever_notes_follow(office: Office) -> None:
    original = await charged(office)
    await credit(office, original)
    assert original.job_id is not None
    again = await office.invoicing.invoice(actor=MARTA, job_id=original.job_id)
    assert again.id == original.id
    assert {outcome for _, outcome in await office.quiet()} == {"applied"}
    assert (await office.jobs.show(actor=MARTA, job_id=original.job_id)).invoice_id == original.id
    found, _ = await office.invoicing.list(actor=MARTA, job_id=original.job_id)
    assert sorted(each.kind for each in found) == ["credit_note", "invoice"]


async def test_only_an_issued_invoice_of_one_s_own_is_corrected(office: Office) -> None:
    (draft,) = await drafts(office, "x")
    with pytest.raises(NotIssued, match="this one is draft"):
        await office.invoicing.credit(actor=MARTA, invoice_id=draft, reason="x")
    original = await charged(office)
    with pytest.raises(NotFound):
        await office.invoicing.credit(actor=STRANGER, invoice_id=original.id, reason="x")
    with pytest.raises(NotAllowed):
        await office.invoicing.credit(actor=CARLOS, invoice_id=original.id, reason="x")
    with pytest.raises(NotAllowed):
        await office.invoicing.debit(actor=CARLOS, invoice_id=original.id, reason="x", lines=original.lines)
    with pytest.raises(Invalid, match="says why"):
        await office.invoicing.credit(actor=MARTA, invoice_id=original.id, reason=" ")
    with pytest.raises(Invalid, match="lines or of an amount"):
        await credit(office, original, lines=original.lines, amount=Decimal(1))
    note = await credit(office, original)
    with pytest.raises(Invalid, match="not another note"):
        await credit(office, note)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_note_whose_answer_was_lost_is_found(office: Office, moment: str) -> None:
    original = await charged(office)
    office.weather.plan(f"tax_authority.authorise:{moment}", LOST)
    unknown = await credit(office, original)
    assert unknown.state == "unknown"
    with pytest.raises(NotAcceptable):
        await credit(office, original, amount=Decimal(1))
    office.clock.forward(seconds=61)
    assert await office.invoicing.settle_unanswered() == 1
    settled = await office.invoicing.show(actor=MARTA, invoice_id=unknown.id)
    assert (settled.state, numbers(office, CREDITS)) == ("issued", [(1, unknown.id)])


async def test_of_two_who_credit_the_same_money_at_once_the_second_is_told_what_is_left(office: Office) -> None:
    """A draft on its way to AFIP takes its money before it has a number."""
    original = await charged(office)

    async def second() -> None:
        with pytest.raises(NotAcceptable, match=r"above what is left of the voucher, 4200\.00"):
            await elsewhere(credit(office, original, amount=Decimal("4200.01")))
        with pytest.raises(NotAcceptable, match="above what is left"):
            await elsewhere(credit(office, original, lines=original.lines))
        await elsewhere(credit(office, original, amount=Decimal(4200)))

    office.weather.plan("tax_authority.last_authorised:before", second)
    first = await credit(office, original, amount=Decimal(20000))
    assert [note for _, note in numbers(office, CREDITS)] == [office.authority.series[CREDITS][0].invoice_id, first.id]
    assert sum(each.total for each in office.authority.series[CREDITS]) == original.totals.total


async def test_of_two_drafts_at_the_very_same_moment_the_second_sees_the_first(office: Office) -> None:
    original = await charged(office)
    office.weather.plan("commit:before", lambda: elsewhere(credit(office, original)))
    with pytest.raises(NotAcceptable, match="above what is left"):
        await credit(office, original)
    assert len(numbers(office, CREDITS)) == 1


async def test_a_note_that_afip_was_not_asked_for_leaves_its_money_and_is_taken_up_again(office: Office) -> None:
    original = await charged(office)
    for step in ("last_authorised", "authorise"):
        office.weather.plan(f"tax_authority.{step}:before", DOWN)
        with pytest.raises(Unavailable):
            await credit(office, original, amount=Decimal(20000))
    assert (await credit(office, original, amount=Decimal(4300))).state == "issued"
    with pytest.raises(NotAcceptable, match=r"19900\.00"):
        await credit(office, original, amount=Decimal(20000))
    (draft,), _ = await office.invoicing.list(actor=MARTA, states=("draft",))
    with pytest.raises(NotAcceptable, match=r"19900\.00"):  # nor when it is asked for by name
        await office.invoicing.issue(actor=MARTA, invoice_id=draft.id)
    more = (Line(description="Traslado", quantity=Decimal(1), unit_price=Decimal(1000)),)
    await office.invoicing.debit(actor=MARTA, invoice_id=original.id, reason="traslado", lines=more)
    note = await credit(office, original, amount=Decimal(20000))
    assert (note.id, note.state) == (draft.id, "issued")


async def test_a_draft_whose_process_died_gives_its_money_back_in_a_minute(office: Office) -> None:
    original = await charged(office)
    office.weather.plan("tax_authority.last_authorised:before", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await credit(office, original)
    with pytest.raises(NotAcceptable):
        await credit(office, original)
    office.clock.forward(seconds=61)
    note = await credit(office, original)
    assert (note.state, [each.id for each in (await office.invoicing.list(actor=MARTA))[0]]) == (
        "issued",
        [note.id, original.id],
    )


async def test_a_note_may_name_a_period_and_still_takes_from_its_invoice(office: Office) -> None:
    original = await charged(office)
    month = (date(2026, 11, 1), date(2026, 11, 30))
    note = await credit(office, original, amount=Decimal(20000), period=month)
    assert (note.corrects_period, note.named, note.corrects[0].invoice_id) == (month, (), original.id)
    with pytest.raises(NotAcceptable, match=r"4200\.00"):
        await credit(office, original, amount=Decimal(4201), period=month)
    for wrong in ((month[1], month[0]), (date(2026, 10, 1), date(2026, 10, 31))):
        with pytest.raises(NotAcceptable) as refusal:
            await credit(office, original, amount=Decimal(1), period=wrong)
        assert refusal.value.field == "periodFrom"
    office.weather.plan("tax_authority.authorise:after", LOST)
    unknown = await office.invoicing.debit(
        actor=MARTA, invoice_id=original.id, reason="mora", lines=original.lines, period=month
    )
    office.clock.forward(seconds=61)
    assert (await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)).state == "issued"


async def test_only_a_mipyme_credit_invoice_is_annulled(office: Office) -> None:
    original = await charged(office)
    with pytest.raises(NotAcceptable) as refusal:
        await credit(office, original, annuls=True)
    assert refusal.value.field == "annuls"
    customer = await office.customers.register(
        actor=MARTA,
        name="Frío S.A.",
        vat_condition="responsable_inscripto",
        document_type="CUIT",
        document_number="30000000007",
    )
    job = await office.a_job(status="completed", customer_id=customer.id)
    large = (Line(description="Obra", quantity=Decimal(1), unit_price=Decimal(6_000_000)),)
    terms = Terms(mipyme=Mipyme(cbu="0170099220000067797370"))
    owed = await office.invoicing.invoice(actor=MARTA, job_id=job.id, lines=large, terms=terms)
    part = await credit(office, owed, amount=Decimal(1000))
    rest = await credit(office, owed, annuls=True)
    assert [each.terms.mipyme for each in (part, rest)] == [Mipyme(), Mipyme(annuls=True)]
    assert {each.voucher_type for each in (part, rest)} == {203}


async def test_a_refused_note_may_be_issued_again(office: Office) -> None:
    original = await charged(office)
    office.weather.plan("tax_authority.authorise:before", Refused([]))
    with pytest.raises(Refused):
        await credit(office, original)
    (note, *_), _ = await office.invoicing.list(actor=MARTA)
    assert note.state == "cae_failed"
    issued = await office.invoicing.issue(actor=MARTA, invoice_id=note.id)
    assert (issued.state, issued.number) == ("issued", 1)
    assert await office.invoicing.issue(actor=MARTA, invoice_id=note.id) == issued


async def test_a_note_that_is_no_longer_covered_is_not_issued_again(office: Office) -> None:
    original = await charged(office)
    office.weather.plan("tax_authority.authorise:before", Refused([]))
    with pytest.raises(Refused):
        await credit(office, original)
    (failed, *_), _ = await office.invoicing.list(actor=MARTA)
    await credit(office, original)
    with pytest.raises(NotAcceptable, match="above what is left"):
        await office.invoicing.issue(actor=MARTA, invoice_id=failed.id)
    assert len(numbers(office, CREDITS)) == 1


async def test_the_day_of_issue_may_be_chosen_within_its_window(office: Office) -> None:
    job = await office.a_job(status="completed")
    for days in (-11, 11):
        with pytest.raises(NotAcceptable) as refusal:
            wanted = Terms(issued_on=TODAY + timedelta(days=days))
            await office.invoicing.invoice(actor=MARTA, job_id=job.id, terms=wanted)
        assert refusal.value.field == "issuedOn"
    ahead = TODAY + timedelta(days=3)
    first = await office.invoicing.invoice(actor=MARTA, job_id=job.id, terms=Terms(issued_on=ahead))
    assert first.issued_on == ahead
    second = await charged(office)  # no day before that one would be taken
    assert second.issued_on == ahead
    third = await office.a_job(status="completed")
    with pytest.raises(NotAcceptable, match="last voucher"):
        await office.invoicing.invoice(actor=MARTA, job_id=third.id, terms=Terms(issued_on=TODAY))


async def test_terms_and_money_are_the_caller_s(office: Office) -> None:
    job = await office.a_job(status="completed")
    terms = Terms(rate=Decimal("1480.5"), service_from=date(2026, 11, 1), service_to=date(2026, 11, 15))
    lines = (Line(description="Visita", quantity=Decimal(1), unit_price=Decimal(100)),)
    issued = await office.invoicing.invoice(actor=MARTA, job_id=job.id, lines=lines, terms=terms, currency="USD")
    assert (issued.currency, issued.terms, issued.period) == ("USD", terms, (date(2026, 11, 1), date(2026, 11, 15)))
    note = await credit(office, issued, amount=Decimal("12.10"))
    assert (note.currency, note.terms.rate, note.totals.total) == ("USD", terms.rate, Decimal("12.10"))


async def test_a_backlog_is_authorised_in_one_request(office: Office) -> None:
    ids = await drafts(office, "a", "b", "c")
    issued = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.state, each.number, each.slot) for each in issued] == [
        ("issued", 1, 0),
        ("issued", 2, 1),
        ("issued", 3, 2),
    ]
    assert len({each.batch for each in issued}) == 1
    assert numbers(office) == list(zip((1, 2, 3), ids, strict=True))
    assert list(await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)) == list(issued)


async def test_a_backlog_goes_out_in_requests_of_what_afip_takes_and_by_series(office: Office) -> None:
    office.authority.most = 2
    ids = await drafts(office, "a", "b", "c")
    await office.store.issuers.put(an_issuer(point_of_sale=2))
    ids += await drafts(office, "d")
    issued = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.printed_number, each.slot) for each in issued] == [
        ("00001-00000001", 0),
        ("00001-00000002", 1),
        ("00001-00000003", 0),
        ("00002-00000001", 0),
    ]


async def test_those_after_a_refused_one_go_into_the_next_request(office: Office) -> None:
    office.authority.refuses = frozenset({"bad"})
    ids = await drafts(office, "a", "bad", "b", "c")
    after = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.state, each.number) for each in after] == [
        ("issued", 1),
        ("cae_failed", None),
        ("issued", 2),
        ("issued", 3),
    ]
    assert [each.code for each in after[1].errors] == [10015]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_lost_answer_to_a_backlog_is_settled_one_by_one(office: Office, moment: str) -> None:
    ids = await drafts(office, "a", "b", "c")
    office.weather.plan(f"tax_authority.authorise_many:{moment}", LOST)
    unknown = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.state, each.number) for each in unknown] == [("unknown", 1), ("unknown", 2), ("unknown", 3)]
    office.clock.forward(seconds=61)
    with pytest.raises(SeriesBusy, match="settled first"):
        await office.invoicing.settle(actor=MARTA, invoice_id=ids[2])
    assert await office.invoicing.settle_unanswered() == 3
    assert numbers(office) == list(zip((1, 2, 3), ids, strict=True))
    issued = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert {each.state for each in issued} == {"issued"}


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_those_after_a_refused_one_of_a_lost_request_are_drafts_again(office: Office, moment: str) -> None:
    office.authority.refuses = frozenset({"bad"})
    ids = await drafts(office, "a", "bad", "c")
    office.weather.plan(f"tax_authority.authorise_many:{moment}", LOST)
    await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    office.clock.forward(seconds=61)
    assert await office.invoicing.settle_unanswered() == 3
    states = [(await office.invoicing.show(actor=MARTA, invoice_id=each)).state for each in ids]
    assert states == ["issued", "cae_failed", "draft"]
    (last,) = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids[2:])
    assert (last.state, last.number, numbers(office)) == ("issued", 2, [(1, ids[0]), (2, ids[2])])


async def test_a_process_that_dies_over_a_backlog_leaves_it_to_be_settled(office: Office) -> None:
    ids = await drafts(office, "a", "b")
    office.weather.plan("tax_authority.authorise_many:after", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    office.clock.forward(seconds=61)
    issued = await charged(office)  # whoever comes next settles them first
    assert numbers(office) == [(1, ids[0]), (2, ids[1]), (3, issued.id)]


async def test_an_unreachable_afip_leaves_a_backlog_of_drafts(office: Office) -> None:
    ids = await drafts(office, "a", "b")
    office.weather.plan("tax_authority.authorise_many:before", DOWN)
    with pytest.raises(Unavailable, match="connection refused"):
        await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(await office.invoicing.show(actor=MARTA, invoice_id=each)).state for each in ids] == ["draft", "draft"]


async def test_one_that_afip_would_refuse_stays_out_of_the_request(office: Office) -> None:
    ids = await drafts(office, "a", "b")
    office.clock.at = NOW + timedelta(days=30)
    job = await office.a_job(status="completed")
    office.weather.plan("tax_authority.last_authorised:before", DOWN)
    old = Terms(issued_on=TODAY + timedelta(days=25))
    with pytest.raises(Unavailable):
        await office.invoicing.invoice(actor=MARTA, job_id=job.id, terms=old)
    (draft, *_), _ = await office.invoicing.list(actor=MARTA)
    office.clock.forward(days=30)
    after = await office.invoicing.issue_many(actor=MARTA, invoice_ids=[*ids, draft.id])
    assert [each.state for each in after] == ["issued", "issued", "draft"]


def patient_office(office: Office, turn: Turn) -> Invoicing:
    """Return the office's invoicing, which waits for its turn and keeps a trail."""
    return Invoicing(
        office.store.begin,
        office.store.invoices,
        office.invoicing._work,
        office.store.issuers,
        office.authority,
        office.invoicing._printer,
        office.invoicing._local_day,
        office.clock,
        office.new_id,
        turn=turn,
        trail=office.store.trail,
    )


async def test_a_backlog_of_which_somebody_issues_one_meanwhile_goes_on_without_it(office: Office) -> None:
    async def turn(times: int) -> bool:
        return times < 3

    ids = await drafts(office, "a", "b", "c")
    meanwhile = office.invoicing.issue(actor=MARTA, invoice_id=ids[1])
    office.weather.plan("tax_authority.most_at_once:after", lambda: elsewhere(meanwhile))
    issued = await patient_office(office, turn).issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.state, each.number) for each in issued] == [("issued", 2), ("issued", 1), ("issued", 3)]


async def test_a_busy_series_keeps_a_backlog_waiting(office: Office) -> None:
    ids = await drafts(office, "a")
    job = await office.a_job(status="completed")
    office.weather.plan("tax_authority.authorise:before", LOST)
    await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    with pytest.raises(SeriesBusy):
        await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)


async def test_what_two_settle_of_a_backlog_is_what_afip_has(office: Office) -> None:
    """The answer to a request of many comes after somebody has settled what it was about."""
    ids = await drafts(office, "a", "b")

    async def meanwhile() -> None:
        office.clock.forward(seconds=61)
        assert await elsewhere(office.invoicing.settle_unanswered()) == 2

    office.weather.plan("tax_authority.authorise_many:after", meanwhile)
    issued = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert [(each.state, each.number) for each in issued] == [("issued", 1), ("issued", 2)]
    assert numbers(office) == [(1, ids[0]), (2, ids[1])]


async def test_a_number_of_a_backlog_that_another_program_took_is_looked_for(office: Office) -> None:
    ids = await drafts(office, "a", "b")
    first = await charged(office)

    async def theirs() -> None:
        office.authority.series[B].append(evolve(office.authority.series[B][0], number=2, total=Decimal(1)))

    office.weather.plan("tax_authority.last_authorised:after", theirs)
    doubtful = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert {each.state for each in doubtful} == {"unknown"}
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    issued = await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids)
    assert {each.state for each in issued} == {"issued"}
    assert {each.number for each in issued} == {3, 4}
    assert first.number == 1


async def test_who_may_wait_takes_the_next_number_when_the_series_is_free(office: Office) -> None:
    waited: list[int] = []

    async def turn(times: int) -> bool:
        waited.append(times)
        office.clock.forward(seconds=30)
        return times < 5

    patient = patient_office(office, turn)
    first = await office.a_job(status="completed")
    office.weather.plan("tax_authority.authorise:before", LOST)
    await office.invoicing.invoice(actor=MARTA, job_id=first.id)
    second = await office.a_job(status="completed")
    issued = await patient.invoice(actor=MARTA, job_id=second.id)
    assert (issued.number, waited) == (2, [0, 1])
    office.weather.plan("tax_authority.authorise:before", LOST)
    third = await office.a_job(status="completed")
    await office.invoicing.invoice(actor=MARTA, job_id=third.id)
    office.weather.plan("tax_authority.find:before", *[SeriesBusy("x")] * 9)
    with pytest.raises(SeriesBusy):
        await patient.invoice(actor=MARTA, job_id=(await office.a_job(status="completed")).id)
    exchange = Exchange(subject=issued.id, operation="FECAESolicitar", at=NOW, request="<a/>", response="<b/>")
    await office.store.trail.add(MINE, exchange)
    assert await patient.exchanges(actor=MARTA, invoice_id=issued.id) == [exchange]
    assert await office.invoicing.exchanges(actor=MARTA, invoice_id=issued.id) == ()
