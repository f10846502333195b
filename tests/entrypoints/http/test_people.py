"""Colleagues over HTTP: who sees them, who changes them, and what that ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entrypoints.http.web import Web

NEW: Any = {"name": "Nora Vega", "role": "technician", "phone": "011 15-5555-0300"}


async def enrol(web: Web, who: str = "alba", **more: Any) -> dict[str, Any]:
    answer = await web.post("/api/v1/users", {**NEW, **more}, who)
    assert answer.status_code == 201, answer.text
    user: dict[str, Any] = answer.json()
    return user


async def change(web: Web, user_id: str, who: str = "alba", **wanted: Any) -> Any:
    return await web.ask("PATCH", f"/api/v1/users/{user_id}", who, json=wanted)


async def test_an_admin_enrols_a_colleague_whom_everybody_sees(web: Web) -> None:
    nora = await enrol(web)
    assert nora == {
        "id": nora["id"],
        "name": "Nora Vega",
        "role": "technician",
        "phone": "+5491155550300",
        "active": True,
        "version": 1,
    }
    for who in ("alba", "marta", "carlos"):
        shown = await web.get(f"/api/v1/users/{nora['id']}", who)
        assert (shown.status_code, shown.json()) == (200, nora)
        assert nora in (await web.get("/api/v1/users", who)).json()["items"]


@pytest.mark.parametrize("who", ["marta", "carlos"])
async def test_others_enrol_and_change_nobody(web: Web, who: str) -> None:
    for answer in (await web.post("/api/v1/users", NEW, who), await change(web, "lucia", who, name="x")):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_a_change_says_what_it_changes_and_from_which_version(web: Web) -> None:
    nora = await enrol(web)
    answer = await change(web, nora["id"], version=1, name="Nora V.", phone="+5491155550301", role="planner")
    assert (answer.status_code, answer.json()) == (
        200,
        {**nora, "name": "Nora V.", "phone": "+5491155550301", "role": "planner", "version": 2},
    )
    stale = await change(web, nora["id"], version=1, name="Otra")
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (409, "stale_version", 1)


async def test_who_was_deactivated_is_out_at_once(web: Web) -> None:
    assert (await web.get("/api/v1/jobs", "carlos")).status_code == 200
    assert (await change(web, "carlos", active=False)).json()["active"] is False
    assert (await web.get("/api/v1/jobs", "carlos")).status_code == 401
    page = (await web.get("/api/v1/audit", "alba")).json()["items"]
    left = next(each for each in page if each["event"] == "identity.deactivated")
    assert (left["actor"], left["userId"]) == ("alba", "carlos")
    assert any(each["event"] == "identity.session_revoked" and each["details"]["reason"] == "left" for each in page)


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"role": "boss"}, 422, "invalid"),
        ({"role": "service"}, 422, "invalid"),
        ({"role": "owner"}, 403, "user.above_oneself"),
        ({"phone": "12"}, 422, "invalid"),
        ({"phone": "+5491150000001"}, 409, "user.phone_taken"),
        ({"name": ""}, 422, "invalid"),
        ({"name": 7}, 400, "malformed"),
        ({"tenant": "other"}, 400, "malformed"),
        ({"token_hash": "aa"}, 400, "malformed"),
    ],
)
async def test_what_cannot_be_is_a_problem_and_changes_nothing(
    web: Web, wanted: dict[str, Any], status: int, code: str
) -> None:
    before = (await web.get("/api/v1/users")).content
    for answer in (await change(web, "carlos", **wanted), await web.post("/api/v1/users", {**NEW, **wanted}, "alba")):
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await web.get("/api/v1/users")).content == before


async def test_the_last_owner_stays(web: Web) -> None:
    for wanted in ({"active": False}, {"role": "admin"}):
        answer = await change(web, "owen", "owen", **wanted)
        assert (answer.status_code, answer.json()["code"]) == (409, "user.last_owner")
    bea = await enrol(web, "owen", role="owner")
    assert (await change(web, "owen", "owen", role="admin")).status_code == 200
    assert bea["role"] == "owner"


async def test_a_person_of_another_tenant_is_not_found(web: Web) -> None:
    for answer in (await web.get("/api/v1/users/carlos", "owen"), await change(web, "carlos", "owen", name="x")):
        assert (answer.status_code, answer.json()["code"]) == (404, "user.not_found")


async def test_the_same_request_under_one_key_enrols_once(web: Web) -> None:
    answers = [
        await web.ask("POST", "/api/v1/users", "alba", json=NEW, headers={"idempotency-key": "enrol-1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
