"""The promises of `Feed`, `PhoneRecords` and `Operations`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from attrs import evolve

from adapters.memory import MemoryStore
from core.jobs import Job, Photo
from core.offline import EVERYTHING, ORIGINS, Decision, Item, OperationTaken, Outcome, Page, Stamp
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, Hands, a_customer, a_job, acting_for, scheduled

CARLOS = "user_carlos"
WHOLE = 1000
LINE = Item(
    tenant=MINE,
    kind="line_items",
    id="li-1",
    job_id="job_1",
    place=2,
    values={"description": "Gas", "quantity": "1.5"},
    stamps={"description": Stamp(version=1, by=CARLOS, at=NOW)},
)


async def save(store: Store, *jobs: Job) -> list[Job]:
    saved = []
    for job in jobs:
        async with store.begin(acting_for(job.tenant)) as tx:
            saved.append(await tx.jobs.save(job))
    return saved


async def given(store: Store, technician: str = CARLOS) -> Job:
    """Store a customer, and a job of theirs that a technician has."""
    async with store.begin(ACTOR) as tx:
        await tx.customers.save(a_customer())
    (job,) = await save(store, scheduled(a_job(), technician_id=technician))
    return job


async def changes(store: Store, audience: str = CARLOS, *, since: int = 0) -> Page:
    return await store.feed.changes(MINE, audience, since=since, limit=WHOLE)


def named(page: Page) -> list[tuple[str, str, bool]]:
    return [(each.table, each.id, each.gone) for each in page.changes]


async def test_a_technician_is_given_their_jobs_and_the_customers_of_those_and_nothing_else(store: Store) -> None:
    await given(store)
    async with store.begin(ACTOR) as tx:
        await tx.customers.save(a_customer("cust_2"))
    await save(store, scheduled(a_job("job_2", customer_id="cust_2"), technician_id="user_lucia"), a_job("job_3"))
    assert named(await changes(store)) == [("customers", "cust_1", False), ("jobs", "job_1", False)]
    assert {each[1] for each in named(await changes(store, EVERYTHING))} == {
        "cust_1",
        "cust_2",
        "job_1",
        "job_2",
        "job_3",
    }
    assert named(await store.feed.changes(OTHER, EVERYTHING, since=0, limit=WHOLE)) == []


async def test_a_change_comes_with_the_record_as_it_is_now(store: Store) -> None:
    job = await given(store)
    job = job.depart(actor=CARLOS, at=NOW).add_photo(
        Photo(id="photo_1", content_type="image/png", size=12, at=NOW), actor=CARLOS
    )
    await save(store, job)
    (customer, change) = (await changes(store)).changes
    assert (customer.row or {})["name"] == "Ana Ruiz"
    row = change.row or {}
    assert (row["id"], row["version"], row["status"], row["starts_at"]) == ("job_1", 2, "en_camino", NOW)
    assert (row["place"]["lat"], row["wish"]["urgency"], len(row["lines"])) == (-34.6037, "normal", 0)
    assert (row["photos"][0]["id"], row["signature"]) == ("photo_1", None)


async def test_after_the_last_place_there_is_nothing_until_something_changes(store: Store) -> None:
    job = await given(store)
    newest = (await changes(store)).newest
    assert named(await changes(store, since=newest)) == []
    await save(store, job.depart(actor=CARLOS, at=NOW))
    page = await changes(store, since=newest)
    assert named(page) == [("jobs", "job_1", False)]
    assert page.newest > newest
    assert page.origin in ORIGINS


async def test_a_tenant_in_which_nothing_ever_happened_has_a_place_too(store: Store) -> None:
    first, second = await changes(store), await changes(store)
    assert (first.newest, first.changes) == (1, [])
    assert first.origin == second.origin


async def test_a_job_that_goes_to_somebody_else_is_gone_with_its_customer_and_comes_back(store: Store) -> None:
    job = await given(store)
    newest = (await changes(store)).newest
    (job,) = await save(store, job.unschedule(reason=None, actor="user_marta", at=NOW))
    (job,) = await save(store, scheduled(job, technician_id="user_lucia"))
    page = await changes(store, since=newest)
    assert sorted(named(page)) == [("customers", "cust_1", True), ("jobs", "job_1", True)]
    assert named(await changes(store)) == []
    assert sorted(named(await changes(store, since=-1))) == sorted(named(page))
    assert named(await changes(store, "user_lucia")) == [("customers", "cust_1", False), ("jobs", "job_1", False)]
    (job,) = await save(store, job.unschedule(reason=None, actor="user_marta", at=NOW))
    await save(store, scheduled(job))
    assert sorted(named(await changes(store, since=page.newest))) == [
        ("customers", "cust_1", False),
        ("jobs", "job_1", False),
    ]


async def test_a_customer_stays_while_another_job_of_theirs_does(store: Store) -> None:
    job = await given(store)
    await save(store, scheduled(a_job("job_2")))
    newest = (await changes(store)).newest
    await save(store, job.unschedule(reason=None, actor="user_marta", at=NOW))
    assert named(await changes(store, since=newest)) == [("jobs", "job_1", True)]


async def test_a_customer_s_change_reaches_whoever_has_a_job_of_theirs(store: Store) -> None:
    await given(store)
    newest = (await changes(store)).newest
    async with store.begin(ACTOR) as tx:
        customer = await tx.customers.get(MINE, "cust_1")
        await tx.customers.save(customer.change(at=NOW, address="Mitre 450"))
    page = await changes(store, since=newest)
    assert [(each.id, (each.row or {})["address"]) for each in page.changes] == [("cust_1", "Mitre 450")]
    assert named(await changes(store, "user_lucia")) == []


async def test_pages_follow_each_other_without_a_gap_or_a_repetition(store: Store) -> None:
    await save(store, *(scheduled(a_job(f"job_{n}")) for n in range(7)))
    found: list[str] = []
    since, more = 0, True
    while more:
        page = await store.feed.changes(MINE, CARLOS, since=since, limit=3)
        assert len(page.changes) <= 3
        found += [each.id for each in page.changes if each.table == "jobs"]
        since, more = (page.changes[-1].seq, page.more)
    assert found == [f"job_{n}" for n in range(7)]


async def test_who_changed_which_field_and_at_which_version_is_known(store: Store, clock: Hands) -> None:
    job = await given(store)
    clock.forward(minutes=5)
    (job,) = await save(store, job.change(title=None, place=None, wish=None, notes="timbre 3", actor="x", at=NOW))
    async with store.begin(evolve(ACTOR, id=CARLOS)) as tx:
        await tx.jobs.save(job.depart(actor=CARLOS, at=NOW))
    async with store.begin(ACTOR) as tx:
        seen = await tx.phone_records.seen(MINE, CARLOS, [("jobs", "job_1"), ("jobs", "job_2"), ("customers", "x")])
    (change,) = seen.values()
    assert (change.table, change.id, change.gone) == ("jobs", "job_1", False)
    at = NOW + timedelta(minutes=5)
    assert dict(change.stamps) == {
        "notes": Stamp(version=2, by="user_marta", at=at),
        "status": Stamp(version=3, by=CARLOS, at=at),
    }


async def test_an_item_is_its_job_s_and_sends_the_job_again(store: Store) -> None:
    await given(store)
    newest = (await changes(store)).newest
    async with store.begin(ACTOR) as tx:
        await tx.phone_records.save(LINE)
        assert await tx.phone_records.items(MINE, "line_items", ["li-1", "li-2"]) == {"li-1": LINE}
    async with store.begin(ACTOR) as tx:
        await tx.phone_records.save(evolve(LINE, id="li-2", place=1))
        await tx.phone_records.save(evolve(LINE, state="gone", version=2))
        assert await tx.phone_records.items(MINE, "photos", ["li-1"]) == {}
    (change,) = (await changes(store, since=newest)).changes
    assert sorted((each.id, each.state, each.version) for each in change.items) == [
        ("li-1", "gone", 2),
        ("li-2", "draft", 1),
    ]
    assert next(each for each in change.items if each.id == "li-2") == evolve(LINE, id="li-2", place=1)


async def test_what_is_touched_comes_again_and_what_is_buried_comes_as_gone(store: Store) -> None:
    await given(store)
    newest = (await changes(store)).newest
    async with store.begin(ACTOR) as tx:
        await tx.phone_records.touch(MINE, "customers", "cust_1")
        await tx.phone_records.touch(MINE, "jobs", "job_none")
    page = await changes(store, since=newest)
    assert named(page) == [("customers", "cust_1", False)]
    async with store.begin(ACTOR) as tx:
        await tx.phone_records.bury(MINE, CARLOS, [("jobs", "theirs"), ("line_items", "li-9"), ("jobs", "theirs")])
    last = await changes(store, since=page.newest)
    assert sorted(named(last)) == [("jobs", "theirs", True), ("line_items", "li-9", True)]
    assert len({each.seq for each in last.changes}) == 2
    assert named(await changes(store, "user_lucia", since=-1)) == []


async def test_an_operation_is_kept_once_for_its_person(store: Store) -> None:
    outcome = Outcome(
        id="op-1",
        table="jobs",
        record="job_1",
        result="merged",
        decisions=(
            Decision(field="notes", rule="last_write_wins", kept="phone", yours="a", theirs="b", by="x", at=NOW),
        ),
        explanation="Notas: …",
    )
    async with store.begin(ACTOR) as tx:
        await tx.operations.keep(MINE, CARLOS, "f1", outcome, at=NOW)
        await tx.operations.keep(MINE, "user_lucia", "f2", evolve(outcome, result="applied"), at=NOW)
    assert await store.feed.outcomes(MINE, CARLOS, ["op-1", "op-2"]) == {"op-1": ("f1", outcome)}
    assert await store.feed.outcomes(OTHER, CARLOS, ["op-1"]) == {}
    assert await store.feed.outcomes(MINE, CARLOS, []) == {}
    with pytest.raises(OperationTaken):
        async with store.begin(ACTOR) as tx:
            await tx.jobs.save(a_job())
            await tx.operations.keep(MINE, CARLOS, "f1", outcome, at=NOW)
    assert named(await changes(store, EVERYTHING)) == []


async def test_what_is_rolled_back_takes_no_place(store: Store) -> None:
    await given(store)
    page = await changes(store)
    with pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR) as tx:
            await tx.jobs.save(scheduled(a_job("job_2")))
            await tx.phone_records.save(LINE)
            raise ZeroDivisionError
    again = await changes(store)
    assert (again.newest, named(again)) == (page.newest, named(page))


def one_writer(store: Store) -> bool:
    """Say whether the store lets a transaction begin only after the one before it."""
    return not isinstance(store, MemoryStore) and store._database.sqlite


async def test_who_writes_first_and_commits_last_is_not_missed(store: Store) -> None:
    await changes(store)
    written, leave = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with store.begin(ACTOR) as tx:
            await tx.jobs.save(scheduled(a_job("job_slow")))
            written.set()
            await leave.wait()

    slowly = asyncio.create_task(slow())
    await written.wait()
    if one_writer(store):
        leave.set()
    await asyncio.create_task(save(store, scheduled(a_job("job_fast"))))
    between = await changes(store)
    leave.set()
    await slowly
    after = await changes(store, since=between.newest)
    found = [each.id for each in (*between.changes, *after.changes) if each.table == "jobs"]
    assert sorted(found) == ["job_fast", "job_slow"]


async def test_a_phone_that_pulls_beside_many_writers_misses_nothing(store: Store) -> None:
    rng = random.Random(7)
    jobs = dict.fromkeys((f"job_{n}" for n in range(12)), 0)
    await save(store, *(scheduled(a_job(id_)) for id_ in jobs))
    writing = True

    async def write(names: Sequence[str]) -> None:
        for _ in range(12):
            async with store.begin(ACTOR) as tx:
                for id_ in sorted(rng.sample(names, 2)):
                    job = await tx.jobs.get(MINE, id_)
                    jobs[id_] += 1
                    await tx.jobs.save(
                        job.change(title=None, place=None, wish=None, notes=str(jobs[id_]), actor="x", at=NOW)
                    )
                    await asyncio.sleep(rng.random() / 500)

    phone: dict[str, str] = {}

    async def pull(since: int) -> int:
        page = await store.feed.changes(MINE, CARLOS, since=since, limit=5)
        for change in page.changes:
            if change.table == "jobs":
                phone[change.id] = (change.row or {})["notes"]
        return page.changes[-1].seq if page.more else page.newest

    async def keep_pulling() -> int:
        since = 0
        while writing:
            since = await pull(since)
            await asyncio.sleep(0)
        return since

    pulling = asyncio.create_task(keep_pulling())
    names = sorted(jobs)
    # Each writer has jobs of its own: what is tried is the order of commits, not versions.
    await asyncio.gather(*(write(names[start : start + 4]) for start in (0, 4, 8)))
    writing = False
    since = await pulling
    while True:  # no more than what the last pull left
        following = await pull(since)
        if following == since:
            break
        since = following
    assert phone == {id_: str(count) if count else "" for id_, count in jobs.items()}


async def test_nothing_new_costs_one_statement_that_an_index_answers(store: Store) -> None:
    if isinstance(store, MemoryStore):
        return
    await given(store)
    await save(store, *(scheduled(a_job(f"job_{n}")) for n in range(2, 20)))
    newest = (await changes(store)).newest
    said: list[str] = []
    engine = store._database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: said.append(statement))
    assert named(await changes(store, since=newest)) == []
    assert len(said) == 1
    explain = "EXPLAIN QUERY PLAN " if store._database.sqlite else "EXPLAIN "
    values = {"t": MINE, "audience": CARLOS, "since": newest, "limit": 10}
    from adapters.sql.offline import _PULL

    text = str(_PULL.params(values).compile(engine, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
    async with store._database.transaction(tenant=MINE) as connection:
        if not store._database.sqlite:
            await connection.run(sa.text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(str(row) for row in await connection.run(sa.text(explain + text.replace(":", "\\:"))))
    assert "ix_offline_changes_feed" in plan
