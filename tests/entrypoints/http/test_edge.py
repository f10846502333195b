"""What every answer has: an id, safe headers, problems in one shape."""

from __future__ import annotations

import html
import json
from typing import Any

import httpx2
import pytest
from attrs import evolve, frozen

from core.kernel.errors import Unavailable
from entrypoints.http.app import http_app
from entrypoints.http.endpoints import ENDPOINTS
from tests.entrypoints.http.web import Web


async def test_an_answer_carries_an_id_and_safe_headers(web: Web) -> None:
    answer = await web.ask("GET", "/health", None)
    assert answer.json() == {"status": "ok"}
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


async def test_a_sane_request_id_is_kept_and_another_is_not(web: Web) -> None:
    for given, kept in (("abc-12345", True), ("x", False), ("a" * 65, False), ("ñandú-12345", False)):
        answer = await web.ask("GET", "/health", None, headers={"x-request-id": given.encode()})
        assert (answer.headers["x-request-id"] == given) is kept


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), ("/api/v1/jobs", "DELETE", 405)])
async def test_what_does_not_exist_is_a_problem_too(web: Web, path: str, method: str, status: int) -> None:
    answer = await web.ask(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer wrong", "Bearer " + "x" * 600, "Bearer ñ"])
async def test_nobody_gets_in_without_a_token(web: Web, header: str | None) -> None:
    guarded = [each for each in ENDPOINTS if not each.open]
    assert len(guarded) > 30
    for endpoint in guarded:
        path = endpoint.path.replace("{id}", "x").replace("{photo_id}", "y")
        headers = {} if header is None else {"authorization": header.encode()}
        answer = await web.ask(endpoint.method, path, None, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
        assert answer.headers["www-authenticate"] == "Bearer"


@frozen
class Broken:
    """A part of the application that fails whatever it is asked."""

    failure: Exception

    async def list(self, **_: object) -> None:
        raise self.failure

    async def ping(self) -> None:
        raise self.failure


async def ask_broken(web: Web, path: str, **parts: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=http_app(evolve(web.app, **parts)), raise_app_exceptions=False)
    token = await web.token("marta")
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers={"authorization": f"Bearer {token}"})


async def test_a_defect_is_answered_without_its_insides(web: Web) -> None:
    answer = await ask_broken(web, "/api/v1/jobs", jobs=Broken(ZeroDivisionError("the password is hunter2")))
    assert (answer.status_code, answer.json()["code"]) == (500, "defect")
    assert "hunter2" not in answer.text


async def test_what_is_not_there_now_says_when_to_come_back(web: Web) -> None:
    answer = await ask_broken(web, "/api/v1/jobs", jobs=Broken(Unavailable("the database does not answer")))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_production_insists_on_https(web: Web) -> None:
    answer = await ask_broken(web, "/health", settings=evolve(web.app.settings, env="production"))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_the_openapi_document_describes_every_route(web: Web) -> None:
    document = (await web.ask("GET", "/openapi.json", None)).json()
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {(each.method, each.path) for each in ENDPOINTS} <= described
    assert {("POST", "/webhooks/whatsapp"), ("GET", "/track/{token}"), ("GET", "/health")} <= described
    names = set(document["components"]["schemas"])
    referred = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert referred <= names


async def test_the_documentation_is_a_page(web: Web) -> None:
    answer = await web.ask("GET", "/docs", None)
    assert answer.status_code == 200
    for endpoint in ENDPOINTS:
        assert endpoint.summary in html.unescape(answer.text)
    home = await web.ask("GET", "/", None)
    assert home.headers["location"] == "/docs"


async def test_readiness_is_the_databases(web: Web) -> None:
    assert (await web.ask("GET", "/health/ready", None)).json() == {"status": "ok"}

    assert (await ask_broken(web, "/health/ready", store=Broken(ConnectionRefusedError()))).status_code == 503


async def test_customers_and_people_are_the_tenants_own(web: Web) -> None:
    made = await web.post("/api/v1/customers", {"name": "Ana", "phone": "+54 9 11 5555-0123"})
    assert (made.status_code, made.json()["phone"]) == (201, "+5491155550123")
    taken = await web.post("/api/v1/customers", {"name": "Otra", "phone": "+5491155550123"})
    assert (taken.status_code, taken.json()["code"]) == (409, "customer.identity_taken")
    path = f"/api/v1/customers/{made.json()['id']}"
    assert (await web.get(path, "owen")).status_code == 404
    wrong = await web.ask("PATCH", path, json={"documentType": "CUIT", "documentNumber": "20111111111"})
    assert wrong.status_code == 422
    right = await web.ask(
        "PATCH",
        path,
        json={"vatCondition": "responsable_inscripto", "documentType": "CUIT", "documentNumber": "30000000007"},
    )
    assert right.json()["vatCondition"] == "responsable_inscripto"
    assert [each["id"] for each in (await web.get("/api/v1/users?role=technician")).json()["items"]] == [
        "carlos",
        "lucia",
    ]
    assert (await web.get("/api/v1/customers", "carlos")).status_code == 403


async def test_a_job_that_is_not_completed_is_not_invoiced(web: Web) -> None:
    job = await web.a_job()
    answer = await web.post("/api/v1/invoices", {"jobId": job["id"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "invoice.job_not_completed")
    assert (await web.post("/api/v1/invoices", {"jobId": "job_nobody"})).status_code == 404
    assert (await web.get("/api/v1/invoices/inv_nobody")).status_code == 404
    assert (await web.get("/api/v1/invoices")).json()["items"] == []
