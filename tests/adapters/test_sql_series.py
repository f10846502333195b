"""Eight workers and one series in PostgreSQL: the number is the fence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import pytest

from adapters.crypto import new_id
from adapters.memory import MemoryPrinter, MemoryTaxAuthority
from adapters.sql import SqlStore, upgrade
from core.invoicing import Invoicing, NotAcceptable, Receiver, SeriesBusy, Work
from core.kernel.errors import CuadrillaError, StaleVersion
from core.kernel.money import Line
from tests import servers
from tests.contracts.conftest import VAULT
from tests.contracts.samples import ACTOR, MINE, Hands, an_invoice, an_issuer, submitted

pytestmark = pytest.mark.anyio
WORKERS, JOBS = 8, 24


class Jobs:
    """Every job is completed, and comes to 121."""

    async def get(self, tenant: str, job_id: str) -> Work:
        assert tenant == MINE
        return Work(
            job_id=job_id,
            receiver=Receiver(customer_id="cust_1", name="Ana"),
            lines=(Line(description="x", quantity=Decimal(1), unit_price=Decimal(100)),),
            currency="ARS",
            serviced_on=date(2026, 11, 20),
        )


@pytest.fixture
async def url(postgres_server: str) -> AsyncIterator[str]:
    with servers.fresh_database(postgres_server) as fresh:
        upgrade(fresh)
        yield fresh


async def hurried(_: str) -> None:
    """Let the others run at every step."""
    await asyncio.sleep(0)


async def patient(waited: int) -> bool:
    await asyncio.sleep(0.01)
    return waited < 2000


def a_store(url: str) -> SqlStore:
    return SqlStore(url, clock=Hands(), new_id=new_id, seal=VAULT.seal, unseal=VAULT.unseal, pool_size=2)


def worker(store: SqlStore, authority: MemoryTaxAuthority) -> Invoicing:
    return Invoicing(
        store.begin,
        store.invoices,
        Jobs(),
        store.issuers,
        authority,
        MemoryPrinter(),
        lambda instant: instant.date(),
        Hands(),
        new_id,
        turn=patient,
    )


async def test_eight_workers_take_each_number_once_and_credit_each_peso_once(url: str) -> None:
    """Twelve jobs, each charged by two workers; then every invoice is credited by two at once."""
    authority = MemoryTaxAuthority(hurried)
    stores = [a_store(url) for _ in range(WORKERS)]
    workers = [worker(store, authority) for store in stores]
    await stores[0].issuers.put(an_issuer())
    wanted = [f"job_{number % (JOBS // 2)}" for number in range(JOBS)]

    async def charge(place: int) -> None:
        for job_id in wanted[place::WORKERS]:
            await workers[place].invoice(actor=ACTOR, job_id=job_id)

    await asyncio.gather(*map(charge, range(WORKERS)))
    (series,) = authority.series
    book = authority.series[series]
    assert [each.number for each in book] == list(range(1, JOBS // 2 + 1))
    assert len({each.job_id for each in book}) == JOBS // 2
    invoices = {each.invoice_id for each in book}

    async def credit(place: int) -> int:
        refused = 0
        for invoice_id in (sorted(invoices) * 2)[place::WORKERS]:
            try:
                await workers[place].credit(actor=ACTOR, invoice_id=invoice_id, reason="x")
            except NotAcceptable:
                refused += 1
        return refused

    assert sum(await asyncio.gather(*map(credit, range(WORKERS)))) == JOBS // 2
    (notes,) = (book for key, book in authority.series.items() if key != series)
    assert sorted(each.corrects[0].invoice_id for each in notes) == sorted(invoices)
    assert [each.number for each in notes] == list(range(1, JOBS // 2 + 1))
    for store in stores:
        await store.close()


async def test_whoever_lost_its_turn_can_change_nothing_any_more(url: str) -> None:
    """The version is the fencing token: a worker that stood still writes with an old one, and is refused."""
    first, second = a_store(url), a_store(url)

    async def save(store: SqlStore, invoice: object) -> object:
        async with store.begin(ACTOR) as tx:
            return await tx.invoices.save(invoice)  # type: ignore[arg-type]  # what is saved is what was read

    await save(first, submitted(an_invoice()))
    stood_still = await first.invoices.get(MINE, "inv_1")
    await save(second, stood_still.ask_again(at=stood_still.created_at))
    for late in (stood_still.release(at=stood_still.created_at), stood_still.refuse([], at=stood_still.created_at)):
        with pytest.raises(StaleVersion):
            await save(first, late)
    with pytest.raises(SeriesBusy):
        await save(first, submitted(an_invoice("inv_2", job_id="job_2")))
    errors: list[CuadrillaError] = []

    async def reserve(number: int) -> None:
        try:
            await save(second, submitted(an_invoice(f"inv_{number}", job_id=f"job_{number}", point_of_sale=7)))
        except CuadrillaError as error:
            errors.append(error)

    await asyncio.gather(*map(reserve, range(10, 14)))
    assert [type(error) for error in errors] == [SeriesBusy] * 3
    await first.close()
    await second.close()
