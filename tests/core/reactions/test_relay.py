"""How facts reach their reactions: at least once delivered, once applied, whatever dies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from attrs import define, field

from core.jobs import JobNotFound
from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, Conflict, Limited, NotFound, StaleVersion, Unavailable
from core.kernel.time import RetryPolicy
from core.messaging.events import MessagesAggregated
from core.notifications.events import NotificationQueued
from core.reactions import Reactions, Reactor, Relay
from tests.contracts.samples import ACTOR, MINE, a_job
from tests.core.office import Office

RETRY: Final = RetryPolicy(first=2, factor=2, tries=3)


@define
class Listener:
    """A reaction that keeps what it was told, opens a job in its transaction if asked to, and fails as planned."""

    office: Office
    opens: bool = False
    failures: list[Exception] = field(factory=list)
    heard: list[tuple[Actor, Any]] = field(factory=list)

    async def __call__(self, actor: Actor, fact: Any) -> None:
        self.heard.append((actor, fact))
        if self.failures:
            raise self.failures.pop(0)
        if self.opens:
            async with self.office.store.begin(actor) as tx:
                await tx.jobs.save(a_job(self.office.new_id("job")))


@define
class Bench:
    """A relay and a reactor with two reactions to one kind of fact, and the queue between them."""

    office: Office
    first: Listener
    second: Listener
    reactions: Reactions
    relay: Relay
    reactor: Reactor
    queue: list[tuple[str, str]]

    async def happen(self, times: int = 1) -> None:
        """Let something be stored that both react to."""
        async with self.office.store.begin(ACTOR) as tx:
            for _ in range(times):
                await tx.facts.add(
                    MessagesAggregated(
                        tenant=MINE, at=self.office.clock(), batch_id="b", thread="t", messages=1, reason="timeout"
                    )
                )

    async def work(self) -> list[str]:
        """React to everything in the queue."""
        taken, self.queue[:] = list(self.queue), []
        return [await self.reactor.react(fact_id=id_, reaction=name) for id_, name in taken]


@pytest.fixture
def bench(office: Office) -> Bench:
    queue: list[tuple[str, str]] = []

    async def publish(messages: Sequence[tuple[str, str]]) -> None:
        await office.weather("publish:before")
        queue.extend(messages)
        await office.weather("publish:after")

    first, second = Listener(office), Listener(office)
    reactions = {"messages.aggregated": {"first": first, "second": second}}
    return Bench(
        office,
        first,
        second,
        reactions,
        Relay(office.store.outbox, publish, reactions, office.clock),
        Reactor(office.store.outbox, reactions, RETRY),
        queue,
    )


async def test_a_fact_goes_to_each_of_its_reactions_once(bench: Bench) -> None:
    await bench.happen(2)
    assert await bench.relay.send() == 2
    assert bench.queue == [("fact_1", "first"), ("fact_1", "second"), ("fact_2", "first"), ("fact_2", "second")]
    assert await bench.work() == ["applied"] * 4
    assert await bench.relay.send() == 0
    bench.office.clock.forward(minutes=5)
    assert await bench.relay.send_again() == 0
    assert (len(bench.first.heard), len(bench.second.heard)) == (2, 2)


async def test_no_more_is_sent_at_a_time_than_asked_for(bench: Bench) -> None:
    await bench.happen(3)
    assert [await bench.relay.send(limit=2) for _ in range(3)] == [2, 1, 0]


async def test_a_reaction_hears_the_fact_as_its_own_actor(bench: Bench) -> None:
    await bench.happen()
    await bench.relay.send()
    await bench.work()
    ((actor, fact),) = bench.first.heard
    assert actor == Actor(
        tenant=MINE, id="first", role="service", correlation="corr_1", causation="fact_1", reaction="first"
    )
    assert fact.batch_id == "b"


async def test_a_fact_that_nobody_reacts_to_is_done(bench: Bench) -> None:
    async with bench.office.store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
    assert await bench.relay.send() == 1
    bench.office.clock.forward(minutes=5)
    assert (await bench.relay.send_again(), bench.queue) == (0, [])


async def test_a_broker_that_takes_nothing_loses_nothing(bench: Bench) -> None:
    await bench.happen()
    bench.office.weather.plan("publish:before", Unavailable("no broker"))
    with pytest.raises(Unavailable):
        await bench.relay.send()
    assert await bench.relay.send() == 1
    assert await bench.work() == ["applied", "applied"]


async def test_a_relay_that_dies_after_sending_sends_again_and_nothing_is_applied_twice(bench: Bench) -> None:
    bench.first.opens = True
    await bench.happen()
    bench.office.weather.plan("publish:after", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await bench.relay.send()
    await bench.relay.send()
    assert len(bench.queue) == 4
    assert await bench.work() == ["applied"] * 4
    jobs, _ = await bench.office.jobs.list(actor=ACTOR)
    assert [job.id for job in jobs] == ["job_1"]


async def test_a_broker_that_loses_everything_loses_nothing(bench: Bench) -> None:
    await bench.happen()
    await bench.relay.send()
    bench.queue.clear()
    bench.office.clock.forward(seconds=29)
    assert await bench.relay.send_again() == 0
    bench.office.clock.forward(seconds=1)
    assert await bench.relay.send_again() == 2
    bench.queue.clear()
    bench.office.clock.forward(seconds=30)
    assert await bench.relay.send_again() == 2
    assert await bench.work() == ["applied", "applied"]


async def test_only_what_is_not_over_is_sent_again(bench: Bench) -> None:
    await bench.happen()
    await bench.relay.send()
    bench.queue.pop()
    assert await bench.work() == ["applied"]
    bench.office.clock.forward(seconds=30)
    assert (await bench.relay.send_again(), bench.queue) == (1, [("fact_1", "second")])
    assert await bench.work() == ["applied"]
    bench.office.clock.forward(seconds=30)
    assert await bench.relay.send_again() == 0


async def test_a_second_delivery_changes_nothing(bench: Bench) -> None:
    bench.first.opens = True
    await bench.happen()
    await bench.relay.send()
    bench.queue += bench.queue
    assert await bench.work() == ["applied"] * 4
    jobs, _ = await bench.office.jobs.list(actor=ACTOR)
    assert len(jobs) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_dies_at_its_commit_applies_once(bench: Bench, moment: str) -> None:
    bench.first.opens = True
    await bench.happen()
    await bench.relay.send()
    bench.office.weather.plan(f"commit:{moment}", KilledError())
    with pytest.raises(KilledError):
        await bench.work()
    bench.queue.clear()
    bench.office.clock.forward(seconds=30)
    await bench.relay.send_again()
    assert set(await bench.work()) == {"applied"}
    jobs, _ = await bench.office.jobs.list(actor=ACTOR)
    assert len(jobs) == 1


class KilledError(Exception):
    """The process is gone at this point."""


async def test_a_worker_that_dies_before_it_settles_reacts_again(bench: Bench) -> None:
    """A reaction without a transaction of its own is settled by the reactor, after it."""
    await bench.happen()
    await bench.relay.send()
    bench.office.weather.plan("outbox.settle:before", KilledError())
    with pytest.raises(KilledError):
        await bench.work()
    bench.office.clock.forward(seconds=30)
    bench.queue.clear()
    await bench.relay.send_again()
    assert await bench.work() == ["applied", "applied"]
    assert len(bench.first.heard) == 2


@pytest.mark.parametrize(
    "failure",
    [Unavailable("down"), Limited("slow", retry_after=1), StaleVersion("job", "job_1", version=1)],
    ids=lambda failure: failure.code,
)
async def test_what_can_pass_by_itself_is_tried_again_with_growing_pauses(bench: Bench, failure: Exception) -> None:
    bench.first.failures += [failure, failure]
    await bench.happen()
    await bench.relay.send()
    assert await bench.work() == ["again", "applied"]
    for pause, outcome in ((2, "again"), (4, "applied")):
        bench.office.clock.forward(seconds=pause - 0.1)
        assert await bench.relay.send_again() == 0
        bench.office.clock.forward(seconds=0.1)
        assert await bench.relay.send_again() == 1
        assert await bench.work() == [outcome]
    bench.office.clock.forward(minutes=5)
    assert await bench.relay.send_again() == 0
    assert (len(bench.first.heard), len(bench.second.heard)) == (3, 1)


async def test_a_reaction_that_waits_is_not_sent_with_its_fact_s_lease(bench: Bench) -> None:
    bench.first.failures += [Unavailable("down")]
    bench.second.failures += [Unavailable("down")]
    slow = Reactor(bench.office.store.outbox, bench.reactions, RetryPolicy(first=300))
    await bench.happen()
    await bench.relay.send()
    assert await slow.react(fact_id="fact_1", reaction="first") == "again"
    bench.queue.clear()
    bench.office.clock.forward(seconds=30)
    assert (await bench.relay.send_again(), bench.queue) == (1, [("fact_1", "second")])


async def test_after_its_last_try_a_reaction_has_failed(bench: Bench) -> None:
    bench.first.failures += [Unavailable("down")] * 5
    await bench.happen()
    await bench.relay.send()
    outcomes = [(await bench.work())[0]]
    for _ in range(2):
        bench.office.clock.forward(seconds=10)
        await bench.relay.send_again()
        outcomes += await bench.work()
    assert outcomes == ["again", "again", "failed"]
    bench.office.clock.forward(minutes=10)
    assert await bench.relay.send_again() == 0
    assert bench.office.store.outbox._rows.settlements["fact_1"]["first"].error == "unavailable: down"


@pytest.mark.parametrize(
    "failure", [Conflict("no"), NotFound("no"), JobNotFound("job_9")], ids=lambda failure: failure.code
)
async def test_what_would_only_repeat_itself_has_failed_at_once(bench: Bench, failure: Any) -> None:
    bench.first.failures.append(failure)
    await bench.happen()
    await bench.relay.send()
    assert await bench.work() == ["failed", "applied"]
    mark = bench.office.store.outbox._rows.settlements["fact_1"]["first"]
    assert (mark.state, mark.error) == ("failed", f"{failure.code}: {failure}")
    bench.office.clock.forward(minutes=10)
    assert await bench.relay.send_again() == 0


async def test_a_reaction_that_was_over_is_applied(bench: Bench) -> None:
    bench.first.failures.append(AlreadySettled("done"))
    await bench.happen()
    await bench.relay.send()
    assert await bench.work() == ["applied", "applied"]


async def test_a_defect_is_raised_for_the_log_and_given_up_after_the_last_try(bench: Bench) -> None:
    bench.first.failures += [ZeroDivisionError("oops")] * 5
    await bench.happen()
    await bench.relay.send()
    tries = 0
    while bench.queue:
        bench.queue[:] = [message for message in bench.queue if message[1] == "first"]
        with pytest.raises(ZeroDivisionError):
            await bench.work()
        tries += 1
        await bench.reactor.react(fact_id="fact_1", reaction="second")
        bench.office.clock.forward(seconds=10)
        await bench.relay.send_again()
    assert tries == 3
    mark = bench.office.store.outbox._rows.settlements["fact_1"]["first"]
    assert (mark.state, mark.attempts, mark.error) == ("failed", 3, "ZeroDivisionError: oops")


async def test_a_reaction_that_nobody_has_any_more_is_put_aside(bench: Bench) -> None:
    await bench.happen()
    await bench.relay.send()
    assert await bench.reactor.react(fact_id="fact_1", reaction="of_last_year") == "failed"
    assert bench.office.store.outbox._rows.settlements["fact_1"]["of_last_year"].error == "no such reaction"
    async with bench.office.store.begin(ACTOR) as tx:
        await tx.facts.add(
            NotificationQueued(tenant=MINE, at=bench.office.clock(), delivery_id="d", template="t", recipient_id="r")
        )
    assert await bench.reactor.react(fact_id="fact_2", reaction="first") == "failed"


async def test_a_fact_that_does_not_exist_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.reactor.react(fact_id="fact_9", reaction="first")


async def test_another_lease_is_another_pause(bench: Bench) -> None:
    async def publish(messages: Sequence[tuple[str, str]]) -> None:
        bench.queue.extend(messages)

    quick = Relay(bench.office.store.outbox, publish, bench.reactions, bench.office.clock, timedelta(seconds=1))
    await bench.happen()
    await quick.send()
    bench.office.clock.forward(seconds=1)
    assert await quick.send_again() == 2
