"""No route shows or changes what belongs to another tenant: the OpenAPI document is walked, so that a new route is probed too."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import frozen

from adapters.sql import upgrade
from core.identity import Origin, Tenant, User
from core.identity.model import ROLES
from core.invoicing import Issuer
from core.kernel.actor import Actor
from tests.entrypoints.http.web import Web, delivery, text
from tests.entrypoints.http.web import web as serving_web

OPEN: Final = {
    "/track/{token}",
    "/track/{token}/events",
    "/webhooks/whatsapp",
    "/webhooks/twilio",
    "/health",
    "/health/ready",
    *(f"/api/v1/auth/{door}" for door in ("otp", "verify", "register", "login", "refresh", "logout")),
}
"""Routes that need no log-in: what they give is not asked for by an id. A new one is to be judged by a person first."""
OPERATORS: Final = {"/health/services", "/health/detailed", "/metrics"}
"""Routes of whoever runs the installation, to whom no tenant's token counts (`test_operations`)."""
PNG: Final = (Path(__file__).parents[3] / "demo" / "photo.png").read_bytes()
SECRET_WORDS: Final = ("Ana Secreta", "Calle Escondida", "aire confidencial", "Notas privadas")
REFUSALS: Final = (401, 403, 404)
NOBODY: Final = '"code":"job.unknown_person"'
"""Said with 422 of an id in a body that means nothing here, whether or not it means something elsewhere."""
ADMIN: Final = "alba"
"""May everything in tenant A."""
STRANGERS: Final = tuple(f"stranger-{role}" for role in ROLES)
"""Of the other tenant, one for each role."""

ISSUER: Final = Issuer(
    tenant="demo",
    cuit="30712345671",
    name="Demo S.R.L.",
    address="Mitre 1",
    vat_condition="responsable_inscripto",
    point_of_sale=1,
    gross_income="901-234567-1",
    started_on=date(2019, 3, 1),
)

BODIES: Final[Mapping[str, dict[str, Any] | bytes]] = {
    "POST /api/v1/jobs": {"customerId": "{customer}", "title": "Probe"},
    "PATCH /api/v1/jobs/{id}": {"title": "Probe"},
    "POST /api/v1/jobs/{id}/transitions": {"to": "cancelled", "reason": "Probe"},
    "POST /api/v1/jobs/{id}/photos": PNG,
    "PUT /api/v1/jobs/{id}/signature": PNG,
    "PATCH /api/v1/customers/{id}": {"name": "Probe"},
    "PATCH /api/v1/users/{id}": {"name": "Carlos"},
    "PUT /api/v1/users/{id}/notification-preferences": {"language": "en"},
    "POST /api/v1/tracking/update": {"jobId": "{job}", "lat": -34.6, "lng": -58.4},
    "POST /api/v1/invoices": {"jobId": "{job}"},
    "POST /api/v1/invoices/{id}/credit-note": {"reason": "Probe"},
    "POST /api/v1/invoices/{id}/debit-note": {
        "reason": "Probe",
        "items": [{"description": "Gas", "quantity": "1", "unitPrice": "1.00"}],
    },
}
"""What a well-formed request to each writing route says; `{job}` stands for an id of that kind."""
NAMELESS: Final = {
    "POST /api/v1/customers",
    "POST /api/v1/users",
    "PUT /api/v1/customers/notification-preferences",
    "POST /api/v1/push-devices",
    "POST /api/v1/sync",  # answers each operation by itself: `test_sync` tries another tenant's
    "POST /api/v1/sync/watermelon",
    "PUT /api/v1/auth/password",
    "POST /api/v1/auth/totp/confirm",
    "POST /api/v1/auth/totp/remove",
    "POST /api/v1/service-tokens",
}
"""Writing routes that name nothing that exists, or nobody but who asks."""
PARAMETERS: Final[Mapping[str, str]] = {
    "/api/v1/jobs/{id}": "job",
    "/api/v1/jobs/{id}/photos/{photo_id}": "photo",
    "/api/v1/customers/{id}": "customer",
    "/api/v1/users/{id}": "user",
    "/api/v1/push-devices/{id}": "device",
    "/api/v1/invoices/{id}": "invoice",
    "/api/v1/auth/sessions/{id}": "session",
    "/api/v1/service-tokens/{id}": "service_token",
}
"""The kind of id that a path parameter takes, by the path up to it."""
FILTERS: Final[Mapping[str, str]] = {
    "technicianId": "user",
    "userId": "user",
    "customerId": "customer",
    "jobId": "job",
    "recipient": "customer",
}
"""The kind of id that a query parameter takes."""
LISTS: Final = (
    *("customers", "jobs", "users", "invoices", "notifications"),
    *("auth/sessions?userId=carlos", "service-tokens", "audit"),
)
NO_IDS: Final = {
    *("channel", "copy", "from", "to", "limit", "cursor", "status", "role", "signedBy"),
    *("since", "last_pulled_at", "schema_version", "migration", "sent_at"),
}


