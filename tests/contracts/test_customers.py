"""The promises of `CustomerRepository` and `CustomerReader`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.customers import Customer, CustomerNotFound, IdentityTaken
from core.kernel.errors import Invalid, StaleVersion
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, a_customer, acting_for

PHONE, SCOPED = "whatsapp:5491155550001", "whatsapp:AR.123"


async def save(store: Store, *customers: Customer) -> None:
    for customer in customers:
        async with store.begin(acting_for(customer.tenant)) as tx:
            await tx.customers.save(customer)


async def known_as(store: Store, *identities: str, tenant: str = MINE) -> str | None:
    async with store.begin(acting_for(tenant)) as tx:
        known = await tx.customers.known_as(tenant, identities)
    return None if known is None else known.id


async def test_a_customer_comes_back_whole(store: Store) -> None:
    customer = a_customer(
        phone="+54 9 11 5555-0001",
        identities=(PHONE, SCOPED),
        vat_condition="responsable_inscripto",
        document_type="CUIT",
        document_number="20111111112",
        address="Av. Corrientes 1234",
    )
    async with store.begin(ACTOR) as tx:
        saved = await tx.customers.save(customer)
    assert await store.customers.get(MINE, "cust_1") == saved
    assert (saved.version, saved.facts, saved.phone, saved.identities) == (1, (), "+5491155550001", (PHONE, SCOPED))


async def test_a_customer_that_the_tenant_does_not_have_is_not_found(store: Store) -> None:
    await save(store, a_customer())
    async with store.begin(ACTOR) as tx:
        assert (await tx.customers.get(MINE, "cust_1")).name == "Ana Ruiz"
        with pytest.raises(CustomerNotFound):
            await tx.customers.get(OTHER, "cust_1")
    with pytest.raises(CustomerNotFound):
        await store.customers.get(OTHER, "cust_1")
    with pytest.raises(CustomerNotFound):
        await store.customers.get(MINE, "cust_2")


async def test_the_first_identity_that_anybody_has_decides(store: Store) -> None:
    await save(store, a_customer("cust_1", identities=(PHONE,)), a_customer("cust_2", identities=(SCOPED,)))
    assert await known_as(store, "whatsapp:nobody", SCOPED, PHONE) == "cust_2"
    assert await known_as(store, PHONE, SCOPED) == "cust_1"


async def test_an_identity_that_nobody_has_finds_nobody(store: Store) -> None:
    await save(store, a_customer(identities=(PHONE,)))
    assert await known_as(store, SCOPED) is None
    assert await known_as(store, PHONE, tenant=OTHER) is None
    assert await known_as(store) is None


async def test_an_identity_belongs_to_one_customer(store: Store) -> None:
    await save(store, a_customer("cust_1", identities=(PHONE,)))
    with pytest.raises(IdentityTaken):
        await save(store, a_customer("cust_2", identities=(SCOPED, PHONE)))
    with pytest.raises(CustomerNotFound):
        await store.customers.get(MINE, "cust_2")
    assert await known_as(store, SCOPED) is None


async def test_another_tenant_may_know_the_same_person(store: Store) -> None:
    await save(store, a_customer(identities=(PHONE,)), a_customer(tenant=OTHER, identities=(PHONE,)))
    assert await known_as(store, PHONE, tenant=OTHER) == "cust_1"


async def test_an_identity_may_be_added_later(store: Store) -> None:
    await save(store, a_customer(identities=(PHONE,)))
    known = await store.customers.get(MINE, "cust_1")
    await save(store, known.change(at=NOW, identities=(PHONE, SCOPED)))
    assert await known_as(store, SCOPED) == "cust_1"


async def test_the_second_of_two_writers_of_a_customer_is_told_so(store: Store) -> None:
    await save(store, a_customer())
    read = await store.customers.get(MINE, "cust_1")
    await save(store, read.change(at=NOW, name="Ana"))
    with pytest.raises(StaleVersion):
        await save(store, read.change(at=NOW, name="Anita"))
    assert (await store.customers.get(MINE, "cust_1")).name == "Ana"


async def test_customers_are_listed_by_pages_the_newest_first(store: Store) -> None:
    await save(
        store, a_customer(tenant=OTHER), *(a_customer(f"cust_{n}", at=NOW + timedelta(hours=n)) for n in range(3))
    )
    first, cursor = await store.customers.page(MINE, limit=2, cursor=None)
    second, end = await store.customers.page(MINE, limit=2, cursor=cursor)
    assert [customer.id for customer in (*first, *second)] == ["cust_2", "cust_1", "cust_0"]
    assert end is None
    with pytest.raises(Invalid):
        await store.customers.page(MINE, limit=2, cursor="x")
