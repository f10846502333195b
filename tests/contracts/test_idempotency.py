"""The promises of `IdempotencyKeys`, and of the transactions that belong to a claim."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.jobs import JobFilter
from core.kernel.ports import AnswerLost, Claim, ClaimLost, KeptAnswer, KeyReused
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, OTHER, Hands, a_job

LEASE, LIFE = timedelta(seconds=60), timedelta(hours=24)
ANSWER = KeptAnswer(status=201, content_type="application/json", body=b'{"id":"job_1"}')


async def claimed(store: Store, **more: Any) -> Claim | KeptAnswer | None:
    asked: dict[str, Any] = {"tenant": MINE, "scope": "marta:jobs:-:post", "key": "k1", "fingerprint": "f1", **more}
    return await store.idempotency.claim(**asked, lease=LEASE, life=LIFE)


async def ours(store: Store, **more: Any) -> Claim:
    claim = await claimed(store, **more)
    assert isinstance(claim, Claim)
    return claim


async def effect(store: Store, claim: Claim, id_: str = "job_1") -> None:
    with store.idempotency.within(claim):
        async with store.begin(ACTOR) as transaction:
            await transaction.jobs.save(a_job(id_))


async def jobs(store: Store) -> set[str]:
    found, _ = await store.jobs.page(MINE, where=JobFilter(), limit=10, cursor=None)
    return {job.id for job in found}


async def test_the_first_answer_is_every_later_answer(store: Store) -> None:
    claim = await ours(store)
    assert await claimed(store) is None
    await store.idempotency.keep(claim, ANSWER, life=LIFE)
    assert [await claimed(store), await claimed(store)] == [ANSWER, ANSWER]


async def test_of_many_at_once_one_has_the_claim(store: Store) -> None:
    answers = await asyncio.gather(*(claimed(store) for _ in range(16)))
    assert sorted(type(each).__name__ for each in answers) == ["Claim", *["NoneType"] * 15]


async def test_another_tenant_scope_or_key_is_another_request(store: Store) -> None:
    first = await ours(store)
    others = [await ours(store, **each) for each in ({"tenant": OTHER}, {"scope": "carlos:jobs:-:post"}, {"key": "k2"})]
    assert len({each.id for each in (first, *others)}) == 4


@pytest.mark.parametrize("answered", [False, True])
async def test_a_key_is_good_for_one_request(store: Store, answered: bool) -> None:
    claim = await ours(store)
    if answered:
        await store.idempotency.keep(claim, ANSWER, life=LIFE)
    with pytest.raises(KeyReused):
        await claimed(store, fingerprint="f2")


async def test_an_answer_is_kept_for_its_life(store: Store, clock: Hands) -> None:
    await store.idempotency.keep(await ours(store), ANSWER, life=LIFE)
    clock.forward(hours=23, minutes=59)
    assert await claimed(store) == ANSWER
    clock.forward(minutes=1)
    await ours(store, fingerprint="f2")


async def test_a_key_given_back_may_be_used_for_anything(store: Store) -> None:
    await store.idempotency.release(await ours(store))
    await ours(store, fingerprint="f2")


async def test_after_a_crash_before_the_effect_the_request_runs_again_when_the_lease_is_over(
    store: Store, clock: Hands
) -> None:
    first = await ours(store)
    clock.forward(seconds=59)
    assert await claimed(store) is None
    clock.forward(seconds=1)
    with pytest.raises(KeyReused):
        await claimed(store, fingerprint="f2")
    second = await ours(store)
    assert second.id != first.id
    assert await claimed(store) is None


async def test_whoever_lost_the_claim_changes_nothing(store: Store, clock: Hands) -> None:
    late = await ours(store)
    clock.forward(seconds=60)
    second = await ours(store)
    with pytest.raises(ClaimLost):
        await effect(store, late)
    await store.idempotency.keep(late, ANSWER, life=LIFE)
    await store.idempotency.release(late)
    assert await jobs(store) == set()
    assert await claimed(store) is None
    await effect(store, second, "job_2")
    assert await jobs(store) == {"job_2"}


async def test_after_a_crash_between_effect_and_answer_nothing_runs_again(store: Store, clock: Hands) -> None:
    await effect(store, await ours(store))
    assert await claimed(store) is None
    clock.forward(seconds=60)
    for _ in range(2):
        with pytest.raises(AnswerLost):
            await claimed(store)
    assert await jobs(store) == {"job_1"}
    clock.forward(hours=24)
    await ours(store)


async def test_an_effect_without_an_answer_says_so_at_once_when_the_key_is_given_back(store: Store) -> None:
    claim = await ours(store)
    await effect(store, claim)
    await store.idempotency.release(claim)
    with pytest.raises(AnswerLost):
        await claimed(store)


async def test_a_key_that_is_given_back_wholly_is_used_again_whatever_happened(store: Store) -> None:
    claim = await ours(store)
    await effect(store, claim)
    await store.idempotency.release(claim, wholly=True)
    await ours(store)


async def test_a_transaction_that_fails_is_no_effect(store: Store) -> None:
    claim = await ours(store)
    with store.idempotency.within(claim), pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR) as transaction:
            await transaction.jobs.save(a_job())
            raise ZeroDivisionError
    await store.idempotency.release(claim)
    await ours(store)


async def test_several_transactions_may_belong_to_a_claim_and_the_last_answer_counts(store: Store) -> None:
    claim = await ours(store)
    await effect(store, claim)
    await effect(store, claim, "job_2")
    await store.idempotency.keep(claim, ANSWER, life=LIFE)
    assert await claimed(store) == ANSWER
    assert await jobs(store) == {"job_1", "job_2"}


async def test_transactions_outside_belong_to_no_claim(store: Store) -> None:
    claim = await ours(store)
    with store.idempotency.within(claim):
        pass
    async with store.begin(ACTOR) as transaction:
        await transaction.jobs.save(a_job())
    await store.idempotency.release(claim)
    await ours(store)


async def test_what_is_over_is_deleted_and_nothing_else(store: Store, clock: Hands) -> None:
    for key in ("k1", "k2", "k3"):
        await store.idempotency.keep(await ours(store, key=key), ANSWER, life=LIFE)
    clock.forward(hours=12)
    await store.idempotency.keep(await ours(store, key="k4", tenant=OTHER), ANSWER, life=LIFE)
    assert await store.idempotency.tidy(limit=10) == 0
    clock.forward(hours=12)
    assert [await store.idempotency.tidy(limit=2) for _ in range(3)] == [2, 1, 0]
    assert await claimed(store, key="k4", tenant=OTHER) == ANSWER
    clock.forward(hours=12)
    assert await store.idempotency.tidy(limit=2) == 1


async def test_bytes_come_back_as_they_were(store: Store) -> None:
    answer = KeptAnswer(status=200, content_type="", body=bytes(range(256)))
    await store.idempotency.keep(await ours(store), answer, life=LIFE)
    assert await claimed(store) == answer
