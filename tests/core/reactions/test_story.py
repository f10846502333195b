"""The whole story, from three messages to an invoice, on memory adapters."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import pytest

from adapters.memory import MemoryLanguageModel
from core.jobs import Job, Place
from core.kernel.errors import Unavailable
from core.messaging import Understanding
from core.notifications import AnswerLost
from tests.contracts.samples import MINE, a_message
from tests.core.office import CARLOS, GAS, JPEG, MARTA, PNG, Mishap, Office, Weather
from tests.core.tracking.phone import HOME, away

TEXT: Final = "Hola necesito un técnico para el aire acondicionado en Av. Corrientes 1234 mañana a la mañana"
READ: Final = Understanding(
    intent="request_tech",
    trade="aire_acondicionado",
    address="Av. Corrientes 1234",
    day=date(2026, 11, 21),
    part_of_day="morning",
)

TIMELINE: Final = [
    ("message.received", "whatsapp:5491155550001"),
    ("message.received", "whatsapp:5491155550001"),
    ("message.received", "whatsapp:5491155550001"),
    ("messages.aggregated", "messaging.aggregator"),
    ("request.understood", "messaging.understand"),
    ("customer.registered", "jobs.open"),
    ("job.opened", "jobs.open"),
    ("notification.queued", "notify.customer"),
    ("notification.sent", "notifications.send"),
    ("job.scheduled", "user_marta"),
    ("notification.queued", "notify.technician"),
    ("notification.queued", "notify.customer"),
    ("notification.sent", "notifications.send"),
    ("notification.sent", "notifications.send"),
    ("job.en_camino", "user_carlos"),
    ("tracking.opened", "tracking.open"),
    ("notification.queued", "notify.customer"),
    ("notification.sent", "notifications.send"),
    ("tracking.arrived", "user_carlos"),
    ("job.working", "jobs.arrive"),
    ("tracking.closed", "tracking.complete"),
    ("notification.queued", "notify.customer"),
    ("notification.sent", "notifications.send"),
    ("job.photo_added", "user_carlos"),
    ("job.signed", "user_carlos"),
    ("job.completed", "user_carlos"),
    ("notification.queued", "notify.customer"),
    ("notification.queued", "notify.technician"),
    ("notification.sent", "notifications.send"),
    ("notification.sent", "notifications.send"),
    ("invoice.drafted", "user_marta"),
    ("invoice.submitted", "user_marta"),
    ("invoice.issued", "user_marta"),
    ("job.invoiced", "jobs.mark_invoiced"),
    ("notification.queued", "notify.customer"),
    ("notification.sent", "notifications.send"),
]


async def play(office: Office) -> Job:
    """Play the story, letting reactions follow after each step, and return the job."""
    for number, text in enumerate(("Hola", "necesito", TEXT.removeprefix("Hola necesito ")), start=1):
        await office.messaging.receive([a_message(number, text=text, at=office.clock())])
        office.clock.forward(seconds=1)
        await office.messaging.close_due()
    office.clock.forward(seconds=1)
    await office.messaging.close_due()
    await follow(office)

    (job,), _ = await office.jobs.list(actor=MARTA)
    await office.jobs.schedule(
        actor=MARTA,
        job_id=job.id,
        technician_id="user_carlos",
        starts_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
        ends_at=datetime(2026, 11, 21, 14, 0, tzinfo=UTC),
        place=Place(address="Av. Corrientes 1234", lat=HOME.lat, lng=HOME.lng),
    )
    await follow(office)

    office.clock.at = datetime(2026, 11, 21, 11, 40, tzinfo=UTC)
    await office.jobs.depart(actor=CARLOS, job_id=job.id)
    await follow(office)
    for metres in (3000, 2500, 2000, 1400, 900, 400, 60, 55, 50, 50):
        office.clock.forward(seconds=30)
        await office.tracking.update(actor=CARLOS, job_id=job.id, point=away(metres), accuracy=12, speed=metres / 200)
    await follow(office)

    office.clock.forward(hours=1)
    await office.jobs.add_photo(actor=CARLOS, job_id=job.id, content=JPEG)
    await office.jobs.sign(actor=CARLOS, job_id=job.id, content=PNG, signed_by="Ana Ruiz")
    await office.jobs.complete(actor=CARLOS, job_id=job.id, lines=(GAS,), notes="Carga de gas")
    await follow(office)
    await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    await follow(office)
    return await office.jobs.show(actor=MARTA, job_id=job.id)


async def follow(office: Office) -> None:
    """Let everything follow; what failed for now is retried until it goes."""
    for _ in range(8):
        await office.quiet()
        office.clock.forward(seconds=31)
        await office.relay.send_again()
        await office.react()
        await office.errands()


@pytest.fixture
async def office() -> Office:
    """Give an office whose model reads the dialogue, and nothing else."""
    weather = Weather()
    model = MemoryLanguageModel({TEXT: READ}, Understanding(intent="other"), weather)
    return await Office(weather=weather, model=model).move_in()


async def test_the_story_is_told_in_order_with_who_or_what_caused_each_step(office: Office) -> None:
    job = await play(office)
    assert (job.status, job.title, job.wish.text) == ("invoiced", "Aire acondicionado", TEXT)
    entries = await office.jobs.timeline(actor=MARTA, job_id=job.id)
    assert [(entry.kind, entry.actor) for entry in entries] == TIMELINE
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)


async def test_every_step_names_the_step_that_it_follows_from(office: Office) -> None:
    job = await play(office)
    entries = await office.jobs.timeline(actor=MARTA, job_id=job.id)
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.causation is not None:
            assert entry.causation in seen, f"{entry.kind} follows from something later or unknown"
        seen[entry.id] = entry.kind
    causes = {
        entry.kind: seen[entry.causation] for entry in entries if entry.causation and "notification" not in entry.kind
    }
    assert causes == {
        "request.understood": "messages.aggregated",
        "customer.registered": "request.understood",
        "job.opened": "request.understood",
        "tracking.opened": "job.en_camino",
        "job.working": "tracking.arrived",
        "tracking.closed": "job.working",
        "job.invoiced": "invoice.issued",
    }


async def test_the_story_ends_with_everybody_told_and_the_voucher_at_the_authority(office: Office) -> None:
    job = await play(office)
    log = await office.deliveries()
    assert set(log) == {
        "request_received_customer/cust_1",
        "job_assigned_tech/user_carlos",
        "job_scheduled_customer/cust_1",
        "tracking_link_customer/cust_1",
        "technician_arrived/cust_1",
        "job_completed/cust_1",
        "job_completed/user_carlos",
        "invoice_ready/cust_1",
    }
    assert {delivery.state for delivery in log.values()} == {"sent"}
    assert len(office.shown()) == len(log)
    ((voucher,),) = office.authority.series.values()
    assert (voucher.job_id, voucher.total) == (job.id, GAS.net + GAS.net * GAS.vat_rate / 100)
    session = await office.store.sessions.of_job(MINE, job.id)
    assert session is not None
    assert session.state == "completed"


FAULTS: Final[dict[str, dict[str, list[Mishap]]]] = {
    "no buffer": {"buffer.add:before": [None, None, Unavailable("x")]},
    "a model that is down": {"language_model.understand:before": [Unavailable("x"), Unavailable("x")]},
    "no position store": {"positions.put:before": [None, Unavailable("x")], "positions.get:before": [Unavailable("x")]},
    "a provider that is down": {"channel.send:before": [Unavailable("x"), Unavailable("x")]},
    "a provider whose answer is lost": {"channel.send:before": [None, AnswerLost("x")]},
    "a database that comes and goes": {"begin:before": [None, None, None, Unavailable("x"), None, Unavailable("x")]},
    "commits whose answer is lost": {"commit:after": [None, Unavailable("x"), None, Unavailable("x")]},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_story_ends_the_same_whatever_fails_for_a_while(office: Office, fault: str) -> None:
    for step, mishaps in FAULTS[fault].items():
        office.weather.plan(step, *mishaps)
    job = await play(office)
    assert office.weather.calm, "not everything that was planned happened"
    assert job.status == "invoiced"
    assert len(office.shown()) == 8
    ((voucher,),) = office.authority.series.values()
    assert voucher.job_id == job.id