@frozen
class Probed:
    """The application, and one id of everything that tenant A has, by kind."""

    web: Web
    ids: Mapping[str, str]


@contextlib.asynccontextmanager
async def probed(folder: Path, database_url: str) -> AsyncIterator[Probed]:
    async with serving_web(folder, CUADRILLA_DATABASE_URL=database_url) as web:
        people = [
            User(id=name, tenant="other", name=name, role=role) for name, role in zip(STRANGERS, ROLES, strict=True)
        ]
        await web.app.store.directory.enrol(Tenant(id="other", name="The other"), people)
        yield Probed(web, await _a_day_of_work(web))


async def _a_day_of_work(web: Web) -> Mapping[str, str]:
    """Let tenant A do everything once, up to the invoice, and return the ids."""
    await web.app.store.issuers.put(ISSUER)
    await web.webhook(delivery(text()))
    customer = (await web.post("/api/v1/customers", {"name": "Ana Secreta", "phone": "+5491155550123"})).json()
    where = {"address": "Calle Escondida 12", "lat": -34.6, "lng": -58.4}
    wanted = {"customerId": customer["id"], "title": "aire confidencial", "location": where}
    job = (await web.post("/api/v1/jobs", wanted)).json()
    await web.scheduled(job)
    for to in ("en_camino", "working"):
        assert (await web.move(job, "carlos", to=to)).status_code == 200
    photo = (await web.ask("POST", f"/api/v1/jobs/{job['id']}/photos", "carlos", content=PNG)).json()["photos"][0]
    lines = [{"description": "Gas", "quantity": "1", "unitPrice": "1000.00"}]
    done = await web.move(job, "carlos", to="completed", lines=lines, notes="Notas privadas")
    assert done.status_code == 200, done.text
    await web.post("/api/v1/invoices", {"jobId": job["id"]})
    invoice = (await web.get("/api/v1/invoices")).json()["items"][0]
    await web.settle()
    delivered = (await web.get("/api/v1/notifications")).json()["items"]
    ids = {"customer": customer["id"], "job": job["id"], "photo": photo["id"], "invoice": invoice["id"]}
    token = {"label": "Lector", "scopes": ["jobs.read"]}
    machine = (await web.post("/api/v1/service-tokens", token, ADMIN)).json()["serviceToken"]["id"]
    app = {"provider": "expo", "token": "ExponentPushToken[carlos]", "name": "Moto de Carlos"}
    device = (await web.post("/api/v1/push-devices", app, "carlos")).json()["id"]
    ids |= {"session": await _another_session(web), "service_token": machine, "device": device}
    return {**ids, "user": "carlos", "notification": delivered[0]["id"]}


async def _another_session(web: Web) -> str:
    user = await web.app.store.directory.user("demo", "carlos")
    async with web.app.store.begin(Actor(tenant="demo", id="carlos", role="service", correlation="c")) as tx:
        return (await web.app.sessions.start(tx, user=user, method="otp", origin=Origin("c"))).session_id


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def day(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Probed]:
    """Give the application over each kind of database, with a day of tenant A's work."""
    url = "memory:"
    if request.param != "memory":
        made = f"sqlite+aiosqlite:///{tmp_path / 'web.db'}"
        url = made if request.param == "sqlite" else request.getfixturevalue("postgres_url")
        upgrade(url)
    async with probed(tmp_path, url) as made_day:
        yield made_day


