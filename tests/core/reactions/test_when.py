"""When X happens, Y follows: what each reaction does, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from attrs import evolve

from adapters.memory import MemoryLanguageModel
from core.invoicing.events import InvoiceIssued
from core.jobs import Job, Place
from core.kernel.actor import Actor
from core.messaging import Understanding
from core.messaging.events import RequestUnderstood
from core.notifications import Wanted, first_name
from core.reactions import FACTS
from core.tracking.events import ArrivalDetected
from core.tracking.geo import Point
from tests.contracts.samples import MINE, NOW, a_message, a_report
from tests.core.office import CARLOS, GAS, MARTA, Office

REACTING: Final = Actor(
    tenant=MINE, id="r", role="service", correlation="batch_1", causation="fact_x", reaction="some.reaction"
)
THREAD: Final = "whatsapp:5491155550001"
LUCIA_S_VISIT: Final[dict[str, Any]] = {
    "technician_id": "user_lucia",
    "starts_at": datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    "ends_at": datetime(2026, 11, 21, 14, 0, tzinfo=UTC),
}


def understood(**wanted: Any) -> RequestUnderstood:
    said: dict[str, Any] = {
        "intent": "request_tech",
        "text": "necesito un técnico",
        "sender_name": "Ana",
        "sender_phone": "+5491155550001",
        "identities": (THREAD,),
        **wanted,
    }
    return RequestUnderstood(tenant=MINE, at=NOW, batch_id="batch_1", thread=THREAD, **said)


async def open_from(office: Office, fact: RequestUnderstood) -> Job:
    """Let the request become a job, and return it."""
    await office.reactions["request.understood"]["jobs.open"](REACTING, fact)
    (job,), _ = await office.jobs.list(actor=MARTA)
    return job


async def texts(office: Office) -> dict[str, str]:
    """Return what people were told since the start, by template and recipient."""
    await office.quiet()
    return {key: delivery.text for key, delivery in (await office.deliveries()).items()}


def test_every_reaction_follows_a_fact_that_exists_under_a_stable_name() -> None:
    office = Office()
    assert set(office.reactions) <= set(FACTS)
    assert {fact: sorted(names) for fact, names in office.reactions.items()} == {
        "delivery.reported": ["notifications.record"],
        "identity.session_revoked": ["notifications.retire_devices", "sessions.forget"],
        "invoice.issued": ["jobs.mark_invoiced", "notify.customer"],
        "job.cancelled": ["notify.customer", "notify.technician", "tracking.cancel"],
        "job.completed": ["notify.customer", "notify.technician"],
        "job.en_camino": ["tracking.open"],
        "job.opened": ["notify.customer"],
        "job.scheduled": ["notify.customer", "notify.technician"],
        "job.turned_back": ["tracking.cancel"],
        "job.working": ["notify.customer", "tracking.complete"],
        "messages.aggregated": ["messaging.understand"],
        "notification.queued": ["notifications.send"],
        "request.understood": ["jobs.open"],
        "tracking.arrived": ["jobs.arrive"],
        "tracking.closed": ["tracking.make_known"],
        "tracking.opened": ["notify.customer"],
    }


@pytest.mark.parametrize("intent", ["ask_price", "greeting", "other"])
async def test_only_a_request_for_a_technician_opens_a_job(office: Office, intent: str) -> None:
    await office.reactions["request.understood"]["jobs.open"](REACTING, understood(intent=intent))
    assert (await office.jobs.list(actor=MARTA))[0] == []
    assert (await office.customers.list(actor=MARTA))[0] == []


async def test_a_request_opens_a_job_with_all_that_was_said(office: Office) -> None:
    fact = understood(
        trade="aire_acondicionado",
        address="Corrientes 1",
        lat=-34.6,
        lng=-58.4,
        day=date(2026, 11, 21),
        part_of_day="morning",
        urgency="urgente",
        customer_name="Ana Ruiz",
    )
    job = await open_from(office, fact)
    assert (job.title, job.source, job.status) == ("Aire acondicionado", "batch_1", "pending")
    assert job.place == Place(address="Corrientes 1", lat=-34.6, lng=-58.4)
    assert (job.wish.text, job.wish.trade, job.wish.urgency, job.wish.day, job.wish.part_of_day) == (
        "necesito un técnico",
        "aire_acondicionado",
        "urgente",
        date(2026, 11, 21),
        "morning",
    )
    customer = await office.customers.show(actor=MARTA, customer_id=job.customer_id)
    assert (customer.name, customer.phone, customer.address) == ("Ana Ruiz", "+5491155550001", "Corrientes 1")


@pytest.mark.parametrize("trade", [None, "otros"])
async def test_an_unknown_trade_is_a_job_all_the_same(office: Office, trade: str | None) -> None:
    assert (await open_from(office, understood(trade=trade))).title == "Servicio técnico"


async def test_who_is_known_needs_not_say_where_they_live(office: Office) -> None:
    known = await office.a_customer(address="Corrientes 1")
    job = await open_from(office, understood())
    assert (job.customer_id, job.place.address) == (known, "Corrientes 1")


async def test_who_says_nothing_of_a_place_has_none(office: Office) -> None:
    assert (await open_from(office, understood())).place == Place()


async def test_who_writes_without_a_phone_is_called_by_their_whatsapp_name(office: Office) -> None:
    fact = understood(sender_phone=None, identities=("whatsapp:AR.77",))
    job = await open_from(office, fact)
    customer = await office.customers.show(actor=MARTA, customer_id=job.customer_id)
    assert (customer.name, customer.phone) == ("Ana", None)
    await office.quiet()
    (shown,) = office.shown()
    assert shown.delivery.recipient.address == "AR.77"


async def test_a_job_that_a_dispatcher_opens_is_not_acknowledged(office: Office) -> None:
    await office.a_job()
    assert await texts(office) == {}


async def test_who_asked_by_message_is_acknowledged(office: Office) -> None:
    await open_from(office, understood(customer_name="Ana Ruiz"))
    assert await texts(office) == {
        "request_received_customer/cust_1": (
            "Hola Ana, recibimos tu pedido: Servicio técnico. Te avisamos apenas tengamos día y horario."
        )
    }


async def test_a_visit_is_told_to_both_sides(office: Office) -> None:
    await office.a_job(status="scheduled", place=Place(address="Av. Corrientes 1234"))
    assert await texts(office) == {
        "job_assigned_tech/user_carlos": (
            "Tenés un trabajo nuevo: Aire acondicionado. sáb 21 nov, de 9:00 a 11:00. "
            "Cliente: Ana Ruiz, +5491155550001. Dirección: Av. Corrientes 1234."
        ),
        "job_scheduled_customer/cust_1": (
            "Hola Ana, tu visita quedó agendada para el sáb 21 nov, de 9:00 a 11:00. Va Carlos Gómez."
        ),
    }


@pytest.mark.parametrize(("address", "told"), [("Corrientes 9", "Corrientes 9"), ("", "-")])
async def test_a_visit_without_a_place_is_at_the_customer_s(office: Office, address: str, told: str) -> None:
    customer = await office.customers.register(actor=MARTA, name="Beto", address=address)
    await office.a_job(status="scheduled", customer_id=customer.id)
    assert await texts(office) == {
        "job_assigned_tech/user_carlos": (
            "Tenés un trabajo nuevo: Aire acondicionado. sáb 21 nov, de 9:00 a 11:00. "
            f"Cliente: Beto, -. Dirección: {told}."
        )
    }


async def test_a_colleague_without_a_phone_is_told_by_other_means(office: Office) -> None:
    job = await office.a_job()
    await office.jobs.schedule(actor=MARTA, job_id=job.id, **LUCIA_S_VISIT)
    assert list(await texts(office)) == ["job_scheduled_customer/cust_1"]


async def test_setting_out_opens_a_trip_and_sends_the_link(office: Office) -> None:
    job = await office.a_job(status="en_camino", place=Place(address="x", lat=-34.6, lng=-58.4))
    told = await texts(office)
    session = await office.store.sessions.of_job(MINE, job.id)
    assert session is not None
    assert (session.state, session.technician_id, session.destination) == ("active", "user_carlos", Point(-34.6, -58.4))
    assert told["tracking_link_customer/cust_1"] == (
        "Hola Ana, Carlos Gómez ya salió para tu domicilio. Tocá el botón para ver por dónde viene."
    )
    link = (await office.deliveries())["tracking_link_customer/cust_1"].link
    assert link == office.tracking.token_of(session.id)
    assert (await office.tracking.watch(token=link)).progress.session == session


async def test_setting_out_to_an_unknown_place_opens_a_trip_without_a_destination(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.quiet()
    session = await office.store.sessions.of_job(MINE, job.id)
    assert session is not None
    assert session.destination is None


async def state_of_trip(office: Office, job: Job) -> str:
    await office.quiet()
    session = await office.store.sessions.of_job(MINE, job.id)
    assert session is not None
    return session.state


async def test_turning_back_calls_the_trip_off_and_setting_out_again_opens_another(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.quiet()
    await office.jobs.turn_back(actor=CARLOS, job_id=job.id)
    assert await state_of_trip(office, job) == "cancelled"
    office.clock.forward(minutes=1)
    await office.jobs.depart(actor=CARLOS, job_id=job.id)
    assert await state_of_trip(office, job) == "active"


async def test_arriving_completes_the_trip_and_tells_the_customer(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.quiet()
    await office.jobs.arrive(actor=CARLOS, job_id=job.id)
    assert await state_of_trip(office, job) == "completed"
    told = await texts(office)
    assert told["technician_arrived/cust_1"] == "Hola Ana, Carlos Gómez llegó a tu domicilio."


async def test_the_end_is_told_to_both_sides_with_the_total(office: Office) -> None:
    await office.a_job(status="completed")
    told = await texts(office)
    assert (
        told["job_completed/cust_1"] == "Hola Ana, el trabajo Aire acondicionado quedó terminado. Total: $ 24.200,00."
    )
    assert told["job_completed/user_carlos"] == (
        "Hola Carlos, el trabajo Aire acondicionado quedó terminado. Total: $ 24.200,00."
    )


async def test_a_cancellation_is_told_to_whom_it_concerns_and_ends_the_trip(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.quiet()
    await office.jobs.cancel(actor=MARTA, job_id=job.id, reason="llueve")
    told = await texts(office)
    assert told["job_cancelled/cust_1"] == "Hola Ana, la visita Aire acondicionado quedó cancelada: llueve."
    assert told["job_cancelled/user_carlos"] == "Hola Carlos, la visita Aire acondicionado quedó cancelada: llueve."
    assert await state_of_trip(office, job) == "cancelled"


async def test_who_has_left_is_not_told_what_becomes_of_their_jobs(office: Office) -> None:
    job = await office.a_job(status="scheduled")
    await office.quiet()
    carlos = await office.store.directory.user(MINE, CARLOS.id)
    business = await office.store.directory.tenant(MINE)
    await office.store.directory.enrol(business, [evolve(carlos, active=False)])
    await office.jobs.cancel(actor=MARTA, job_id=job.id, reason="llueve")
    told = await texts(office)
    assert "job_cancelled/cust_1" in told
    assert "job_cancelled/user_carlos" not in told


async def test_a_job_that_no_technician_had_is_cancelled_for_the_customer_only(office: Office) -> None:
    job = await office.a_job()
    await office.jobs.cancel(actor=MARTA, job_id=job.id, reason="llueve")
    assert list(await texts(office)) == ["job_cancelled/cust_1"]


def arrival(job_id: str | None) -> ArrivalDetected:
    return ArrivalDetected(
        tenant=MINE,
        at=NOW + timedelta(minutes=2),
        job_id=job_id,
        session_id="trip_1",
        technician_id="user_carlos",
        customer_id="cust_1",
        arrived_at=NOW,
    )


async def test_an_arrival_that_the_fixes_prove_starts_the_work(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.reactions["tracking.arrived"]["jobs.arrive"](REACTING, arrival(job.id))
    assert (await office.jobs.show(actor=MARTA, job_id=job.id)).status == "working"


@pytest.mark.parametrize("status", ["scheduled", "working", "completed"])
async def test_a_job_that_has_moved_on_by_other_means_stays_where_it_is(office: Office, status: str) -> None:
    job = await office.a_job(status=status)
    await office.reactions["tracking.arrived"]["jobs.arrive"](REACTING, arrival(job.id))
    assert await office.jobs.show(actor=MARTA, job_id=job.id) == job


async def test_facts_without_a_job_move_none(office: Office) -> None:
    await office.reactions["tracking.arrived"]["jobs.arrive"](REACTING, arrival(None))
    issued = InvoiceIssued(
        tenant=MINE, at=NOW, invoice_id="inv_1", customer_id="c", number="n", cae="1", total=Decimal(1), currency="ARS"
    )
    await office.reactions["invoice.issued"]["jobs.mark_invoiced"](REACTING, issued)
    assert (await office.jobs.list(actor=MARTA))[0] == []


async def test_an_issued_invoice_marks_the_job_and_sends_the_document(office: Office) -> None:
    job = await office.a_job(status="completed")
    invoice = await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    told = await texts(office)
    after = await office.jobs.show(actor=MARTA, job_id=job.id)
    assert (after.status, after.invoice_id) == ("invoiced", invoice.id)
    assert told["invoice_ready/cust_1"] == (
        "Hola Ana, te enviamos la factura 00001-00000001 por $ 24.200,00. CAE 70000000000001."
    )
    document = next(shown.document for shown in office.shown() if shown.delivery.template == "invoice_ready")
    assert document is not None
    assert document.filename == invoice.filename


async def test_notes_are_sent_as_the_documents_that_they_are_and_move_no_job(office: Office) -> None:
    job = await office.a_job(status="completed")
    invoice = await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    await office.quiet()
    credit = await office.invoicing.credit(actor=MARTA, invoice_id=invoice.id, reason="x", amount=Decimal(1000))
    await office.invoicing.debit(actor=MARTA, invoice_id=invoice.id, reason="x", lines=invoice.lines)
    told = await texts(office)
    assert told["credit_note_ready/cust_1"] == (
        "Hola Ana, te enviamos la nota de crédito 00001-00000001 por $ 1.000,00, a tu favor. CAE 70000000000002."
    )
    assert "nota de débito 00001-00000001 por $ 24.200,00" in told["debit_note_ready/cust_1"]
    document = next(shown.document for shown in office.shown() if shown.delivery.template == "credit_note_ready")
    assert document is not None
    assert document.filename == credit.filename
    assert (await office.jobs.show(actor=MARTA, job_id=job.id)).invoice_id == invoice.id


async def test_a_provider_s_report_raises_the_delivery(office: Office) -> None:
    await office.a_job(status="scheduled")
    await office.quiet()
    first = office.shown()[0]
    report = evolve(a_report(status="delivered"), provider_id=first.provider_id)
    failed = evolve(
        a_report(2, status="failed"), provider_id=office.shown()[1].provider_id, error_code=131026, error_text="no"
    )
    await office.messaging.note([report, failed])
    await office.quiet()
    states = {each.id: (each.state, each.error_code) for each in (await office.deliveries()).values()}
    assert states[first.delivery.id] == ("delivered", None)
    assert states[office.shown()[1].delivery.id] == ("failed", "131026")


async def test_a_text_is_understood_after_it_was_gathered() -> None:
    office = await Office(model=MemoryLanguageModel({"Hola": Understanding(intent="greeting")})).move_in()
    await office.messaging.receive([a_message(1, text="Hola")])
    office.clock.forward(seconds=8)
    await office.messaging.close_due()
    assert await office.quiet() == [("messaging.understand", "applied"), ("jobs.open", "applied")]
    assert (await office.jobs.list(actor=MARTA))[0] == []


@pytest.mark.parametrize(("name", "called"), [("Ana Ruiz", "Ana"), ("  Ana", "Ana"), ("", "-"), (" ", "-")])
def test_a_friendly_message_calls_people_by_their_first_name(name: str, called: str) -> None:
    assert first_name(name) == called


async def test_the_same_reason_writes_to_the_same_person_once(office: Office) -> None:
    await office.a_job(status="completed")
    facts = await office.facts()
    for _ in range(2):
        for name, fact in ((each.name, each) for each in facts):
            for reaction in office.reactions.get(name, {}).values():
                actor = evolve(REACTING, causation=f"about:{name}", reaction=None)
                await reaction(actor, fact)
    log = await office.deliveries()
    count = len((await office.store.deliveries.page(MINE, wanted=Wanted(), limit=100, cursor=None))[0])
    assert count == len(log)
    assert GAS.net == Decimal(20000)
