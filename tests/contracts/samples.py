"""Things to store: one of each, as ordinary as can be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from attrs import define, evolve, field

from core.customers import Customer
from core.invoicing import Authorisation, Invoice, Issuer, Receiver
from core.jobs import Job, Place, Wish
from core.kernel.actor import Actor
from core.kernel.money import Line
from core.messaging import Batch, InboundMessage, Sender, StatusReport
from core.notifications import Delivery, Device, Recipient
from core.tracking import Point, TrackingSession

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINE: Final = "tenant_mine"
OTHER: Final = "tenant_other"
ACTOR: Final = Actor(tenant=MINE, id="user_marta", role="dispatcher", correlation="corr_1")


@define
class Hands:
    """A clock that stands still until somebody moves it."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        """Move the clock by a `timedelta`'s arguments."""
        self.at += timedelta(**by)


@define
class Counter:
    """Ids that can be written into a test: `fact_1`, `fact_2`."""

    _given: dict[str, int] = field(factory=dict)

    def __call__(self, kind: str) -> str:
        self._given[kind] = self._given.get(kind, 0) + 1
        return f"{kind}_{self._given[kind]}"


def acting_for(tenant: str) -> Actor:
    """Return the actor as one of the tenant: nobody writes what is another's."""
    return evolve(ACTOR, tenant=tenant)


def reacting(fact_id: str, reaction: str) -> Actor:
    """Return a reaction as an actor."""
    return Actor(tenant=MINE, id=reaction, role="service", correlation="corr_1", causation=fact_id, reaction=reaction)


def a_job(id_: str = "job_1", *, tenant: str = MINE, at: datetime = NOW, **changes: Any) -> Job:
    wanted: dict[str, Any] = {
        "customer_id": "cust_1",
        "title": "Aire acondicionado",
        "wish": Wish(text="no enfría", trade="aire_acondicionado", day=date(2026, 11, 21), part_of_day="morning"),
        "place": Place(address="Av. Corrientes 1234", lat=-34.6037, lng=-58.3816),
        "source": None,
        "actor": "user_marta",
        **changes,
    }
    return Job.opened(id_=id_, tenant=tenant, at=at, **wanted)


def scheduled(job: Job, *, technician_id: str = "user_carlos", at: datetime = NOW) -> Job:
    return job.schedule(
        technician_id=technician_id,
        starts_at=at,
        ends_at=at + timedelta(hours=2),
        place=None,
        actor="user_marta",
        at=at,
    )


def a_customer(id_: str = "cust_1", *, tenant: str = MINE, at: datetime = NOW, **known: Any) -> Customer:
    return Customer.registered(id_=id_, tenant=tenant, name="Ana Ruiz", at=at, **known)


def a_message(
    number: int = 1, *, tenant: str = MINE, thread: str = "whatsapp:5491155550001", at: datetime = NOW, **changes: Any
) -> InboundMessage:
    wanted: dict[str, Any] = {
        "id": f"msg_{number}",
        "source": "whatsapp",
        "event_id": f"wamid.{number}",
        "sender": Sender(identities=(thread,), name="Ana", phone="+5491155550001"),
        "kind": "text",
        "text": f"text {number}",
        "sent_at": at,
        "received_at": at,
        **changes,
    }
    return InboundMessage(tenant=tenant, **wanted)


def a_report(number: int = 1, *, status: str = "delivered", tenant: str = MINE) -> StatusReport:
    return StatusReport(
        tenant=tenant,
        source="whatsapp",
        event_id=f"wamid.{number}:{status}",
        provider_id=f"wamid.{number}",
        status=status,
        at=NOW,
        received_at=NOW,
    )


def a_batch(id_: str = "batch_1", *, tenant: str = MINE, at: datetime = NOW) -> Batch:
    return Batch.gathered(id_=id_, messages=[a_message(tenant=tenant)], reason="timeout", at=at)


def a_session(
    id_: str = "trip_1", *, tenant: str = MINE, job_id: str = "job_1", token_hash: str = "aa11", at: datetime = NOW
) -> TrackingSession:
    return TrackingSession.opened(
        id_=id_,
        tenant=tenant,
        job_id=job_id,
        technician_id="user_carlos",
        customer_id="cust_1",
        token_hash=token_hash,
        destination=Point(-34.6037, -58.3816),
        at=at,
    )


def an_issuer(*, tenant: str = MINE, point_of_sale: int = 1) -> Issuer:
    return Issuer(
        tenant=tenant,
        cuit="30712345671",
        name="Climatización Palermo S.R.L.",
        address="Av. Santa Fe 3200",
        vat_condition="responsable_inscripto",
        point_of_sale=point_of_sale,
        gross_income="901-234567-1",
        started_on=date(2019, 3, 1),
    )


def an_invoice(
    id_: str = "inv_1",
    *,
    tenant: str = MINE,
    job_id: str = "job_1",
    at: datetime = NOW,
    point_of_sale: int = 1,
    price: str = "10000.50",
) -> Invoice:
    return Invoice.drafted(
        id_=id_,
        job_id=job_id,
        issuer=an_issuer(tenant=tenant, point_of_sale=point_of_sale),
        receiver=Receiver(customer_id="cust_1", name="Ana Ruiz"),
        lines=(Line(description="Carga de gas", quantity=Decimal("1.5"), unit_price=Decimal(price)),),
        currency="ARS",
        serviced_on=date(2026, 11, 20),
        at=at,
    )


def submitted(invoice: Invoice, number: int = 1, *, at: datetime = NOW) -> Invoice:
    return invoice.submit(number=number, issued_on=date(2026, 11, 20), at=at)


def a_cae(number: int = 1) -> Authorisation:
    return Authorisation(cae=f"7{number:013}", expires_on=date(2026, 11, 30))


def a_delivery(
    id_: str = "dlv_1",
    *,
    tenant: str = MINE,
    key: str = "fact_1:arrived",
    job_id: str | None = "job_1",
    at: datetime = NOW,
) -> Delivery:
    return Delivery.queued(
        id_=id_,
        tenant=tenant,
        key=key,
        template="technician_arrived",
        recipient=Recipient(id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550001"),
        parameters=("Ana", "Carlos"),
        link=None,
        attachment=None,
        job_id=job_id,
        at=at,
    )


def a_device(
    id_: str = "dev_1", *, tenant: str = MINE, user_id: str = "user_1", provider: str = "expo", at: datetime = NOW
) -> Device:
    token = f"ExponentPushToken[{id_}]" if provider == "expo" else f"fcm-{id_}"
    return Device.registered(
        id_=id_,
        tenant=tenant,
        user_id=user_id,
        provider=provider,
        token=token,
        name="Moto G",
        session_id=f"session_of_{id_}",
        at=at,
    )