@frozen(kw_only=True)
class Ask:
    """One request: `named` says which kinds of id it carries where that kind belongs."""

    method: str
    route: str
    path: str
    body: dict[str, Any] | bytes | None
    named: bool


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "security" not in operation:
                yield method.upper(), path, operation


def kinds_in(path: str) -> list[str]:
    """Return the kinds of id that a route's path takes; fail if nobody has said so for one of them."""
    ends = [found.end() for found in re.finditer(r"{\w+}", path)]
    unknown = [path[:end] for end in ends if path[:end] not in PARAMETERS]
    assert not unknown, f"say in PARAMETERS what kind of id stands at the end of {unknown}"
    return [PARAMETERS[path[:end]] for end in ends]


def body_of(route: str, operation: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any] | bytes | None:
    """Return a well-formed body that names tenant A's things; fail if nobody has said what one looks like."""
    if "requestBody" not in operation or route in NAMELESS:
        return None
    assert route in BODIES, f"say in BODIES (or NAMELESS) what {route} takes"
    body = BODIES[route]
    if isinstance(body, bytes):
        return body
    filled: dict[str, Any] = json.loads(re.sub(r"{(\w+)}", lambda kind: ids[kind[1]], json.dumps(body)))
    return filled


def asks(document: dict[str, Any], ids: Mapping[str, str]) -> Iterator[Ask]:
    """Return every route with every id, at its own place and at every other; and with every filter."""
    for method, path, operation in _operations(document):
        route, kinds = f"{method} {path}", kinds_in(path)
        body = body_of(route, operation, ids)
        names = re.findall(r"{(\w+)}", path)
        for given in itertools.product(ids, repeat=len(names)):
            filled = path
            for name, kind in zip(names, given, strict=True):
                filled = filled.replace(f"{{{name}}}", ids[kind])
            at_home = list(given) == kinds
            if kinds or body is not None:
                query = "?signedBy=Probe" if path.endswith("/signature") else ""
                yield Ask(method=method, route=route, path=filled + query, body=body, named=at_home)
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and parameter["name"] not in NO_IDS:
                assert parameter["name"] in FILTERS, f"say in FILTERS (or NO_IDS) what {parameter['name']} takes"


async def ask(web: Web, wanted: Ask, who: str | None) -> httpx2.Response:
    how: dict[str, Any] = {"content": wanted.body} if isinstance(wanted.body, bytes) else {"json": wanted.body}
    return await web.ask(wanted.method, wanted.path, who, **({} if wanted.body is None else how))


async def the_document(web: Web) -> dict[str, Any]:
    document: dict[str, Any] = (await web.ask("GET", "/openapi.json", None)).json()
    return document


async def what_a_has(day: Probed) -> list[Any]:
    """Return everything that tenant A can read."""
    seen = []
    for wanted in asks(await the_document(day.web), day.ids):
        if wanted.method == "GET" and wanted.named:
            answer = await ask(day.web, wanted, ADMIN)
            assert answer.status_code not in REFUSALS, (wanted, answer.text)
            seen.append(answer.content if answer.status_code == 200 else answer.status_code)
    lists = [await day.web.get(f"/api/v1/{each}", ADMIN) for each in LISTS]
    assert {each.status_code for each in lists} == {200}
    return [*seen, *(each.content for each in lists)]


async def test_nobody_of_another_tenant_reaches_a_thing_by_any_route(day: Probed) -> None:
    before = await what_a_has(day)
    wanted = list(asks(await the_document(day.web), day.ids))
    assert len(wanted) > 60
    for each in wanted:
        for who in (*STRANGERS, "owen"):
            answer = await ask(day.web, each, who)
            leaked = [word for word in SECRET_WORDS if word in answer.text]
            refused = answer.status_code in REFUSALS or (answer.status_code == 422 and NOBODY in answer.text)
            assert (refused, leaked) == (True, []), (each, who, answer.status_code, answer.text)
        assert (await ask(day.web, each, None)).status_code == 401, each
    assert await what_a_has(day) == before


