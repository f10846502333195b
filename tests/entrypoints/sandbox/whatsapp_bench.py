"""A running sandbox and a small receiver of its webhooks, both over real HTTP, for the tests beside this file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import uvicorn
from attrs import define, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from entrypoints.sandbox.server import sandbox_app
from entrypoints.sandbox.whatsapp import Retries

NUMBER: Final = "1000000001"
WABA: Final = "2000000001"
ANA: Final = "5491155550123"
SECRET: Final = "app-secret"
ACCOUNT: Final = {
    "waba_id": WABA,
    "display_phone_number": "+541150000000",
    "token": "token-of-the-business",
    "app_secret": SECRET,
    "verify_token": "verify-me",
}
DESCRIPTION: Final = b"<definitions/>"
_PATIENCE: Final = 60.0


@define
class Receiver:
    """The product's webhook: answers the handshake, keeps the signed bodies, and answers as it is told."""

    url: str = ""
    verify_token: str = "verify-me"
    answers: list[int] = field(factory=list)
    bodies: list[bytes] = field(factory=list)
    signatures: list[str] = field(factory=list)
    attempts: int = 0
    _news: asyncio.Condition = field(factory=asyncio.Condition)

    async def handle(self, request: Request) -> Response:
        if request.method == "GET":
            asked = request.query_params
            good = asked["hub.mode"] == "subscribe" and asked["hub.verify_token"] == self.verify_token
            return PlainTextResponse(asked["hub.challenge"] if good else "no", 200 if good else 403)
        body = await request.body()
        status = self.answers.pop(0) if self.answers else 200
        async with self._news:
            self.attempts += 1
            if status == 200:
                self.bodies.append(body)
                self.signatures.append(request.headers["x-hub-signature-256"])
            self._news.notify_all()
        return Response(status_code=status)

    async def changes(self, count: int) -> list[dict[str, Any]]:
        """Return the `value` of every change received, as soon as there are so many."""
        async with asyncio.timeout(_PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.bodies) >= count)
        return [json.loads(body)["entry"][0]["changes"][0]["value"] for body in self.bodies]

    async def statuses(self, count: int) -> list[dict[str, Any]]:
        """Return every status received, as soon as there are so many webhooks."""
        return [status for value in await self.changes(count) for status in value.get("statuses", [])]

    def signed(self) -> bool:
        """Say whether every body carries the signature of its very bytes."""
        return all(
            given == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            for body, given in zip(self.bodies, self.signatures, strict=True)
        )


@define
class Clock:
    """A clock that a test can move."""

    offset: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@define
class Bench:
    """The sandbox under test, a client with the business's token, and one without."""

    url: str
    clock: Clock
    receiver: Receiver
    business: httpx2.AsyncClient
    control: httpx2.AsyncClient

    async def open_account(self, number: str = NUMBER, **changed: str) -> dict[str, Any]:
        wanted = {**ACCOUNT, "webhook_url": self.receiver.url, **changed}
        answer = await self.control.put(f"/accounts/{number}", json=wanted)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def write(self, **content: Any) -> str:
        """Let Ana write to the business; return the message's id."""
        body = {"phone_number_id": NUMBER, "from": ANA, "name": "Ana Gómez", **content}
        answer = await self.control.post("/inbound", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def send(self, **message: Any) -> httpx2.Response:
        body = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": ANA, **message}
        return await self.business.post(f"/{NUMBER}/messages", json=body)

    async def chat(self, wa_id: str = ANA) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control.get(f"/chats/{NUMBER}/{wa_id}")).json()
        return found

    async def declare(self, **changed: Any) -> httpx2.Response:
        return await self.business.post(f"/{WABA}/message_templates", json={**TEMPLATE, **changed})


TEMPLATE: Final[dict[str, Any]] = {
    "name": "tracking_link",
    "language": "es_AR",
    "category": "UTILITY",
    "components": [
        {"type": "BODY", "text": "Hola {{1}}, {{2}} ya salió.", "example": {"body_text": [["Ana", "Luis"]]}},
        {
            "type": "BUTTONS",
            "buttons": [
                {
                    "type": "URL",
                    "text": "Ver en el mapa",
                    "url": "http://127.0.0.1:8000/track/{{1}}",
                    "example": ["http://127.0.0.1:8000/track/abc"],
                },
                {"type": "QUICK_REPLY", "text": "Reprogramar"},
            ],
        },
    ],
}
TRACKING: Final[dict[str, Any]] = {
    "name": "tracking_link",
    "language": {"code": "es_AR"},
    "components": [
        {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "Luis"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "abc123"}]},
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "1",
            "parameters": [{"type": "payload", "payload": "job:J-1042:reschedule"}],
        },
    ],
}


@contextlib.asynccontextmanager
async def serving(app: Callable[..., Any], port: int = 0) -> AsyncIterator[str]:
    """Serve an application on a free port of the loopback; the value is its address."""
    with listening(port) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def listening(port: int = 0) -> socket.socket:
    """Return a socket bound to a free port below the ephemeral ones, or to the port that was asked for."""
    for wanted in [port] if port else range(21_000, 32_000):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
            listener.listen()
        except OSError:
            listener.close()
            continue
        return listener
    msg = "no free port"
    raise OSError(msg)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver of webhooks."""
    receiver = Receiver()
    hook = Starlette(routes=[Route("/webhooks/whatsapp", receiver.handle, methods=["GET", "POST"])])
    async with serving(hook) as url:
        receiver.url = f"{url}/webhooks/whatsapp"
        yield receiver


@contextlib.asynccontextmanager
async def bench(var: Path, receiver: Receiver | None = None) -> AsyncIterator[Bench]:
    """Run a sandbox over `var` with the tests' account opened, and a receiver of its own unless one is given."""
    clock = Clock()
    app = sandbox_app(
        wsaa_wsdl=DESCRIPTION, wsfe_wsdl=DESCRIPTION, var=var, clock=clock, retries=Retries(first=0.05, longest=0.2)
    )
    async with contextlib.AsyncExitStack() as stack:
        if receiver is None:
            receiver = await stack.enter_async_context(receiving())
        url = await stack.enter_async_context(serving(app))
        headers = {"Authorization": f"Bearer {ACCOUNT['token']}"}
        business = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"{url}/v23.0", headers=headers, trust_env=False)
        )
        control = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"{url}/whatsapp/control", trust_env=False)
        )
        running = Bench(url=url, clock=clock, receiver=receiver, business=business, control=control)
        await running.open_account()
        yield running
