"""From a completed job to AFIP's yes, whatever gets lost on the way."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from adapters.memory import Voucher
from core.identity import Tenant
from core.invoicing import (
    AnswerLost,
    Invoice,
    InvoiceNotFound,
    NoTaxProfile,
    NotIssued,
    Observation,
    Refused,
    Series,
    SeriesBusy,
)
from core.jobs import Job
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Conflict, Invalid, NotFound, StaleVersion, Unavailable
from core.kernel.money import Line
from tests.contracts.samples import MINE, NOW, a_cae, an_issuer
from tests.core.office import CARLOS, GAS, MARTA, PEOPLE, PLANNER, STRANGER, Mishap, Office, elsewhere

SERIES: Final = Series(cuit="30712345671", point_of_sale=1, voucher_type=6)
LOST: Final = AnswerLost("read timeout")
DOWN: Final = Unavailable("connection refused")
NO: Final = Refused([Observation(10016, "El numero o fecha del comprobante no se corresponde")])
OTHER_NO: Final = Refused([Observation(10015, "Documento del receptor")])


async def completed(office: Office) -> Job:
    return await office.a_job(status="completed")


async def invoice(office: Office, job: Job, actor: Actor = MARTA) -> Invoice:
    return await office.invoicing.invoice(actor=actor, job_id=job.id)


async def stored(office: Office, job: Job) -> Invoice:
    (found,), _ = await office.invoicing.list(actor=MARTA, job_id=job.id)
    return found


async def status_of(office: Office, job: Job) -> str:
    return (await office.jobs.show(actor=MARTA, job_id=job.id)).status


def authorised(office: Office) -> list[tuple[int, str]]:
    """Return (number, invoice id) of everything that the authority has."""
    return [(voucher.number, voucher.invoice_id) for voucher in office.authority.series.get(SERIES, [])]


async def test_a_completed_job_is_charged_and_authorised(office: Office) -> None:
    job = await completed(office)
    issued = await invoice(office, job)
    assert (issued.state, issued.number, issued.issued_on) == ("issued", 1, date(2026, 11, 20))
    assert issued.authorisation is not None
    assert issued.authorisation.cae == "70000000000001"
    assert issued.authorisation.expires_on == date(2026, 11, 30)
    assert (issued.lines, issued.totals.total) == ((GAS,), Decimal("24200.00"))
    assert issued.receiver.name == "Ana Ruiz"
    assert await stored(office, job) == issued
    assert [fact.name for fact in await office.facts() if fact.name.startswith("invoice.")] == [
        "invoice.drafted",
        "invoice.submitted",
        "invoice.issued",
    ]


async def test_the_day_of_an_invoice_is_argentina_s(office: Office) -> None:
    job = await completed(office)
    office.clock.at = NOW.replace(day=21, hour=2, minute=59)
    assert (await invoice(office, job)).issued_on == date(2026, 11, 20)


async def test_numbers_follow_one_another_without_gaps(office: Office) -> None:
    assert [(await invoice(office, await completed(office))).number for _ in range(3)] == [1, 2, 3]


async def test_an_issued_invoice_is_returned_as_it_is(office: Office) -> None:
    job = await completed(office)
    first = await invoice(office, job)
    assert await invoice(office, job) == first
    await office.quiet()
    assert await status_of(office, job) == "invoiced"
    assert await invoice(office, job) == first
    assert authorised(office) == [(1, first.id)]


async def test_other_lines_may_be_charged_than_the_job_s(office: Office) -> None:
    job = await completed(office)
    lines = (Line(description="Visita", quantity=Decimal(1), unit_price=Decimal(500)),)
    issued = await office.invoicing.invoice(actor=MARTA, job_id=job.id, lines=lines)
    assert issued.lines == lines


@pytest.mark.parametrize("actor", [CARLOS, PLANNER], ids=["technician", "planner"])
async def test_invoices_are_for_whom_the_table_says(office: Office, actor: Actor) -> None:
    job = await completed(office)
    issued = await invoice(office, job)
    with pytest.raises(NotAllowed):
        await invoice(office, job, actor)
    with pytest.raises(NotAllowed):
        await office.invoicing.settle(actor=actor, invoice_id=issued.id)
    with pytest.raises(NotAllowed):
        await office.invoicing.show(actor=actor, invoice_id=issued.id)
    with pytest.raises(NotAllowed):
        await office.invoicing.list(actor=actor)
    with pytest.raises(NotAllowed):
        await office.invoicing.pdf(actor=actor, invoice_id=issued.id)


async def test_nobody_reaches_another_tenant_s_invoice(office: Office) -> None:
    job = await completed(office)
    issued = await invoice(office, job)
    with pytest.raises(InvoiceNotFound):
        await office.invoicing.show(actor=STRANGER, invoice_id=issued.id)
    with pytest.raises(NotFound):
        await invoice(office, job, STRANGER)
    assert await office.invoicing.list(actor=STRANGER) == ([], None)


@pytest.mark.parametrize("status", ["pending", "scheduled", "en_camino", "working"])
async def test_only_a_completed_job_is_charged(office: Office, status: str) -> None:
    job = await office.a_job(status=status)
    with pytest.raises(Conflict, match=f"only a completed job is charged; this one is {status}"):
        await invoice(office, job)
    assert await office.invoicing.list(actor=MARTA) == ([], None)


async def test_a_business_without_a_tax_profile_charges_nobody() -> None:
    office = Office()
    await office.store.directory.enrol(Tenant(id=MINE, name="Climatización Palermo"), PEOPLE)
    job = await completed(office)
    with pytest.raises(NoTaxProfile):
        await invoice(office, job)


async def test_what_afip_is_known_to_refuse_takes_no_number(office: Office) -> None:
    job = await completed(office)
    free = (Line(description="Garantía", quantity=Decimal(1), unit_price=Decimal(0)),)
    with pytest.raises(Invalid, match="more than zero"):
        await office.invoicing.invoice(actor=MARTA, job_id=job.id, lines=free)
    assert await office.invoicing.list(actor=MARTA) == ([], None)


async def test_a_refusal_reaches_the_caller_in_afip_s_words_and_the_job_stays_completed(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.authorise:before", NO)
    with pytest.raises(Refused) as refusal:
        await invoice(office, job)
    details: dict[str, Any] = {**refusal.value.details()}
    (told,) = details["afip"]
    assert (told["code"], told["message"]) == (10016, "El numero o fecha del comprobante no se corresponde")
    assert "El número no es el siguiente" in told["meaning"]
    assert "Vuelva a facturar" in told["remedy"]
    failed = await stored(office, job)
    assert (failed.state, failed.number, failed.errors) == ("cae_failed", None, NO.observations)
    await office.quiet()
    assert await status_of(office, job) == "completed"


async def test_asking_again_after_a_refusal_starts_anew(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.authorise:before", NO)
    with pytest.raises(Refused):
        await invoice(office, job)
    issued = await invoice(office, job)
    assert (issued.state, issued.number, issued.errors) == ("issued", 1, ())
    names = [fact.name for fact in await office.facts() if fact.name.startswith("invoice.")]
    assert names == [
        "invoice.drafted",
        "invoice.submitted",
        "invoice.refused",
        "invoice.drafted",
        "invoice.submitted",
        "invoice.issued",
    ]


@pytest.mark.parametrize("error", [DOWN, NO], ids=["down", "refused"])
async def test_an_afip_that_does_not_tell_the_last_number_leaves_a_draft(office: Office, error: Exception) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.last_authorised:before", error)
    with pytest.raises(type(error)):
        await invoice(office, job)
    assert (await stored(office, job)).state == "draft"
    assert (await invoice(office, job)).state == "issued"
    assert [fact.name for fact in await office.facts("invoice.drafted")] == ["invoice.drafted"]


async def test_a_draft_takes_what_changed_meanwhile(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.last_authorised:before", DOWN)
    with pytest.raises(Unavailable):
        await invoice(office, job)
    await office.customers.change(
        actor=MARTA,
        customer_id=job.customer_id,
        vat_condition="responsable_inscripto",
        document_type="CUIT",
        document_number="30000000007",
    )
    await office.store.issuers.put(an_issuer(point_of_sale=2))
    issued = await invoice(office, job)
    assert (issued.letter, issued.issuer.point_of_sale, issued.version > 3) == ("A", 2, True)


async def test_what_did_not_reach_afip_frees_its_number(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.authorise:before", DOWN)
    with pytest.raises(Unavailable, match="connection refused"):
        await invoice(office, job)
    released = await stored(office, job)
    assert (released.state, released.number, released.submitted_at) == ("draft", None, None)
    assert (await invoice(office, job)).number == 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_lost_answer_is_unknown_and_never_failed(office: Office, moment: str) -> None:
    job = await completed(office)
    office.weather.plan(f"tax_authority.authorise:{moment}", LOST)
    unknown = await invoice(office, job)
    assert (unknown.state, unknown.number) == ("unknown", 1)
    assert await stored(office, job) == unknown
    await office.quiet()
    assert await status_of(office, job) == "completed"


async def lost(office: Office, job: Job, *, moment: str = "after", wait: float = 60) -> Invoice:
    office.weather.plan(f"tax_authority.authorise:{moment}", LOST)
    unknown = await invoice(office, job)
    office.clock.forward(seconds=wait)
    return unknown


async def test_a_voucher_that_afip_has_is_adopted_with_its_cae(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job)
    settled = await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert (settled.state, settled.number) == ("issued", 1)
    assert settled.authorisation == office.authority.series[SERIES][0].authorisation
    assert await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id) == settled
    assert authorised(office) == [(1, unknown.id)]


async def test_a_voucher_that_afip_does_not_have_is_asked_for_again_under_its_number(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment="before")
    settled = await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert (settled.state, settled.number) == ("issued", 1)
    assert authorised(office) == [(1, unknown.id)]


@pytest.mark.parametrize(
    ("error", "raised", "state", "number"),
    [
        (DOWN, Unavailable, "unknown", 1),
        (LOST, None, "unknown", 1),
        (OTHER_NO, Refused, "cae_failed", None),
    ],
    ids=["down", "lost again", "refused"],
)
async def test_a_second_question_may_fail_in_every_way_too(
    office: Office, error: Exception, raised: type[Exception] | None, state: str, number: int | None
) -> None:
    """The first may still be on its way to AFIP: a second that did not arrive frees no number."""
    job = await completed(office)
    unknown = await lost(office, job, moment="before")
    office.weather.plan("tax_authority.authorise:before", error)
    if raised is None:
        await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    else:
        with pytest.raises(raised):
            await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert ((await stored(office, job)).state, (await stored(office, job)).number) == (state, number)
    office.clock.forward(seconds=60)
    assert (await invoice(office, job)).number == 1
    assert authorised(office) == [(1, unknown.id)]


async def test_a_first_question_that_arrives_during_the_second_is_adopted(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment="before")
    office.weather.plan("tax_authority.authorise:before", lambda: office.authority.authorise(unknown))
    settled = await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert (settled.state, settled.authorisation) == ("issued", office.authority.series[SERIES][0].authorisation)
    assert authorised(office) == [(1, unknown.id)]


async def test_a_number_that_another_program_takes_at_the_same_moment_is_refused_to_us(office: Office) -> None:
    job = await completed(office)

    async def another() -> None:
        office.authority.series[SERIES] = [theirs()]

    office.weather.plan("tax_authority.last_authorised:after", another)
    with pytest.raises(Refused, match="10016"):
        await invoice(office, job)
    assert ((await stored(office, job)).state, (await stored(office, job)).number) == ("cae_failed", None)
    assert (await invoice(office, job)).number == 2


async def test_an_answer_that_settles_a_blocker_with_a_no_frees_the_series(office: Office) -> None:
    first, second = await completed(office), await completed(office)
    await lost(office, first, moment="before")
    office.weather.plan("tax_authority.authorise:before", OTHER_NO)
    assert (await invoice(office, second)).number == 1
    assert (await stored(office, first)).state == "cae_failed"


async def test_a_blocker_whose_second_answer_is_lost_too_still_holds_the_series(office: Office) -> None:
    first, second = await completed(office), await completed(office)
    await lost(office, first, moment="before")
    office.weather.plan("tax_authority.authorise:before", LOST)
    with pytest.raises(SeriesBusy, match="00001-00000001 of the same series still waits"):
        await invoice(office, second)
    assert [(await stored(office, job)).state for job in (first, second)] == ["unknown", "draft"]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_two_who_settle_at_once_settle_once(office: Office, moment: str) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment=moment)
    same = office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    office.weather.plan("tax_authority.find:after", lambda: elsewhere(same))
    if moment == "after":
        assert (await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)).state == "issued"
    else:
        with pytest.raises(SeriesBusy, match="is being authorised"):
            await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert ((await stored(office, job)).state, authorised(office)) == ("issued", [(1, unknown.id)])


async def test_a_yes_that_comes_after_the_settler_lost_its_own_is_found_later(office: Office) -> None:
    job = await completed(office)

    async def settle_meanwhile() -> None:
        office.clock.forward(seconds=61)
        office.weather.plan("tax_authority.authorise:before", LOST)
        await elsewhere(office.invoicing.settle(actor=MARTA, invoice_id=(await stored(office, job)).id))

    office.weather.plan("tax_authority.authorise:before", settle_meanwhile)
    with pytest.raises(StaleVersion):
        await invoice(office, job)
    assert (await stored(office, job)).state == "unknown"
    office.clock.forward(seconds=61)
    await office.invoicing.settle_unanswered()
    assert ((await stored(office, job)).state, len(authorised(office))) == ("issued", 1)


def theirs() -> Voucher:
    """Return what another program of the same issuer has under the first number."""
    return Voucher(
        number=1,
        invoice_id="theirs",
        job_id="theirs",
        document=(99, 0),
        total=Decimal(1),
        issued_on=date(2026, 11, 20),
        authorisation=a_cae(99),
    )


async def test_a_number_that_another_program_used_is_left_to_it(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment="before")
    office.authority.series[SERIES] = [theirs()]
    settled = await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert (settled.state, settled.authorisation) == ("draft", None)
    assert (await invoice(office, job)).number == 2
    assert authorised(office) == [(1, "theirs"), (2, unknown.id)]


@pytest.mark.parametrize(("moment", "number"), [("after", 1), ("before", 1)])
async def test_asking_again_settles_first(office: Office, moment: str, number: int) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment=moment)
    issued = await invoice(office, job)
    assert (issued.id, issued.state, issued.number) == (unknown.id, "issued", number)
    assert authorised(office) == [(1, unknown.id)]


async def test_asking_again_after_another_program_used_the_number_takes_the_next(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, moment="before")
    office.authority.series[SERIES] = [theirs()]
    issued = await invoice(office, job)
    assert (issued.id, issued.state, issued.number) == (unknown.id, "issued", 2)


async def test_an_answer_that_may_still_come_is_waited_for(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, wait=59.9)
    for ask in (
        office.invoicing.settle(actor=MARTA, invoice_id=unknown.id),
        invoice(office, job),
    ):
        with pytest.raises(SeriesBusy, match="00001-00000001 still waits for AFIP's answer"):
            await ask
    assert (await stored(office, job)).state == "unknown"


async def test_a_silent_afip_leaves_it_unknown(office: Office) -> None:
    job = await completed(office)
    unknown = await lost(office, job, wait=61)
    office.weather.plan("tax_authority.find:before", DOWN, DOWN)
    with pytest.raises(Unavailable):
        await office.invoicing.settle(actor=MARTA, invoice_id=unknown.id)
    assert await office.invoicing.settle_unanswered() == 1
    assert (await stored(office, job)).state == "unknown"


async def test_nobody_takes_the_next_number_before_the_open_one_is_settled(office: Office) -> None:
    first, second = await completed(office), await completed(office)
    unknown = await lost(office, first, wait=30)
    with pytest.raises(SeriesBusy, match="00001-00000001"):
        await invoice(office, second)
    assert (await stored(office, second)).state == "draft"
    office.clock.forward(seconds=30)
    issued = await invoice(office, second)
    assert (issued.number, (await stored(office, first)).state) == (2, "issued")
    assert authorised(office) == [(1, unknown.id), (2, issued.id)]


async def test_another_series_does_not_wait(office: Office) -> None:
    first, second = await completed(office), await completed(office)
    await lost(office, first, wait=0)
    await office.store.issuers.put(an_issuer(point_of_sale=2))
    assert (await invoice(office, second)).printed_number == "00002-00000001"


async def test_two_invoices_of_a_series_at_once_take_one_number_each(office: Office) -> None:
    """The second finds the first still open when it stores its own number."""
    first, second = await completed(office), await completed(office)
    office.weather.plan("tax_authority.last_authorised:after", dies_while_it_charges(office, second))
    with pytest.raises(SeriesBusy):
        await invoice(office, first)
    office.weather.clear()
    assert (await stored(office, first)).state == "draft"
    assert (await stored(office, second)).state == "pending_cae"
    office.clock.forward(seconds=60)
    assert [(await invoice(office, job)).number for job in (first, second)] == [2, 1]


def dies_while_it_charges(office: Office, job: Job, *, moment: str = "before") -> Mishap:
    """Return what leaves a job's invoice pending, as a process does that dies while it asks AFIP."""

    async def die() -> None:
        office.weather.plan(f"tax_authority.authorise:{moment}", RuntimeError("killed"))
        with pytest.raises(RuntimeError):
            await elsewhere(invoice(office, job))

    return die