async def test_the_same_requests_get_their_own_tenant_in(day: Probed) -> None:
    """Otherwise the probe would be refused for its shape and prove nothing."""
    for each in asks(await the_document(day.web), day.ids):
        if each.named:
            answer = await ask(day.web, each, ADMIN)
            assert answer.status_code in (200, 201, 202, 204, 409) or '"code":"afip.' in answer.text, (
                each,
                answer.text,
            )


async def test_lists_show_nothing_of_another_tenant_whatever_they_are_filtered_by(day: Probed) -> None:
    document, filtered = await the_document(day.web), 0
    for method, path, operation in _operations(document):
        if method != "GET" or "{" in path:
            continue
        names = [each["name"] for each in operation["parameters"] if each["name"] in FILTERS]
        queries = ["", *(f"?{name}={id_}" for name in names for id_ in day.ids.values())]
        filtered += len(queries) - 1
        for query, who in itertools.product(queries, (*STRANGERS, "owen")):
            answer = await day.web.get(path + query, who)
            assert answer.status_code in (200, 403), (path, query, who, answer.text)
            leaked = [word for word in (*SECRET_WORDS, *day.ids.values()) if word in answer.text]
            assert leaked == [], (path, query, who)
    assert filtered > 20


async def test_a_cursor_of_one_tenant_opens_nothing_in_another(day: Probed) -> None:
    for _ in range(2):
        await day.web.a_job()
    cursor = (await day.web.get("/api/v1/jobs?limit=1")).json()["nextCursor"]
    assert cursor
    answer = await day.web.get(f"/api/v1/jobs?limit=200&cursor={cursor}", "owen")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_a_reference_to_another_tenant_s_thing_is_a_reference_to_nothing(day: Probed) -> None:
    mine = (await day.web.post("/api/v1/customers", {"name": "Mía"}, "owen")).json()
    job = (await day.web.post("/api/v1/jobs", {"customerId": mine["id"], "title": "x"}, "owen")).json()
    when = {"startsAt": "2026-11-21T12:00:00Z", "endsAt": "2026-11-21T14:00:00Z", "location": {"address": "x"}}
    for technician in ("carlos", "marta"):
        moved = await day.web.post(
            f"/api/v1/jobs/{job['id']}/transitions", {"to": "scheduled", "technicianId": technician, **when}, "owen"
        )
        assert moved.status_code in (404, 422), moved.text
    assert (await day.web.get(f"/api/v1/jobs/{job['id']}", "owen")).json()["technicianId"] is None
    picture = f"/api/v1/jobs/{job['id']}/photos/{day.ids['photo']}"
    assert (await day.web.get(picture, "owen")).status_code == 404


async def test_every_route_without_a_log_in_is_known_and_takes_no_id(web: Web) -> None:
    document = await the_document(web)
    unguarded = {
        path for path, methods in document["paths"].items() for each in methods.values() if each.get("security") == []
    }
    assert unguarded == OPEN
    operators = {path for path, methods in document["paths"].items() if "operator" in json.dumps(methods)}
    assert operators == OPERATORS


def test_a_new_parameter_without_an_example_fails_the_probe() -> None:
    with pytest.raises(AssertionError, match="say in PARAMETERS"):
        kinds_in("/api/v1/jobs/{id}/parts/{part_id}")
    new: dict[str, Any] = {"paths": {"/api/v1/parts": {"post": {"parameters": [], "requestBody": {}}}}}
    with pytest.raises(AssertionError, match="say in BODIES"):
        list(asks(new, {}))
    filtered = {"paths": {"/api/v1/parts": {"get": {"parameters": [{"in": "query", "name": "partId"}]}}}}
    with pytest.raises(AssertionError, match="say in FILTERS"):
        list(asks(filtered, {}))
