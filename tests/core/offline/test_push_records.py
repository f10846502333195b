"""WatermelonDB's push: whole records, all or none, and nobody is blocked for good."""

from __future__ import annotations

from typing import Any

import pytest

from core.kernel.errors import StaleVersion
from core.offline import TAKEN_AT_ONCE, Collided
from tests.core.office import GAS
from tests.core.offline.phones import CARLOS, MARTA, Phones

LINE = {"description": "Gas", "quantity": 2, "unit_price": "100.00"}


def updated(*raw: Any) -> dict[str, Any]:
    return {"created": [], "updated": list(raw), "deleted": []}


def created(*raw: dict[str, Any]) -> dict[str, Any]:
    return {"created": list(raw), "updated": [], "deleted": []}


async def raw_job(phones: Phones, job_id: str) -> dict[str, Any]:
    record = (await phones.records())["jobs", job_id]
    return {"id": job_id, "_status": "updated", "_changed": "status", **record.values}


async def test_a_phone_that_kept_only_where_the_work_ended_is_taken_there_step_by_step(phones: Phones) -> None:
    job = await phones.job()
    raw = await raw_job(phones, job.id) | {"status": "completed", "report": "capacitor"}
    line = {"id": "li-1", "job_id": job.id, **LINE}
    taken = await phones.push_records(jobs=updated(raw), line_items=created(line), customers=updated(), extra=None)
    assert (taken.outcomes, taken.rejected) == ([], {})
    done = await phones.now(job)
    assert (done.status, done.notes, str(done.totals.total)) == ("completed", "capacitor", "242.00")
    kinds = [each.kind for each in await phones.office.jobs.timeline(actor=MARTA, job_id=job.id)]
    assert kinds[-3:] == ["job.en_camino", "job.working", "job.completed"]
    await phones.push_records(jobs=updated(raw), line_items=created(line))
    assert (await phones.now(job)).version == done.version


async def test_a_record_that_changed_meanwhile_stops_the_whole_push_with_both_values(phones: Phones) -> None:
    job, other = await phones.job(), await phones.job()
    raw, free = await raw_job(phones, job.id), await raw_job(phones, other.id)
    await phones.push("line_items", "li-1", {"job_id": job.id, **LINE}, kind="create")
    since = (await phones.pull()).cursor
    await phones.office.jobs.change(actor=MARTA, job_id=job.id, title="Heladera")
    await phones.office.customers.change(actor=MARTA, customer_id=job.customer_id, name="Eva")
    customer = {"id": job.customer_id, "name": "Ana", "phone": "", "address": ""}
    with pytest.raises(Collided) as told:
        await phones.push_records(
            since=since,
            jobs=updated({**raw, "report": "x"}, {**free, "report": "y"}),
            customers=updated(customer),
            line_items={"created": [], "updated": [{"id": "li-1", "quantity": "9"}], "deleted": []},
        )
    differing = {each.record: {d.field: (d.yours, d.theirs) for d in each.decisions} for each in told.value.outcomes}
    assert differing[job.id] == {"title": ("Aire acondicionado", "Heladera"), "report": ("x", "")}
    assert differing["li-1"] == {"quantity": ("9", "2")}
    assert differing[job.customer_id]["name"] == ("Ana", "Eva")
    assert other.id not in differing
    assert (await raw_job(phones, other.id))["report"] == ""
    with pytest.raises(Collided):
        await phones.push_records(since=since, line_items={"deleted": ["li-1"]})
    fresh = await raw_job(phones, job.id)
    assert (await phones.push_records(jobs=updated({**fresh, "report": "x"}))).outcomes == []


async def test_a_collision_tells_a_technician_nothing_of_a_customer_that_a_pull_would_not(phones: Phones) -> None:
    job = await phones.job()
    since = (await phones.pull()).cursor
    await phones.office.customers.change(
        actor=MARTA, customer_id=job.customer_id, name="Eva", document_type="DNI", document_number="20123456"
    )
    guess = {"id": job.customer_id, "name": "Ana", "document_number": "1", "document_type": "x", "vat_condition": "y"}
    with pytest.raises(Collided) as told:
        await phones.push_records(since=since, customers=updated(guess))
    assert {each.field for each in told.value.outcomes[0].decisions} == {"name"}
    with pytest.raises(Collided) as told:
        await phones.push_records(actor=MARTA, since=since, customers=updated(guess))
    assert ("document_number", "20123456") in {(e.field, e.theirs) for e in told.value.outcomes[0].decisions}


