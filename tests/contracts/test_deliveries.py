"""The promises of `DeliveryRepository` and `DeliveryReader`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.kernel.errors import Invalid, StaleVersion
from core.notifications import Delivery, DeliveryNotFound, Recipient, Ticket, Wanted
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


async def test_the_deliveries_made_for_a_reason_are_found_the_first_one_first(store: Store) -> None:
    await save(store, a_delivery(key="fact_1:arrived"))
    by_sms = a_delivery(key="fact_1:arrived").by("sms", id_="dlv_0", left=(), at=NOW + timedelta(minutes=1))
    await save(store, by_sms)
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.by_key(MINE, "fact_1:arrived")
        assert [(each.id, each.channel) for each in found] == [("dlv_1", "whatsapp"), ("dlv_0", "sms")]
        assert await tx.deliveries.by_key(MINE, "fact_2:arrived") == []
        assert await tx.deliveries.by_key(OTHER, "fact_1:arrived") == []


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


def held(number: int, **more: Any) -> Delivery:
    """Return a delivery that waits for the morning, for somebody, by a channel."""
    known: dict[str, Any] = {
        "id_": f"dlv_{number}",
        "tenant": MINE,
        "key": f"fact_{number}",
        "template": "technician_arrived",
        "recipient": Recipient(id="user_1", kind="technician", name="Íñigo Peña", address="+5491155550001"),
        "parameters": ("Ana", "Carlos"),
        "link": None,
        "attachment": None,
        "job_id": None,
        "at": NOW + timedelta(minutes=number),
        "until": NOW + timedelta(hours=9),
    }
    return Delivery.queued(**{**known, **more})


async def test_what_waits_for_somebody_by_a_channel_is_found_the_oldest_first(store: Store) -> None:
    for number in (2, 1):
        await save(store, held(number))
    await save(store, held(3, channel="push"))
    await save(store, held(4, until=None))
    await save(store, held(5, tenant=OTHER))
    tried = await save(store, held(6))
    await save(store, tried.attempt(at=NOW))
    not_taken = await save(store, (await save(store, held(7))).attempt(at=NOW))
    await save(store, not_taken.put_back(error="busy", at=NOW))
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.waiting(MINE, recipient_id="user_1", channel="whatsapp")
        assert [each.id for each in found] == ["dlv_1", "dlv_2", "dlv_7"]
        assert await tx.deliveries.waiting(MINE, recipient_id="user_2", channel="whatsapp") == []


async def test_everything_that_a_delivery_can_know_comes_back(store: Store) -> None:
    whole = held(1, channel="push", left=("sms",), language="en", urgent=True, until=NOW + timedelta(hours=1))
    whole = whole.attempt(at=NOW).pushed(
        (Ticket(device_id="dev_1", provider="expo", id="t1"),), at=NOW, ask_at=NOW + timedelta(minutes=15)
    )
    await save(store, whole)
    other = await save(store, held(2))
    await save(store, other.gather("dlv_9", at=NOW))
    async with store.begin(ACTOR) as tx:
        found = await tx.deliveries.get(MINE, "dlv_1")
        gathered = await tx.deliveries.get(MINE, "dlv_2")
    assert (found.left, found.language, found.urgent, found.waiting) == (("sms",), "en", True, True)
    assert (found.tickets, found.due_at) == (whole.tickets, NOW + timedelta(minutes=15))
    assert [state for state, _ in found.history] == ["queued", "sending", "sent"]
    assert found.history[2][1] == NOW
    assert (gathered.state, gathered.digest_id, gathered.due_at) == ("gathered", "dlv_9", None)


async def test_what_is_due_is_found_among_all_tenants_the_longest_due_first(store: Store) -> None:
    await save(store, held(1))
    await save(store, held(2, until=NOW + timedelta(hours=1)))
    await save(store, held(3, tenant=OTHER, until=NOW + timedelta(hours=2)))
    over = await save(store, held(4))
    await save(store, over.attempt(at=NOW).sent(provider_id="w", at=NOW))
    at = NOW + timedelta(hours=9)
    found = await store.deliveries.due(at=at, limit=9)
    assert [(each.tenant, each.id) for each in found] == [(MINE, "dlv_2"), (OTHER, "dlv_3"), (MINE, "dlv_1")]
    assert [each.id for each in await store.deliveries.due(at=at, limit=1)] == ["dlv_2"]
    assert await store.deliveries.due(at=NOW + timedelta(minutes=59), limit=9) == []


async def test_the_log_is_searched_by_everything_at_once(store: Store) -> None:
    await save(store, held(1))
    await save(store, held(2, channel="sms"))
    failed = await save(store, held(3))
    await save(store, failed.refused(error_code="x", error_text="y", at=NOW))
    await save(store, a_delivery("dlv_4", key="other", at=NOW + timedelta(minutes=4)))
    await save(store, held(5, tenant=OTHER))

    async def ids(**wanted: Any) -> list[str]:
        found, _ = await store.deliveries.page(MINE, wanted=Wanted(**wanted), limit=9, cursor=None)
        return [each.id for each in found]

    assert await ids() == ["dlv_4", "dlv_3", "dlv_2", "dlv_1"]
    assert await ids(recipient="user_1") == ["dlv_3", "dlv_2", "dlv_1"]
    assert await ids(recipient="inigo PEN") == ["dlv_3", "dlv_2", "dlv_1"]
    assert await ids(recipient="55550001") == ["dlv_4", "dlv_3", "dlv_2", "dlv_1"]
    assert await ids(recipient="%") == []
    assert await ids(state="failed") == ["dlv_3"]
    assert await ids(channel="sms") == ["dlv_2"]
    assert await ids(since=NOW + timedelta(minutes=2), before=NOW + timedelta(minutes=4)) == ["dlv_3", "dlv_2"]
    assert await ids(recipient="user_1", channel="whatsapp", state="queued") == ["dlv_1"]
    assert await ids(job_id="job_1", recipient="ruiz") == ["dlv_4"]
    first, cursor = await store.deliveries.page(MINE, wanted=Wanted(recipient="user_1"), limit=2, cursor=None)
    rest, end = await store.deliveries.page(MINE, wanted=Wanted(recipient="user_1"), limit=2, cursor=cursor)
    assert ([each.id for each in (*first, *rest)], end) == (["dlv_3", "dlv_2", "dlv_1"], None)


async def test_the_log_is_listed_by_pages_the_newest_first(store: Store) -> None:
    for n in range(3):
        job_id = "job_1" if n else None
        await save(store, a_delivery(f"dlv_{n}", key=f"key {n}", job_id=job_id, at=NOW + timedelta(minutes=n)))
    await save(store, a_delivery(tenant=OTHER))
    first, cursor = await store.deliveries.page(MINE, wanted=Wanted(), limit=2, cursor=None)
    second, end = await store.deliveries.page(MINE, wanted=Wanted(), limit=2, cursor=cursor)
    assert ([delivery.id for delivery in (*first, *second)], end) == (["dlv_2", "dlv_1", "dlv_0"], None)
    of_job, _ = await store.deliveries.page(MINE, wanted=Wanted(job_id="job_1"), limit=9, cursor=None)
    assert [delivery.id for delivery in of_job] == ["dlv_2", "dlv_1"]
    with pytest.raises(Invalid):
        await store.deliveries.page(MINE, wanted=Wanted(), limit=2, cursor="x")
