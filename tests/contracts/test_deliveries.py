"""The promises of `DeliveryRepository` and `DeliveryReader`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.kernel.errors import Invalid, StaleVersion
from core.notifications import Delivery, DeliveryNotFound
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, a_delivery, acting_for


async def save(store: Store, delivery: Delivery) -> Delivery:
    async with store.begin(acting_for(delivery.tenant)) as tx:
        return await tx.deliveries.save(delivery)


async def test_a_delivery_comes_back_whole(store: Store) -> None:
    delivery = a_delivery().attempt(at=NOW).sent(provider_id="wamid.7", at=NOW + timedelta(seconds=1))
    saved = await save(store, delivery)
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.get(MINE, "dlv_1")
    assert found == saved
    assert (found.version, found.facts, found.state, found.attempts) == (1, (), "sent", 1)
    assert (found.provider_id, found.parameters, found.recipient.address) == (
        "wamid.7",
        ("Ana", "Carlos"),
        "+5491155550001",
    )


async def test_a_delivery_that_the_tenant_does_not_have_is_not_found(store: Store) -> None:
    await save(store, a_delivery())
    async with store.begin(ACTOR) as tx:
        with pytest.raises(DeliveryNotFound):
            await tx.deliveries.get(OTHER, "dlv_1")
        with pytest.raises(DeliveryNotFound):
            await tx.deliveries.get(MINE, "dlv_2")


async def test_the_delivery_made_for_a_reason_is_found(store: Store) -> None:
    await save(store, a_delivery(key="fact_1:arrived"))
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.by_key(MINE, "fact_1:arrived")
        assert (found and found.id) == "dlv_1"
        assert await tx.deliveries.by_key(MINE, "fact_2:arrived") is None
        assert await tx.deliveries.by_key(OTHER, "fact_1:arrived") is None


async def test_the_delivery_that_the_provider_calls_so_is_found(store: Store) -> None:
    queued = await save(store, a_delivery())
    await save(store, queued.attempt(at=NOW).sent(provider_id="wamid.7", at=NOW))
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.by_provider_id(MINE, "wamid.7")
        assert (found and found.id) == "dlv_1"
        assert await tx.deliveries.by_provider_id(MINE, "wamid.8") is None
        assert await tx.deliveries.by_provider_id(OTHER, "wamid.7") is None


async def test_a_second_delivery_for_a_reason_is_stale(store: Store) -> None:
    await save(store, a_delivery("dlv_1", key="same"))
    with pytest.raises(StaleVersion):
        await save(store, a_delivery("dlv_2", key="same"))
    await save(store, a_delivery("dlv_2", key="same", tenant=OTHER))


async def test_the_second_of_two_writers_of_a_delivery_is_told_so(store: Store) -> None:
    read = await save(store, a_delivery())
    await save(store, read.attempt(at=NOW))
    with pytest.raises(StaleVersion):
        await save(store, read.attempt(at=NOW))


async def test_the_log_is_listed_by_pages_the_newest_first(store: Store) -> None:
    for n in range(3):
        job_id = "job_1" if n else None
        await save(store, a_delivery(f"dlv_{n}", key=f"key {n}", job_id=job_id, at=NOW + timedelta(minutes=n)))
    await save(store, a_delivery(tenant=OTHER))
    first, cursor = await store.deliveries.page(MINE, job_id=None, limit=2, cursor=None)
    second, end = await store.deliveries.page(MINE, job_id=None, limit=2, cursor=cursor)
    assert ([delivery.id for delivery in (*first, *second)], end) == (["dlv_2", "dlv_1", "dlv_0"], None)
    of_job, _ = await store.deliveries.page(MINE, job_id="job_1", limit=9, cursor=None)
    assert [delivery.id for delivery in of_job] == ["dlv_2", "dlv_1"]
    with pytest.raises(Invalid):
        await store.deliveries.page(MINE, job_id=None, limit=2, cursor="x")