async def test_two_who_charge_the_same_job_at_once_make_one_invoice(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.last_authorised:after", lambda: elsewhere(invoice(office, job)))
    with pytest.raises(SeriesBusy, match="is being authorised"):
        await invoice(office, job)
    issued = await stored(office, job)
    assert (issued.state, authorised(office)) == ("issued", [(1, issued.id)])


async def test_a_draft_that_another_submits_meanwhile_is_not_taken_back(office: Office) -> None:
    """Taken back, its number would be given twice and its CAE lost."""
    job = await completed(office)
    office.weather.plan("tax_authority.last_authorised:before", DOWN)
    with pytest.raises(Unavailable):
        await invoice(office, job)
    office.weather.plan("begin:before", dies_while_it_charges(office, job, moment="after"))
    with pytest.raises(SeriesBusy):
        await invoice(office, job)
    assert (await stored(office, job)).state == "pending_cae"
    office.clock.forward(seconds=60)
    issued = await invoice(office, job)
    assert (issued.state, authorised(office)) == ("issued", [(1, issued.id)])


async def test_a_draft_that_another_has_issued_meanwhile_is_returned_as_it_is(office: Office) -> None:
    job = await completed(office)
    office.weather.plan("tax_authority.last_authorised:before", DOWN)
    with pytest.raises(Unavailable):
        await invoice(office, job)
    office.weather.plan("begin:before", lambda: elsewhere(invoice(office, job)))
    issued = await invoice(office, job)
    assert (issued.state, authorised(office)) == ("issued", [(1, issued.id)])


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_dies_while_it_asks_leaves_the_number_to_be_settled(office: Office, moment: str) -> None:
    job = await completed(office)
    office.weather.plan(f"tax_authority.authorise:{moment}", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await invoice(office, job)
    assert ((await stored(office, job)).state, (await stored(office, job)).number) == ("pending_cae", 1)
    assert await office.invoicing.settle_unanswered() == 0
    office.clock.forward(seconds=60.1)
    assert await office.invoicing.settle_unanswered() == 1
    assert (await stored(office, job)).state == "issued"
    assert len(authorised(office)) == 1
    assert await office.invoicing.settle_unanswered() == 0


async def test_those_that_cannot_be_settled_keep_nobody_waiting(office: Office) -> None:
    jobs = []
    for point in range(1, 8):
        await office.store.issuers.put(an_issuer(point_of_sale=point))
        jobs.append(await completed(office))
        await lost(office, jobs[-1], wait=0.1)
    office.clock.forward(seconds=61)
    office.weather.plan("tax_authority.find:before", DOWN, DOWN, DOWN, None, DOWN)
    assert await office.invoicing.settle_unanswered(page=2) == 7
    states = ["unknown", "unknown", "unknown", "issued", "unknown", "issued", "issued"]
    assert [(await stored(office, job)).state for job in jobs] == states
    assert await office.invoicing.settle_unanswered() == 4
    assert {(await stored(office, job)).state for job in jobs} == {"issued"}


async def test_the_settler_is_named(office: Office) -> None:
    await lost(office, await completed(office), wait=61)
    await office.quiet()
    await office.invoicing.settle_unanswered()
    async with office.store.outbox.unsent(limit=10) as (envelope,):
        assert (envelope.actor, envelope.event_type) == ("invoicing.settler", "invoice.issued")


async def test_the_pdf_has_afip_s_file_name_and_the_code(office: Office) -> None:
    issued = await invoice(office, await completed(office))
    name, content = await office.invoicing.pdf(actor=MARTA, invoice_id=issued.id)
    assert name == "30712345671_006_00001_00000001.pdf"
    assert b"70000000000001" in content
    assert b"https://www.arca.gob.ar/fe/qr/?p=" in content


async def test_nothing_without_a_cae_is_printed(office: Office) -> None:
    unknown = await lost(office, await completed(office))
    with pytest.raises(NotIssued):
        await office.invoicing.pdf(actor=MARTA, invoice_id=unknown.id)


async def test_invoices_are_listed_newest_first(office: Office) -> None:
    ids = []
    for _ in range(3):
        ids.append((await invoice(office, await completed(office))).id)
        office.clock.forward(seconds=1)
    first, cursor = await office.invoicing.list(actor=MARTA, limit=2)
    last, end = await office.invoicing.list(actor=MARTA, limit=2, cursor=cursor)
    assert ([each.id for each in (*first, *last)], end) == (ids[::-1], None)
    assert timedelta(seconds=1) == first[0].created_at - first[1].created_at
