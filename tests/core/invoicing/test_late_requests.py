"""A request that was given up for lost arrives at AFIP after all: its voucher is found, and none is issued twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from adapters.memory.tax_authority import Delayed
from core.invoicing import Invoice, NotAcceptable, Observation, Refused, SeriesBusy
from core.jobs import Job
from core.kernel.money import Line
from tests.core.office import GAS, MARTA, Office, elsewhere

LATE = Delayed("read timeout")
NO = Refused([Observation(600, "ValidacionDeToken: el token expiro")])
OTHER = (Line(description="Otra cosa", quantity=Decimal(1), unit_price=Decimal(777)),)
PAPERS: dict[str, Any] = {
    "vat_condition": "responsable_inscripto",
    "document_type": "CUIT",
    "document_number": "30000000007",
}


async def charge(office: Office, job: Job, **wanted: Any) -> Invoice:
    return await office.invoicing.invoice(actor=MARTA, job_id=job.id, **wanted)


async def stored(office: Office, job: Job) -> Invoice:
    found, _ = await office.invoicing.list(actor=MARTA, job_id=job.id)
    return next(each for each in found if each.kind == "invoice")


def given_up(office: Office) -> None:
    """Plan that the next request is delayed, and the one that repeats it refused."""
    office.weather.plan("tax_authority.authorise:before", LATE, NO)


async def doubted(office: Office) -> Job:
    """Return a job whose invoice AFIP refused when it was asked for again, while the first request is still under way."""
    job = await office.a_job(status="completed")
    given_up(office)
    await charge(office, job)
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    failed = await stored(office, job)
    assert (failed.state, failed.number, len(failed.doubts)) == ("cae_failed", None, 1)
    return job


def book(office: Office) -> list[tuple[int, Decimal]]:
    return [(each.number, each.total) for series in office.authority.series.values() for each in series]


def agreed(office: Office, *issued: Invoice) -> bool:
    """Say whether AFIP has exactly these, by number, total and CAE."""
    theirs = [
        (series, each.number, each.total, each.authorisation)
        for series, kept in office.authority.series.items()
        for each in kept
    ]
    ours = [(each.series, each.number, each.totals.total, each.authorisation) for each in issued]
    return len(theirs) == len(ours) and all(each in theirs for each in ours)


async def test_it_is_adopted_by_itself(office: Office) -> None:
    job = await doubted(office)
    office.authority.arrive()
    office.clock.forward(seconds=61)
    assert await office.invoicing.settle_unanswered() == 1
    issued = await stored(office, job)
    assert (issued.state, issued.doubts, agreed(office, issued)) == ("issued", (), True)
    await office.quiet()
    assert (await office.jobs.show(actor=MARTA, job_id=job.id)).status == "invoiced"
    office.clock.forward(days=1)
    assert await office.invoicing.settle_unanswered() == 0


async def test_it_is_adopted_when_the_invoice_is_asked_for_with_other_contents(office: Office) -> None:
    job = await doubted(office)
    office.authority.arrive()
    issued = await charge(office, job, lines=OTHER)
    assert (issued.lines, issued.number, agreed(office, issued)) == ((GAS,), 1, True)


@pytest.mark.parametrize("first", ["the late one", "the new one"])
async def test_of_a_late_and_a_new_request_for_one_number_whichever_afip_takes_is_ours(
    office: Office, first: str
) -> None:
    job = await doubted(office)

    async def arrive() -> None:
        office.authority.arrive()

    office.weather.plan(f"tax_authority.authorise:{'before' if first == 'the late one' else 'after'}", arrive)
    issued = await charge(office, job, lines=OTHER)
    assert issued.lines == ((GAS,) if first == "the late one" else OTHER)
    assert (issued.number, issued.doubts, agreed(office, issued)) == (1, (), True)


async def test_a_new_request_that_is_lost_as_well_is_settled_with_it(office: Office) -> None:
    job = await doubted(office)
    office.weather.plan("tax_authority.authorise:before", LATE)
    assert (await charge(office, job, lines=OTHER)).state == "unknown"
    office.authority.arrive(0)
    office.authority.arrive(0)
    for _ in range(2):
        office.clock.forward(minutes=5)
        await office.invoicing.settle_unanswered()
    issued = await stored(office, job)
    assert (issued.lines, agreed(office, issued)) == ((GAS,), True)


async def test_a_number_that_another_voucher_gets_is_out_of_doubt(office: Office) -> None:
    job, other = await doubted(office), await office.a_job(status="completed")
    second = await charge(office, other, lines=OTHER)
    office.authority.arrive()  # refused: the number is taken
    first = await charge(office, job)
    assert ((first.number, second.number), agreed(office, first, second)) == ((2, 1), True)


async def test_the_same_in_afip_s_eyes_is_adopted_once(office: Office) -> None:
    """The late request takes the number under which another invoice of equal contents is asked for."""
    job, twin = await doubted(office), await office.a_job(status="completed")

    async def arrive() -> None:
        office.authority.arrive()

    office.weather.plan("tax_authority.authorise:before", arrive)
    second = await charge(office, twin)
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    assert (await stored(office, job)).doubts == ()
    first = await charge(office, job)
    assert ((first.number, second.number), agreed(office, first, second)) == ((2, 1), True)


async def test_a_twin_that_is_still_open_is_settled_first(office: Office) -> None:
    job, twin = await doubted(office), await office.a_job(status="completed")

    async def die() -> None:
        office.authority.arrive()
        raise RuntimeError

    office.weather.plan("tax_authority.authorise:before", die)
    with pytest.raises(RuntimeError):
        await charge(office, twin)
    with pytest.raises(SeriesBusy):
        await office.invoicing.settle(actor=MARTA, invoice_id=(await stored(office, job)).id)
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    first = await charge(office, job)
    assert agreed(office, first, await stored(office, twin))


async def test_another_series_waits_until_no_late_request_can_be_taken(office: Office) -> None:
    """There AFIP's numbers decide nothing: what the late request asked for would be a second voucher."""
    job = await doubted(office)
    await office.customers.change(actor=MARTA, customer_id=job.customer_id, **PAPERS)
    with pytest.raises(SeriesBusy, match="may still authorise an earlier request"):
        await charge(office, job)
    office.clock.forward(hours=14)
    issued = await charge(office, job)
    assert (issued.letter, issued.number, agreed(office, issued)) == ("A", 1, True)


