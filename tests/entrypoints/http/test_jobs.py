"""Jobs over HTTP: what each route answers, and what it says to nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entrypoints.http.web import Web

PNG = b"\x89PNG\r\n\x1a\n and so on"


async def test_a_job_goes_its_way_and_shows_what_became_of_it(web: Web) -> None:
    job = await web.scheduled(await web.a_job(location={"address": "Mitre 450"}))
    assert (job["status"], job["technicianId"], job["startsAt"]) == ("scheduled", "carlos", "2026-11-21T12:00:00Z")
    for to in ("en_camino", "working"):
        assert (await web.move(job, "carlos", to=to)).json()["status"] == to
    lines = [{"description": "Gas", "quantity": "1.5", "unitPrice": "1000.50"}]
    done = (await web.move(job, "carlos", to="completed", lines=lines)).json()
    assert done["totals"] == {
        "net": "1500.75",
        "notTaxed": "0.00",
        "exempt": "0.00",
        "taxes": "0.00",
        "vat": "315.16",
        "total": "1815.91",
        "currency": "ARS",
        "rates": [{"rate": "21", "base": "1500.75", "vat": "315.16"}],
    }
    timeline = (await web.get(f"/api/v1/jobs/{job['id']}/timeline")).json()["items"]
    moves = [(each["kind"], each["actor"]) for each in timeline if each["kind"].startswith("job.")]
    assert moves == [
        ("job.opened", "marta"),
        ("job.scheduled", "marta"),
        ("job.en_camino", "carlos"),
        ("job.working", "carlos"),
        ("job.completed", "carlos"),
    ]


async def test_a_move_that_is_not_allowed_says_what_would_be(web: Web) -> None:
    job = await web.a_job()
    answer = await web.move(job, to="completed", lines=[])
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "illegal_move")
    assert (problem["state"], problem["event"], problem["allowed"]) == (
        "pending",
        "complete",
        ["cancelled", "scheduled"],
    )
    assert (await web.get(f"/api/v1/jobs/{job['id']}")).json()["status"] == "pending"


async def test_a_stale_version_is_a_conflict(web: Web) -> None:
    job = await web.a_job()
    changed = await web.ask("PATCH", f"/api/v1/jobs/{job['id']}", json={"title": "Split", "version": 1})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    stale = await web.ask("PATCH", f"/api/v1/jobs/{job['id']}", json={"title": "Otra cosa", "version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")


async def test_cancelling_needs_a_reason(web: Web) -> None:
    job = await web.a_job()
    assert (await web.move(job, to="cancelled")).status_code == 422
    assert (await web.move(job, to="cancelled", reason="no hace falta")).json()["status"] == "cancelled"
    assert (await web.move(job, to="cancelled", reason="otra vez")).status_code == 409


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "JSON"),
        (b"[]", 400, "object"),
        (b'{"customerId": "x", "title": 3}', 400, "title must be text"),
        (b'{"customerId": "x", "title": "y", "colour": "red"}', 400, "colour is not a field"),
        (b'{"title": "y"}', 400, "customerId is missing"),
        (b'{"customerId": "cust_nobody", "title": "y"}', 422, "no customer"),
        (b'{"customerId": "x", "title": "y", "location": {"lat": 91, "lng": 0}}', 422, "lat"),
        (b'{"customerId": "x", "title": "y", "location": {"lat": 1e400, "lng": 0}}', 400, ""),
        (
            b'{"customerId": "x", "title": "y", "location": {"lat": "1", "lng": 0}}',
            400,
            "location.lat must be a number",
        ),
        (b'{"customerId": "x", "title": "y", "wantedDay": "tomorrow"}', 400, "wantedDay must be"),
    ],
)
async def test_nonsense_is_refused_by_name(web: Web, body: bytes, status: int, words: str) -> None:
    answer = await web.ask("POST", "/api/v1/jobs", content=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "line",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": 1.5},
        {"quantity": "NaN"},
        {"quantity": "1e30"},
        {"unitPrice": "Infinity"},
        {"unitPrice": "0.00000001"},
        {"discount": "101"},
        {"vatRate": "20"},
        {"description": " "},
    ],
)
async def test_a_line_that_cannot_be_charged_is_refused(web: Web, line: dict[str, Any]) -> None:
    job = await web.scheduled(await web.a_job())
    await web.move(job, "carlos", to="en_camino")
    await web.move(job, "carlos", to="working")
    sound = {"description": "Gas", "quantity": "1", "unitPrice": "10.00"}
    answer = await web.move(job, "carlos", to="completed", lines=[{**sound, **line}])
    assert answer.status_code in {400, 422}, answer.text
    assert (await web.get(f"/api/v1/jobs/{job['id']}")).json()["status"] == "working"


async def test_a_technician_sees_and_moves_their_own_jobs_only(web: Web) -> None:
    mine, other = await web.scheduled(await web.a_job()), await web.scheduled(await web.a_job(), "lucia")
    assert [each["id"] for each in (await web.get("/api/v1/jobs", "carlos")).json()["items"]] == [mine["id"]]
    assert (await web.get(f"/api/v1/jobs/{other['id']}", "carlos")).status_code == 404
    assert (await web.move(other, "carlos", to="en_camino")).status_code == 404
    assert (await web.move(mine, "carlos", to="cancelled", reason="x")).status_code == 403


async def test_another_tenant_does_not_see_that_a_job_exists(web: Web) -> None:
    job = await web.a_job()
    for path in ("", "/timeline"):
        answer = await web.get(f"/api/v1/jobs/{job['id']}{path}", "owen")
        assert (answer.status_code, answer.json()["code"]) == (404, "job.not_found")
    assert (await web.get("/api/v1/jobs", "owen")).json() == {"items": [], "nextCursor": None}


async def test_lists_come_in_pages(web: Web) -> None:
    made = []
    for _ in range(3):
        web.clock.forward(seconds=1)
        made.append((await web.a_job())["id"])
    first = (await web.get("/api/v1/jobs?limit=2")).json()
    second = (await web.get(f"/api/v1/jobs?limit=2&cursor={first['nextCursor']}")).json()
    assert [each["id"] for each in (*first["items"], *second["items"])] == made[::-1]
    assert second["nextCursor"] is None
    for wrong in ("limit=0", "limit=201", "limit=x", "limit=99999999999999999999", "cursor=abc", "status=done"):
        assert (await web.get(f"/api/v1/jobs?{wrong}")).status_code in {400, 422}


async def test_a_photo_and_a_signature_come_back_as_they_were_sent(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    await web.move(job, "carlos", to="en_camino")
    await web.move(job, "carlos", to="working")
    path = f"/api/v1/jobs/{job['id']}"
    with_photo = await web.ask("POST", f"{path}/photos", "carlos", files={"file": ("a.png", PNG, "image/png")})
    (photo,) = with_photo.json()["photos"]
    fetched = await web.get(photo["url"], "carlos")
    assert (fetched.content, fetched.headers["content-type"]) == (PNG, "image/png")
    signed = await web.ask("PUT", f"{path}/signature?signedBy=Ana", "carlos", content=PNG)
    assert signed.json()["signature"]["signedBy"] == "Ana"
    assert (await web.get(photo["url"], "owen")).status_code == 404
    assert (await web.get(f"{path}/photos/..%2f..%2fetc", "carlos")).status_code == 404


@pytest.mark.parametrize(("content", "status"), [(b"", 422), (b"<svg/>", 422), (PNG + b"x" * 11 * 1024 * 1024, 413)])
async def test_what_is_no_picture_is_not_kept(web: Web, content: bytes, status: int) -> None:
    job = await web.scheduled(await web.a_job())
    answer = await web.ask("POST", f"/api/v1/jobs/{job['id']}/photos", "carlos", content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
