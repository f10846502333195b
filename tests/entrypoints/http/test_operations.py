"""What an operator sees of the services and of the process, and that nobody else sees it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from core.kernel.actor import Actor
from entrypoints.http.app import http_app
from entrypoints.http.endpoints import ENDPOINTS
from entrypoints.sandbox.afip import AfipState
from entrypoints.wiring import AFIP, App
from tests.entrypoints.http.test_openapi import must_be_promised
from tests.entrypoints.http.web import Web

ROUTES: Final = ("/health/services", "/health/detailed", "/metrics")
TOKEN: Final = "operators-" + "x" * 30
HERE: Final = ("127.0.0.1", 40_000)
ELSEWHERE: Final = ("203.0.113.9", 40_000)


@contextlib.asynccontextmanager
async def asking(
    app: App, headers: Mapping[str, str] | None = None, *, client: tuple[str, int] = HERE
) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of the application who sits at an address."""
    transport = httpx2.ASGITransport(app=http_app(app), raise_app_exceptions=False, client=client)
    raw = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=raw) as asked:
        yield asked


def with_settings(app: App, **settings: Any) -> App:
    return evolve(app, settings=evolve(app.settings, **settings))


async def statuses(app: App, headers: Mapping[str, str] | None = None, *, client: tuple[str, int] = HERE) -> set[int]:
    """Say how the three routes answer; 503 is an answer too, of what does not run here."""
    async with asking(app, headers, client=client) as asked:
        answers = [await asked.get(path) for path in ROUTES]
    for answer in answers:
        assert (answer.status_code == 401) == (answer.headers["content-type"] == "application/problem+json")
    return {200 if answer.status_code == 503 else answer.status_code for answer in answers}


@pytest.mark.parametrize("env", ["test", "production"])
async def test_only_who_shows_the_operator_s_token_is_told(env: str, web: Web) -> None:
    app = with_settings(web.app, operations_token=TOKEN, env=env)
    assert await statuses(app, {"authorization": f"Bearer {TOKEN}"}, client=ELSEWHERE) == {200}
    admin = await web.token("alba")
    for shown in (TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "", "ñ", admin, "None"):
        assert await statuses(app, {"authorization": f"Bearer {shown}"}) == {401}
    assert await statuses(app) == {401}


async def test_without_a_token_production_tells_nobody_and_development_this_machine(web: Web) -> None:
    assert web.app.settings.operations_token is None
    production = with_settings(web.app, env="production")
    for shown in ("None", "", TOKEN):
        assert await statuses(production, {"authorization": f"Bearer {shown}"}) == {401}
    assert await statuses(production) == {401}
    for env in ("development", "test"):
        app = with_settings(web.app, env=env)
        assert await statuses(app) == await statuses(app, client=("::1", 1)) == {200}
        assert await statuses(app, client=ELSEWHERE) == {401}
        assert await statuses(app, {"x-forwarded-for": "203.0.113.9"}) == {401}, "a proxy on this machine"


async def keep_certificate(web: Web, tenant: str, *, folder: Path, days: int) -> None:
    """Let a tenant have a certificate for so many days from now."""
    state = AfipState(folder / "afip.db")
    issued = state.issue_certificate(cuit="30712345671", alias=tenant, points=[1], days=days, at=web.clock())
    state.close()
    values = {name: issued[name] for name in ("certificate", "key")}
    await keep_credential(web, tenant, values)


async def keep_credential(web: Web, tenant: str, values: dict[str, str]) -> None:
    async with web.app.store.begin(Actor(tenant=tenant, id="x", role="service", correlation="c")) as tx:
        await tx.credentials.put(tenant, AFIP, values, label="", at=web.clock())


async def services(web: Web, *names: str) -> tuple[int, dict[str, Any]]:
    """Ask for the health of these services."""
    app = evolve(web.app, checks={name: web.app.checks[name] for name in names})
    async with asking(app) as asked:
        answer = await asked.get("/health/services")
    must_be_promised("GET", "/health/services", answer)
    return answer.status_code, answer.json()


async def test_a_certificate_that_expires_within_a_month_is_warned_of(web: Web, tmp_path: Path) -> None:
    await keep_certificate(web, "demo", folder=tmp_path, days=31)
    await keep_certificate(web, "other", folder=tmp_path, days=400)
    fine = {"service": "database", "status": "ok", "says": "answers"}
    well = {"service": "afip_certificates", "status": "ok", "says": "2 valid for 30 days and more"}
    assert await services(web, "database", "afip_certificates") == (200, {"status": "ok", "services": [fine, well]})
    web.clock.forward(days=2)
    soon = {**well, "status": "warning", "says": "WARNING: expires soon: demo in 29 days"}
    assert await services(web, "database", "afip_certificates") == (
        200,
        {"status": "warning", "services": [fine, soon]},
    )


