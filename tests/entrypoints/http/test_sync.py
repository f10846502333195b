"""Phones over HTTP: what they are given, what becomes of what they bring, and in which words."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.entrypoints.http.web import Web

GAS = {"description": "Carga de gas", "quantity": "2", "unitPrice": "10000.00"}


async def pull(web: Web, who: str = "carlos", since: str = "") -> dict[str, Any]:
    answer = await web.get(f"/api/v1/sync?since={since}", who)
    assert answer.status_code == 200, answer.text
    pulled: dict[str, Any] = answer.json()
    return pulled


async def push(web: Web, *operations: dict[str, Any], who: str = "carlos", **more: Any) -> httpx2.Response:
    return await web.post("/api/v1/sync", {"operations": list(operations), **more}, who)


def moved(id_: str, job: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    fields = {"status": status, **more.pop("fields", {})}
    return {"id": id_, "table": "jobs", "record": job["id"], "fields": fields, "baseVersion": job["version"], **more}


async def test_a_technician_pulls_their_day_and_then_only_what_changed(web: Web) -> None:
    job = await web.scheduled(await web.a_job(title="Aire", request="no enfría"))
    await web.a_job(title="de nadie")
    first = await pull(web)
    (mine,) = first["changes"]["jobs"]["updated"]
    assert (mine["id"], mine["status"], mine["title"], mine["lat"], mine["startsAt"]) == (
        job["id"],
        "scheduled",
        "Aire",
        -34.6,
        "2026-11-21T12:00:00Z",
    )
    (customer,) = first["changes"]["customers"]["updated"]
    assert (customer["name"], "documentNumber" in customer) == ("Ana Ruiz", False)
    assert first["changes"]["positions"] == {"updated": [], "deleted": []}
    nothing = await pull(web, since=first["cursor"])
    assert all(part == {"updated": [], "deleted": []} for part in nothing["changes"].values())
    await web.move(job, to="cancelled", reason="lluvia")
    later = await pull(web, since=nothing["cursor"])
    assert [each["status"] for each in later["changes"]["jobs"]["updated"]] == ["cancelled"]


async def test_a_day_without_a_connection_ends_as_if_there_had_been_one(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    answer = await push(
        web,
        moved("op-3", job, "completed", fields={"lines": [GAS]}, createdAt="2026-11-20T11:40:00Z"),
        {"id": "op-4", "table": "jobs", "record": job["id"], "kind": "read", "createdAt": "2026-11-20T11:00:00Z"},
        moved("op-2", job, "working", createdAt="2026-11-20T11:20:00Z"),
        {"id": "op-0", "table": "jobs", "record": job["id"], "fields": {"report": "capacitor"}, "priority": "high",
         "createdAt": "2026-11-20T11:05:00Z"},
        moved("op-1", job, "en_camino", createdAt="2026-11-20T11:10:00Z"),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [(each["id"], each["outcome"]) for each in results] == [
        ("op-3", "applied"),
        ("op-4", "applied"),
        ("op-2", "applied"),
        ("op-0", "applied"),
        ("op-1", "applied"),
    ]
    assert {each["current"]["status"] for each in results} == {"completed"}
    shown = (await web.get(f"/api/v1/jobs/{job['id']}")).json()
    assert (shown["status"], shown["notes"], shown["totals"]["total"]) == ("completed", "capacitor", "24200.00")
    kinds = [each["kind"] for each in (await web.get(f"/api/v1/jobs/{job['id']}/timeline")).json()["items"]]
    assert kinds[-3:] == ["job.en_camino", "job.working", "job.completed"]


async def test_an_operation_without_a_bottom_is_refused_and_the_others_go_on(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    for value, outcomes in (('"x"', ["applied", "applied"]), ("[" * 400 + "]" * 400, ["refused", "applied"])):
        bottomless = f'{{"id":"op-{len(value)}","table":"jobs","record":"{job["id"]}","fields":{{"report":{value}}}}}'
        sound = f'{{"id":"op-{len(value)}b","table":"jobs","record":"{job["id"]}","fields":{{"report":"ok"}}}}'
        answer = await web.ask("POST", "/api/v1/sync", "carlos", content=f'{{"operations":[{bottomless},{sound}]}}')
        assert answer.status_code == 200, answer.text
        assert [each["outcome"] for each in answer.json()["results"]] == outcomes


async def test_what_is_sent_twice_happens_once(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    first = (await push(web, moved("op-1", job, "en_camino"))).json()["results"][0]
    again = await push(web, moved("op-1", job, "en_camino"), moved("op-1", job, "en_camino"))
    assert [each["repeated"] for each in again.json()["results"]] == [True, True]
    assert all(each | {"repeated": False} == first for each in again.json()["results"])
    other = (await push(web, moved("op-1", job, "working"))).json()["results"][0]
    assert (other["status"], other["code"]) == (422, "sync.operation_reused")
    kinds = [each["kind"] for each in (await web.get(f"/api/v1/jobs/{job['id']}/timeline")).json()["items"]]
    assert kinds.count("job.en_camino") == 1


async def test_a_status_that_somebody_else_changed_is_the_person_s_to_choose(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    await web.move(job, to="cancelled", reason="lluvia")
    answer = await push(
        web,
        moved("op-1", job, "en_camino"),
        {"id": "op-2", "table": "jobs", "record": "job_nobodys", "fields": {"report": "x"}},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "sync.conflict")
    conflict, gone = answer.json()["results"]
    assert (conflict["outcome"], conflict["status"], gone["outcome"], gone["status"]) == ("conflict", 409, "gone", 410)
    (decision,) = conflict["decisions"]
    assert (decision["field"], decision["yours"], decision["theirs"], decision["by"], decision["kept"]) == (
        "status",
        "en_camino",
        "cancelled",
        "marta",
        "ask",
    )
    assert conflict["current"]["status"] == "cancelled"
    assert conflict["explanation"] == (
        "Estado: Marta puso «cancelado» el 20/11 a las 09:00; vos pusiste «en camino» el 20/11 a las 09:00. "
        "Regla: el estado, los totales y la firma no se deciden sin preguntar. No se cambió nada: elegí cuál vale."
    )


async def test_a_state_machine_says_no_offline_too_and_the_phone_is_not_blocked(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    answer = await push(web, moved("op-1", job, "completed", fields={"lines": [GAS]}), moved("op-2", job, "en_camino"))
    assert answer.status_code == 200, answer.text
    refused, applied = answer.json()["results"]
    assert (refused["outcome"], refused["code"], applied["outcome"]) == ("refused", "illegal_move", "applied")
    assert "no puede pasar a ese estado" in refused["explanation"]


async def test_the_last_write_of_each_field_wins_and_is_explained(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    web.clock.forward(minutes=10)
    changed = await web.ask(
        "PATCH", f"/api/v1/jobs/{job['id']}", "alba", json={"title": "Heladera", "notes": "timbre 3"}
    )
    assert changed.status_code == 200
    wanted = {"title": "Lavarropas", "address": "Mitre 1", "notes": "timbre 9"}
    operation = {
        "id": "op-1",
        "table": "jobs",
        "record": job["id"],
        "fields": wanted,
        "baseVersion": job["version"],
        "createdAt": "2026-11-20T12:05:00Z",
    }
    web.clock.forward(minutes=10)
    result = (await push(web, operation, who="marta")).json()["results"][0]
    assert (result["outcome"], result["current"]["title"], result["current"]["address"]) == (
        "merged",
        "Heladera",
        "Mitre 1",
    )
    assert [(each["field"], each["kept"]) for each in result["decisions"]] == [("title", "server"), ("notes", "server")]
    late = {**operation, "id": "op-2", "createdAt": "2026-11-20T12:15:00Z"}
    result = (await push(web, late, who="marta")).json()["results"][0]
    assert (result["current"]["title"], result["current"]["notes"]) == ("Lavarropas", "timbre 9")
    assert result["explanation"].splitlines()[0] == (
        "Título: Alba puso «Heladera» el 20/11 a las 09:10; vos pusiste «Lavarropas» el 20/11 a las 09:15. "
        "Regla: gana el último cambio de cada dato. Quedó lo tuyo: «Lavarropas»."
    )


async def test_a_push_of_ten_thousand_operations_is_told_the_limit(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    answer = await push(web, *({"id": f"op-{n}", "table": "jobs", "record": job["id"]} for n in range(10_000)))
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (413, "sync.too_many_operations", 50)
    assert (await push(web, *(moved(f"op-{n}", job, "scheduled") for n in range(50)))).status_code == 200


async def test_what_cannot_be_read_is_refused_by_itself_and_the_rest_goes_on(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    wrong: list[Any] = [
        7,
        {"id": 1},
        moved("op-1", job, "en_camino", kind="upsert"),
        moved("op-2", job, "en_camino", priority=3),
        moved("", job, "en_camino"),
        moved("op-3", {"id": "x" * 200, "version": 1}, "en_camino"),
        {**moved("op-4", job, "en_camino"), "table": "invoices"},
        moved("op-5", job, "en_camino", createdAt="yesterday"),
        {"id": "op-6", "table": "jobs", "record": job["id"], "fields": {"lat": "x", "notes": {"a": []}, "report": 3}},
    ]
    answer = await push(web, *wrong, moved("op-ok", job, "en_camino"))
    assert answer.status_code == 200, answer.text
    *refused, applied = answer.json()["results"]
    assert applied["outcome"] == "applied"
    assert [each["status"] for each in refused] == [422] * 8 + [200]
    assert [each["code"] for each in refused[:8]] == ["malformed", "malformed", "invalid", "malformed", "invalid", "invalid",
                                                      "sync.not_for_phones", "malformed"]  # fmt: skip
    assert {each["field"] for each in refused[8]["decisions"]} == {"lat", "notes", "report"}


async def test_a_cursor_of_another_server_is_told_to_start_again(web: Web) -> None:
    await web.scheduled(await web.a_job())
    ours = (await pull(web))["cursor"]
    theirs = (await pull(web, who="owen"))["cursor"]
    for foreign in (theirs, str(int(ours) + 1), "9" * 30, "281474976710656000"):
        answer = await web.get(f"/api/v1/sync?since={foreign}", "carlos")
        assert (answer.status_code, answer.json()["code"]) == (409, "sync.foreign_cursor"), foreign
    for query in ("since=soon", "limit=0", "limit=99999", "limit=x"):
        answer = await web.get(f"/api/v1/sync?{query}", "carlos")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), query


async def test_a_time_is_still_understood_and_gives_everything_removals_included(web: Web) -> None:
    job, gone = await web.scheduled(await web.a_job()), await web.scheduled(await web.a_job())
    await web.move(gone, to="pending")
    for since in ("2026-11-20T12:00:00Z", "1795093920", "1795093920000"):
        pulled = await pull(web, since=since)
        assert [each["id"] for each in pulled["changes"]["jobs"]["updated"]] == [job["id"]]
        assert pulled["changes"]["jobs"]["deleted"] == [gone["id"]]
    assert (await pull(web, since="0"))["changes"]["jobs"]["deleted"] == []


async def test_a_long_history_comes_in_pages(web: Web) -> None:
    jobs = [await web.scheduled(await web.a_job()) for _ in range(3)]
    found, query = [], ""
    for _ in range(10):
        pulled = (await web.get(f"/api/v1/sync?limit=1{query}", "carlos")).json()
        found += [each["id"] for each in pulled["changes"]["jobs"]["updated"]]
        query = f"&since={pulled['cursor']}"
        if not pulled["more"]:
            break
    assert found == [each["id"] for each in jobs]


async def test_watermelon_asks_for_what_its_migration_needs_and_writes_null_as_it_likes(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    for absent in ("null", "0", "", "undefined"):
        answer = await web.get(
            f"/api/v1/sync/watermelon?last_pulled_at={absent}&schema_version=1&migration=null", "carlos"
        )
        changes = answer.json()["changes"]
        assert set(changes) == {"jobs", "customers", "line_items", "photos", "positions"}
        (raw,) = changes["jobs"]["updated"]
        assert (raw["id"], raw["starts_at"], changes["jobs"]["created"]) == (job["id"], 1795262400000, [])
    stamp = answer.json()["timestamp"]
    migration = '{"from":1,"tables":["customers","drawings"],"columns":[{"table":"jobs","columns":["report"]}]}'
    answer = await web.get(f"/api/v1/sync/watermelon?last_pulled_at={stamp}&migration={migration}", "carlos")
    changes = answer.json()["changes"]
    assert (len(changes["jobs"]["updated"]), len(changes["customers"]["updated"])) == (1, 1)
    for wrong in ("{", "[]", '{"columns":[1]}'):
        answer = await web.get(f"/api/v1/sync/watermelon?last_pulled_at={stamp}&migration={wrong}", "carlos")
        assert (answer.status_code, answer.json()["field"]) == (400, "migration"), wrong


async def test_watermelon_s_push_of_a_foreign_stamp_or_a_wrong_body_is_answered(web: Web) -> None:
    await web.scheduled(await web.a_job())
    where = "/api/v1/sync/watermelon"
    foreign = await web.post(f"{where}?last_pulled_at=281474976710656000", {"jobs": {}}, "carlos")
    assert (foreign.status_code, foreign.json()["code"]) == (409, "sync.foreign_cursor")
    words = await web.post(f"{where}?last_pulled_at=soon", {"jobs": {}}, "carlos")
    assert (words.status_code, words.json()["code"]) == (409, "sync.foreign_cursor")
    stamp = (await web.get(f"{where}?last_pulled_at=0", "carlos")).json()["timestamp"]
    odd: dict[str, Any]
    for odd in (
        {"changes": {"jobs": {"created": [], "updated": [], "deleted": []}}},
        {"jobs": 5},
        {"jobs": {"updated": 7}},
    ):
        answer = await web.post(f"{where}?last_pulled_at={stamp}&sent_at=1795089600000", odd, "carlos")
        assert (answer.status_code, answer.json()) == (200, {"experimentalRejectedIds": {}, "conflicts": []})
    late = await web.post(f"{where}?last_pulled_at={stamp}&sent_at=soon", {"jobs": {}}, "carlos")
    assert (late.status_code, late.json()["field"]) == (400, "sent_at")
    unread = await web.ask("POST", f"{where}?last_pulled_at={stamp}", "carlos", content=b"[]")
    assert unread.status_code == 400


async def test_a_phone_of_another_tenant_or_role_learns_nothing(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    assert (await pull(web, "lucia"))["changes"]["jobs"]["updated"] == []
    assert (await pull(web, "owen"))["changes"]["jobs"]["updated"] == []
    for who in ("lucia", "owen"):
        (result,) = (await push(web, moved("op-1", job, "en_camino"), who=who)).json()["results"]
        assert (result["outcome"], result["current"]) == ("gone", None)
    assert (await web.get(f"/api/v1/jobs/{job['id']}")).json()["status"] == "scheduled"


async def test_half_a_character_or_no_number_blocks_no_phone(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    half = b'{"operations":[{"id":"op-1","table":"jobs","record":"%s","fields":{"report":"listo \\ud83d","lat":NaN}}]}'
    answer = await web.ask("POST", "/api/v1/sync", "carlos", content=half % job["id"].encode())
    (result,) = answer.json()["results"]
    assert (result["outcome"], result["current"]["report"]) == ("merged", "listo \ufffd")
    stamp = (await web.get("/api/v1/sync/watermelon?last_pulled_at=0", "carlos")).json()["timestamp"]
    raw = (
        b'{"jobs":{"updated":[{"id":"%s","report":"\\ud83d","lat":NaN},{"id":"\\ud83d"}]},"line_items":{"created":[{"id":"li-1","job_id":"\\ud83d"}]}}'
        % job["id"].encode()
    )
    answer = await web.ask("POST", f"/api/v1/sync/watermelon?last_pulled_at={stamp}", "carlos", content=raw)
    assert answer.status_code == 200, answer.text
    assert (await pull(web))["changes"]["jobs"]["updated"][0]["report"] == "\ufffd"
