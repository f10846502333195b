"""The promises of `Outbox` and `Settlements`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from core.kernel.errors import AlreadySettled, NotFound
from core.kernel.ports import Overdue
from core.kernel.time import RetryPolicy
from core.messaging.events import DeliveryReported
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, Hands, reacting

LEASE = timedelta(seconds=30)
ONE_PAUSE: Callable[[int], timedelta | None] = RetryPolicy(first=10, tries=2).wait
RECORD = reacting("fact_1", "notifications.record")


async def add_facts(store: Store, number: int = 1) -> None:
    fact = DeliveryReported(tenant=MINE, at=NOW, provider_id="wamid.1", status="read")
    async with store.begin(ACTOR) as tx:
        for _ in range(number):
            await tx.facts.add(fact)


async def send(store: Store, *, limit: int = 100) -> list[str]:
    async with store.outbox.unsent(limit=limit) as envelopes:
        return [envelope.id for envelope in envelopes]


async def overdue(store: Store, clock: Hands, *, limit: int = 100) -> list[Overdue]:
    async with store.outbox.overdue(at=clock(), lease=LEASE, limit=limit) as found:
        return list(found)


def ids(found: list[Overdue]) -> list[str]:
    return [each.envelope.id for each in found]


async def test_unsent_facts_are_given_oldest_first_and_sent_once(store: Store) -> None:
    await add_facts(store, 3)
    assert await send(store, limit=2) == ["fact_1", "fact_2"]
    assert await send(store, limit=2) == ["fact_3"]
    assert await send(store) == []


async def test_facts_whose_sending_failed_are_still_unsent(store: Store) -> None:
    await add_facts(store)
    with pytest.raises(ZeroDivisionError):
        async with store.outbox.unsent(limit=10):
            raise ZeroDivisionError
    assert await send(store) == ["fact_1"]


async def test_a_fact_is_overdue_when_its_lease_is_over(store: Store, clock: Hands) -> None:
    await add_facts(store)
    assert await overdue(store, clock) == []
    await send(store)
    clock.forward(seconds=29)
    assert await overdue(store, clock) == []
    clock.forward(seconds=1)
    assert ids(await overdue(store, clock)) == ["fact_1"]


async def test_leaving_the_block_well_starts_a_new_lease(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    clock.forward(seconds=30)
    assert ids(await overdue(store, clock)) == ["fact_1"]
    clock.forward(seconds=29)
    assert await overdue(store, clock) == []
    clock.forward(seconds=1)
    assert ids(await overdue(store, clock)) == ["fact_1"]


async def test_overdue_facts_whose_sending_failed_stay_overdue(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    clock.forward(seconds=30)
    with pytest.raises(ZeroDivisionError):
        async with store.outbox.overdue(at=clock(), lease=LEASE, limit=10):
            raise ZeroDivisionError
    assert ids(await overdue(store, clock)) == ["fact_1"]


async def test_no_more_overdue_facts_are_given_than_asked_for(store: Store, clock: Hands) -> None:
    await add_facts(store, 3)
    await send(store)
    clock.forward(seconds=30)
    assert len(await overdue(store, clock, limit=2)) == 2


async def test_a_finished_fact_is_never_overdue(store: Store, clock: Hands) -> None:
    await add_facts(store, 2)
    await send(store)
    await store.outbox.finish(["fact_1"])
    clock.forward(hours=1)
    assert ids(await overdue(store, clock)) == ["fact_2"]


async def test_an_overdue_fact_names_the_reactions_that_are_over(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    async with store.begin(RECORD):
        pass
    await store.outbox.settle(reacting("fact_1", "given.up"), failure="broken")
    clock.forward(seconds=30)
    (found,) = await overdue(store, clock)
    assert (set(found.settled), set(found.waiting)) == ({"notifications.record", "given.up"}, set())


async def test_a_fact_is_overdue_when_a_retry_is_due_before_its_lease_ends(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    due = await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE)
    assert due == NOW + timedelta(seconds=10)
    clock.forward(seconds=9)
    assert await overdue(store, clock) == []
    clock.forward(seconds=1)
    (found,) = await overdue(store, clock)
    assert (set(found.settled), set(found.waiting)) == (set(), set())


async def test_a_retry_that_was_sent_is_not_due_again_at_once(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE)
    clock.forward(seconds=10)
    assert ids(await overdue(store, clock)) == ["fact_1"]
    clock.forward(seconds=1)
    assert await overdue(store, clock) == []


async def test_a_reaction_that_waits_for_its_retry_is_named(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    clock.forward(seconds=25)
    await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE)
    clock.forward(seconds=5)
    (found,) = await overdue(store, clock)
    assert (set(found.settled), set(found.waiting)) == (set(), {"notifications.record"})


async def test_the_last_failed_attempt_gives_the_reaction_up(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    assert await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE) == NOW + timedelta(seconds=10)
    assert await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE) is None
    clock.forward(seconds=30)
    (found,) = await overdue(store, clock)
    assert found.settled == {"notifications.record"}
    with pytest.raises(AlreadySettled):
        async with store.begin(RECORD):
            pass


async def test_a_reaction_that_failed_before_may_be_applied(store: Store, clock: Hands) -> None:
    await add_facts(store)
    await send(store)
    await store.outbox.postpone(RECORD, failure="busy", wait=ONE_PAUSE)
    async with store.begin(RECORD):
        pass
    assert await store.outbox.postpone(RECORD, failure="late", wait=ONE_PAUSE) is None
    clock.forward(seconds=30)
    (found,) = await overdue(store, clock)
    assert (set(found.settled), set(found.waiting)) == ({"notifications.record"}, set())


async def test_settling_twice_changes_nothing(store: Store) -> None:
    await add_facts(store)
    await store.outbox.settle(RECORD)
    await store.outbox.settle(RECORD, failure="too late")
    with pytest.raises(AlreadySettled):
        async with store.begin(RECORD):
            pass


async def test_a_fact_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.outbox.get("fact_9")


async def test_a_waiting_relay_wakes_when_something_is_stored(store: Store) -> None:
    await add_facts(store)
    await store.outbox.wait(timeout=60)
    await store.outbox.wait(timeout=0.01)