async def test_what_is_wrong_with_one_certificate_hides_no_other(web: Web, tmp_path: Path) -> None:
    await keep_certificate(web, "demo", folder=tmp_path, days=20)
    await keep_certificate(web, "other", folder=tmp_path, days=10)
    await keep_credential(web, "third", {"certificate": "-----BEGIN-----", "key": "PRIVATE"})
    web.clock.forward(days=11)
    status, said = await services(web, "afip_certificates")
    (found,) = said["services"]
    assert (status, said["status"], found["status"]) == (503, "failed", "failed")
    assert found["says"] == (
        "the AFIP certificate of other has expired: ask for a new one; "
        "the AFIP certificate of third cannot be read; expires soon: demo in 9 days"
    )


async def test_the_details_say_what_runs_and_since_when(web: Web) -> None:
    app = evolve(web.app, checks={"database": web.app.checks["database"]})
    started = web.clock()
    async with asking(app) as asked:
        web.clock.forward(hours=2)
        answer = await asked.get("/health/detailed")
    must_be_promised("GET", "/health/detailed", answer)
    said = answer.json()
    assert (said["status"], said["environment"], said["uptimeSeconds"]) == ("ok", "test", 7200)
    assert said["startedAt"] == started.strftime("%Y-%m-%dT%H:%M:%SZ")


async def counted(asked: httpx2.AsyncClient) -> dict[tuple[str, str, str], float]:
    """Return how many requests the metrics tell of, by method, route and status."""
    answer = await asked.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    found: dict[tuple[str, str, str], float] = {}
    lasted: Counter[tuple[str, str]] = Counter()
    for sample in families["cuadrilla_http_requests"].samples:
        method, route, status = (sample.labels[name] for name in ("method", "route", "status"))
        found[method, route, status] = sample.value
        lasted[method, route] += int(sample.value)
    durations = families["cuadrilla_http_request_duration_seconds"].samples if found else []
    for end in ("_count", "_bucket"):
        assert lasted == {
            (each.labels["method"], each.labels["route"]): each.value
            for each in durations
            if each.name.endswith(end) and each.labels.get("le", "+Inf") == "+Inf"
        }
    assert all(each.value > 0 for each in durations if each.name.endswith("_sum"))
    assert {"process_resident_memory_bytes", "python_gc_collections", "cuadrilla_build_info"} <= set(families)
    return found


async def test_requests_are_counted_by_route_and_never_by_what_a_client_made_up(web: Web) -> None:
    bearer = f"Bearer {await web.token('marta')}"
    async with asking(web.app, {"authorization": bearer}) as asked:
        assert await counted(asked) == {}
        for number in range(30):
            await asked.get(f"/api/v1/jobs/job_{number}")
            await asked.get(f"/track/secret-{number}", headers={"accept": "application/json"})
            await asked.get(f"/nowhere/{number}?phone=5491155550123")
            await asked.request(f"BREW{number}", "/health")
        await asked.get("/static/console.css")
        await asked.get("/app/log-in")
        await asked.post("/api/v1/jobs", json={})
        assert await counted(asked) == {
            ("GET", "/metrics", "200"): 1,
            ("GET", "/api/v1/jobs/{id}", "404"): 30,
            ("GET", "/track/{token}", "404"): 30,
            ("GET", "other", "404"): 30,
            ("other", "/health", "405"): 30,
            ("GET", "/static", "200"): 1,
            ("GET", "/app/log-in", "200"): 1,
            ("POST", "/api/v1/jobs", "400"): 1,
        }


async def test_every_endpoint_is_counted_as_the_documentation_names_it(web: Web) -> None:
    async with asking(web.app) as asked:
        for endpoint in ENDPOINTS:
            await asked.request(endpoint.method, endpoint.path.replace("{", "x").replace("}", "x"))
        found = {(method, route) for method, route, _ in await counted(asked)}
    assert found == {(each.method, each.path) for each in ENDPOINTS}


async def test_a_scraper_that_asks_for_openmetrics_gets_it(web: Web) -> None:
    async with asking(web.app) as asked:
        answer = await asked.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
