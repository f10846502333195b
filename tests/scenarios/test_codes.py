"""A code for log-in really reaches the phone: by WhatsApp, or by SMS where WhatsApp does not bring it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import httpx2
import pytest
from attrs import frozen

from core.identity import Origin
from entrypoints.demo import Stage, stage_of
from entrypoints.demo_tenant import seed
from entrypoints.http.app import http_app
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import Running
from entrypoints.wiring import App, afip_descriptions, build, migrate

SOON: Final = 1.0
"""Seconds that WhatsApp has in these tests."""
STRANGER: Final = "+5491155550999"


@frozen
class Scene:
    """The product and the sandbox, over real HTTP."""

    app: App
    stage: Stage
    client: httpx2.AsyncClient

    async def ask(self, what: str, **body: Any) -> httpx2.Response:
        return await self.client.post(f"{self.stage.api}/api/v1/auth/{what}", json=body)

    async def fault(self, **order: Any) -> None:
        answer = await self.client.post(f"{self.stage.sandbox}/whatsapp/control/faults", json=order)
        assert answer.status_code == 201, answer.text

    async def chat(self, phone: str) -> list[str]:
        shown = (await self.client.get(self.stage.chat(phone))).json()["messages"]
        return [str(each["text"]) for each in shown if each["direction"] == "out"]

    async def sms(self, phone: str) -> list[str]:
        answer = await self.client.get(f"{self.stage.sandbox}/twilio/control/messages", params={"to": phone})
        return [str(each["body"]) for each in answer.json()["items"]]

    async def arrived(self, look: Callable[[str], Awaitable[list[str]]], phone: str, *, count: int = 1) -> str:
        """Return the last of so many messages, once they are there."""
        end = time.monotonic() + 20
        while len(found := await look(phone)) < count:
            assert time.monotonic() < end, "nothing came"
            await asyncio.sleep(0.02)
        assert len(found) == count
        return found[-1]


def code_in(text: str) -> str:
    found = re.match(r"\d{6}\b", text)
    assert found is not None
    return found.group()


@contextlib.asynccontextmanager
async def staged(folder: Path, **environ: str) -> AsyncIterator[Scene]:
    given = {"VAR": str(folder), "PORT": str(free_port()), "SANDBOX_PORT": str(free_port())} | environ
    settings = read_settings({f"CUADRILLA_{name}": value for name, value in given.items()}, directory=folder)
    await asyncio.to_thread(migrate, settings)
    wsaa, wsfe = afip_descriptions()
    outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=folder)
    app = build(settings)
    rules = app.otp.rules
    # Little patience with WhatsApp, and no pause between two codes.
    rules = attrs.evolve(rules, in_time=timedelta(seconds=SOON), per_phone=rules.per_phone[1:])
    app = attrs.evolve(app, otp=attrs.evolve(app.otp, rules=rules))
    async with (
        serving(outside, port=settings.sandbox_port) as sandbox,
        serving(http_app(app), port=settings.port) as api,
        httpx2.AsyncClient(timeout=30, trust_env=False) as client,
    ):
        await seed(app)
        yield Scene(app, stage_of(Running(app=app, api=api, sandbox=sandbox)), client)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Give a system in which the demo tenant is the house."""
    async with staged(tmp_path, ENV="development") as made:
        yield made


async def test_a_code_that_whatsapp_delivers_goes_nowhere_else(scene: Scene) -> None:
    phone = scene.stage.dispatcher_phone
    answer = await scene.ask("otp", phone=phone)
    assert answer.status_code == 202
    text = await scene.arrived(scene.chat, phone)
    await asyncio.sleep(SOON * 2)
    assert await scene.sms(phone) == []
    logged_in = await scene.ask("verify", phone=phone, otp=code_in(text))
    assert (logged_in.status_code, logged_in.json()["user"]["id"]) == (200, "user_marta")


async def test_a_code_that_whatsapp_refuses_goes_by_sms_at_once(scene: Scene) -> None:
    phone = scene.stage.dispatcher_phone
    await scene.fault(code=131026)
    assert (await scene.ask("otp", phone=phone)).status_code == 202
    text = await scene.arrived(scene.sms, phone)
    assert await scene.chat(phone) == []
    assert (await scene.ask("verify", phone=phone, otp=code_in(text))).status_code == 200


@pytest.mark.parametrize("fault", [{"failed": 131026}, {"cut": True, "failed": 131026}], ids=["failed", "unanswered"])
async def test_a_code_that_whatsapp_does_not_deliver_in_time_is_replaced_by_one_by_sms(
    fault: dict[str, Any], scene: Scene
) -> None:
    phone = scene.stage.dispatcher_phone
    await scene.fault(**fault)
    assert (await scene.ask("otp", phone=phone)).status_code == 202
    late = await scene.arrived(scene.chat, phone)
    text = await scene.arrived(scene.sms, phone)
    if code_in(text) != code_in(late):
        assert (await scene.ask("verify", phone=phone, otp=code_in(late))).status_code == 401
    assert (await scene.ask("verify", phone=phone, otp=code_in(text))).status_code == 200
    assert len(await scene.sms(phone)) == 1


async def test_a_phone_that_nobody_knows_hears_from_the_house_also_when_it_has_a_tenant_of_its_own(
    scene: Scene,
) -> None:
    tenants = set()
    for number in (1, 2):
        assert (await scene.ask("otp", phone=STRANGER)).status_code == 202
        text = await scene.arrived(scene.chat, STRANGER, count=number)
        logged_in = await scene.ask("verify", phone=STRANGER, otp=code_in(text))
        assert logged_in.json()["user"]["role"] == "owner"
        bearer = {"authorization": f"Bearer {logged_in.json()['accessToken']}"}
        me = await scene.client.get(f"{scene.stage.api}/api/v1/auth/me", headers=bearer)
        tenants.add(me.json()["tenant"]["id"])
        await asyncio.sleep(0 if number == 2 else SOON * 1.5)
        assert await scene.sms(STRANGER) == []
    assert len(tenants) == 1
    assert "demo" not in tenants


async def test_without_a_house_a_stranger_is_answered_the_same_and_gets_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path, ENV="test") as scene:
        known = await scene.ask("otp", phone=scene.stage.dispatcher_phone)
        unknown = await scene.ask("otp", phone=STRANGER)
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
        await scene.arrived(scene.chat, scene.stage.dispatcher_phone)
        assert await scene.chat(STRANGER) == []
        assert await scene.sms(STRANGER) == []


async def test_a_code_is_written_down_nowhere_on_our_side(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    marker = "QZXQZX"
    async with staged(tmp_path, ENV="development", LOG_LEVEL="debug") as scene:
        told = attrs.evolve(scene.app.otp, new_code=lambda _: marker)
        phone = scene.stage.dispatcher_phone
        await scene.fault(code=131026)
        for number, kind in ((phone, "sms"), (scene.stage.technician_phone, "whatsapp")):
            made = await told.request(phone=number, origin=Origin("test"))
            assert made is not None
            assert marker not in repr(made)
            sent = await told.send(made=made, origin=Origin("test"))
            assert sent is not None
            assert sent.channel == kind
            assert marker not in repr(sent) + repr(told) + repr(scene.app)
        assert marker in (await scene.sms(phone))[0] + (await scene.chat(scene.stage.technician_phone))[0]
    written = b"".join(file.read_bytes() for file in tmp_path.glob("cuadrilla.db*"))
    assert b"identity.code_sent" in written
    assert marker.encode() not in written
    out, err = capfd.readouterr()
    assert marker not in out + err
