"""Positions over HTTP: what is taken, ignored and refused."""

from __future__ import annotations

from typing import Any

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


@pytest.mark.parametrize(
    ("fix", "status"),
    [
        ({"lat": 90.1}, 422),
        ({"lng": -180.1}, 422),
        ({"lat": 0, "lng": 0}, 422),
        ({"lat": "34"}, 400),
        ({"lat": True}, 400),
        ({"recordedAt": "yesterday"}, 400),
        ({"recordedAt": "2026-11-20T12:00:00"}, 400),
        ({"altitude": 3}, 400),
    ],
)
async def test_a_position_that_is_none_is_refused(
    web: Web, job: dict[str, Any], fix: dict[str, Any], status: int
) -> None:
    answer = await report(web, job, **fix)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
async def test_numbers_that_are_none_are_refused(web: Web, job: dict[str, Any], number: str) -> None:
    body = f'{{"jobId": "{job["id"]}", "lat": {number}, "lng": -58.4}}'
    assert (await web.ask("POST", "/api/v1/tracking/update", "carlos", content=body)).status_code == 400


async def test_a_fix_from_the_future_or_the_past_is_ignored_with_the_reason(web: Web, job: dict[str, Any]) -> None:
    await report(web, job, recordedAt="2026-11-20T12:00:00Z")
    future = await report(web, job, recordedAt="2026-11-20T12:10:00Z")
    older = await report(web, job, recordedAt="2026-11-20T11:59:00Z")
    assert (future.status_code, future.json()["ignored"]) == (200, "from_the_future")
    assert (older.status_code, older.json()["ignored"]) == (200, "older_than_the_newest")


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
