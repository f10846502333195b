"""The real application on memory adapters, asked as a client would ask it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from attrs import define, evolve, field
from starlette.types import ASGIApp

from adapters.memory import MemoryCodeChannel, MemoryLimiter
from adapters.phones import normaliser
from core.identity import Origin, Phones, Tenant, User, UserNotFound
from core.kernel.actor import Actor
from entrypoints.http.app import http_app
from entrypoints.settings import read_settings
from entrypoints.wiring import WHATSAPP, App, build
from entrypoints.worker.loops import LocalQueue
from tests.contracts.samples import Hands

SECRET: Final = "app-secret-of-the-demo"
OTHER_SECRET: Final = "app-secret-of-another-tenant"
NUMBER: Final = "1000000001"
OTHER_NUMBER: Final = "1000000002"
PEOPLE: Final = {
    "marta": ("demo", "dispatcher", "+5491150000001"),
    "alba": ("demo", "admin", None),
    "carlos": ("demo", "technician", "+5491150000002"),
    "lucia": ("demo", "technician", "+5491150000003"),
    "owen": ("other", "owner", None),
}
FRESH: Final = timedelta(minutes=14)
"""For how long an access token is used here; it counts a little longer."""


@define
class Web:
    """A client for whom everybody is logged in, and the application behind it."""

    app: App
    client: httpx2.AsyncClient
    clock: Hands
    whatsapp: MemoryCodeChannel
    """Where one-time codes go."""
    _tokens: dict[str, tuple[datetime, str]] = field(factory=dict)

    async def token(self, who: str) -> str:
        """Return an access token of the person of this name in either tenant, or what is none."""
        logged_in, token = self._tokens.get(who, (None, ""))
        if logged_in is None or not timedelta(0) <= self.clock() - logged_in < FRESH:
            token = await self._log_in(who)
            self._tokens[who] = (self.clock(), token)
        return token

    async def ask(self, method: str, path: str, who: str | None = "marta", **more: Any) -> httpx2.Response:
        given = more.pop("headers", {})
        headers = given if who is None else {"authorization": f"Bearer {await self.token(who)}", **given}
        return await self.client.request(method, path, headers=headers, **more)

    async def _log_in(self, who: str) -> str:
        for tenant in ("demo", "other"):
            try:
                user = await self.app.store.directory.user(tenant, who)
            except UserNotFound:
                continue
            actor = Actor(tenant=tenant, id=who, role="service", correlation="corr_log_in")
            async with self.app.store.begin(actor) as tx:
                tokens = await self.app.sessions.start(tx, user=user, method="otp", origin=Origin("corr_log_in"))
            return tokens.access
        return f"token-of-{who}"

    async def get(self, path: str, who: str | None = "marta") -> httpx2.Response:
        return await self.ask("GET", path, who)

    async def post(self, path: str, body: object, who: str | None = "marta") -> httpx2.Response:
        return await self.ask("POST", path, who, json=body)

    async def webhook(
        self, body: object, *, secret: str | None = SECRET, signature: str | bytes | None = None
    ) -> httpx2.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers: dict[str, Any] = {"content-type": "application/json"}
        if secret is not None:
            headers["x-hub-signature-256"] = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        if signature is not None:
            headers["x-hub-signature-256"] = signature
        return await self.client.post("/webhooks/whatsapp", content=raw, headers=headers)

    async def inbox(self) -> list[Any]:
        """Return every stored message."""
        return [each.message for each in self.app.store._tables.inbox.all()]  # type: ignore[union-attr] # it is the memory store

    async def settle(self) -> None:
        """Let everything that follows from what was stored happen, except messages that go out."""
        queue = LocalQueue(self.app.reactor)
        relay = self.app.relay_to(queue.publish)
        while await relay.send(limit=100):
            while not queue._queue.empty():
                fact_id, reaction = queue._queue.get_nowait()
                if reaction != "notifications.send":
                    await self.app.reactor.react(fact_id=fact_id, reaction=reaction)

    async def a_job(self, **wanted: Any) -> dict[str, Any]:
        customer = await self.post("/api/v1/customers", {"name": "Ana Ruiz"})
        answer = await self.post("/api/v1/jobs", {"customerId": customer.json()["id"], "title": "Aire", **wanted})
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()
        return job

    async def move(self, job: dict[str, Any], who: str = "marta", **wanted: Any) -> httpx2.Response:
        return await self.post(f"/api/v1/jobs/{job['id']}/transitions", wanted, who)

    async def scheduled(self, job: dict[str, Any], technician: str = "carlos") -> dict[str, Any]:
        answer = await self.move(
            job,
            to="scheduled",
            technicianId=technician,
            startsAt="2026-11-21T12:00:00Z",
            endsAt="2026-11-21T14:00:00Z",
            location={"address": "Mitre 450", "lat": -34.6, "lng": -58.4},
        )
        assert answer.status_code == 200, answer.text
        moved: dict[str, Any] = answer.json()
        return moved


@contextlib.asynccontextmanager
async def living(application: ASGIApp) -> AsyncIterator[None]:
    """Start and end an application, as a server does."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()

    async def live() -> None:
        await application({"type": "lifespan", "state": {}}, told.get, said.put)

    life = asyncio.create_task(live())
    await told.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await life


