"""One context's question, answered with what another knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.bridge import (
    DescribedVisits,
    DirectoryColleagues,
    InvoiceDocuments,
    JobsAsWork,
    NotCompleted,
    RegisteredClients,
)
from adapters.memory import MemoryStore
from core.customers import CustomerNotFound
from core.customers.model import DOCUMENT_TYPES, VAT_CONDITIONS
from core.identity import Tenant, User
from core.invoicing.voucher import DOCUMENT_TYPE, RECEIVER_CONDITION
from core.jobs import JobNotFound
from core.kernel.errors import Conflict, NotFound
from core.kernel.money import Line
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, Counter, Hands, a_customer, a_job, a_session, scheduled


@pytest.fixture
async def store() -> MemoryStore:
    """Give a store with a tenant, a customer and a job that waits."""
    store = MemoryStore(clock=Hands(), new_id=Counter())
    people: list[Any] = [
        ("user_carlos", "technician", True),
        ("user_gone", "technician", False),
        ("user_marta", "dispatcher", True),
    ]
    await store.directory.enrol(
        Tenant(id=MINE, name="Climatización Palermo", phone="+541150000000"),
        [User(id=id_, tenant=MINE, name=f"The {id_}", role=role, active=active) for id_, role, active in people],
    )
    async with store.begin(ACTOR) as tx:
        await tx.customers.save(a_customer())
        await tx.jobs.save(a_job())
    return store


@pytest.mark.parametrize(
    ("user_id", "tenant", "expected"),
    [
        ("user_carlos", MINE, True),
        ("user_gone", MINE, False),
        ("user_marta", MINE, False),
        ("user_nobody", MINE, False),
        ("user_carlos", OTHER, False),
    ],
)
async def test_only_an_active_technician_of_the_tenant_is_one(
    user_id: str, tenant: str, expected: bool, store: MemoryStore
) -> None:
    assert await DirectoryColleagues(store.directory).is_technician(tenant, user_id) is expected


async def test_a_customer_exists_for_its_own_tenant(store: MemoryStore) -> None:
    clients = RegisteredClients(store.customers)
    assert await clients.exists(MINE, "cust_1")
    assert not await clients.exists(OTHER, "cust_1")
    assert not await clients.exists(MINE, "cust_2")


def work_of(store: MemoryStore) -> JobsAsWork:
    """Charge on the local day, three hours behind."""
    night = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    return JobsAsWork(store.jobs, store.customers, lambda instant: (instant - timedelta(hours=3)).date(), lambda: night)


async def test_only_a_completed_job_is_charged(store: MemoryStore) -> None:
    with pytest.raises(NotCompleted, match="this one is pending") as refused:
        await work_of(store).get(MINE, "job_1")
    assert (isinstance(refused.value, Conflict), refused.value.code) == (True, "invoice.job_not_completed")


async def test_a_completed_job_is_charged_to_its_customer_on_the_local_day(store: MemoryStore) -> None:
    line = Line(description="Gas", quantity=Decimal(2), unit_price=Decimal("100.50"))
    async with store.begin(ACTOR) as tx:
        job = scheduled(await tx.jobs.get(MINE, "job_1")).depart(actor="user_carlos", at=NOW)
        done = job.arrive(actor="user_carlos", at=NOW).complete(lines=(line,), notes="", actor="user_carlos", at=NOW)
        await tx.jobs.save(done)
    work = await work_of(store).get(MINE, "job_1")
    assert (work.job_id, work.lines, work.currency, work.serviced_on) == ("job_1", (line,), "ARS", date(2026, 11, 20))
    assert (work.receiver.customer_id, work.receiver.name) == ("cust_1", "Ana Ruiz")


async def test_a_job_whose_customer_is_gone_is_not_charged(store: MemoryStore) -> None:
    line = Line(description="Gas", quantity=Decimal(2), unit_price=Decimal("100.50"))
    async with store.begin(ACTOR) as tx:
        job = scheduled(a_job("job_2", customer_id="cust_none")).depart(actor="user_carlos", at=NOW)
        done = job.arrive(actor="user_carlos", at=NOW).complete(lines=(line,), notes="", actor="user_carlos", at=NOW)
        await tx.jobs.save(done)
    with pytest.raises(CustomerNotFound):
        await work_of(store).get(MINE, "job_2")


async def test_a_job_that_the_tenant_does_not_have_is_not_charged(store: MemoryStore) -> None:
    with pytest.raises(JobNotFound):
        await work_of(store).get(OTHER, "job_1")


async def test_a_visit_is_described_with_what_the_customer_may_know(store: MemoryStore) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(scheduled(await tx.jobs.get(MINE, "job_1")))
    visit = await DescribedVisits(store.directory, store.jobs).describe(a_session())
    assert (visit.technician, visit.business, visit.business_phone, visit.address) == (
        "The user_carlos",
        "Climatización Palermo",
        "+541150000000",
        "Av. Corrientes 1234",
    )


def test_invoicing_knows_every_condition_and_document_that_a_customer_may_have() -> None:
    assert set(VAT_CONDITIONS) == set(RECEIVER_CONDITION)
    assert set(DOCUMENT_TYPES) == set(DOCUMENT_TYPE)


class Printed:
    """Stands for invoicing: remembers who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, str]] = []

    async def pdf(self, *, actor: Any, invoice_id: str) -> tuple[str, bytes]:
        self.asked.append((actor.tenant, actor.role, actor.id, invoice_id))
        return f"{invoice_id}.pdf", b"%PDF"


async def test_an_invoice_s_document_is_printed_for_its_tenant() -> None:
    printed: Any = Printed()
    document = await InvoiceDocuments(printed).fetch(MINE, "invoice:inv_1")
    assert (document.filename, document.content_type, document.content) == ("inv_1.pdf", "application/pdf", b"%PDF")
    assert printed.asked == [(MINE, "service", "notifications", "inv_1")]


@pytest.mark.parametrize("reference", ["photo:1", "inv_1", ""])
async def test_there_is_no_document_of_another_kind(reference: str) -> None:
    printed: Any = Printed()
    with pytest.raises(NotFound):
        await InvoiceDocuments(printed).fetch(MINE, reference)
    assert printed.asked == []
