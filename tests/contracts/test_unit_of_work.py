"""The promises of `Begin`, which every context shares, and of `Facts`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.customers import CustomerNotFound
from core.invoicing import InvoiceNotFound
from core.jobs import JobNotFound
from core.kernel.errors import AlreadySettled, StaleVersion
from core.messaging.events import DeliveryReported
from core.notifications import DeliveryNotFound
from tests.contracts.conftest import Store
from tests.contracts.samples import (
    ACTOR,
    MINE,
    NOW,
    a_customer,
    a_delivery,
    a_job,
    a_session,
    an_invoice,
    reacting,
    scheduled,
)

REPORTED = DeliveryReported(tenant=MINE, at=NOW, provider_id="wamid.1", status="read")


async def unsent(store: Store) -> list[tuple[str, str]]:
    """Return id and type of the facts on their way, and leave them there."""
    found: list[tuple[str, str]] = []
    with pytest.raises(ZeroDivisionError):
        async with store.outbox.unsent(limit=100) as envelopes:
            found = [(envelope.id, envelope.event_type) for envelope in envelopes]
            raise ZeroDivisionError
    return found


async def test_leaving_the_block_well_commits_all_of_it(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
        await tx.customers.save(a_customer())
        await tx.deliveries.save(a_delivery())
    assert (await store.jobs.get(MINE, "job_1")).version == 1
    assert (await store.customers.get(MINE, "cust_1")).version == 1
    assert await unsent(store) == [
        ("fact_1", "job.opened"),
        ("fact_2", "customer.registered"),
        ("fact_3", "notification.queued"),
    ]


async def test_raising_rolls_back_all_of_it(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR) as tx:
            await tx.jobs.save(a_job())
            await tx.customers.save(a_customer())
            await tx.sessions.save(a_session())
            await tx.invoices.save(an_invoice())
            await tx.deliveries.save(a_delivery())
            await tx.facts.add(REPORTED)
            raise ZeroDivisionError
    with pytest.raises(JobNotFound):
        await store.jobs.get(MINE, "job_1")
    with pytest.raises(CustomerNotFound):
        await store.customers.get(MINE, "cust_1")
    with pytest.raises(InvoiceNotFound):
        await store.invoices.get(MINE, "inv_1")
    assert await store.sessions.of_job(MINE, "job_1") is None
    async with store.begin(ACTOR) as tx:
        with pytest.raises(DeliveryNotFound):
            await tx.deliveries.get(MINE, "dlv_1")
    assert await unsent(store) == []


async def test_nobody_outside_sees_what_is_not_committed(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
        with pytest.raises(JobNotFound):
            await store.jobs.get(MINE, "job_1")


async def test_a_transaction_sees_its_own_writes(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        saved = await tx.jobs.save(a_job())
        assert await tx.jobs.get(MINE, "job_1") == saved
        again = await tx.jobs.save(scheduled(saved))
    assert (again.version, (await store.jobs.get(MINE, "job_1")).status) == (2, "scheduled")


async def test_transactions_never_nest(store: Store) -> None:
    async with store.begin(ACTOR):
        with pytest.raises(RuntimeError, match="nest"):
            async with store.begin(ACTOR):
                pass


async def test_a_transaction_may_follow_one_that_failed(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR):
            raise ZeroDivisionError
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
    assert (await store.jobs.get(MINE, "job_1")).version == 1


async def test_a_save_that_fails_leaves_no_fact_of_the_transaction(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
    with pytest.raises(StaleVersion):
        async with store.begin(ACTOR) as tx:
            await tx.customers.save(a_customer())
            await tx.jobs.save(a_job())
    assert await unsent(store) == [("fact_1", "job.opened")]


async def test_a_fact_remembers_who_caused_it_and_what_it_follows_from(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    async with store.begin(reacting("fact_1", "notifications.record")) as tx:
        await tx.facts.add(REPORTED)
    first, second = await store.outbox.get("fact_1"), await store.outbox.get("fact_2")
    assert (first.actor, first.correlation, first.causation) == ("user_marta", "corr_1", None)
    assert (second.actor, second.correlation, second.causation) == ("notifications.record", "corr_1", "fact_1")


async def test_a_fact_comes_back_as_it_was_stored(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        job = await tx.jobs.save(a_job())
        await tx.jobs.save(scheduled(job))
    opened, moved = await store.outbox.get("fact_1"), await store.outbox.get("fact_2")
    assert opened.fact == a_job().facts[0]
    assert moved.fact == scheduled(a_job()).facts[-1]
    assert (moved.timestamp, moved.tenant_id) == (datetime(2026, 11, 20, 12, 0, tzinfo=UTC), MINE)


async def test_facts_that_belong_to_no_aggregate_are_kept_in_their_order(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED, REPORTED)
        await tx.facts.add()
    assert await unsent(store) == [("fact_1", "delivery.reported"), ("fact_2", "delivery.reported")]


async def test_a_reaction_is_settled_with_its_work(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    async with store.begin(reacting("fact_1", "jobs.open")) as tx:
        await tx.jobs.save(a_job())
    with pytest.raises(AlreadySettled):
        async with store.begin(reacting("fact_1", "jobs.open")) as tx:
            await tx.jobs.save(a_job("job_2"))
    with pytest.raises(JobNotFound):
        await store.jobs.get(MINE, "job_2")


async def test_a_reaction_that_rolled_back_may_be_applied_later(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    with pytest.raises(ZeroDivisionError):
        async with store.begin(reacting("fact_1", "jobs.open")):
            raise ZeroDivisionError
    async with store.begin(reacting("fact_1", "jobs.open")) as tx:
        await tx.jobs.save(a_job())
    assert (await store.jobs.get(MINE, "job_1")).version == 1


async def test_two_reactions_to_one_fact_are_two_things(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    async with store.begin(reacting("fact_1", "notify.customer")):
        pass
    async with store.begin(reacting("fact_1", "notify.technician")) as tx:
        await tx.jobs.save(a_job())
    assert (await store.jobs.get(MINE, "job_1")).version == 1


async def test_an_unsettled_step_of_a_reaction_settles_nothing(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    async with store.begin(reacting("fact_1", "jobs.open").unsettled()) as tx:
        await tx.customers.save(a_customer())
    async with store.begin(reacting("fact_1", "jobs.open")) as tx:
        await tx.jobs.save(a_job())
    assert (await store.jobs.get(MINE, "job_1")).version == 1


async def test_a_store_that_is_open_answers(store: Store) -> None:
    await store.ping()