async def test_another_series_finds_what_arrived_in_the_first(office: Office) -> None:
    job = await doubted(office)
    await office.customers.change(actor=MARTA, customer_id=job.customer_id, **PAPERS)
    office.authority.arrive()
    issued = await charge(office, job)
    assert (issued.letter, agreed(office, issued)) == ("B", True)


async def test_it_is_looked_for_less_and_less_often_until_its_ticket_is_worthless(office: Office) -> None:
    job = await doubted(office)
    looks = 0
    for _ in range(26 * 60):
        office.clock.forward(minutes=1)
        looks += await office.invoicing.settle_unanswered()
    assert 8 <= looks <= 14
    assert ((await stored(office, job)).doubts, (await stored(office, job)).look_at) == ((), None)


async def test_a_late_credit_keeps_its_money(office: Office) -> None:
    job = await office.a_job(status="completed")
    original = await charge(office, job)
    given_up(office)
    note = await office.invoicing.credit(actor=MARTA, invoice_id=original.id, reason="x", amount=Decimal(20000))
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    with pytest.raises(NotAcceptable, match=r"4200\.00"):
        await office.invoicing.credit(actor=MARTA, invoice_id=original.id, reason="x", amount=Decimal(5000))
    office.authority.arrive()
    again = await office.invoicing.issue(actor=MARTA, invoice_id=note.id)
    assert (again.state, agreed(office, original, again)) == ("issued", True)


async def backlog(office: Office, *prices: int) -> list[Job]:
    jobs = []
    for price in prices:
        jobs.append(await office.a_job(status="completed"))
        office.weather.plan("tax_authority.last_authorised:before", NO)
        with pytest.raises(Refused):
            await charge(office, jobs[-1], lines=(evolve(GAS, unit_price=Decimal(price)),))
        office.clock.forward(seconds=1)
    return jobs


async def issue(office: Office, jobs: Sequence[Job]) -> list[Invoice]:
    ids = [(await stored(office, job)).id for job in jobs]
    return list(await office.invoicing.issue_many(actor=MARTA, invoice_ids=ids))


@pytest.mark.parametrize("arrives", ["before anything", "into the next request", "never"])
async def test_a_late_request_of_many_is_adopted_as_far_as_afip_took_it(office: Office, arrives: str) -> None:
    jobs = await backlog(office, 100, 200, 300)
    office.weather.plan("tax_authority.authorise_many:before", LATE)
    await issue(office, jobs)
    office.clock.forward(seconds=61)
    office.weather.plan("tax_authority.authorise:before", NO)
    await office.invoicing.settle_unanswered()
    assert [(await stored(office, job)).state for job in jobs] == ["cae_failed", "draft", "draft"]

    async def arrive() -> None:
        office.authority.arrive()

    if arrives == "before anything":
        office.authority.arrive()
    elif arrives == "into the next request":
        office.weather.plan("tax_authority.authorise_many:before", arrive)
    await issue(office, jobs[::-1])
    for _ in range(3):
        office.clock.forward(minutes=10)
        await office.invoicing.settle_unanswered()
        await issue(office, jobs)
    issued = [await stored(office, job) for job in jobs]
    assert ({each.state for each in issued}, agreed(office, *issued)) == ({"issued"}, True)
    assert sorted(each.number or 0 for each in issued) == [1, 2, 3]


async def test_a_doubted_draft_of_another_series_does_not_hold_up_a_backlog(office: Office) -> None:
    job = await doubted(office)
    await office.customers.change(actor=MARTA, customer_id=job.customer_id, **PAPERS)
    with pytest.raises(SeriesBusy):
        await charge(office, job)
    (second,) = await backlog(office, 100)
    after = await issue(office, [job, second])
    assert [each.state for each in after] == ["draft", "issued"]


async def test_two_who_look_at_once_adopt_once(office: Office) -> None:
    job = await doubted(office)
    office.authority.arrive()
    same = office.invoicing.settle(actor=MARTA, invoice_id=(await stored(office, job)).id)
    office.weather.plan("tax_authority.find:after", lambda: elsewhere(same))
    office.clock.forward(seconds=61)
    assert await office.invoicing.settle_unanswered() == 1
    assert agreed(office, await stored(office, job))
    assert timedelta(hours=13) == office.invoicing._rules.late_within
