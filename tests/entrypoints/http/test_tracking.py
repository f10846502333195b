"""Positions over HTTP: what is taken, ignored and refused."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.entrypoints.http.web import Web


@pytest.fixture
async def job(web: Web) -> dict[str, Any]:
    """Give a job that Carlos is on the way to."""
    job = await web.scheduled(await web.a_job())
    await web.move(job, "carlos", to="en_camino")
    await web.settle()
    return job


async def report(web: Web, job: dict[str, Any], who: str = "carlos", **more: Any) -> Any:
    return await web.post("/api/v1/tracking/update", {"jobId": job["id"], "lat": -34.61, "lng": -58.41, **more}, who)


async def test_a_position_is_answered_with_eta_mode_and_distance(web: Web, job: dict[str, Any]) -> None:
    progress = (await report(web, job, speed=13.0)).json()
    assert (progress["mode"], progress["state"], progress["ignored"]) == ("driving", "active", None)
    assert 1400 < progress["distance"] < 1500
    assert progress["eta"]["lowMinutes"] < progress["eta"]["highMinutes"]


BAD: Final[list[tuple[dict[str, Any], int, str]]] = [
    ({"lat": 91}, 422, "lat"),
    ({"lng": -180.1}, 422, "lng"),
    ({"lat": 0, "lng": 0}, 422, "lat"),
    ({"lat": "34"}, 400, "lat"),
    ({"lat": True}, 400, "lat"),
    ({"lng": None}, 400, "lng"),
    ({"accuracy": "good"}, 400, "accuracy"),
    ({"recordedAt": "yesterday"}, 400, "recordedAt"),
    ({"recordedAt": "2026-11-20T12:00:00"}, 400, "recordedAt"),
    ({"altitude": 3}, 400, "altitude"),
]


@pytest.mark.parametrize(("fix", "status", "field"), BAD)
async def test_a_position_that_is_none_is_refused_by_the_field(
    web: Web, job: dict[str, Any], fix: dict[str, Any], status: int, field: str
) -> None:
    answer = await report(web, job, **fix)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
@pytest.mark.parametrize("field", ["lat", "speed"])
async def test_numbers_that_are_none_are_refused_by_the_field(
    web: Web, job: dict[str, Any], number: str, field: str
) -> None:
    fix = {"jobId": job["id"], "lat": -34.6, "lng": -58.4, field: "number"}
    body = json.dumps(fix).replace('"number"', number)
    answer = await web.ask("POST", "/api/v1/tracking/update", "carlos", content=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


async def test_a_clock_that_is_a_day_ahead_is_noted_and_an_old_fix_ignored_with_the_reason(
    web: Web, job: dict[str, Any]
) -> None:
    tomorrow = await report(web, job, recordedAt="2026-11-21T12:00:00Z")
    assert (tomorrow.status_code, tomorrow.json()["noted"]) == (200, ["clock_ahead"])
    older = await report(web, job, recordedAt="2026-11-20T11:59:00Z")
    assert (older.status_code, older.json()["ignored"]) == (200, "older_than_the_newest")


async def test_a_jump_of_three_kilometres_is_told_and_not_believed(web: Web, job: dict[str, Any]) -> None:
    before = (await report(web, job)).json()
    web.clock.forward(seconds=30)
    jumped = (await report(web, job, lat=-34.637)).json()
    assert (jumped["noted"], jumped["distance"]) == (["suspect"], before["distance"])


async def test_of_a_batch_the_good_ones_are_taken_and_the_bad_ones_named(web: Web, job: dict[str, Any]) -> None:
    web.clock.forward(minutes=10)
    good = [
        {"lat": -34.61 + 0.001 * place, "lng": -58.41, "recordedAt": f"2026-11-20T12:0{place}:00Z"}
        for place in range(4)
    ]
    bad = [{**good[0], **fix} for fix, _, _ in BAD]
    fixes = [good[0], *bad, "nonsense", good[3], good[2], good[2]]
    whole = json.dumps({"jobId": job["id"], "fixes": fixes})
    body = whole.replace('"nonsense"', '"nonsense", {"lat": NaN, "lng": -58.41}, {"lat": -34.6}')
    answer = await web.ask("POST", "/api/v1/tracking/update", "carlos", content=body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [each["index"] for each in results] == list(range(len(fixes) + 2))
    refused = [(each["field"], bool(each["detail"])) for each in results if each["result"] == "refused"]
    expected = [f"fixes.{place}.{field}" for place, (_, _, field) in enumerate(BAD, start=1)]
    assert refused == [(each, True) for each in (*expected, "fixes.11", "fixes.12.lat", "fixes.13.lng")]
    taken = [(each["index"], each["reason"]) for each in results if each["result"] != "refused"]
    assert taken == [(0, None), (14, None), (15, None), (16, "older_than_the_newest")]
    assert answer.json()["distance"] == pytest.approx(1201, abs=5), "the newest of them counts, not the last"


async def test_a_batch_that_is_too_large_names_the_limit(web: Web, job: dict[str, Any]) -> None:
    fixes = [{"lat": -34.61, "lng": -58.41}] * 501
    answer = await web.post("/api/v1/tracking/update", {"jobId": job["id"], "fixes": fixes}, "carlos")
    assert (answer.status_code, answer.json()["limit"], answer.json()["field"]) == (413, 500, "fixes")
    huge = await web.post("/api/v1/tracking/update", {"jobId": job["id"], "fixes": fixes * 100}, "carlos")
    assert (huge.status_code, huge.json()["code"]) == (413, "too_large")


async def test_one_position_and_many_at_once_are_too_many_wishes(web: Web, job: dict[str, Any]) -> None:
    answer = await report(web, job, fixes=[{"lat": -34.61, "lng": -58.41}])
    assert (answer.status_code, answer.json()["field"]) == (400, "fixes")


async def test_a_second_phone_takes_the_trip_over(web: Web, job: dict[str, Any]) -> None:
    assert (await report(web, job)).status_code == 200
    old = await web.token("carlos")
    web._tokens.clear()
    web.clock.forward(seconds=30)
    assert (await report(web, job, lat=-34.6105)).status_code == 200
    web.clock.forward(seconds=30)
    body = {"jobId": job["id"], "lat": -34.61, "lng": -58.41}
    headers = {"authorization": f"Bearer {old}"}
    refused = await web.ask("POST", "/api/v1/tracking/update", None, json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "tracking.other_phone")
    assert (await report(web, job, lat=-34.61)).json()["ignored"] is None


async def test_the_office_sees_where_somebody_is_and_was(web: Web, job: dict[str, Any]) -> None:
    place = f"/api/v1/jobs/{job['id']}"
    for lat in (-34.61, -34.609, -34.608):
        web.clock.forward(seconds=30)
        await report(web, job, lat=lat, speed=4.0)
    await web.app.tracking.write_history(limit=100)
    trip = (await web.get(f"{place}/trip")).json()
    assert (trip["state"], trip["technicianId"], trip["position"]["lat"]) == ("active", "carlos", -34.608)
    first = (await web.get(f"{place}/positions?limit=2")).json()
    rest = (await web.get(f"{place}/positions?limit=2&cursor={first['nextCursor']}")).json()
    assert [each["lat"] for each in (*first["items"], *rest["items"])] == [-34.608, -34.609, -34.61]
    assert rest["nextCursor"] is None
    assert {each["tripId"] for each in rest["items"]} == {trip["id"]}
    for who, path, status in (
        ("carlos", "trip", 200),
        ("carlos", "positions", 403),
        ("lucia", "trip", 404),
        ("lucia", "positions", 403),
        ("owen", "trip", 404),
        ("owen", "positions", 404),
    ):
        assert (await web.get(f"{place}/{path}", who)).status_code == status, (who, path)
    bad = await web.get(f"{place}/positions?cursor=nonsense")
    assert (bad.status_code, bad.json()["field"]) == (422, "cursor")


async def test_nobody_else_reports_for_a_technician(web: Web, job: dict[str, Any]) -> None:
    for who, status in (("lucia", 404), ("owen", 404), ("marta", 200)):
        assert (await report(web, job, who)).status_code == status


async def test_a_job_without_a_trip_takes_no_position(web: Web) -> None:
    answer = await report(web, await web.a_job())
    assert (answer.status_code, answer.json()["code"]) == (404, "tracking.not_found")


async def test_the_link_shows_the_trip_until_it_expires(web: Web, job: dict[str, Any]) -> None:
    await report(web, job)
    session = await web.app.store.sessions.of_job("demo", job["id"])
    assert session is not None
    link = f"/track/{web.app.tracking.token_of(session.id)}"
    shown = await web.ask("GET", link, None, headers={"accept": "application/json"})
    facts = shown.json()
    assert (facts["state"], facts["technician"], facts["address"]) == ("moving", "Carlos", "Mitre 450")
    web.clock.forward(hours=4)
    gone = await web.ask("GET", link, None, headers={"accept": "application/json"})
    assert (gone.status_code, gone.json()["code"]) == (410, "tracking.link_expired")
    unknown = await web.ask("GET", "/track/nobody-knows-this-one", None, headers={"accept": "application/json"})
    assert unknown.status_code == 404
