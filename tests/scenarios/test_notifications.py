"""A night and a morning: what waits, what passes, what falls back, and how the log is completed, over the whole system."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import pytest
from attrs import evolve, frozen

from entrypoints.demo import Stage, stage_of
from entrypoints.demo_tenant import log_ins, seed
from entrypoints.http.app import http_app
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import Running
from entrypoints.wiring import App, afip_descriptions, build, migrate
from entrypoints.worker import working
from tests.contracts.samples import Hands

LATE: Final = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
"""23:30 in Buenos Aires."""
MORNING: Final = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
NIGHT: Final[dict[str, Any]] = {"quietHours": {"enabled": True, "start": "22:00", "end": "08:00"}}
ANA: Final = "+5491155550123"
APP: Final = "ExponentPushToken[carlos]"
PATIENCE: Final = 60.0
_T = TypeVar("_T")


async def until(look: Callable[[], Awaitable[_T]], good: Callable[[_T], bool]) -> _T:
    """Return what is seen once it is good."""
    end = time.monotonic() + PATIENCE
    while not good(seen := await look()):
        assert time.monotonic() < end, f"it stayed so: {seen}"
        await asyncio.sleep(0.05)
    return seen


@frozen
class Scene:
    """The product with its worker, and the sandbox, by a clock that the test moves."""

    app: App
    stage: Stage
    clock: Hands
    client: httpx2.AsyncClient

    async def ask(self, method: str, path: str, who: str = "user_marta", **body: Any) -> Any:
        token = next(each.token for each in log_ins(self.app.settings) if each.user_id == who)
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.client.request(
            method, f"{self.stage.api}/api/v1/{path}", headers=headers, json=body or None
        )
        assert answer.is_success, answer.text
        return answer.json()

    async def control(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.client.request(method, f"{self.stage.sandbox}/{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    async def visit(self, title: str, customer: str) -> str:
        """Open a job for tomorrow and give it to Carlos."""
        job = await self.ask("POST", "jobs", customerId=customer, title=title)
        moved: dict[str, Any] = {
            "to": "scheduled",
            "technicianId": "user_carlos",
            "location": {"address": "Mitre 450", "lat": -34.6, "lng": -58.4},
        }
        span = {"startsAt": "2026-11-21T15:00:00Z", "endsAt": "2026-11-21T17:00:00Z"}
        await self.ask("POST", f"jobs/{job['id']}/transitions", **moved, **span)
        return str(job["id"])

    async def chat(self, phone: str) -> list[str]:
        shown = (await self.client.get(self.stage.chat(phone))).json()["messages"]
        return [str(each["text"]) for each in shown if each["direction"] == "out"]

    async def log(self, **wanted: str) -> list[tuple[str, str, str]]:
        """Return (template, channel, state) of what was told, the newest first."""
        token = next(each.token for each in log_ins(self.app.settings) if each.user_id == "user_marta")
        answer = await self.client.get(
            f"{self.stage.api}/api/v1/notifications", params=wanted, headers={"authorization": f"Bearer {token}"}
        )
        return [(each["template"], each["channel"], each["state"]) for each in answer.json()["items"]]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Give the demo tenant at 23:30."""
    given = {"VAR": str(tmp_path), "PORT": str(free_port()), "SANDBOX_PORT": str(free_port()), "ENV": "development"}
    settings = read_settings({f"CUADRILLA_{name}": value for name, value in given.items()}, directory=tmp_path)
    await asyncio.to_thread(migrate, settings)
    wsaa, wsfe = afip_descriptions()
    clock = Hands(LATE)
    outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=tmp_path, clock=clock)
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(serving(outside, port=settings.sandbox_port))
        settings = evolve(settings, smtp_url=outside.state.smtp_url)
        app = build(settings, clock=clock)
        web = http_app(app, lifespan=lambda: working(app))
        api = await stack.enter_async_context(serving(web, port=settings.port))
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, trust_env=False))
        await seed(app)
        yield Scene(app, stage_of(Running(app=app, api=api, sandbox=sandbox)), clock, client)