def with_phones(app: App, channel: MemoryCodeChannel, clock: Hands) -> App:
    """Return the application with a channel that keeps the codes, and with log-in limits by the test's clock."""
    limiter = MemoryLimiter(lambda: clock().timestamp())
    phones = Phones(normalise=normaliser(), whatsapp=channel, sms=MemoryCodeChannel(), delivered=channel.delivered)
    factors = evolve(app.second_factors, limiter=limiter)
    return evolve(
        app,
        otp=evolve(app.otp, phones=phones, limiter=limiter, factors=factors),
        passwords=evolve(app.passwords, limiter=limiter, factors=factors),
        second_factors=factors,
    )


async def enrol_everybody(app: App) -> None:
    """Let both tenants have their people, as they were at the beginning."""
    for tenant in ("demo", "other"):
        people = [
            User(
                id=name,
                tenant=tenant,
                name=name.title(),
                role=role,
                phone=phone,
            )
            for name, (of, role, phone) in PEOPLE.items()
            if of == tenant
        ]
        await app.store.directory.enrol(Tenant(id=tenant, name=f"The {tenant}"), people)


class Sending(httpx2.ASGITransport):
    """Asks the application, and lets a code that was asked for be sent: that happens after the answer."""

    def __init__(self, app: Any, channel: MemoryCodeChannel, **more: Any) -> None:
        super().__init__(app=app, raise_app_exceptions=False, **more)
        self._channel = channel

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        before = len(self._channel.sent)
        response = await super().handle_async_request(request)
        if request.method == "POST" and request.url.path in ("/api/v1/auth/otp", "/app/log-in") and response.is_success:
            for _ in range(60):  # a third of a second: nothing may be sent at all
                if len(self._channel.sent) > before:
                    break
                await asyncio.sleep(0.005)
        return response


@contextlib.asynccontextmanager
async def web(folder: Path, **environ: str) -> AsyncIterator[Web]:
    """Build the application and serve it in this process, without a socket."""
    settings = read_settings(
        {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(folder), "CUADRILLA_DATABASE_URL": "memory:", **environ},
        directory=folder,
    )
    clock, whatsapp = Hands(), MemoryCodeChannel()
    app = with_phones(build(settings, clock=clock), whatsapp, clock)
    await enrol_everybody(app)
    for tenant, number, secret in (("demo", NUMBER, SECRET), ("other", OTHER_NUMBER, OTHER_SECRET)):
        account = {
            "phone_number_id": number,
            "waba_id": "1",
            "token": "t",
            "app_secret": secret,
            "verify_token": f"verify-{tenant}",
        }
        async with app.store.begin(Actor(tenant=tenant, id="set-up", role="service", correlation="set-up")) as tx:
            await tx.credentials.put(tenant, WHATSAPP + number, account, label=number, at=clock())
    application = http_app(app)
    transport = Sending(application, whatsapp)
    async with living(application), httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Web(app, client, clock, whatsapp)


def delivery(*messages: dict[str, Any], number: str = NUMBER, **value: Any) -> dict[str, Any]:
    """Return a webhook body of messages, as Meta nests them."""
    inside = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "541150000000", "phone_number_id": number},
        "contacts": [{"profile": {"name": "Ana Ruiz"}, "wa_id": "5491155550123"}],
        "messages": list(messages),
        **value,
    }
    changes = [{"value": inside, "field": "messages"}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


def text(number: int = 1, words: str = "Hola") -> dict[str, Any]:
    """Return a text message."""
    return {
        "from": "5491155550123",
        "id": f"wamid.{number}",
        "timestamp": "1795093920",
        "type": "text",
        "text": {"body": words},
    }
