"""What can be asked of jobs, and by whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest

from core.jobs import Job, JobFilter, JobNotFound, Wish
from core.jobs.service import PHOTO_BYTES, NotAPicture, UnknownPerson, picture_type
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid, NotFound, StaleVersion, Unavailable
from core.kernel.states import IllegalMove
from tests.contracts.samples import MINE, NOW
from tests.core.office import CARLOS, GAS, JPEG, LUCIA, MARTA, PLANNER, PNG, STRANGER, Office

STARTS: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VISIT: Final[dict[str, Any]] = {
    "technician_id": "user_carlos",
    "starts_at": STARTS,
    "ends_at": STARTS + timedelta(hours=2),
}

Asked = Callable[[Office, Actor, Job], Awaitable[Any]]

VERBS: Final[dict[str, tuple[str, Asked]]] = {
    "schedule": ("pending", lambda o, a, j: o.jobs.schedule(actor=a, job_id=j.id, **VISIT)),
    "unschedule": ("scheduled", lambda o, a, j: o.jobs.unschedule(actor=a, job_id=j.id)),
    "depart": ("scheduled", lambda o, a, j: o.jobs.depart(actor=a, job_id=j.id)),
    "turn back": ("en_camino", lambda o, a, j: o.jobs.turn_back(actor=a, job_id=j.id)),
    "arrive": ("en_camino", lambda o, a, j: o.jobs.arrive(actor=a, job_id=j.id)),
    "complete": ("working", lambda o, a, j: o.jobs.complete(actor=a, job_id=j.id, lines=(GAS,))),
    "mark invoiced": ("completed", lambda o, a, j: o.jobs.mark_invoiced(actor=a, job_id=j.id, invoice_id="inv_1")),
    "cancel": ("scheduled", lambda o, a, j: o.jobs.cancel(actor=a, job_id=j.id, reason="no")),
    "change": ("scheduled", lambda o, a, j: o.jobs.change(actor=a, job_id=j.id, notes="timbre 3")),
    "add photo": ("working", lambda o, a, j: o.jobs.add_photo(actor=a, job_id=j.id, content=JPEG)),
    "sign": ("working", lambda o, a, j: o.jobs.sign(actor=a, job_id=j.id, content=PNG, signed_by="Ana")),
    "show": ("scheduled", lambda o, a, j: o.jobs.show(actor=a, job_id=j.id)),
    "timeline": ("scheduled", lambda o, a, j: o.jobs.timeline(actor=a, job_id=j.id)),
}

# May: dispatcher, the job's own technician, another technician, an agent. y yes, n not allowed, ? there is no such job.
MAY: Final = {
    "schedule": "ynnn",
    "unschedule": "ynnn",
    "depart": "yy??",
    "turn back": "yy??",
    "arrive": "yy??",
    "complete": "yy??",
    "mark invoiced": "ynnn",
    "cancel": "ynnn",
    "change": "ynnn",
    "add photo": "yy??",
    "sign": "yy??",
    "show": "yy??",
    "timeline": "yy??",
}
ACTORS: Final = (MARTA, CARLOS, LUCIA, PLANNER)
CELLS: Final = [
    pytest.param(verb, actor, letter, id=f"{verb}-{actor.id}-{letter}")
    for verb, letters in MAY.items()
    for actor, letter in zip(ACTORS, letters, strict=True)
]


@pytest.mark.parametrize(("verb", "actor", "letter"), CELLS)
async def test_a_use_case_is_for_whom_the_table_says(office: Office, verb: str, actor: Actor, letter: str) -> None:
    status, ask = VERBS[verb]
    job = await office.a_job(status=status)
    if letter == "y":
        assert await ask(office, actor, job)
        return
    with pytest.raises(NotAllowed if letter == "n" else JobNotFound):
        await ask(office, actor, job)
    assert await office.jobs.show(actor=MARTA, job_id=job.id) == job


@pytest.mark.parametrize("verb", VERBS)
async def test_nobody_reaches_another_tenant_s_job(office: Office, verb: str) -> None:
    status, ask = VERBS[verb]
    job = await office.a_job(status=status)
    with pytest.raises((JobNotFound, UnknownPerson)):
        await ask(office, STRANGER, job)
    assert await office.jobs.show(actor=MARTA, job_id=job.id) == job


@pytest.mark.parametrize(
    ("verb", "ask"),
    [
        ("schedule", lambda o, j, v: o.jobs.schedule(actor=MARTA, job_id=j.id, version=v, **VISIT)),
        ("unschedule", lambda o, j, v: o.jobs.unschedule(actor=MARTA, job_id=j.id, version=v)),
        ("depart", lambda o, j, v: o.jobs.depart(actor=MARTA, job_id=j.id, version=v)),
        ("turn back", lambda o, j, v: o.jobs.turn_back(actor=MARTA, job_id=j.id, version=v)),
        ("arrive", lambda o, j, v: o.jobs.arrive(actor=MARTA, job_id=j.id, version=v)),
        ("complete", lambda o, j, v: o.jobs.complete(actor=MARTA, job_id=j.id, lines=(GAS,), version=v)),
        ("cancel", lambda o, j, v: o.jobs.cancel(actor=MARTA, job_id=j.id, reason="no", version=v)),
        ("change", lambda o, j, v: o.jobs.change(actor=MARTA, job_id=j.id, notes="x", version=v)),
    ],
)
async def test_whoever_saw_an_older_version_looks_again(office: Office, verb: str, ask: Any) -> None:
    job = await office.a_job(status=VERBS[verb][0])
    with pytest.raises(StaleVersion) as refusal:
        await ask(office, job, job.version - 1)
    assert refusal.value.details() == {"kind": "job", "id": job.id, "version": job.version - 1}
    moved = await ask(office, job, job.version)
    assert moved.version == job.version + 1


async def test_of_two_who_move_a_job_at_once_the_second_looks_again(office: Office) -> None:
    job = await office.a_job(status="scheduled")
    from tests.core.office import elsewhere

    office.weather.plan(
        "jobs.save:before", lambda: elsewhere(office.jobs.cancel(actor=MARTA, job_id=job.id, reason="no"))
    )
    with pytest.raises(StaleVersion):
        await office.jobs.depart(actor=CARLOS, job_id=job.id)
    assert (await office.jobs.show(actor=MARTA, job_id=job.id)).status == "cancelled"


async def test_an_opened_job_is_stored_as_version_one(office: Office) -> None:
    customer = await office.a_customer()
    wish = Wish(text="no enfría", trade="aire_acondicionado")
    job = await office.jobs.open(actor=MARTA, customer_id=customer, title="Aire", wish=wish)
    assert (job.version, job.status, job.facts) == (1, "pending", ())
    assert (job.created_at, job.wish) == (NOW, wish)
    assert await office.jobs.show(actor=MARTA, job_id=job.id) == job


@pytest.mark.parametrize("actor", [CARLOS, PLANNER], ids=["technician", "planner"])
async def test_only_who_may_write_opens_jobs(office: Office, actor: Actor) -> None:
    customer = await office.a_customer()
    with pytest.raises(NotAllowed):
        await office.jobs.open(actor=actor, customer_id=customer, title="Aire")


async def test_a_job_for_nobody_is_refused(office: Office) -> None:
    with pytest.raises(UnknownPerson, match="there is no customer cust_9") as refusal:
        await office.jobs.open(actor=MARTA, customer_id="cust_9", title="Aire")
    assert refusal.value.details() == {"field": "customerId"}


@pytest.mark.parametrize(
    "technician", ["user_nobody", "user_marta", "user_raul"], ids=["unknown", "no technician", "no longer active"]
)
async def test_a_job_is_given_to_an_active_technician_only(office: Office, technician: str) -> None:
    job = await office.a_job()
    with pytest.raises(UnknownPerson, match=f"there is no technician {technician}") as refusal:
        await office.jobs.schedule(actor=MARTA, job_id=job.id, **{**VISIT, "technician_id": technician})
    assert refusal.value.field == "technicianId"


async def test_a_visit_s_times_are_kept_in_utc(office: Office) -> None:
    job = await office.a_job()
    here = timezone(timedelta(hours=-3))
    nine = datetime(2026, 11, 21, 9, 0, tzinfo=here)
    visit = {**VISIT, "starts_at": nine, "ends_at": nine + timedelta(hours=2)}
    job = await office.jobs.schedule(actor=MARTA, job_id=job.id, **visit)
    assert job.starts_at is not None
    assert job.starts_at.isoformat() == "2026-11-21T12:00:00+00:00"


async def test_a_visit_s_times_name_their_zone(office: Office) -> None:
    job = await office.a_job()
    naive = datetime(2026, 11, 21, 9, 0)  # noqa: DTZ001 - what a client may send
    with pytest.raises(Invalid, match="names no time zone"):
        await office.jobs.schedule(actor=MARTA, job_id=job.id, **{**VISIT, "starts_at": naive})


async def test_an_arrival_may_be_dated_by_whoever_saw_it(office: Office) -> None:
    job = await office.a_job(status="en_camino")
    await office.quiet()
    await office.jobs.arrive(actor=MARTA, job_id=job.id, at=NOW - timedelta(minutes=1))
    (fact,) = await office.facts("job.working")
    assert fact.at == NOW - timedelta(minutes=1)


async def test_marking_the_same_invoice_again_changes_nothing(office: Office) -> None:
    job = await office.a_job(status="completed")
    first = await office.jobs.mark_invoiced(actor=MARTA, job_id=job.id, invoice_id="inv_1")
    again = await office.jobs.mark_invoiced(actor=MARTA, job_id=job.id, invoice_id="inv_1")
    assert (first.status, again) == ("invoiced", first)
    with pytest.raises(IllegalMove):
        await office.jobs.mark_invoiced(actor=MARTA, job_id=job.id, invoice_id="inv_2")


async def test_a_correction_that_changes_nothing_keeps_the_version(office: Office) -> None:
    job = await office.a_job()
    assert await office.jobs.change(actor=MARTA, job_id=job.id, title=job.title) == job
    assert (await office.jobs.change(actor=MARTA, job_id=job.id, title="Heladera")).version == job.version + 1


async def test_a_technician_lists_their_own_jobs(office: Office) -> None:
    own = await office.a_job(status="scheduled")
    other = await office.a_job()
    assert [job.id for job in (await office.jobs.list(actor=CARLOS))[0]] == [own.id]
    assert (await office.jobs.list(actor=LUCIA))[0] == []
    asked_for_another = JobFilter(technician_id="user_carlos")
    assert (await office.jobs.list(actor=LUCIA, where=asked_for_another))[0] == []
    assert {job.id for job in (await office.jobs.list(actor=MARTA))[0]} == {own.id, other.id}
    assert (await office.jobs.list(actor=CARLOS, where=JobFilter(status="pending")))[0] == []


async def test_who_may_read_no_job_lists_none(office: Office) -> None:
    with pytest.raises(NotAllowed):
        await office.jobs.list(actor=PLANNER)


async def test_the_list_is_cut_into_pages(office: Office) -> None:
    opened = []
    for _ in range(3):
        opened.append((await office.a_job()).id)
        office.clock.forward(seconds=1)
    first, cursor = await office.jobs.list(actor=MARTA, limit=2)
    last, end = await office.jobs.list(actor=MARTA, limit=2, cursor=cursor)
    assert ([job.id for job in (*first, *last)], end) == (opened[::-1], None)


async def test_photos_and_signature_come_back_as_they_were_sent(office: Office) -> None:
    job = await office.a_job(status="working")
    _, photo = await office.jobs.add_photo(actor=CARLOS, job_id=job.id, content=JPEG)
    signed = await office.jobs.sign(actor=CARLOS, job_id=job.id, content=PNG, signed_by="Ana Ruiz")
    assert signed.signature is not None
    assert (photo.content_type, photo.size, photo.at) == ("image/jpeg", len(JPEG), NOW)
    assert await office.jobs.picture(actor=MARTA, job_id=job.id, media_id=photo.id) == (JPEG, "image/jpeg")
    picture = await office.jobs.picture(actor=CARLOS, job_id=job.id, media_id=signed.signature.media_id)
    assert picture == (PNG, "image/png")


async def test_a_job_gives_out_no_picture_but_its_own(office: Office) -> None:
    job, other = await office.a_job(status="working"), await office.a_job(status="working")
    _, photo = await office.jobs.add_photo(actor=CARLOS, job_id=job.id, content=JPEG)
    with pytest.raises(NotFound, match=f"job {other.id} has no picture {photo.id}"):
        await office.jobs.picture(actor=MARTA, job_id=other.id, media_id=photo.id)
    with pytest.raises(JobNotFound):
        await office.jobs.picture(actor=LUCIA, job_id=job.id, media_id=photo.id)


async def test_a_photo_whose_bytes_could_not_be_kept_is_not_named(office: Office) -> None:
    job = await office.a_job(status="working")
    office.weather.plan("media.put:before", Unavailable("the disk is full"))
    with pytest.raises(Unavailable):
        await office.jobs.add_photo(actor=CARLOS, job_id=job.id, content=JPEG)
    assert (await office.jobs.show(actor=MARTA, job_id=job.id)).photos == ()


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(JPEG, "image/jpeg"), (PNG, "image/png"), (b"\xff\xd8\xff" + bytes(PHOTO_BYTES - 3), "image/jpeg")],
    ids=["jpeg", "png", "ten megabytes"],
)
def test_a_picture_is_known_by_its_first_bytes(content: bytes, content_type: str) -> None:
    assert picture_type(content) == content_type


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8", b"GIF89a", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n", b"\xff\xd8\xff" + bytes(PHOTO_BYTES)],
    ids=["nothing", "cut", "gif", "svg", "pdf", "cut png", "too long"],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        picture_type(content)


async def test_the_timeline_tells_every_move_in_order_with_its_actor(office: Office) -> None:
    job = await office.a_job(status="completed")
    entries = await office.jobs.timeline(actor=MARTA, job_id=job.id)
    assert [(entry.kind, entry.actor) for entry in entries] == [
        ("job.opened", "user_marta"),
        ("job.scheduled", "user_marta"),
        ("job.en_camino", "user_carlos"),
        ("job.working", "user_carlos"),
        ("job.completed", "user_carlos"),
    ]
    assert entries[1].data["technician_id"] == "user_carlos"
    assert job.tenant == MINE