async def test_a_night_waits_for_the_morning_and_what_is_urgent_does_not(scene: Scene) -> None:
    carlos = scene.stage.technician_phone
    await scene.ask("PUT", "users/user_carlos/notification-preferences", "user_carlos", **NIGHT)
    await scene.ask("PUT", "customers/notification-preferences", **NIGHT)
    ana = (await scene.ask("POST", "customers", name="Ana Ruiz", phone=ANA, email="ana@example.com"))["id"]
    job = await scene.visit("Aire acondicionado", ana)
    await scene.visit("Lavarropas", ana)
    queued = await until(lambda: scene.log(status="queued"), lambda log: len(log) == 4)
    assert {channel for _, channel, _ in queued} == {"whatsapp"}
    waiting = (await scene.ask("GET", "notifications?status=queued&recipient=carlos"))["items"]
    assert {each["waitsUntil"] for each in waiting} == {"2026-11-21T11:00:00Z"}
    assert await scene.chat(carlos) == await scene.chat(ANA) == []

    # He sets out all the same, and the customer has to know now.
    await scene.ask("POST", f"jobs/{job}/transitions", "user_carlos", to="en_camino")
    (text,) = await until(lambda: scene.chat(ANA), bool)
    assert "ya salió para tu domicilio" in text

    scene.clock.at = MORNING
    (digest,) = await until(lambda: scene.chat(carlos), bool)
    assert "hubo 2 novedades" in digest
    assert "Aire acondicionado" in digest
    assert "Lavarropas" in digest
    found = await until(lambda: scene.log(recipient="carlos"), lambda log: ("digest", "whatsapp", "delivered") in log)
    assert sorted(found) == [
        ("digest", "whatsapp", "delivered"),
        ("job_assigned_tech", "whatsapp", "gathered"),
        ("job_assigned_tech", "whatsapp", "gathered"),
    ]


async def test_whatsapp_s_no_falls_back_to_push_and_to_sms_and_a_callback_completes_the_log(scene: Scene) -> None:
    device = {"provider": "expo", "token": APP, "name": "Moto G"}
    await scene.ask("POST", "push-devices", "user_carlos", **device)
    ana = (await scene.ask("POST", "customers", name="Ana Ruiz"))["id"]

    # By push, when WhatsApp will not.
    await scene.control("POST", "whatsapp/control/faults", code=131026)
    await scene.visit("Aire acondicionado", ana)
    await until(lambda: scene.log(recipient="carlos"), lambda log: ("job_assigned_tech", "push", "sent") in log)
    (note,) = (await scene.control("GET", "push/control/notes"))["items"]
    assert (note["token"], note["title"]) == (APP, "Trabajo nuevo")
    scene.clock.forward(minutes=16)
    await until(lambda: scene.log(recipient="carlos"), lambda log: ("job_assigned_tech", "push", "delivered") in log)

    # By SMS, when the app is gone as well.
    await scene.control("PUT", "push/control/tokens", token=APP, state="gone")
    await scene.control("POST", "whatsapp/control/faults", code=131026)
    await scene.visit("Lavarropas", ana)
    log = await until(
        lambda: scene.log(recipient="carlos"), lambda log: ("job_assigned_tech", "sms", "delivered") in log
    )
    assert sorted(log) == [
        ("job_assigned_tech", "push", "delivered"),
        ("job_assigned_tech", "push", "failed"),
        ("job_assigned_tech", "sms", "delivered"),
        ("job_assigned_tech", "whatsapp", "failed"),
        ("job_assigned_tech", "whatsapp", "failed"),
    ]
    assert (await scene.ask("GET", "push-devices", "user_carlos"))["items"] == []

    # And when not even that arrives, the log says so.
    await scene.control("POST", "twilio/control/outcomes", status="undelivered", code=30003)
    await scene.control("POST", "whatsapp/control/faults", code=131026)
    await scene.visit("Heladera", ana)
    failed = await until(
        lambda: scene.ask("GET", "notifications?status=failed&channel=sms"), lambda page: bool(page["items"])
    )
    assert failed["items"][0]["errorCode"] == "30003"


async def test_an_invoice_goes_by_mail_as_well_with_its_pdf(scene: Scene) -> None:
    ana = (await scene.ask("POST", "customers", name="Ana Ruiz", phone=ANA, email="ana@example.com"))["id"]
    job = await scene.visit("Aire acondicionado", ana)
    for step in ("en_camino", "working"):
        await scene.ask("POST", f"jobs/{job}/transitions", "user_carlos", to=step)
    line = {"description": "Carga de gas", "quantity": "1", "unitPrice": "20000.00"}
    await scene.ask("POST", f"jobs/{job}/transitions", "user_carlos", to="completed", lines=[line])
    await scene.ask("POST", "invoices", jobId=job)

    async def letters() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await scene.control("GET", "mail/control/letters"))["items"]
        return found

    (letter,) = await until(letters, bool)
    assert (letter["recipient"], letter["subject"]) == ("ana@example.com", "Tu comprobante")
    (attached,) = letter["attachments"]
    assert attached["type"] == "application/pdf"
    assert attached["bytes"] > 1000
    await until(lambda: scene.log(channel="email"), lambda log: log == [("invoice_ready", "email", "sent")])
