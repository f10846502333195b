"""What the sandbox posts to the product: true bodies, signed, in order, again until they are taken."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.entrypoints.sandbox.whatsapp_bench import (
    ACCOUNT,
    ANA,
    NUMBER,
    TRACKING,
    WABA,
    Bench,
    bench,
    receiving,
)

pytestmark = pytest.mark.anyio
SAMPLES = next(
    (each for each in Path(__file__).parents[3].parent.glob("shared/reference/messaging") if each.is_dir()), None
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


async def test_a_text_is_posted_in_metas_envelope(sandbox: Bench) -> None:
    message_id = await sandbox.write(text="Hola, ¿cuánto sale?")
    (value,) = await sandbox.receiver.changes(1)
    body = json.loads(sandbox.receiver.bodies[0])
    assert (body["object"], body["entry"][0]["id"]) == ("whatsapp_business_account", WABA)
    assert body["entry"][0]["changes"][0]["field"] == "messages"
    assert value["metadata"] == {"display_phone_number": "541150000000", "phone_number_id": NUMBER}
    (contact,) = value["contacts"]
    assert (contact["profile"], contact["wa_id"]) == ({"name": "Ana Gómez"}, ANA)
    (message,) = value["messages"]
    assert message["text"] == {"body": "Hola, ¿cuánto sale?"}
    assert (message["from"], message["from_user_id"]) == (ANA, contact["user_id"])
    assert (message["id"], message["type"]) == (message_id, "text")
    assert message["timestamp"].isdigit()


async def test_the_raw_bytes_are_signed_and_hold_only_ascii(sandbox: Bench) -> None:
    await sandbox.write(text="¿Mañana? https://example.com/ñ")
    await sandbox.receiver.changes(1)
    assert sandbox.receiver.signed()
    assert b"\\u00bfMa\\u00f1ana? https:\\/\\/example.com\\/\\u00f1" in sandbox.receiver.bodies[0]


async def test_messages_of_one_person_arrive_in_their_order(sandbox: Bench) -> None:
    for number in range(20):
        await sandbox.write(text=str(number))
    found = await sandbox.receiver.changes(20)
    assert [value["messages"][0]["text"]["body"] for value in found] == [str(number) for number in range(20)]


async def test_what_is_not_answered_with_200_is_posted_again(sandbox: Bench) -> None:
    sandbox.receiver.answers = [500, 204, 401]
    await sandbox.write(text="Hola")
    await sandbox.receiver.changes(1)
    assert sandbox.receiver.attempts == 4
    log = (await sandbox.control.get("/log", params={"account": NUMBER})).json()["items"]
    assert [each["status"] for each in log if each["direction"] == "to_product"][:3] == [500, 204, 401]


async def test_one_that_must_wait_lets_the_next_pass(sandbox: Bench) -> None:
    sandbox.receiver.answers = [500]
    await sandbox.write(text="first")
    await sandbox.write(text="second")
    found = await sandbox.receiver.changes(2)
    assert [value["messages"][0]["text"]["body"] for value in found] == ["second", "first"]


async def test_a_webhook_that_was_not_posted_survives_a_restart(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500] * 1000
        async with bench(tmp_path, receiver) as first:
            await first.write(text="Hola")
        receiver.answers = []
        async with bench(tmp_path, receiver) as second:
            (value,) = await receiver.changes(1)
            assert value["messages"][0]["text"]["body"] == "Hola"
            assert [each["text"] for each in (await second.chat())["messages"]] == ["Hola"]


async def test_statuses_follow_a_message_and_echo_our_reference(sandbox: Bench) -> None:
    await sandbox.declare()
    answer = await sandbox.send(type="template", template=TRACKING, biz_opaque_callback_data="ntf_01")
    sent, delivered = await sandbox.receiver.statuses(2)
    assert sent["id"] == delivered["id"] == answer.json()["messages"][0]["id"]
    assert (sent["status"], delivered["status"]) == ("sent", "delivered")
    assert sent["recipient_id"] == delivered["recipient_id"] == ANA
    assert sent["biz_opaque_callback_data"] == delivered["biz_opaque_callback_data"] == "ntf_01"
    assert sent["conversation"]["origin"] == {"type": "utility"}
    assert delivered["pricing"] == {
        "billable": True,
        "pricing_model": "PMP",
        "category": "utility",
        "type": "regular",
    }


async def test_looking_at_the_chat_reports_every_delivered_message_as_read_once(sandbox: Bench) -> None:
    await sandbox.declare()
    await sandbox.send(type="template", template=TRACKING)
    await sandbox.receiver.statuses(2)
    assert (await sandbox.control.post(f"/chats/{NUMBER}/{ANA}/read", json={})).json() == {"read": 1}
    assert (await sandbox.control.post(f"/chats/{NUMBER}/{ANA}/read", json={})).json() == {"read": 0}
    assert [each["status"] for each in await sandbox.receiver.statuses(3)] == ["sent", "delivered", "read"]
    assert (await sandbox.chat())["messages"][0]["status"] == "read"


async def test_an_ordered_failure_comes_later_as_a_status(sandbox: Bench) -> None:
    await sandbox.declare()
    await sandbox.control.post("/faults", json={"failed": 131026})
    assert (await sandbox.send(type="template", template=TRACKING)).status_code == 200
    failed = (await sandbox.receiver.statuses(2))[1]
    assert failed["status"] == "failed"
    assert failed["errors"][0]["code"] == 131026
    (message,) = (await sandbox.chat())["messages"]
    assert (message["status"], message["error"]) == ("failed", "131026")


KINDS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"location": {"latitude": -34.603722, "longitude": -58.381592, "name": "Obelisco"}}, "location"),
    ({"button": {"payload": "job:J-1042:reschedule", "text": "Reprogramar"}}, "button"),
    ({"interactive": {"type": "button_reply", "button_reply": {"id": "a", "title": "Sí"}}}, "interactive"),
    ({"reaction": {"message_id": "wamid.x", "emoji": "👍"}}, "reaction"),
    ({"contacts": [{"name": {"formatted_name": "Luis"}}]}, "contacts"),
    ({"type": "unsupported", "unsupported": {"type": "poll_creation"}}, "unsupported"),
]


async def test_every_kind_of_message_can_be_sent_by_the_customer(sandbox: Bench) -> None:
    for content, _ in KINDS:
        await sandbox.write(**content)
    messages = [value["messages"][0] for value in await sandbox.receiver.changes(6)]
    assert [(each["type"], each[each["type"]]) for each in messages] == [(kind, each[kind]) for each, kind in KINDS]


async def test_an_answer_to_a_message_names_it(sandbox: Bench) -> None:
    await sandbox.write(text="Sí", context={"message_id": "wamid.before"})
    (value,) = await sandbox.receiver.changes(1)
    assert value["messages"][0]["context"] == {"from": "541150000000", "id": "wamid.before"}


async def test_a_photo_can_be_fetched_by_the_business(sandbox: Bench) -> None:
    photo = b"\xff\xd8\xff jpeg"
    data = base64.b64encode(photo).decode()
    await sandbox.write(image={"data": data, "mime_type": "image/jpeg", "caption": "La térmica saltó"})
    (value,) = await sandbox.receiver.changes(1)
    image = value["messages"][0]["image"]
    assert (image["mime_type"], image["caption"]) == ("image/jpeg", "La térmica saltó")
    assert image["sha256"] == base64.b64encode(hashlib.sha256(photo).digest()).decode()
    found = (await sandbox.business.get(f"/{image['id']}")).json()
    assert (await sandbox.business.get(found["url"])).content == photo
    assert (await sandbox.business.get(image["url"])).content == photo


async def test_a_customer_with_a_username_comes_and_is_answered_without_a_phone(sandbox: Bench) -> None:
    await sandbox.control.put(f"/contacts/{NUMBER}/{ANA}", json={"name": "Ana Gómez", "hidden": True})
    await sandbox.write(text="¿Cuánto sale?")
    (value,) = await sandbox.receiver.changes(1)
    assert ANA not in sandbox.receiver.bodies[0].decode().replace(value["messages"][0]["id"], "")
    user_id = value["messages"][0]["from_user_id"]
    answer = await sandbox.send(to=None, recipient=user_id, type="text", text={"body": "Depende"})
    assert answer.json()["contacts"] == [{"input": user_id, "user_id": user_id}]
    sent = (await sandbox.receiver.statuses(3))[0]
    assert "recipient_id" not in sent
    assert sent["recipient_user_id"] == user_id


async def test_opening_an_account_verifies_the_webhook(sandbox: Bench) -> None:
    opened = await sandbox.open_account()
    assert (opened["verified"], opened["problem"]) == (True, None)
    refused = await sandbox.open_account(verify_token="another")
    assert (refused["verified"], refused["problem"]) == (False, "answered 403 and not the challenge")
    nobody = await sandbox.open_account(webhook_url="http://127.0.0.1:9/webhooks/whatsapp")
    assert nobody["verified"] is False
    listed = (await sandbox.control.get("/accounts")).json()["items"]
    assert [each["phoneNumberId"] for each in listed] == [NUMBER]
    assert str(ACCOUNT["token"]) not in str(listed)


async def test_an_account_without_a_usable_webhook_is_not_opened(sandbox: Bench) -> None:
    wrong = {**ACCOUNT, "webhook_url": "ftp://127.0.0.1/x"}
    assert (await sandbox.control.put(f"/accounts/{NUMBER}", json=wrong)).status_code == 422
    assert (await sandbox.control.put("/accounts/abc", json={**wrong, "webhook_url": "http://x"})).status_code == 422
    assert (await sandbox.control.put(f"/accounts/{NUMBER}", json={"waba_id": WABA})).status_code == 422


async def test_the_people_a_number_met_are_listed_latest_first(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    await sandbox.write(**{"from": "+54 9 351 555-0142", "name": "Beto", "text": "Buenas"})
    items = (await sandbox.control.get(f"/contacts/{NUMBER}")).json()["items"]
    assert [(each["waId"], each["name"]) for each in items] == [("5493515550142", "Beto"), (ANA, "Ana Gómez")]


async def test_a_webhook_address_that_was_not_there_is_verified_before_the_first_delivery(sandbox: Bench) -> None:
    sandbox.receiver.verify_token = "not yet"
    assert (await sandbox.open_account())["verified"] is False
    await sandbox.write(text="Hola")
    sandbox.receiver.verify_token = "verify-me"
    await sandbox.receiver.changes(1)
    assert (await sandbox.open_account())["verified"] is True


WRONG: Final[list[dict[str, Any]]] = [
    {"text": ""},
    {"text": "x" * 4097},
    {"text": {"body": 5}},
    {},
    {"location": "here"},
    {"contacts": {}},
    {"image": {"data": "not base64!", "mime_type": "image/png"}},
    {"image": {"data": "AAAA"}},
    {"text": "x", "from": "nobody"},
    {"text": "x", "phone_number_id": "999"},
    {"type": "carrier_pigeon"},
]


async def test_a_customers_message_in_a_wrong_form_is_explained(sandbox: Bench) -> None:
    for wrong in WRONG:
        answer = await sandbox.control.post("/inbound", json={"phone_number_id": NUMBER, "from": ANA, **wrong})
        assert (wrong, answer.status_code) == (wrong, 422)
        assert answer.json()["error"]


NO_OBJECTS: Final[list[bytes]] = [b"", b"[]", b'{"from": "\\ud800"}']


async def test_a_control_body_that_is_no_object_is_explained(sandbox: Bench) -> None:
    for body in NO_OBJECTS:
        assert (await sandbox.control.post("/inbound", content=body)).status_code == 422
        assert (await sandbox.control.post("/faults", content=body)).status_code == 422
        assert (await sandbox.control.put(f"/accounts/{NUMBER}", content=body)).status_code == 422


async def test_the_log_keeps_both_directions_of_one_chat_without_the_token(sandbox: Bench) -> None:
    await sandbox.write(text="Hola")
    await sandbox.receiver.changes(1)
    await sandbox.send(type="text", text={"body": "Hola Ana"})
    await sandbox.receiver.changes(3)
    await sandbox.write(**{"from": "5491155550999", "name": "Beto", "text": "otro"})
    await sandbox.receiver.changes(4)
    log = (await sandbox.control.get("/log", params={"account": NUMBER, "wa_id": ANA})).json()["items"]
    found = [(each["direction"], each["title"]) for each in log]
    assert ("to_product", "POST /webhooks/whatsapp") in found
    assert ("from_product", f"POST /v23.0/{NUMBER}/messages") in found
    assert "otro" not in str(log)
    assert str(ACCOUNT["token"]) not in str(log)
    assert (await sandbox.control.get("/log", params={"after": "x"})).status_code == 422


async def test_a_page_that_asks_again_gets_only_news(sandbox: Bench) -> None:
    version = (await sandbox.chat())["version"]
    again = await sandbox.control.get(f"/chats/{NUMBER}/{ANA}", params={"after": version})
    assert again.status_code == 204
    await sandbox.write(text="Hola")
    news = await sandbox.control.get(f"/chats/{NUMBER}/{ANA}", params={"after": version})
    assert [each["text"] for each in news.json()["messages"]] == ["Hola"]


@pytest.mark.skipif(SAMPLES is None, reason="the recorded samples are not beside this work tree")
@pytest.mark.parametrize("sample", ["wa_text", "wa_status_sent", "wa_status_delivered", "wa_location"])
async def test_a_body_has_the_keys_of_the_recorded_one(sandbox: Bench, sample: str) -> None:
    assert SAMPLES is not None
    recorded = json.loads((SAMPLES / f"{sample}.json").read_text())
    place = {"latitude": 1.5, "longitude": 2.5, "name": "Obelisco", "address": "CABA", "url": "https://example.com"}
    await sandbox.write(**({"location": place} if sample == "wa_location" else {"text": "Hola"}))
    await sandbox.send(type="text", text={"body": "x"}, biz_opaque_callback_data="notification:ntf_01")
    await sandbox.receiver.changes(3)
    position = {"wa_status_sent": 1, "wa_status_delivered": 2}.get(sample, 0)
    assert keys(json.loads(sandbox.receiver.bodies[position])) == keys(recorded)


def keys(value: Any) -> Any:
    """Return a body's shape: its keys and lists, without what stands in them."""
    if isinstance(value, dict):
        return {name: keys(each) for name, each in value.items()}
    return [keys(each) for each in value] if isinstance(value, list) else type(value).__name__
