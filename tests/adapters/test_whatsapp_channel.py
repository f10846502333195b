"""Sending through the Cloud API: against the sandbox over real HTTP, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import define, evolve, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.whatsapp import Graph, WhatsAppAccount, WhatsAppChannel, decode, register_templates
from core.kernel.errors import NotFound, Unavailable
from core.notifications import TEMPLATES, AnswerLost, Delivery, Document, Recipient, SendRefused
from core.notifications.ports import Channel
from tests.entrypoints.sandbox.whatsapp_bench import ACCOUNT, ANA, NUMBER, WABA, Bench, bench, listening, serving

pytestmark = pytest.mark.anyio

TOKEN = ACCOUNT["token"]
PAGE = "https://cuadrilla.example"
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
INVOICE = Document(
    filename="Factura B 0001-00000042.pdf", content_type="application/pdf", content=b"%PDF-1.7\n\xff\0factura"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        await register_templates(running.url, account(), public_url=PAGE)
        yield running


@pytest.fixture
async def channel(sandbox: Bench) -> AsyncIterator[WhatsAppChannel]:
    async with open_channel(sandbox.url) as opened:
        yield opened


def account(**changed: str) -> WhatsAppAccount:
    known = {
        "tenant": "tenant_1",
        "phone_number_id": NUMBER,
        "waba_id": WABA,
        "token": TOKEN,
        "app_secret": "app-secret",
        "verify_token": "verify-me",
    }
    return WhatsAppAccount(**{**known, **changed})


async def account_of(tenant: str) -> WhatsAppAccount:
    if tenant == "tenant_1":
        return account()
    if tenant == "tenant_dead_token":
        return account(token="taken-back")
    msg = f"{tenant} has no WhatsApp channel"
    raise NotFound(msg)


@contextlib.asynccontextmanager
async def open_channel(url: str, *, patience: float = 10.0) -> AsyncIterator[WhatsAppChannel]:
    graph = Graph(url, client=httpx2.AsyncClient(timeout=60, trust_env=False), patience=patience)
    try:
        yield WhatsAppChannel(graph, accounts=account_of)
    finally:
        await graph.close()


def delivery(template: str = "technician_arrived", *parameters: str, **changed: Any) -> Delivery:
    made = Delivery.queued(
        id_="dlv_1",
        tenant="tenant_1",
        key="fact_1:technician_arrived:cus_1",
        template=template,
        recipient=Recipient(id="cus_1", kind="customer", name="Ana Gómez", address=f"+{ANA}"),
        parameters=parameters or ("Ana", "Luis"),
        link=None,
        attachment=None,
        job_id="job_1",
        at=AT,
    )
    return evolve(made, **changed)


async def sent(sandbox: Bench) -> list[dict[str, Any]]:
    return [each for each in (await sandbox.chat())["messages"] if each["direction"] == "out"]


# Against the sandbox.


async def test_a_channel_is_what_notifications_ask_for(channel: WhatsAppChannel) -> None:
    wanted: Channel = channel
    assert await wanted.send(delivery(), document=None)


async def test_the_recipient_reads_the_text_that_the_delivery_log_shows(
    sandbox: Bench, channel: WhatsAppChannel
) -> None:
    provider_id = await channel.send(delivery(), document=None)
    assert provider_id.startswith("wamid.")
    (shown,) = await sent(sandbox)
    assert shown["id"] == provider_id
    assert shown["text"] == "Hola Ana, Luis llegó a tu domicilio." == delivery().text


async def test_a_tracking_link_is_a_button_that_leads_to_the_page(sandbox: Bench, channel: WhatsAppChannel) -> None:
    await channel.send(delivery("tracking_link_customer", link="dNaMY7BMlmPUlSUFBgbSWg"), document=None)
    (shown,) = await sent(sandbox)
    assert shown["buttons"] == [
        {"kind": "url", "title": "Ver en el mapa", "url": "https://cuadrilla.example/track/dNaMY7BMlmPUlSUFBgbSWg"}
    ]


async def test_an_invoice_goes_with_its_file_under_its_name(sandbox: Bench, channel: WhatsAppChannel) -> None:
    parameters = ("Ana", "0001-00000042", "$ 24.580,00", "76471234567890")
    await channel.send(delivery("invoice_ready", *parameters), document=INVOICE)
    (shown,) = await sent(sandbox)
    assert shown["text"] == "Hola Ana, te enviamos la factura 0001-00000042 por $ 24.580,00. CAE 76471234567890."
    assert shown["media"]["filename"] == "Factura B 0001-00000042.pdf"
    assert shown["media"]["mime_type"] == "application/pdf"
    file = await sandbox.control.get(sandbox.url + shown["media"]["link"])
    assert file.content == b"%PDF-1.7\n\xff\0factura"


async def test_every_template_of_ours_is_taken_as_registered(sandbox: Bench, channel: WhatsAppChannel) -> None:
    for template in TEMPLATES.values():
        parameters = tuple(f"valor de {name}" for name in template.parameters)
        made = delivery(template.name, *parameters, link="abc" if template.link else None)
        await channel.send(made, document=INVOICE if template.document else None)
        assert (await sent(sandbox))[-1]["text"] == template.render(parameters)


async def test_our_id_comes_back_in_every_status(sandbox: Bench, channel: WhatsAppChannel) -> None:
    provider_id = await channel.send(delivery(id="dlv_7f"), document=None)
    await sandbox.receiver.changes(2)
    bodies = [httpx2.Response(200, content=body).json() for body in sandbox.receiver.bodies]
    reports = [
        report
        for body in bodies
        for report in decode(
            body, tenant_of={NUMBER: "tenant_1"}.get, received_at=datetime.now(UTC), new_id=lambda kind: kind
        ).statuses
    ]
    assert [(each.provider_id, each.status, each.reference) for each in reports] == [
        (provider_id, "sent", "dlv_7f"),
        (provider_id, "delivered", "dlv_7f"),
    ]


async def test_somebody_without_a_phone_is_reached_by_their_scoped_id(sandbox: Bench, channel: WhatsAppChannel) -> None:
    await sandbox.write(text="Hola")
    named = await sandbox.control.put(f"/contacts/{NUMBER}/{ANA}", json={"name": "Ana", "hidden": True})
    recipient = Recipient(id="cus_1", kind="customer", name="Ana", address=named.json()["userId"])
    await channel.send(delivery(recipient=recipient), document=None)
    (shown,) = await sent(sandbox)
    assert shown["text"] == "Hola Ana, Luis llegó a tu domicilio."


async def test_trouble_that_passes_by_itself_is_unavailable(sandbox: Bench, channel: WhatsAppChannel) -> None:
    for code in (1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057):
        await sandbox.control.post("/faults", json={"code": code})
        with pytest.raises(Unavailable, match=rf"WhatsApp asks to wait \({code}\)") as failure:
            await channel.send(delivery(), document=None)
        assert not isinstance(failure.value, AnswerLost)
    assert await sent(sandbox) == []
    assert (await channel.send(delivery(), document=None)).startswith("wamid.")


async def test_a_refusal_that_passes_is_known_by_its_code_whatever_the_http_status(
    sandbox: Bench, channel: WhatsAppChannel
) -> None:
    for http_status in (400, 401, 429, 500, 503):
        await sandbox.control.post("/faults", json={"code": 130429, "http_status": http_status})
        with pytest.raises(Unavailable, match="130429"):
            await channel.send(delivery(), document=None)


async def test_a_message_that_will_never_be_taken_is_refused_with_metas_code(
    sandbox: Bench, channel: WhatsAppChannel
) -> None:
    codes = (33, 100, 368, 131008, 131009, 131026, 131030, 131047, 131049, 131050, 131053, 132000, 132001, 132015)
    for code in codes:
        await sandbox.control.post("/faults", json={"code": code})
        with pytest.raises(SendRefused) as refusal:
            await channel.send(delivery(), document=None)
        assert (refusal.value.error_code, refusal.value.text) == (str(code), "Fault ordered at the sandbox")


async def test_a_channel_without_rights_keeps_its_messages_waiting(sandbox: Bench, channel: WhatsAppChannel) -> None:
    for code in (0, 3, 10, 190, 200, 299):
        await sandbox.control.post("/faults", json={"code": code})
        with pytest.raises(Unavailable, match=rf"does not accept this channel's credentials \({code}\)"):
            await channel.send(delivery(), document=None)


async def test_a_dead_token_keeps_messages_waiting_and_is_not_shown(channel: WhatsAppChannel) -> None:
    with pytest.raises(Unavailable, match=r"credentials \(190\): Error validating access token") as failure:
        await channel.send(delivery(tenant="tenant_dead_token"), document=None)
    assert "taken-back" not in str(failure.value)
    with pytest.raises(Unavailable, match=r"credentials \(190\)"):
        await channel.send(delivery(tenant="tenant_dead_token"), document=INVOICE)


async def test_a_tenant_without_a_channel_is_told_so(channel: WhatsAppChannel) -> None:
    with pytest.raises(SendRefused) as refusal:
        await channel.send(delivery(tenant="tenant_2"), document=None)
    assert (refusal.value.error_code, refusal.value.text) == ("no_channel", "tenant_2 has no WhatsApp channel")


async def test_a_template_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as bare, open_channel(bare.url) as opened:
        with pytest.raises(SendRefused) as refusal:
            await opened.send(delivery(), document=None)
    assert refusal.value.error_code == "132001"
    assert refusal.value.text == "template name (technician_arrived) does not exist in es_AR"


async def test_a_connection_that_was_cut_after_the_message_was_taken_is_a_lost_answer(
    sandbox: Bench, channel: WhatsAppChannel
) -> None:
    await sandbox.control.post("/faults", json={"cut": True})
    with pytest.raises(AnswerLost):
        await channel.send(delivery(), document=None)
    assert len(await sent(sandbox)) == 1
    (first, *_) = await sandbox.receiver.statuses(1)
    assert first["biz_opaque_callback_data"] == "dlv_1"


async def test_an_answer_that_comes_too_late_is_lost(sandbox: Bench) -> None:
    await sandbox.control.post("/faults", json={"delay": 1})
    async with open_channel(sandbox.url, patience=0.2) as hasty:
        with pytest.raises(AnswerLost):
            await hasty.send(delivery(), document=None)
    assert len(await sent(sandbox)) == 1


async def test_an_error_page_is_a_lost_answer(sandbox: Bench, channel: WhatsAppChannel) -> None:
    await sandbox.control.post("/faults", json={"http500": True})
    with pytest.raises(AnswerLost, match="WhatsApp answered 500"):
        await channel.send(delivery(), document=None)


async def test_many_messages_go_out_at_once_each_under_its_own_id(sandbox: Bench, channel: WhatsAppChannel) -> None:
    ids = await asyncio.gather(*(channel.send(delivery(id=f"dlv_{n}"), document=None) for n in range(30)))
    assert len(set(ids)) == 30
    assert len(await sent(sandbox)) == 30


async def test_an_api_that_answers_can_be_pinged(sandbox: Bench) -> None:
    graph = Graph(sandbox.url)
    await graph.ping()
    await graph.close()


# Registering templates.


async def test_templates_that_are_there_already_stay(sandbox: Bench) -> None:
    await register_templates(sandbox.url, account(), public_url=PAGE)
    listed = await sandbox.business.get(f"/{WABA}/message_templates", params={"limit": 100})
    ours = [(name, language) for name in TEMPLATES for language in ("en", "es_AR")]
    found = [(each["name"], each["language"]) for each in listed.json()["data"]]
    assert sorted(found) == sorted([*ours, ("otp_login", "es_AR")])


async def test_two_processes_may_register_templates_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as bare:
        await asyncio.gather(*(register_templates(bare.url, account(), public_url=PAGE) for _ in range(2)))
        listed = await bare.business.get(f"/{WABA}/message_templates", params={"limit": 100})
    assert len(listed.json()["data"]) == 2 * len(TEMPLATES) + 1


async def test_templates_are_not_registered_with_a_dead_token(sandbox: Bench) -> None:
    with pytest.raises(Unavailable, match="did not take the message template request_received_customer") as failure:
        await register_templates(sandbox.url, account(token="taken-back"), public_url=PAGE)
    assert "taken-back" not in str(failure.value)


async def test_templates_are_not_registered_where_nobody_listens(nowhere: str) -> None:
    with pytest.raises(Unavailable, match="no answer to the message template request_received_customer"):
        await register_templates(nowhere, account(), public_url=PAGE)


# Against servers that misbehave.


@define
class Peer:
    """A Graph API that answers as the test says, by the last part of the path."""

    answers: dict[str, Response]
    bodies: list[Any] = field(factory=list)

    async def handle(self, request: Request) -> Response:
        edge = request.path_params["edge"]
        if edge == "messages":
            self.bodies.append(await request.json())
        return self.answers[edge]

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v23.0/{number}/{edge}", self.handle, methods=["POST"])])


TAKEN = JSONResponse({"messaging_product": "whatsapp", "messages": [{"id": "wamid.1", "message_status": "accepted"}]})


@pytest.mark.parametrize("document", [None, INVOICE], ids=["text", "document"])
async def test_nobody_at_the_address_is_unavailable_and_nothing_was_sent(
    document: Document | None, nowhere: str
) -> None:
    async with open_channel(nowhere) as opened:
        with pytest.raises(Unavailable) as failure:
            await opened.send(delivery(), document=document)
        assert not isinstance(failure.value, AnswerLost)
        graph = Graph(nowhere)
        with pytest.raises(Unavailable):
            await graph.ping()
        await graph.close()


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({}),
        JSONResponse([]),
        JSONResponse({"messages": []}),
        JSONResponse({"messages": {"id": "wamid.1"}}),
        JSONResponse({"messages": [{"id": 7}]}),
        JSONResponse({"messages": ["wamid.1"]}),
        PlainTextResponse("OK"),
        Response(b"\xff\xfe", media_type="application/json"),
        Response(status_code=204),
    ],
)
async def test_a_success_that_names_no_message_is_a_lost_answer(answer: Response) -> None:
    async with serving(Peer({"messages": answer}).app()) as url, open_channel(url) as opened:
        with pytest.raises(AnswerLost):
            await opened.send(delivery(), document=None)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_gateways_error_page_is_a_lost_answer(status: int) -> None:
    peer = Peer({"messages": HTMLResponse("<h1>Bad Gateway</h1>", status)})
    async with serving(peer.app()) as url, open_channel(url) as opened:
        with pytest.raises(AnswerLost, match=f"WhatsApp answered {status}"):
            await opened.send(delivery(), document=None)


@pytest.mark.parametrize("status", [408, 429])
async def test_a_wish_to_slow_down_without_a_code_is_unavailable(status: int) -> None:
    peer = Peer({"messages": HTMLResponse("slow down", status)})
    async with serving(peer.app()) as url, open_channel(url) as opened:
        with pytest.raises(Unavailable, match=f"WhatsApp answered {status}") as failure:
            await opened.send(delivery(), document=None)
    assert not isinstance(failure.value, AnswerLost)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"error": {"code": 999_999, "message": "news"}}, "999999", "news"),
        ({"error": {"code": 131026, "error_data": {"details": "why"}, "message": "what"}}, "131026", "why"),
        ({"error": {"code": 131026, "error_data": "odd", "message": "what"}}, "131026", "what"),
        ({"error": {"code": 131026, "message": "x" * 900}}, "131026", "x" * 500),
        ({"error": {"code": "131026"}}, "400", ""),
        ({"error": "odd"}, "400", ""),
        ({"error": None}, "400", ""),
        ([1], "400", ""),
    ],
)
async def test_a_refusal_keeps_code_and_details_and_survives_odd_shapes(body: Any, code: str, text: str) -> None:
    async with serving(Peer({"messages": JSONResponse(body, 400)}).app()) as url, open_channel(url) as opened:
        with pytest.raises(SendRefused) as refusal:
            await opened.send(delivery(), document=None)
    assert (refusal.value.error_code, refusal.value.text) == (code, text)


async def test_a_servers_error_with_a_code_nobody_knows_is_tried_again() -> None:
    peer = Peer({"messages": JSONResponse({"error": {"code": 999_999, "message": "news"}}, 503)})
    async with serving(peer.app()) as url, open_channel(url) as opened:
        with pytest.raises(Unavailable, match="999999") as failure:
            await opened.send(delivery(), document=None)
    assert not isinstance(failure.value, AnswerLost)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HTMLResponse("<h1>Bad Gateway</h1>", 502), Unavailable),
        (JSONResponse({"error": {"code": 130429}}, 429), Unavailable),
        (JSONResponse({"error": {"code": 190}}, 401), Unavailable),
        (JSONResponse({"error": {"code": 131053}}, 400), SendRefused),
        (JSONResponse({}), Unavailable),
        (JSONResponse({"id": 7}), Unavailable),
    ],
)
async def test_a_file_that_is_not_taken_sends_no_message(answer: Response, expected: type[Exception]) -> None:
    peer = Peer({"media": answer, "messages": TAKEN})
    async with serving(peer.app()) as url, open_channel(url) as opened:
        with pytest.raises(expected) as failure:
            await opened.send(delivery(), document=INVOICE)
    assert not isinstance(failure.value, AnswerLost)
    assert peer.bodies == []


async def test_the_request_is_what_meta_documents() -> None:
    peer = Peer({"media": JSONResponse({"id": "1037543291543636"}), "messages": TAKEN})
    async with serving(peer.app()) as url, open_channel(url) as opened:
        parameters = ("Ana", "0001-00000042", "$ 24.580,00", "76471234567890")
        assert await opened.send(delivery("invoice_ready", *parameters), document=INVOICE) == "wamid.1"
        await opened.send(delivery("tracking_link_customer", link="tok"), document=None)
        scoped = Recipient(id="cus_1", kind="customer", name="Ana", address="AR.4127839910562287")
        await opened.send(delivery(recipient=scoped), document=None)
    assert peer.bodies[0] == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "5491155550123",
        "type": "template",
        "template": {
            "name": "invoice_ready",
            "language": {"code": "es_AR"},
            "components": [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "document",
                            "document": {"id": "1037543291543636", "filename": "Factura B 0001-00000042.pdf"},
                        }
                    ],
                },
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "Ana"},
                        {"type": "text", "text": "0001-00000042"},
                        {"type": "text", "text": "$ 24.580,00"},
                        {"type": "text", "text": "76471234567890"},
                    ],
                },
            ],
        },
        "biz_opaque_callback_data": "dlv_1",
    }
    assert peer.bodies[1]["template"]["components"][1] == {
        "type": "button",
        "sub_type": "url",
        "index": "0",
        "parameters": [{"type": "text", "text": "tok"}],
    }
    assert (peer.bodies[2]["recipient"], "to" in peer.bodies[2]) == ("AR.4127839910562287", False)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """Serve connections with a coroutine, below HTTP."""
    open_ones: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, sock=listening())
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


@pytest.mark.parametrize("talk", [hang_up, drip, babble])
async def test_a_server_that_breaks_off_drips_or_babbles_leaves_the_answer_lost(talk: Talk) -> None:
    async with talking(talk) as url, open_channel(url, patience=0.5) as opened:
        with pytest.raises(AnswerLost, match="gave no answer"):
            await opened.send(delivery(), document=None)


@pytest.mark.parametrize("talk", [hang_up, drip, babble])
async def test_a_lost_answer_to_a_file_is_no_doubt_about_the_message(talk: Talk) -> None:
    async with talking(talk) as url, open_channel(url, patience=0.5) as opened:
        with pytest.raises(Unavailable, match="does not take files now") as failure:
            await opened.send(delivery(), document=INVOICE)
        assert not isinstance(failure.value, AnswerLost)


def test_an_account_shows_none_of_its_secrets() -> None:
    shown = repr(account())
    assert NUMBER in shown
    for secret in (TOKEN, "app-secret", "verify-me"):
        assert secret not in shown
