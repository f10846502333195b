"""What becomes of what was done without a connection."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from core.kernel.actor import NotAllowed
from core.kernel.errors import Conflict, StaleVersion, Unavailable
from core.offline import Cursor, ForeignCursor, Operation, TooManyOperations
from tests.core.office import GAS, JPEG, LUCIA, PLANNER, PNG
from tests.core.offline.phones import CARLOS, MARTA, Phones

LINE = {"description": "Gas", "quantity": "2", "unit_price": "100.00"}
SIGNATURE = {"content": base64.b64encode(PNG).decode(), "signed_by": "Ana"}


async def test_operations_are_applied_by_priority_and_then_as_they_were_done(phones: Phones) -> None:
    job = await phones.job()
    start = phones.office.clock() - timedelta(hours=1)

    def operation(number: int, minute: int, **more: Any) -> Operation:
        return Operation(
            id=f"op-{number}",
            table="jobs",
            record=job.id,
            created_at=start + timedelta(minutes=minute),
            base_version=job.version,
            **more,
        )

    results = await phones.offline.push(
        actor=CARLOS,
        operations=[
            operation(1, 1, kind="read"),
            operation(2, 2, fields={"report": "capacitor"}),
            operation(3, 30, fields={"status": "working"}),
            operation(4, 20, fields={"status": "en_camino"}),
        ],
    )
    assert [(outcome.id, outcome.result) for outcome, _ in results] == [(f"op-{n}", "applied") for n in (1, 2, 3, 4)]
    assert all(record is not None and record.values["report"] == "capacitor" for _, record in results)
    assert (await phones.now(job)).status == "working"


async def test_a_push_above_the_limit_is_refused_whole_with_the_limit(phones: Phones) -> None:
    many = [Operation(id=str(n), table="jobs", record="x") for n in range(51)]
    with pytest.raises(TooManyOperations) as told:
        await phones.offline.push(actor=CARLOS, operations=many)
    assert told.value.details() == {"limit": 50, "count": 51}


async def test_lines_written_before_the_end_are_what_the_job_comes_to(phones: Phones) -> None:
    job = await phones.job("working")
    assert (await phones.push("line_items", "li-1", {"job_id": job.id, **LINE}, kind="create")).result == "applied"
    assert (await phones.push("line_items", "li-2", {"job_id": job.id, **LINE}, kind="create")).result == "applied"
    assert (await phones.push("line_items", "li-2", {"quantity": "5"}, base_version=1)).result == "applied"
    assert (await phones.push("line_items", "li-1", {}, kind="delete")).result == "applied"
    assert (await phones.push("line_items", "li-1", {}, kind="delete")).result == "applied"
    before = await phones.records()
    assert (before["jobs", job.id].values["total"], ("line_items", "li-1") in before) == ("605.00", False)
    assert (await phones.push("jobs", job.id, {"status": "completed", "notes": "listo"})).result == "applied"
    done = await phones.now(job)
    assert (str(done.totals.total), done.notes, str(done.lines[0].quantity)) == ("605.00", "listo", "5")
    after = await phones.records()
    assert [key[1] for key in after if key[0] == "line_items"] == ["li-2"]
    closed = await phones.push("line_items", "li-2", {"quantity": "9"}, base_version=2)
    assert (closed.result, closed.code) == ("refused", "sync.lines_closed")
    assert (await phones.push("line_items", "li-2", {"quantity": "5"})).result == "applied"
    assert (await phones.push("jobs", job.id, {"report": "tarde"})).code == "sync.lines_closed"


async def test_a_job_that_was_completed_elsewhere_asks_about_its_total(phones: Phones) -> None:
    job = await phones.job("working")
    await phones.push("line_items", "li-1", {"job_id": job.id, **LINE}, kind="create")
    known = (await phones.records())["jobs", job.id].version
    cursor = (await phones.pull()).cursor
    await phones.office.jobs.complete(actor=MARTA, job_id=job.id, lines=(GAS,))
    late = await phones.push("line_items", "li-1", {"quantity": "3"}, base_version=1)
    assert (late.result, [each.field for each in late.decisions]) == ("conflict", ["total"])
    again = await phones.push("jobs", job.id, {"status": "completed", "lines": [LINE]}, base_version=known)
    assert (again.result, [(each.field, each.theirs) for each in again.decisions]) == (
        "conflict",
        [("total", "24200.00")],
    )
    assert "Total: Marta Díaz puso «24200.00»" in again.explanation
    pulled = await phones.pull(since=cursor)
    assert ("line_items", "li-1") in pulled.deleted
    assert [each.id for each in pulled.updated if each.table == "line_items"] == [f"{job.id}.0"]


async def test_a_signature_comes_with_a_push_and_is_never_replaced_without_asking(phones: Phones) -> None:
    job = await phones.job("working")
    known = (await phones.records())["jobs", job.id].version
    assert (await phones.push("jobs", job.id, {"signature": SIGNATURE})).result == "applied"
    assert (await phones.records())["jobs", job.id].values["signed_by"] == "Ana"
    await phones.office.jobs.sign(actor=MARTA, job_id=job.id, content=JPEG, signed_by="Eva")
    asks = await phones.push("jobs", job.id, {"signature": SIGNATURE}, base_version=known)
    assert (asks.result, asks.decisions[0].theirs) == ("conflict", "Eva")
    for wrong in ("x", {"content": "ñ", "signed_by": "Ana"}, {"content": "QQ==", "signed_by": "Ana"}, {"content": 1}):
        refused = await phones.push("jobs", job.id, {"signature": wrong}, base_version=99)
        assert refused.result == "refused", wrong


async def test_a_photo_s_name_on_the_phone_is_joined_to_its_bytes(phones: Phones) -> None:
    job = await phones.job("working")
    assert (
        await phones.push("photos", "ph-1", {"job_id": job.id, "taken_at": 1795093920000}, kind="create")
    ).result == ("applied")
    _, photo = await phones.office.jobs.add_photo(actor=CARLOS, job_id=job.id, content=PNG)
    records = await phones.records()
    assert {key[1] for key in records if key[0] == "photos"} == {"ph-1", photo.id}
    await phones.push("photos", "ph-1", {"media_id": photo.id})
    (joined,) = [each for key, each in (await phones.records()).items() if key[0] == "photos"]
    assert (joined.id, joined.values["media_id"], joined.values["size"]) == ("ph-1", photo.id, len(PNG))
    assert joined.values["taken_at"] == phones.office.clock().replace(month=11, day=19, hour=13, minute=12)
    assert (await phones.push("photos", "ph-1", {}, kind="delete")).code == "sync.not_for_phones"
    assert (await phones.push("photos", photo.id, {"job_id": job.id, "media_id": "x"})).result == "applied"
    await phones.push("photos", "ph-2", {"job_id": job.id}, kind="create")
    assert (await phones.push("photos", "ph-2", {}, kind="delete")).result == "applied"
    assert (await phones.push("photos", "ph-3", {"job_id": job.id}, kind="delete")).result == "applied"
    assert {key[1] for key in await phones.records() if key[0] == "photos"} == {"ph-1"}


async def test_a_position_goes_to_tracking_and_twice_is_as_once(phones: Phones) -> None:
    job = await phones.job("en_camino")
    await phones.office.quiet()
    await phones.office.tracking.open(
        actor=CARLOS, job_id=job.id, technician_id=CARLOS.id, customer_id=job.customer_id, destination=None
    )
    here = {"job_id": job.id, "lat": -34.6, "lng": -58.4, "recorded_at": phones.office.clock().isoformat()}
    assert (await phones.push("positions", "po-1", here, kind="create")).result == "applied"
    assert (await phones.push("positions", "po-2", here, kind="create")).result == "applied"
    for wrong in ({**here, "lat": 91}, {**here, "lng": None}, {**here, "job_id": 5}, {}):
        assert (await phones.push("positions", "po-3", wrong, kind="create")).code == "sync.not_for_phones"
    assert (await phones.push("positions", "po-1", here)).code == "sync.not_for_phones"
    nowhere = await phones.push("positions", "po-4", {**here, "job_id": "job_nobodys"}, kind="create")
    assert (nowhere.result, nowhere.code) == ("gone", "tracking.not_found")
    assert not [key for key in await phones.records() if key[0] == "positions"]


async def test_a_bad_value_is_repaired_and_the_rest_goes_on(phones: Phones) -> None:
    job = await phones.job("working")
    line = {
        "job_id": job.id,
        "description": 7,
        "quantity": "-1",
        "unit_price": "abc",
        "vat_rate": "33",
        "treatment": "exempt",
    }
    outcome = await phones.push("line_items", "li-1", line, kind="create")
    assert (outcome.result, {each.rule for each in outcome.decisions}) == ("merged", {"repaired"})
    (kept,) = [each for key, each in (await phones.records()).items() if key[0] == "line_items"]
    assert {name: kept.values[name] for name in ("description", "quantity", "unit_price", "vat_rate", "treatment")} == {
        "description": "Sin descripción",
        "quantity": "1",
        "unit_price": "0",
        "vat_rate": "0",
        "treatment": "exempt",
    }
    moved = await phones.push("jobs", job.id, {"lat": 91, "report": "bien"})
    assert (moved.result, (await phones.records())["jobs", job.id].values["report"]) == ("merged", "bien")


@pytest.mark.parametrize(
    ("table", "record", "fields", "kind", "code"),
    [
        ("invoices", "inv_1", {}, "update", "sync.not_for_phones"),
        ("jobs", "{job}", {}, "delete", "sync.not_for_phones"),
        ("jobs", "sp ace", {}, "update", "sync.not_for_phones"),
        ("customers", "{customer}", {}, "delete", "sync.not_for_phones"),
        ("customers", "{customer}", {"name": "Eva"}, "update", "not_allowed"),
        ("customers", "cust_new", {"name": "Eva"}, "create", "not_allowed"),
        ("customers", "cust_new", {"name": "Eva"}, "update", "sync.gone"),
        ("jobs", "job_new", {"title": "x"}, "create", "not_allowed"),
        ("jobs", "job_new", {"title": "x"}, "update", "sync.gone"),
        ("jobs", "{job}", {"title": "x"}, "update", "not_allowed"),
        ("jobs", "{job}", {"address": "x"}, "update", "not_allowed"),
        ("jobs", "{job}", {"status": "working"}, "update", "illegal_move"),
        ("jobs", "{job}", {"status": "cancelled"}, "update", "not_allowed"),
        ("jobs", "{job}", {"status": "flying"}, "update", "invalid"),
        ("jobs", "{job}", {"status": "completed", "lines": "x"}, "update", "invalid"),
        ("line_items", "li-9", {"job_id": "job_nobodys"}, "create", "sync.gone"),
        ("photos", "ph-9", {}, "update", "sync.gone"),
    ],
)
async def test_what_may_not_be_is_refused_for_good_and_says_why(  # noqa: PLR0917 - a row of the table above
    phones: Phones, table: str, record: str, fields: dict[str, Any], kind: str, code: str
) -> None:
    job = await phones.job()
    record = record.format(job=job.id, customer=job.customer_id)
    cursor = (await phones.pull()).cursor
    before = await phones.records()
    outcome = await phones.push(table, record, fields, kind=kind)
    assert (outcome.code, outcome.result in {"refused", "gone"}, outcome.explanation != "") == (code, True, True)
    assert {key: each.values for key, each in before.items()} == {
        key: each.values for key, each in (await phones.records()).items()
    }
    pulled = await phones.pull(since=cursor)
    if (table, record) in before:
        assert (table, record) in {(each.table, each.id) for each in pulled.updated}
    elif table != "invoices" and " " not in record:
        assert (table, record) in pulled.deleted


async def test_a_dispatcher_s_phone_makes_customers_and_jobs_under_its_own_ids_and_moves_them(phones: Phones) -> None:
    async def does(table: str, record: str, fields: dict[str, Any], kind: str = "update") -> str | None:
        outcome = await phones.push(table, record, fields, kind=kind, actor=MARTA)
        return outcome.code or outcome.result

    assert await does("customers", "cust-a", {"name": "Ana", "phone": "+5491155550999"}, "create") == "applied"
    assert await does("customers", "cust-b", {"name": "Eva", "phone": "+5491155550999"}, "create") == (
        "customer.identity_taken"
    )
    assert await does("customers", "cust-c", {"name": ""}, "create") == "invalid"
    assert await does("customers", "cust-a", {"address": "Mitre 1"}) == "applied"
    assert await does("customers", "cust-a", {"phone": "no"}) == "invalid"
    new = {"title": "Aire", "customer_id": "cust-a", "address": "Mitre 450", "lat": -34.6, "lng": -58.4}
    assert await does("jobs", "job-a", new, "create") == "applied"
    assert await does("jobs", "job-b", {**new, "customer_id": "nobody"}, "create") == "job.unknown_person"
    visit = {
        "status": "scheduled",
        "technician_id": CARLOS.id,
        "starts_at": "2026-11-21T12:00:00Z",
        "ends_at": "2026-11-21T14:00:00Z",
    }
    assert await does("jobs", "job-a", {"status": "scheduled"}) == "invalid"
    assert await does("jobs", "job-a", visit) == "applied"
    assert await does("jobs", "job-a", {"status": "en_camino"}) == "applied"
    assert await does("jobs", "job-a", {"status": "scheduled", "reason": "tránsito"}) == "applied"
    assert await does("jobs", "job-a", {"status": "pending"}) == "applied"
    assert await does("jobs", "job-a", {"address": "Mitre 452", "title": "Heladera"}) == "applied"
    assert await does("jobs", "job-a", {"status": "cancelled", "reason": "no hace falta"}) == "applied"
    job = await phones.office.jobs.show(actor=MARTA, job_id="job-a")
    assert (job.status, job.title, job.place.address, job.place.lat) == ("cancelled", "Heladera", "Mitre 452", -34.6)


async def test_two_who_send_one_operation_at_once_apply_it_once(phones: Phones) -> None:
    job = await phones.job()
    operation = Operation(
        id="op-1", table="jobs", record=job.id, base_version=job.version, fields={"status": "en_camino"}
    )

    async def other() -> None:
        await phones.offline.push(actor=CARLOS, operations=[operation])

    from tests.core.office import elsewhere

    phones.office.weather.plan("operations.keep:before", lambda: elsewhere(other()))
    ((outcome, _),) = await phones.offline.push(actor=CARLOS, operations=[operation])
    assert (outcome.result, outcome.repeated) == ("applied", True)
    assert (await phones.now(job)).version == job.version + 1


async def test_a_write_that_meets_another_is_tried_again_and_silence_is_told(phones: Phones) -> None:
    job = await phones.job()
    phones.office.weather.plan("jobs.save:before", StaleVersion("job", job.id, version=1))
    assert (await phones.push("jobs", job.id, {"status": "en_camino"})).result == "applied"
    phones.office.weather.plan("jobs.save:before", *[StaleVersion("job", job.id, version=1)] * 5)
    assert (await phones.push("jobs", job.id, {"status": "working"})).result == "retry"
    phones.office.weather.plan("jobs.save:before", Unavailable("the database does not answer"))
    silent = await phones.push("jobs", job.id, {"status": "working"})
    assert (silent.result, silent.code) == ("retry", "unavailable")
    phones.office.weather.clear()
    assert (await phones.push("jobs", job.id, {"status": "working"})).result == "applied"


async def test_a_conflict_is_left_in_the_job_s_timeline_for_people(phones: Phones) -> None:
    job = await phones.job()
    await phones.office.jobs.cancel(actor=MARTA, job_id=job.id, reason="lluvia")
    await phones.push("jobs", job.id, {"status": "en_camino"}, base_version=job.version)
    entry = (await phones.office.jobs.timeline(actor=MARTA, job_id=job.id))[-1]
    assert (entry.kind, entry.actor, entry.data["rule"], entry.data["fields"]) == (
        "offline.conflict",
        CARLOS.id,
        "ask_user",
        ("status",),
    )
    assert "Marta Díaz puso «cancelado»" in str(entry.data["explanation"])


async def test_whoever_has_no_jobs_has_nothing_to_sync(phones: Phones) -> None:
    planner = PLANNER.__class__(tenant=PLANNER.tenant, id="user_agustin", role="planner", correlation="corr")
    with pytest.raises(NotAllowed):
        await phones.pull(planner)
    with pytest.raises(NotAllowed):
        await phones.push("jobs", "job_1", {}, actor=planner)
    assert (await phones.pull(LUCIA)).updated == []


async def test_a_cursor_of_another_server_or_from_the_future_is_not_taken(phones: Phones) -> None:
    await phones.job()
    cursor = (await phones.pull()).cursor
    for foreign in (
        Cursor(cursor.origin - 1 if cursor.origin > 1024 else 1025, 1),
        Cursor(cursor.origin, cursor.seq + 1),
    ):
        with pytest.raises(ForeignCursor):
            await phones.pull(since=foreign)
        with pytest.raises(ForeignCursor):
            await phones.push_records(since=foreign, jobs={})
    assert (await phones.pull(since=cursor)).cursor == cursor


async def test_pages_end_where_the_next_begins_and_removals_can_be_asked_for(phones: Phones) -> None:
    jobs = [await phones.job() for _ in range(3)]
    await phones.office.jobs.unschedule(actor=MARTA, job_id=jobs[0].id)
    found: list[str] = []
    cursor, more = None, True
    while more:
        pulled = await phones.pull(since=cursor, limit=1)
        found += [each.id for each in pulled.updated if each.table == "jobs"]
        cursor, more = pulled.cursor, pulled.more
    assert found == [jobs[1].id, jobs[2].id]
    assert (await phones.pull()).deleted == ()
    assert ("jobs", jobs[0].id) in (await phones.pull(removals=True)).deleted


def test_what_collided_is_a_conflict() -> None:
    assert issubclass(ForeignCursor, Conflict)


async def test_a_phone_that_turns_back_says_so_with_its_whole_record(phones: Phones) -> None:
    job = await phones.job("en_camino")
    raw = {"id": job.id, **(await phones.records())["jobs", job.id].values, "status": "scheduled"}
    taken = await phones.push_records(jobs={"created": [], "updated": [raw], "deleted": []})
    assert (taken.outcomes, (await phones.now(job)).status) == ([], "scheduled")


async def test_a_draft_that_is_no_line_yet_has_no_total(phones: Phones) -> None:
    job = await phones.job("working")
    dear = {"job_id": job.id, **LINE, "quantity": "9999999999999", "unit_price": "9999999999999"}
    assert (await phones.push("line_items", "li-1", dear, kind="create")).result == "merged"
    assert (await phones.records())["jobs", job.id].values["total"] == "0.00"
