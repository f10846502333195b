"""A process takes no more messages than it can hold."""

from __future__ import annotations

import pytest

from core.kernel.errors import Unavailable
from core.reactions import Reactor
from entrypoints.worker.loops import BACKLOG, LocalQueue
from tests.core.office import Office


async def test_a_queue_that_is_behind_leaves_the_rest_in_the_outbox() -> None:
    office = await Office().move_in()
    queue = LocalQueue(Reactor(office.store.outbox, office.reactions))
    await queue.publish([(f"fact_{number}", "notify.customer") for number in range(BACKLOG)])
    with pytest.raises(Unavailable, match="wait for a worker"):
        await queue.publish([("fact_x", "notify.customer")])
