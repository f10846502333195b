"""The real application on memory adapters, asked as a client would ask it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
from attrs import define, field

from core.identity import Tenant, User, token_hash
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
    "carlos": ("demo", "technician", "+5491150000002"),
    "lucia": ("demo", "technician", "+5491150000003"),
    "owen": ("other", "owner", None),
}


@define
class Web:
    """A client with everybody's tokens, and the application behind it."""

    app: App
    client: httpx2.AsyncClient
    clock: Hands
    _reacted: list[str] = field(factory=list)

    async def ask(self, method: str, path: str, who: str | None = "marta", **more: Any) -> httpx2.Response:
        headers = {**({"authorization": f"Bearer token-of-{who}"} if who else {}), **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

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
async def web(folder: Path, **environ: str) -> AsyncIterator[Web]:
    """Build the application and serve it in this process, without a socket."""
    settings = read_settings(
        {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(folder), "CUADRILLA_DATABASE_URL": "memory:", **environ},
        directory=folder,
    )
    clock = Hands()
    app = build(settings, clock=clock)
    for tenant in ("demo", "other"):
        people = [
            User(
                id=name,
                tenant=tenant,
                name=name.title(),
                role=role,
                phone=phone,
                token_hash=token_hash(f"token-of-{name}"),
            )
            for name, (of, role, phone) in PEOPLE.items()
            if of == tenant
        ]
        await app.store.directory.enrol(Tenant(id=tenant, name=f"The {tenant}"), people)
    for tenant, number, secret in (("demo", NUMBER, SECRET), ("other", OTHER_NUMBER, OTHER_SECRET)):
        account = {
            "phone_number_id": number,
            "waba_id": "1",
            "token": "t",
            "app_secret": secret,
            "verify_token": f"verify-{tenant}",
        }
        await app.store.secrets.put(tenant, WHATSAPP + number, account, label=number)
    transport = httpx2.ASGITransport(app=http_app(app), raise_app_exceptions=False)
    async with app.running(), httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Web(app, client, clock)


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