async def test_a_job_that_is_somebody_else_s_now_stops_the_push_until_the_phone_knows(phones: Phones) -> None:
    job = await phones.job()
    raw, since = await raw_job(phones, job.id), (await phones.pull()).cursor
    await phones.office.jobs.unschedule(actor=MARTA, job_id=job.id)
    with pytest.raises(Collided) as told:
        await phones.push_records(since=since, jobs=updated({**raw, "report": "x"}))
    assert told.value.outcomes[0].decisions[0].rule == "gone"
    pulled = await phones.pull(since=since)
    assert ("jobs", job.id) in pulled.deleted
    stubborn = await phones.push_records(
        jobs=updated({**raw, "report": "x"}), line_items=created({"id": "li-1", "job_id": job.id})
    )
    assert [(each.record, each.decisions[0].rule) for each in stubborn.outcomes] == [("li-1", "gone"), (job.id, "gone")]
    assert {("jobs", job.id), ("line_items", "li-1")} <= set((await phones.pull(since=pulled.cursor)).deleted)


async def test_what_may_not_become_so_is_corrected_part_by_part(phones: Phones) -> None:
    job = await phones.job()
    raw = await raw_job(phones, job.id)
    since = (await phones.pull()).cursor
    wanted = {**raw, "title": "no me toca", "report": "sí", "status": "completed", "lat": "x", "total": "5"}
    (outcome,) = (await phones.push_records(since=since, jobs=updated(wanted))).outcomes
    rules = {each.field: each.rule for each in outcome.decisions}
    assert rules == {"title": "not_allowed", "status": "state_machine", "lat": "repaired", "total": "not_writable"}
    now = await raw_job(phones, job.id)
    assert (now["title"], now["report"], now["status"]) == ("Aire acondicionado", "sí", "working")
    assert job.id in {each.id for each in (await phones.pull(since=since)).updated}
    strange = await phones.push_records(
        jobs={"created": [], "updated": [], "deleted": [job.id, 7]}, customers=updated("x", {})
    )
    assert [each.decisions[0].rule for each in strange.outcomes] == ["refused"]
    odd = await phones.push_records(jobs=updated({"id": "../etc"}))
    assert odd.outcomes[0].decisions[0].why == "el identificador no sirve"


async def test_what_is_too_much_or_unknown_stays_with_the_phone(phones: Phones) -> None:
    job = await phones.job("working")
    lines = [{"id": f"li-{n}", "job_id": job.id, **LINE} for n in range(TAKEN_AT_ONCE + 2)]
    taken = await phones.push_records(line_items=created(*lines), drawings=created({"id": "dr-1"}))
    assert taken.rejected == {"line_items": [f"li-{TAKEN_AT_ONCE}", f"li-{TAKEN_AT_ONCE + 1}"], "drawings": ["dr-1"]}
    kept = [key for key in await phones.records() if key[0] == "line_items"]
    assert len(kept) == TAKEN_AT_ONCE


async def test_positions_are_taken_in_the_order_in_which_they_were_measured(phones: Phones) -> None:
    job = await phones.job("en_camino")
    await phones.office.tracking.open(
        actor=CARLOS, job_id=job.id, technician_id=CARLOS.id, customer_id=job.customer_id, destination=None
    )
    at = phones.office.clock().timestamp() * 1000
    points = [
        {"id": f"po-{n}", "job_id": job.id, "lat": -34.6 + n / 1000, "lng": -58.4, "recorded_at": at - 60_000 * n}
        for n in range(3)
    ]
    taken = await phones.push_records(
        positions=created(*points, {"id": "po-x", "job_id": "nobodys", "lat": 1, "lng": 1})
    )
    assert [(each.id, each.code) for each in taken.outcomes] == [("po-x", "tracking.not_found")]


async def test_a_job_completed_with_lines_elsewhere_keeps_them(phones: Phones) -> None:
    job = await phones.job("working")
    await phones.office.jobs.complete(actor=MARTA, job_id=job.id, lines=(GAS,))
    (outcome,) = (await phones.push_records(line_items=created({"id": "li-1", "job_id": job.id, **LINE}))).outcomes
    assert outcome.decisions[0].rule == "refused"
    assert [key[1] for key in await phones.records() if key[0] == "line_items"] == [f"{job.id}.0"]


async def test_a_push_that_meets_another_write_is_tried_again_and_in_the_end_told(phones: Phones) -> None:
    job = await phones.job()
    raw = await raw_job(phones, job.id) | {"status": "en_camino"}
    phones.office.weather.plan("jobs.save:before", StaleVersion("job", job.id, version=1))
    assert (await phones.push_records(jobs=updated(raw))).outcomes == []
    assert (await phones.now(job)).status == "en_camino"
    raw = await raw_job(phones, job.id) | {"status": "working"}
    phones.office.weather.plan("jobs.save:before", *[StaleVersion("job", job.id, version=1)] * 5)
    with pytest.raises(StaleVersion):
        await phones.push_records(jobs=updated(raw))
