"""The promises of `JobRepository`, `JobReader`, `Clients`, `Colleagues` and `MediaStore`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.bridge import DirectoryColleagues, RegisteredClients
from adapters.media import FileMedia
from adapters.memory import MemoryMedia
from core.identity import Tenant, User
from core.jobs import Job, JobFilter, JobNotFound, Photo, Signature
from core.kernel.errors import Invalid, NotFound, StaleVersion
from core.kernel.money import Line
from tests.contracts.conftest import Store
from tests.contracts.samples import (
    ACTOR,
    MINE,
    NOW,
    OTHER,
    a_customer,
    a_job,
    a_message,
    a_report,
    a_session,
    acting_for,
    reacting,
    scheduled,
)

ANY = JobFilter()


async def save(store: Store, *jobs: Job) -> None:
    for job in jobs:
        async with store.begin(acting_for(job.tenant)) as tx:
            await tx.jobs.save(job)


async def test_a_job_comes_back_whole(store: Store) -> None:
    lines = (
        Line(description="Gas", quantity=Decimal("1.25"), unit_price=Decimal("10000.10"), vat_rate=Decimal("10.5")),
        Line(description="Visita", quantity=Decimal(1), unit_price=Decimal(5000), discount=Decimal(10)),
    )
    job = scheduled(a_job(source="batch_1")).depart(actor="user_carlos", at=NOW).arrive(actor="user_carlos", at=NOW)
    job = job.add_photo(Photo(id="photo_1", content_type="image/png", size=12, at=NOW), actor="user_carlos")
    job = job.sign(Signature(media_id="sign_1", signed_by="Ana", at=NOW), actor="user_carlos")
    job = job.complete(lines=lines, notes="listo", actor="user_carlos", at=NOW)
    async with store.begin(ACTOR) as tx:
        saved = await tx.jobs.save(job)
    found = await store.jobs.get(MINE, "job_1")
    assert found == saved
    assert (found.lines, found.totals.total) == (lines, Decimal("19257.64"))
    assert (found.starts_at, found.photos[0].id, found.wish.part_of_day) == (NOW, "photo_1", "morning")
    assert found.signature == Signature(media_id="sign_1", signed_by="Ana", at=NOW)


async def test_a_saved_job_is_the_next_version_without_its_facts(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        saved = await tx.jobs.save(a_job())
    assert (saved.version, saved.facts, saved.status) == (1, (), "pending")


async def test_a_job_that_the_tenant_does_not_have_is_not_found(store: Store) -> None:
    await save(store, a_job())
    async with store.begin(ACTOR) as tx:
        with pytest.raises(JobNotFound):
            await tx.jobs.get(OTHER, "job_1")
        with pytest.raises(JobNotFound):
            await tx.jobs.get(MINE, "job_2")
    with pytest.raises(JobNotFound):
        await store.jobs.get(OTHER, "job_1")


async def test_two_tenants_may_have_a_job_by_the_same_id(store: Store) -> None:
    await save(store, a_job(title="Gas"), a_job(tenant=OTHER, title="Luz"))
    assert (await store.jobs.get(MINE, "job_1")).title == "Gas"
    assert (await store.jobs.get(OTHER, "job_1")).title == "Luz"


async def test_the_second_of_two_writers_of_a_job_is_told_so(store: Store) -> None:
    await save(store, a_job())
    read = await store.jobs.get(MINE, "job_1")
    await save(store, scheduled(read))
    with pytest.raises(StaleVersion) as told:
        await save(store, read.cancel(reason="no", actor="user_marta", at=NOW))
    assert told.value.details() == {"kind": "job", "id": "job_1", "version": 1}
    assert (await store.jobs.get(MINE, "job_1")).status == "scheduled"


async def test_a_second_new_job_by_the_same_id_is_stale(store: Store) -> None:
    await save(store, a_job())
    with pytest.raises(StaleVersion):
        await save(store, a_job())


async def test_jobs_are_listed_by_pages_the_newest_first(store: Store) -> None:
    await save(store, *(a_job(f"job_{n}", at=NOW + timedelta(minutes=n // 2)) for n in range(5)))
    first, cursor = await store.jobs.page(MINE, where=ANY, limit=2, cursor=None)
    second, further = await store.jobs.page(MINE, where=ANY, limit=2, cursor=cursor)
    third, end = await store.jobs.page(MINE, where=ANY, limit=2, cursor=further)
    assert [job.id for job in (*first, *second, *third)] == ["job_4", "job_3", "job_2", "job_1", "job_0"]
    assert (cursor is None, further is None, end) == (False, False, None)


async def test_a_page_that_holds_all_names_no_next_page(store: Store) -> None:
    await save(store, a_job("job_1"), a_job("job_2"))
    _, cursor = await store.jobs.page(MINE, where=ANY, limit=2, cursor=None)
    assert cursor is None


@pytest.mark.parametrize("cursor", ["x", "bm9wZQ==", "MjAyNi0xMS0yMFQxMjowMDowMHxqb2JfMQ==", "ñ"])
async def test_a_cursor_that_we_did_not_give_out_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.jobs.page(MINE, where=ANY, limit=2, cursor=cursor)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (JobFilter(status="scheduled"), ["job_2"]),
        (JobFilter(technician_id="user_carlos"), ["job_2"]),
        (JobFilter(customer_id="cust_9"), ["job_3"]),
        (JobFilter(status="pending", customer_id="cust_1"), ["job_1"]),
        (JobFilter(status="invoiced"), []),
    ],
)
async def test_a_list_may_be_narrowed(store: Store, where: JobFilter, found: list[str]) -> None:
    await save(
        store, a_job("job_1"), scheduled(a_job("job_2")), a_job("job_3", customer_id="cust_9"), a_job(tenant=OTHER)
    )
    jobs, _ = await store.jobs.page(MINE, where=where, limit=10, cursor=None)
    assert [job.id for job in jobs] == found


async def test_visits_that_start_soon_are_found_whosever_they_are(store: Store) -> None:
    def visit(minutes: int, id_: str, tenant: str = MINE) -> Job:
        return scheduled(a_job(id_, tenant=tenant), at=NOW + timedelta(minutes=minutes))

    setting_out = visit(5, "job_6").depart(actor="user_carlos", at=NOW)
    called_off = visit(5, "job_7").cancel(reason="no", actor="user_marta", at=NOW)
    await save(store, visit(10, "job_1"), visit(0, "job_2"), visit(11, "job_3"), visit(5, "job_4"), a_job("job_5"))
    await save(store, setting_out, called_off, visit(5, "job_1", OTHER))
    found = await store.jobs.starting(after=NOW, until=NOW + timedelta(minutes=10))
    soon, last = NOW + timedelta(minutes=5), NOW + timedelta(minutes=10)
    assert list(found) == [(MINE, "job_4", soon), (OTHER, "job_1", soon), (MINE, "job_1", last)]
    assert list(await store.jobs.starting(after=last, until=last)) == []


async def test_a_timeline_shows_the_messages_and_everything_that_followed_in_order(store: Store) -> None:
    asked = (a_message(1, at=NOW), a_message(2, at=NOW + timedelta(seconds=2)))
    await store.inbox.receive(asked)
    aggregator = ACTOR.__class__(tenant=MINE, id="messaging.aggregator", role="service", correlation="batch_1")
    async with store.begin(aggregator) as tx:
        await tx.messages.gather(MINE, asked[0].sender.thread, batch_id="batch_1", up_to="msg_2", limit=10)
        await tx.customers.save(a_customer())
        job = await tx.jobs.save(a_job(source="batch_1"))
    async with store.begin(reacting("fact_2", "tracking.open")) as tx:
        await tx.sessions.save(a_session())
    await save(store, scheduled(job), a_job("job_2"))
    entries = await store.jobs.timeline(MINE, "job_1")
    assert [(entry.kind, entry.actor, entry.causation) for entry in entries] == [
        ("message.received", "whatsapp:5491155550001", None),
        ("message.received", "whatsapp:5491155550001", None),
        ("customer.registered", "messaging.aggregator", None),
        ("job.opened", "messaging.aggregator", None),
        ("tracking.opened", "tracking.open", "fact_2"),
        ("job.scheduled", "user_marta", None),
    ]
    assert entries[1].data == {"text": "text 2", "kind": "text", "sentAt": NOW + timedelta(seconds=2)}
    assert entries[5].data == {
        "actor": "user_marta",
        "from_status": "pending",
        "to_status": "scheduled",
        "reason": None,
        "customer_id": "cust_1",
        "technician_id": "user_carlos",
        "starts_at": "2026-11-20T12:00:00Z",
        "ends_at": "2026-11-20T14:00:00Z",
    }


async def test_a_timeline_is_its_tenants_alone(store: Store) -> None:
    await save(store, a_job())
    with pytest.raises(JobNotFound):
        await store.jobs.timeline(OTHER, "job_1")


async def test_a_timeline_leaves_reports_of_other_messages_out(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.messages.note([a_report()])
        await tx.jobs.save(a_job())
    assert [entry.kind for entry in await store.jobs.timeline(MINE, "job_1")] == ["job.opened"]


async def test_only_an_active_technician_of_the_tenant_is_a_colleague_for_jobs(store: Store) -> None:
    people = [
        User(id="user_carlos", tenant=MINE, name="Carlos", role="technician"),
        User(id="user_marta", tenant=MINE, name="Marta", role="dispatcher"),
        User(id="user_gone", tenant=MINE, name="Gone", role="technician", active=False),
    ]
    await store.directory.enrol(Tenant(id=MINE, name="Palermo"), people)
    colleagues = DirectoryColleagues(store.directory)
    asked = [(MINE, "user_carlos"), (OTHER, "user_carlos"), (MINE, "user_marta"), (MINE, "user_gone"), (MINE, "x")]
    assert [await colleagues.is_technician(*each) for each in asked] == [True, False, False, False, False]


async def test_a_client_is_a_customer_of_the_tenant(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.customers.save(a_customer())
    clients = RegisteredClients(store.customers)
    assert [await clients.exists(*each) for each in ((MINE, "cust_1"), (OTHER, "cust_1"), (MINE, "cust_2"))] == [
        True,
        False,
        False,
    ]


@pytest.fixture(params=["memory", "files"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryMedia | FileMedia:
    return MemoryMedia() if request.param == "memory" else FileMedia(tmp_path)


async def test_bytes_come_back_as_they_were_put(media: MemoryMedia | FileMedia) -> None:
    await media.put(MINE, "photo_1", b"\x89PNG\x00")
    assert await media.get(MINE, "photo_1") == b"\x89PNG\x00"


async def test_bytes_of_another_tenant_are_not_found(media: MemoryMedia | FileMedia) -> None:
    await media.put(MINE, "photo_1", b"1")
    with pytest.raises(NotFound):
        await media.get(OTHER, "photo_1")
    with pytest.raises(NotFound):
        await media.get(MINE, "photo_2")
