"""Telling people once, and knowing whether they were told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid, StaleVersion, Unavailable
from core.notifications import AnswerLost, AskedToWait, BadVariables, Delivery, Recipient, SendRefused, Wanted
from tests.contracts.samples import MINE, NOW
from tests.core.office import CARLOS, GAS, MARTA, PLANNER, STRANGER, Office, elsewhere

ANA: Final = Recipient(id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550001")
LOST: Final = AnswerLost("read timeout")
DOWN: Final = Unavailable("connection refused")
SENDER: Final = Actor(
    tenant=MINE, id="r", role="service", correlation="c", causation="fact_1", reaction="notifications.send"
)


async def notify(office: Office, *, key: str = "fact_1:arrived", **wanted: Any) -> Delivery:
    message: dict[str, Any] = {"template": "technician_arrived", "parameters": ("Ana", "Carlos"), **wanted}
    made = await office.notifications.notify(actor=MARTA, key=key, recipient=ANA, **message)
    assert made is not None
    return made


async def send(office: Office, actor: Actor = SENDER) -> None:
    await office.notifications.send(actor=actor, delivery_id="dlv_1")


async def stored(office: Office) -> Delivery:
    (delivery,), _ = await office.notifications.log(actor=MARTA)
    return delivery


async def record(office: Office, status: str, **wanted: Any) -> None:
    report: dict[str, Any] = {"provider_id": "wamid_1", "reference": None, **wanted}
    await office.notifications.record(actor=MARTA, status=status, **report)


async def test_the_same_reason_gives_the_same_delivery(office: Office) -> None:
    first = await notify(office)
    assert await notify(office, parameters=("Other", "words")) == first
    assert (await notify(office, key="fact_2:arrived")).id != first.id
    assert len(await office.facts("notification.queued")) == 2


async def test_a_queued_message_is_sent_and_logged(office: Office) -> None:
    await notify(office, job_id="job_1")
    await send(office)
    delivery = await stored(office)
    assert (delivery.state, delivery.attempts, delivery.provider_id) == ("sent", 1, "wamid_1")
    (shown,) = office.shown()
    assert (shown.delivery.text, shown.document) == ("Hola Ana, Carlos llegó a tu domicilio.", None)
    assert delivery.due_at is None


async def test_the_attempt_is_written_down_before_the_provider_is_called(office: Office) -> None:
    await notify(office)
    seen: list[tuple[str, int]] = []

    async def look() -> None:
        delivery = await stored(office)
        seen.append((delivery.state, delivery.attempts))

    office.weather.plan("channel.send:before", look)
    await send(office)
    assert seen == [("sending", 1)]


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "failed"])
async def test_what_was_sent_is_not_sent_again(office: Office, state: str) -> None:
    await notify(office)
    await record(office, state, reference="dlv_1")
    await send(office)
    assert (office.shown(), (await stored(office)).state) == ([], state)


async def test_what_the_provider_did_not_take_is_tried_again_when_it_is_due(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:before", DOWN)
    await send(office)
    waiting = await stored(office)
    assert (waiting.state, waiting.attempts, waiting.error_text) == ("queued", 1, "connection refused")
    assert waiting.due_at == NOW + timedelta(seconds=2)
    await send(office)  # delivered twice by the broker, and too early
    assert await office.errands() == 0
    office.clock.forward(seconds=2)
    assert await office.errands() == 1
    sent = await stored(office)
    assert (sent.state, sent.attempts, sent.error_text, len(office.shown())) == ("sent", 2, None, 1)
    assert await office.errands() == 0


async def test_a_provider_that_asks_to_wait_longer_is_obeyed(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:before", AskedToWait("quota", retry_after=90.0))
    await send(office)
    assert (await stored(office)).due_at == NOW + timedelta(seconds=90)


async def test_pauses_grow_and_end_in_failure_after_a_day(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:before", *[DOWN] * 60)
    await send(office)
    waits: list[float] = []
    while (waiting := await stored(office)).due_at is not None:
        waits.append((waiting.due_at - office.clock()).total_seconds())
        office.clock.at = waiting.due_at
        await office.errands()
    assert waits[:9] == [2, 6, 18, 54, 162, 486, 1458, 1800, 1800]
    assert (waiting.state, waiting.error_code, waiting.attempts) == ("failed", "gave_up", 60)
    assert timedelta(hours=24) < office.clock() - NOW < timedelta(hours=27)


async def test_a_report_on_what_seemed_not_taken_stands(office: Office) -> None:
    await notify(office)

    async def told_and_down() -> None:
        await record(office, "delivered", reference="dlv_1")
        raise DOWN

    office.weather.plan("channel.send:before", told_and_down)
    await send(office)
    assert ((await stored(office)).state, (await stored(office)).due_at) == ("delivered", None)
    office.clock.forward(days=2)
    assert (await office.errands(), office.shown()) == (0, [])


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_lost_answer_is_waited_for_a_minute_then_sent_again(office: Office, moment: str) -> None:
    await notify(office)
    office.weather.plan(f"channel.send:{moment}", LOST)
    await send(office)
    office.clock.forward(seconds=59.9)
    await send(office)
    assert await office.errands() == 0
    assert ((await stored(office)).state, (await stored(office)).attempts) == ("sending", 1)
    office.clock.forward(seconds=0.1)
    await office.errands()
    assert ((await stored(office)).state, (await stored(office)).attempts) == ("sent", 2)
    assert len(office.shown()) == {"before": 1, "after": 2}[moment]


async def test_the_second_doubt_is_waited_for_twice_as_long(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:before", LOST, LOST)
    await send(office)
    office.clock.forward(seconds=60)
    await office.errands()
    assert (await stored(office)).due_at == office.clock() + timedelta(seconds=120)


async def test_a_report_settles_the_question_and_nothing_is_sent_twice(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:after", LOST)
    await send(office)
    await record(office, "delivered", reference="dlv_1")
    office.clock.forward(minutes=5)
    await send(office)
    await office.errands()
    assert ((await stored(office)).state, len(office.shown())) == ("delivered", 1)


async def test_a_process_that_died_while_it_sent_is_treated_as_a_lost_answer(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:after", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await send(office)
    await send(office)
    assert ((await stored(office)).state, len(office.shown())) == ("sending", 1)
    office.clock.forward(seconds=60)
    await office.errands()
    assert (await stored(office)).state == "sent"


async def test_what_nobody_reacted_to_is_sent_all_the_same(office: Office) -> None:
    await notify(office)
    assert await office.errands() == 0
    office.clock.forward(seconds=30)
    await office.errands()
    assert (await stored(office)).state == "sent"


async def test_two_processes_send_what_is_due_once(office: Office) -> None:
    await notify(office)
    office.clock.forward(seconds=30)
    (errand,) = await office.notifications.due()
    other = office.notifications.run(errand)
    office.weather.plan("deliveries.get:after", lambda: elsewhere(other), None)
    await office.notifications.run(errand)
    assert ((await stored(office)).attempts, len(office.shown())) == (1, 1)


async def test_what_the_provider_will_never_take_has_failed(office: Office) -> None:
    await notify(office)
    office.weather.plan("channel.send:before", SendRefused("131026", "not a WhatsApp user"))
    await send(office)
    failed = await stored(office)
    assert (failed.state, failed.error_code, failed.error_text) == ("failed", "131026", "not a WhatsApp user")
    (fact,) = await office.facts("notification.failed")
    assert (fact.error_code, fact.error_text) == ("131026", "not a WhatsApp user")


async def test_a_report_that_is_faster_than_the_answer_stands(office: Office) -> None:
    await notify(office)
    told = record(office, "read", reference="dlv_1")
    office.weather.plan("channel.send:after", lambda: elsewhere(told))
    await send(office)
    delivery = await stored(office)
    assert (delivery.state, delivery.provider_id) == ("read", "wamid_1")


async def racing(office: Office, *statuses: str) -> None:
    """Let reports arrive between reading and saving the delivery that was sent."""

    async def arm() -> None:
        reports = [(lambda status=status: elsewhere(record(office, status, reference="dlv_1"))) for status in statuses]
        office.weather.plan("deliveries.get:after", *[each for report in reports for each in (report, None)])

    office.weather.plan("channel.send:after", arm)
    await send(office)


async def test_a_report_at_the_same_moment_is_not_lost(office: Office) -> None:
    await notify(office)
    await racing(office, "delivered")
    delivery = await stored(office)
    assert (delivery.state, delivery.provider_id) == ("delivered", "wamid_1")


async def test_the_second_lost_race_is_left_to_the_next_try(office: Office) -> None:
    await notify(office)
    with pytest.raises(StaleVersion):
        await racing(office, "delivered", "read")
    assert (await stored(office)).state == "read"


async def test_reports_raise_the_state_by_the_provider_s_id(office: Office) -> None:
    await notify(office)
    await send(office)
    for status, state in (("delivered", "delivered"), ("sent", "delivered"), ("read", "read"), ("failed", "read")):
        await record(office, status)
        assert (await stored(office)).state == state


async def test_a_report_that_changes_nothing_stores_nothing(office: Office) -> None:
    await notify(office)
    await send(office)
    await record(office, "delivered")
    version = (await stored(office)).version
    await record(office, "delivered")
    assert (await stored(office)).version == version


async def test_a_failure_is_kept_in_the_provider_s_words(office: Office) -> None:
    await notify(office)
    await send(office)
    await record(office, "failed", error_code="131047", error_text="Re-engagement message")
    failed = await stored(office)
    assert (failed.state, failed.error_code, failed.error_text) == ("failed", "131047", "Re-engagement message")


@pytest.mark.parametrize("reference", [None, "dlv_9"], ids=["no reference", "somebody else's"])
async def test_reports_on_messages_that_we_did_not_send_are_let_pass(office: Office, reference: str | None) -> None:
    await notify(office)
    await record(office, "delivered", provider_id="wamid_9", reference=reference)
    assert (await stored(office)).state == "queued"


async def test_a_message_takes_its_document_along(office: Office) -> None:
    job = await office.a_job(status="completed")
    issued = await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    await notify(office, template="invoice_ready", parameters=("Ana", "1", "2", "3"), attachment=f"invoice:{issued.id}")
    await send(office)
    (shown,) = office.shown()
    assert shown.document is not None
    assert (shown.document.filename, shown.document.content_type) == (issued.filename, "application/pdf")
    assert shown.document.content.startswith(b"%PDF")
    assert job.lines == (GAS,)


async def test_a_sender_that_stood_still_for_too_long_does_not_send(office: Office) -> None:
    """By then somebody else may take it for dead and send the message."""
    job = await office.a_job(status="completed")
    issued = await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    await notify(office, template="invoice_ready", parameters=("Ana", "1", "2", "3"), attachment=f"invoice:{issued.id}")

    async def stand_still() -> None:
        office.clock.forward(seconds=31)

    office.weather.plan("invoices.get:before", stand_still)
    await send(office)
    assert office.shown() == []
    office.clock.forward(seconds=29)
    await office.errands()
    assert len(office.shown()) == 1


async def test_a_document_that_nobody_has_is_not_sent_without(office: Office) -> None:
    await notify(office, attachment="photo:photo_1")
    await send(office)
    (delivery,) = (await office.deliveries()).values()
    assert (delivery.state, delivery.error_code) == ("failed", "not_found")
    assert office.shown() == []


async def test_the_log_is_for_whom_the_table_says(office: Office) -> None:
    await notify(office, job_id="job_1")
    await notify(office, key="other", job_id="job_2")
    log, _ = await office.notifications.log(actor=MARTA, wanted=Wanted(job_id="job_1"))
    assert [delivery.job_id for delivery in log] == ["job_1"]
    assert await office.notifications.log(actor=STRANGER) == ([], None)
    for actor in (CARLOS, PLANNER):
        with pytest.raises(NotAllowed):
            await office.notifications.log(actor=actor)


@pytest.mark.parametrize(("wanted", "field"), [(Wanted(state="lost"), "status"), (Wanted(channel="fax"), "channel")])
async def test_the_log_knows_what_can_be_asked_for(office: Office, wanted: Wanted, field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        await office.notifications.log(actor=MARTA, wanted=wanted)
    assert wrong.value.field == field


async def test_a_message_without_its_variables_is_refused_by_name_and_the_next_one_goes_on(office: Office) -> None:
    with pytest.raises(BadVariables, match="technician is missing"):
        await notify(office, parameters=("Ana",))
    with pytest.raises(Invalid, match="no sound template nonsense"):
        await notify(office, template="nonsense")
    await notify(office)
    await send(office)
    assert len(office.shown()) == 1
