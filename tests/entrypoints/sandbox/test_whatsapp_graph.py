"""The Graph API as any client of the Cloud API meets it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.entrypoints.sandbox.whatsapp_bench import ANA, NUMBER, TEMPLATE, TRACKING, WABA, Bench, bench

pytestmark = pytest.mark.anyio
PDF = b"%PDF-1.7 factura"
YES: Final = {"type": "reply", "reply": {"id": "yes", "title": "Sí"}}
REPLIES: Final[dict[str, Any]] = {"type": "button", "body": {"text": "¿Confirmás?"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


def error(answer: httpx2.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error"]["code"]


def details(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["error_data"]["details"])


async def test_a_text_in_the_window_is_accepted_as_meta_answers(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    answer = await sandbox.send(type="text", text={"body": "Luis llega en 15 minutos", "preview_url": False})
    assert answer.status_code == 200
    body = answer.json()
    assert body["messaging_product"] == "whatsapp"
    assert body["contacts"] == [{"input": ANA, "wa_id": ANA}]
    assert list(body["messages"][0]) == ["id"]
    raw = base64.b64decode(body["messages"][0]["id"].removeprefix("wamid."))
    assert raw[:16] == b"\x1c\x18\x0d" + ANA.encode()


@pytest.mark.parametrize("version", ["v19.0", "v23.0", "v99.0"])
async def test_every_version_of_the_api_is_served(sandbox: Bench, version: str) -> None:
    answer = await sandbox.business.get(f"{sandbox.url}/{version}/{NUMBER}")
    assert answer.json()["display_phone_number"] == "+541150000000"


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dG9rZW4="}])
async def test_a_missing_or_wrong_token_is_refused_with_190(sandbox: Bench, header: dict[str, str]) -> None:
    async with httpx2.AsyncClient(trust_env=False, headers=header) as stranger:
        answer = await stranger.post(f"{sandbox.url}/v23.0/{NUMBER}/messages", json={})
    assert error(answer) == (401, 190)
    assert answer.json()["error"]["message"] == "Error validating access token: Session has expired"


async def test_a_number_of_another_business_is_not_visible(sandbox: Bench) -> None:
    await sandbox.open_account("1000000002", token="token-of-another", waba_id="2000000002")
    body = {"messaging_product": "whatsapp", "to": ANA, "text": {"body": "x"}}
    answer = await sandbox.business.post("/1000000002/messages", json=body)
    assert (error(answer), answer.json()["error"]["error_subcode"]) == ((400, 100), 33)


async def test_a_template_may_go_out_at_any_time_and_its_text_is_filled(sandbox: Bench) -> None:
    created = await sandbox.declare()
    assert created.json()["status"] == "APPROVED"
    answer = await sandbox.send(type="template", template=TRACKING)
    assert answer.json()["messages"][0]["message_status"] == "accepted"
    (message,) = (await sandbox.chat())["messages"]
    assert message["text"] == "Hola Ana, Luis ya salió."
    assert message["buttons"] == [
        {"kind": "url", "title": "Ver en el mapa", "url": "http://127.0.0.1:8000/track/abc123"},
        {"kind": "quick_reply", "title": "Reprogramar", "id": "job:J-1042:reschedule"},
    ]


async def test_named_parameters_fill_a_template_that_uses_names(sandbox: Bench) -> None:
    example = {"body_text_named_params": [{"param_name": "nombre", "example": "Ana"}]}
    body = [{"type": "BODY", "text": "Hola {{nombre}}, te esperamos.", "example": example}]
    await sandbox.declare(name="named", components=body)
    values = [{"type": "text", "parameter_name": "nombre", "text": "Ana"}]
    wanted = {"name": "named", "language": {"code": "es_AR"}}
    await sandbox.send(type="template", template={**wanted, "components": [{"type": "body", "parameters": values}]})
    assert (await sandbox.chat())["messages"][0]["text"] == "Hola Ana, te esperamos."


async def test_a_template_of_another_language_is_missing(sandbox: Bench) -> None:
    await sandbox.declare()
    answer = await sandbox.send(type="template", template={**TRACKING, "language": {"code": "en_US"}})
    assert error(answer) == (404, 132001)
    assert details(answer) == "template name (tracking_link) does not exist in en_US"


async def test_a_wrong_number_of_parameters_is_refused_with_132000(sandbox: Bench) -> None:
    await sandbox.declare()
    one = {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}
    answer = await sandbox.send(type="template", template={**TRACKING, "components": [one]})
    assert error(answer) == (400, 132000)
    assert details(answer) == "body: number of localizable_params (1) does not match the expected number of params (2)"


async def test_a_url_button_needs_its_parameter(sandbox: Bench) -> None:
    await sandbox.declare()
    answer = await sandbox.send(type="template", template={**TRACKING, "components": TRACKING["components"][:1]})
    assert error(answer) == (400, 131008)
    assert details(answer) == "buttons: Button at index 0 of type Url requires a parameter"


async def test_a_document_header_needs_a_document(sandbox: Bench) -> None:
    header, body = {"type": "HEADER", "format": "DOCUMENT"}, {"type": "BODY", "text": "Tu factura está lista."}
    await sandbox.declare(name="invoice", components=[header, body])
    wanted: dict[str, Any] = {"name": "invoice", "language": {"code": "es_AR"}}
    assert error(await sandbox.send(type="template", template=wanted)) == (400, 132012)
    media_id = (await upload(sandbox, PDF)).json()["id"]
    attached = {"type": "document", "document": {"id": media_id, "filename": "Factura B.pdf"}}
    components = [{"type": "header", "parameters": [attached]}]
    assert (await sandbox.send(type="template", template={**wanted, "components": components})).status_code == 200
    media = (await sandbox.chat())["messages"][0]["media"]
    assert media["filename"] == "Factura B.pdf"
    downloaded = await sandbox.control.get(sandbox.url + media["link"])
    assert downloaded.content == PDF
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''Factura%20B.pdf"


OTP: Final[list[dict[str, Any]]] = [
    {"type": "BODY", "add_security_recommendation": True},
    {"type": "FOOTER", "code_expiration_minutes": 5},
    {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]},
]


async def test_an_authentication_template_brings_its_code_twice(sandbox: Bench) -> None:
    declared = await sandbox.declare(name="otp_login", category="AUTHENTICATION", components=OTP)
    assert declared.status_code == 200, declared.text
    wanted = {"name": "otp_login", "language": {"code": "es_AR"}}

    def message(code: str, *, button: str | None = None, sub_type: str = "url") -> dict[str, Any]:
        given = [{"type": "body", "parameters": [{"type": "text", "text": code}]}]
        if button is not None:
            values = [{"type": "text", "text": button}]
            given.append({"type": "button", "sub_type": sub_type, "index": 0, "parameters": values})  # type: ignore[dict-item]
        return {**wanted, "components": given}

    for refused, code in (
        (message("482913"), 131008),
        (message("482913", button="482914"), 131009),
        (message("4" * 16, button="4" * 16), 132005),
        (message("482913", button="482913", sub_type="quick_reply"), 132012),
        ({**wanted, "components": []}, 132000),
    ):
        assert error(await sandbox.send(type="template", template=refused)) == (400, code)
    await sandbox.send(type="template", template=message("482913", button="482913"))
    (shown,) = (await sandbox.chat())["messages"]
    assert shown["text"] == "482913 es tu código de verificación. Por tu seguridad, no lo compartas."
    assert shown["footer"] == "Este código vence en 5 minutos."
    assert shown["buttons"] == [{"kind": "copy", "title": "Copiar código", "id": "482913"}]


async def test_an_authentication_template_needs_a_phone_number(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    await sandbox.declare(name="otp_login", category="AUTHENTICATION", components=OTP)
    user_id = (await sandbox.chat())["userId"]
    given = [{"type": "text", "text": "482913"}]
    components = [
        {"type": "body", "parameters": given},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": given},
    ]
    template = {"name": "otp_login", "language": {"code": "es_AR"}, "components": components}
    answer = await sandbox.send(to=None, recipient=user_id, type="template", template=template)
    assert error(answer) == (400, 131062)


@pytest.mark.parametrize(
    "components",
    [
        OTP[:2],
        OTP[1:],
        [{"type": "HEADER", "format": "TEXT", "text": "Hola"}, *OTP],
        [{"type": "BODY", "text": "{{1}} es tu código."}, *OTP[1:]],
        [{"type": "BODY", "add_security_recommendation": "yes"}, *OTP[1:]],
        [OTP[0], {"type": "FOOTER", "text": "Cuadrilla"}, OTP[2]],
        [OTP[0], {"type": "FOOTER", "code_expiration_minutes": 0}, OTP[2]],
        [OTP[0], {"type": "FOOTER", "code_expiration_minutes": 91}, OTP[2]],
        [OTP[0], {"type": "FOOTER", "code_expiration_minutes": True}, OTP[2]],
        [OTP[0], {"type": "BUTTONS", "buttons": []}],
        [OTP[0], {"type": "BUTTONS", "buttons": [*OTP[2]["buttons"], *OTP[2]["buttons"]]}],
        [OTP[0], {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "TELEPATHY"}]}],
        [OTP[0], {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "x", "url": "https://x.example"}]}],
        [OTP[0], {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "x" * 26}]}],
    ],
)
async def test_an_authentication_template_that_meta_would_not_take_is_refused(
    components: list[dict[str, Any]], sandbox: Bench
) -> None:
    declared = await sandbox.declare(name="otp_login", category="AUTHENTICATION", components=components)
    assert error(declared) == (400, 100)


async def test_a_template_with_every_part_is_drawn_whole(sandbox: Bench) -> None:
    parts = [
        {"type": "HEADER", "format": "TEXT", "text": "Trabajo {{1}} listo", "example": {"header_text": ["12"]}},
        {"type": "BODY", "text": "Total {{1}} para el {{2}}.", "example": {"body_text": [["$ 1", "lunes"]]}},
        {"type": "FOOTER", "text": "Climatización Palermo"},
        {"type": "BUTTONS", "buttons": [{"type": "PHONE_NUMBER", "text": "Llamar", "phone_number": "+541150000000"}]},
    ]
    await sandbox.declare(name="whole", components=parts)
    money = {"type": "currency", "currency": {"fallback_value": "$ 24.580,00", "code": "ARS", "amount_1000": 24580000}}
    day = {"type": "date_time", "date_time": {"fallback_value": "lunes 23"}}
    components = [
        {"type": "header", "parameters": [{"type": "text", "text": "J-1042"}]},
        {"type": "body", "parameters": [money, day]},
    ]
    wanted: dict[str, Any] = {"name": "whole", "language": {"code": "es_AR"}}
    assert (await sandbox.send(type="template", template={**wanted, "components": components})).status_code == 200
    (message,) = (await sandbox.chat())["messages"]
    assert (message["header"], message["footer"]) == ("Trabajo J-1042 listo", "Climatización Palermo")
    assert message["text"] == "Total $ 24.580,00 para el lunes 23."
    assert message["buttons"] == [{"kind": "call", "title": "Llamar", "url": "tel:+541150000000"}]
    broken = [components[0], {"type": "body", "parameters": [money, {"type": "text", "text": "una\nlínea"}]}]
    assert error(await sandbox.send(type="template", template={**wanted, "components": broken})) == (400, 132007)


async def test_a_template_exists_once_in_a_language(sandbox: Bench) -> None:
    await sandbox.declare()
    again = await sandbox.declare()
    assert (error(again), again.json()["error"]["error_subcode"]) == ((400, 100), 2388024)
    assert (await sandbox.declare(language="en_US")).status_code == 200


async def test_templates_are_listed_by_pages(sandbox: Bench) -> None:
    for name in ("one", "two", "three"):
        await sandbox.declare(name=name)
    first = (await sandbox.business.get(f"/{WABA}/message_templates", params={"limit": 2})).json()
    assert [each["name"] for each in first["data"]] == ["one", "two"]
    assert first["data"][0]["status"] == "APPROVED"
    assert first["data"][0]["components"] == TEMPLATE["components"]
    second = (await sandbox.business.get(first["paging"]["next"])).json()
    assert [each["name"] for each in second["data"]] == ["three"]
    assert "next" not in second["paging"]


WRONG_TEMPLATES: Final[list[dict[str, Any]]] = [
    {"name": "Con Mayúsculas"},
    {"language": "castellano"},
    {"category": "OTRA"},
    {"components": []},
    {"components": [{"type": "BODY", "text": "{{1}} al principio", "example": {"body_text": [["x"]]}}]},
    {"components": [{"type": "BODY", "text": "Hola {{1}} y {{3}}.", "example": {"body_text": [["x", "y"]]}}]},
    {"components": [{"type": "BODY", "text": "Hola {{1}}, sin ejemplo."}]},
    {"components": [{"type": "BODY", "text": "x" * 1025}]},
    {"components": [{"type": "BODY", "text": "x"}, {"type": "HEADER", "format": "PDF"}]},
    {"components": [{"type": "BODY", "text": "x"}, {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "x"}]}]},
    {"components": [{"type": "BODY", "text": "x"}, {"type": "OTHER"}]},
]


async def test_a_template_that_meta_would_not_take_is_refused(sandbox: Bench) -> None:
    found = [error(await sandbox.declare(**wrong)) for wrong in WRONG_TEMPLATES]
    assert found == [(400, 100)] * 11


@pytest.mark.parametrize("hours", [0, 25])
async def test_a_free_message_outside_the_window_is_refused_with_131047(sandbox: Bench, hours: int) -> None:
    if hours:
        await sandbox.write(text="Hola")
        sandbox.clock.offset = timedelta(hours=hours)
    answer = await sandbox.send(type="text", text={"body": "¿Seguís ahí?"})
    assert error(answer) == (400, 131047)
    assert (await sandbox.control.get(f"/chats/{NUMBER}/{ANA}")).json()["messages"][1:] == []


WRONG_MESSAGES: Final[list[tuple[dict[str, Any], int]]] = [
    ({"to": "unknown", "text": {"body": "x"}}, 131009),
    ({"to": 5491155550123, "text": {"body": "x"}}, 131009),
    ({"to": None, "text": {"body": "x"}}, 100),
    ({"to": None, "recipient": "no", "text": {"body": "x"}}, 131009),
    ({"to": None, "recipient": "AR.4127839910562287", "text": {"body": "x"}}, 131026),
    ({"messaging_product": "other", "text": {"body": "x"}}, 100),
    ({"type": "carrier_pigeon", "carrier_pigeon": {}}, 100),
    ({"type": ["text"], "text": {"body": "x"}}, 100),
    ({"type": "text"}, 131008),
    ({"type": "text", "text": {"body": ""}}, 131008),
    ({"type": "text", "text": {"body": "x" * 4097}}, 131009),
    ({"type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x" * 513}, 100),
    ({"type": "text", "text": {"body": "x"}, "context": {"message_id": "wamid.unknown"}}, 131009),
    ({"type": "document", "document": {"id": "1"}}, 100),
    ({"type": "document", "document": {}}, 100),
    ({"type": "image", "image": {"link": "file:///etc/passwd"}}, 100),
    ({"type": "location", "location": {"latitude": "91", "longitude": 0}}, 131009),
    ({"type": "location", "location": {"latitude": "here", "longitude": 0}}, 131009),
    ({"type": "reaction", "reaction": {"message_id": "wamid.unknown", "emoji": "👍"}}, 131009),
    ({"type": "contacts", "contacts": []}, 131008),
    ({"type": "interactive", "interactive": {"type": "button", "action": {}, "body": {"text": "x"}}}, 131008),
    ({"type": "interactive", "interactive": {"type": "other"}}, 131009),
    ({"type": "interactive", "interactive": REPLIES | {"action": {"buttons": [YES, YES]}}}, 131009),
    ({"type": "interactive", "interactive": REPLIES | {"action": {"buttons": [YES] * 4}}}, 131009),
    ({"type": "interactive", "interactive": REPLIES | {"type": "cta_url", "action": {"parameters": {}}}}, 131008),
    ({"type": "interactive", "interactive": REPLIES | {"type": "list", "action": {"button": "x" * 21}}}, 131009),
    ({"type": "template", "template": {"name": "x", "language": {"code": "es_AR"}}}, 132001),
]


async def test_a_message_in_a_wrong_form_is_refused_by_its_code(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    for message, code in WRONG_MESSAGES:
        status, found = error(await sandbox.send(**message))
        assert (message, found) == (message, code)
        assert 400 <= status < 500


NOT_JSON: Final[list[bytes]] = [b"", b"{", b"[]", b"null", b'{"to": "\\ud800"}', b'{"x": NaN}', b"[" * 100_000]


async def test_a_body_that_is_no_json_object_is_refused_with_100(sandbox: Bench) -> None:
    found = [error(await sandbox.business.post(f"/{NUMBER}/messages", content=body)) for body in NOT_JSON]
    assert found == [(400, 100)] * 7


MESSAGES: Final[list[dict[str, Any]]] = [
    {"type": "image", "image": {"link": "https://example.com/tablero.jpg", "caption": "Así quedó"}},
    {"type": "location", "location": {"latitude": "-34.603722", "longitude": "-58.381592", "name": "Taller"}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Luis"}, "phones": []}]},
    {
        "type": "interactive",
        "interactive": {
            "type": "list",
            "body": {"text": "Elegí un horario"},
            "action": {
                "button": "Ver turnos",
                "sections": [{"title": "Lunes", "rows": [{"id": "slot:10", "title": "10 a 12"}]}],
            },
        },
    },
    {
        "type": "interactive",
        "interactive": {
            "type": "cta_url",
            "body": {"text": "Seguí al técnico"},
            "action": {"name": "cta_url", "parameters": {"display_text": "Ver", "url": "https://example.com/x"}},
        },
    },
    {
        "type": "interactive",
        "interactive": {
            "type": "location_request_message",
            "body": {"text": "¿Dónde es?"},
            "action": {"name": "send_location"},
        },
    },
]


async def test_each_kind_of_message_reaches_the_chat(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    assert [(await sandbox.send(**message)).status_code for message in MESSAGES] == [200] * 6
    found = [each["type"] for each in (await sandbox.chat())["messages"]]
    assert found == ["text", "image", "location", "contacts", "interactive", "interactive", "interactive"]


async def test_an_answer_and_a_reaction_name_a_message_of_the_chat(sandbox: Bench) -> None:
    message_id = await sandbox.write(text="¿Vienen hoy?")
    await sandbox.send(type="text", text={"body": "Sí"}, context={"message_id": message_id})
    await sandbox.send(type="reaction", reaction={"message_id": message_id, "emoji": "👍"})
    _, reply, reaction = (await sandbox.chat())["messages"]
    assert reply["quotes"] == message_id
    assert reaction["reaction"] == {"message_id": message_id, "emoji": "👍"}


async def test_a_read_receipt_marks_what_the_customer_wrote_until_then(sandbox: Bench) -> None:
    first = await sandbox.write(text="Hola")
    second = await sandbox.write(text="¿Hay alguien?")
    await sandbox.receiver.changes(2)
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": first}
    answer = await sandbox.business.post(f"/{NUMBER}/messages", json=body)
    assert answer.json() == {"success": True}
    found = {each["id"]: each["status"] for each in (await sandbox.chat())["messages"]}
    assert found[first] == "read"
    assert found[second] != "read"
    unknown = await sandbox.business.post(f"/{NUMBER}/messages", json={**body, "message_id": "wamid.unknown"})
    assert error(unknown) == (400, 131009)


async def upload(sandbox: Bench, content: bytes, mime_type: str = "application/pdf") -> httpx2.Response:
    return await sandbox.business.post(
        f"/{NUMBER}/media",
        data={"messaging_product": "whatsapp", "type": mime_type},
        files={"file": ("factura.pdf", content, mime_type)},
    )


async def test_a_file_is_uploaded_looked_up_and_downloaded_with_the_token(sandbox: Bench) -> None:
    media_id = (await upload(sandbox, PDF)).json()["id"]
    found = (await sandbox.business.get(f"/{media_id}")).json()
    assert found["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (found["mime_type"], found["file_size"], found["id"]) == ("application/pdf", 16, media_id)
    assert (await sandbox.business.get(found["url"])).content == PDF
    assert error(await sandbox.control.get(found["url"])) == (401, 190)
    sandbox.clock.offset = timedelta(minutes=6)
    assert (await sandbox.business.get(found["url"])).status_code == 404
    assert (await sandbox.business.get(found["url"].replace("ext=1", "ext=9"))).status_code == 404


async def test_a_file_of_another_type_or_without_content_is_refused(sandbox: Bench) -> None:
    assert error(await upload(sandbox, b"MZ", "application/x-msdownload")) == (400, 100)
    assert error(await upload(sandbox, b"")) == (400, 131053)
    assert error(await sandbox.business.post(f"/{NUMBER}/media", json={})) == (400, 100)
    nothing = await sandbox.business.post(f"/{NUMBER}/media", data={"messaging_product": "whatsapp"}, files={})
    assert error(nothing) == (400, 100)


async def test_an_unknown_object_or_path_is_refused_in_metas_form(sandbox: Bench) -> None:
    assert error(await sandbox.business.get("/999")) == (400, 100)
    assert error(await sandbox.business.get(f"/{NUMBER}/other/path")) == (400, 2500)


async def test_an_argentine_mobile_written_without_its_nine_is_the_same_person(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    answer = await sandbox.send(to="+54 11 5555-0123", type="text", text={"body": "Hola Ana"})
    assert answer.json()["contacts"] == [{"input": "+54 11 5555-0123", "wa_id": ANA}]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"code": 130429}, (429, 130429)),
        ({"code": 131000}, (500, 131000)),
        ({"code": 80007, "http_status": 429}, (429, 80007)),
        ({"code": 190}, (401, 190)),
    ],
)
async def test_an_ordered_refusal_meets_the_next_message_only(
    sandbox: Bench, fault: dict[str, Any], expected: tuple[int, int]
) -> None:
    await sandbox.write(text="Hola")
    assert (await sandbox.control.post("/faults", json=fault)).status_code == 201
    assert error(await sandbox.send(type="text", text={"body": "uno"})) == expected
    assert (await sandbox.send(type="text", text={"body": "dos"})).status_code == 200
    assert [each["text"] for each in (await sandbox.chat())["messages"]] == ["Hola", "dos"]


async def test_an_ordered_server_error_is_html_as_from_a_gateway(sandbox: Bench) -> None:
    await sandbox.control.post("/faults", json={"http500": True})
    answer = await sandbox.send(type="text", text={"body": "uno"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")


async def test_a_message_whose_answer_is_cut_off_has_gone_out(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    await sandbox.control.post("/faults", json={"cut": True})
    with pytest.raises(httpx2.RemoteProtocolError):
        await sandbox.send(type="text", text={"body": "uno"}, biz_opaque_callback_data="ntf_1")
    assert (await sandbox.chat())["messages"][-1]["text"] == "uno"
    statuses = await sandbox.receiver.statuses(3)
    assert [(each["status"], each["biz_opaque_callback_data"]) for each in statuses] == [
        ("sent", "ntf_1"),
        ("delivered", "ntf_1"),
    ]


async def test_a_message_that_is_answered_late_has_gone_out(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    await sandbox.control.post("/faults", json={"delay": 30})
    body = {"messaging_product": "whatsapp", "to": ANA, "text": {"body": "uno"}}
    with pytest.raises(httpx2.ReadTimeout):
        await sandbox.business.post(f"/{NUMBER}/messages", json=body, timeout=0.2)
    assert (await sandbox.chat())["messages"][-1]["text"] == "uno"
    assert len(await sandbox.receiver.statuses(3)) == 2


EMPTY_FAULTS: Final[list[dict[str, Any]]] = [
    {},
    {"times": 2},
    {"other": 1},
    {"code": "x"},
    {"delay": -1},
    {"delay": 1e9},
    {"code": True},
]


async def test_a_fault_that_says_nothing_is_not_ordered(sandbox: Bench) -> None:
    found = [(await sandbox.control.post("/faults", json=fault)).status_code for fault in EMPTY_FAULTS]
    assert found == [422] * 7


async def test_faults_can_be_ordered_for_one_number_several_times_and_cleared(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    other = {"phone_number_id": "1000000002", "code": 131000}
    await sandbox.control.post("/faults", json=other)
    assert (await sandbox.send(type="text", text={"body": "x"})).status_code == 200
    ordered = await sandbox.control.post("/faults", json={"code": 131016, "times": 2})
    assert ordered.json() == {"waiting": 3}
    assert error(await sandbox.send(type="text", text={"body": "x"})) == (500, 131016)
    assert (await sandbox.control.delete("/faults")).json() == {"waiting": 0}
    assert (await sandbox.send(type="text", text={"body": "x"})).status_code == 200
