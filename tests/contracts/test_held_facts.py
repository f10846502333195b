"""`Outbox`: what one relay holds, no other sees."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.contracts.conftest import Store
from tests.contracts.samples import Hands
from tests.contracts.test_outbox import LEASE, add_facts, ids, send


async def test_what_one_relay_holds_no_other_sees(store: Store) -> None:
    await add_facts(store, 2)

    async def second() -> list[str]:
        return await send(store)

    async with store.outbox.unsent(limit=1) as held:
        # A store may keep the second relay waiting until the first is done, or give it the rest at once.
        other = asyncio.create_task(second())
        await asyncio.wait([other], timeout=0.1)
        first = [envelope.id for envelope in held]
    assert (first, await other) == (["fact_1"], ["fact_2"])


async def test_what_one_relay_sends_again_no_other_does(store: Store, clock: Hands) -> None:
    await add_facts(store, 2)
    await send(store)
    clock.forward(seconds=30)

    async def second() -> list[str]:
        async with store.outbox.overdue(at=clock(), lease=LEASE, limit=10) as found:
            return ids(list(found))

    async with store.outbox.overdue(at=clock(), lease=timedelta(seconds=30), limit=1) as held:
        other = asyncio.create_task(second())
        await asyncio.wait([other], timeout=0.1)
        first = ids(list(held))
    assert (first, await other) == (["fact_1"], ["fact_2"])
