"""The webhook takes what is signed, keeps what it cannot read, and never breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.entrypoints.http.web import OTHER_NUMBER, OTHER_SECRET, SECRET, Web, delivery, text


async def test_a_signed_message_is_stored_and_answered(web: Web) -> None:
    answer = await web.webhook(delivery(text(1, "Hola")))
    assert (answer.status_code, answer.json()) == (200, {})
    (stored,) = await web.inbox()
    assert (stored.event_id, stored.text, stored.tenant) == ("wamid.1", "Hola", "demo")


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "0" * 64,
        "sha256=ñ".encode(),
        "sha256=" + "g" * 64,
    ],
)
async def test_what_nobody_signed_is_refused_and_not_stored(web: Web, signature: str | bytes | None) -> None:
    answer = await web.webhook(delivery(text()), secret=None, signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await web.inbox() == []


async def test_a_truncated_body_does_not_match_its_signature(web: Web) -> None:
    raw = json.dumps(delivery(text())).encode()
    signed = (await web.webhook(raw)).request.headers["x-hub-signature-256"]
    assert (await web.webhook(raw[:-1], secret=None, signature=signed)).status_code == 401


async def test_one_tenants_secret_cannot_write_into_another_tenants_inbox(web: Web) -> None:
    answer = await web.webhook(delivery(text(), number=OTHER_NUMBER), secret=SECRET)
    assert answer.status_code == 200
    assert await web.inbox() == []
    assert (await web.webhook(delivery(text(), number=OTHER_NUMBER), secret=OTHER_SECRET)).status_code == 200
    assert [each.tenant for each in await web.inbox()] == ["other"]


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
async def test_more_than_a_mebibyte_is_too_large(web: Web, size: int) -> None:
    answer = await web.webhook(b"x" * size)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await web.inbox() == []


async def test_too_much_in_pieces_is_too_large(web: Web) -> None:
    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 32_768

    answer = await web.client.post("/webhooks/whatsapp", content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"hello", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"object": "\\ud800"']
)
async def test_what_is_signed_and_no_json_is_malformed(web: Web, raw: bytes) -> None:
    answer = await web.webhook(raw)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"object": "page", "entry": []},
        {
            "object": "whatsapp_business_account",
            "entry": [{"changes": [{"field": "messages", "value": {"messages": "no"}}]}],
        },
        {
            "object": "whatsapp_business_account",
            "entry": [{"changes": [{"field": "account_update", "value": {"x": 1}}]}],
        },
        delivery({"id": "wamid.9", "type": "text"}),
        delivery(text(), number="999"),
    ],
)
async def test_what_is_signed_and_surprising_is_answered_200(web: Web, body: dict[str, Any]) -> None:
    assert (await web.webhook(body)).status_code == 200


@pytest.mark.parametrize("raw", [b"null", b"[]", b"3", b'"text"', b"true"])
async def test_json_that_is_no_object_is_malformed(web: Web, raw: bytes) -> None:
    answer = await web.webhook(raw)
    assert answer.status_code == 400
    assert await web.inbox() == []


async def test_an_odd_number_or_letter_inside_does_not_lose_the_message(web: Web) -> None:
    raw = json.dumps(delivery(text(1, "Hola"))).replace('"Hola"', '"\\ud83d Hola"').replace('"1795093920"', "1e400")
    assert (await web.webhook(raw.encode())).status_code == 200
    assert [each.event_id for each in await web.inbox()] == ["wamid.1"]


async def test_a_zero_byte_inside_does_not_lose_the_message(web: Web) -> None:
    assert (await web.webhook(delivery(text(1, "a\0b")))).status_code == 200
    assert [each.text for each in await web.inbox()] == ["a\ufffdb"]


async def test_an_unknown_type_is_kept_as_unsupported(web: Web) -> None:
    await web.webhook(
        delivery({"from": "5491155550123", "id": "wamid.7", "timestamp": "1795093920", "type": "hologram"})
    )
    assert [(each.kind, each.text) for each in await web.inbox()] == [("unsupported", "")]


async def test_a_replayed_delivery_changes_nothing(web: Web) -> None:
    for _ in range(3):
        assert (await web.webhook(delivery(text(1), text(2)))).status_code == 200
    assert [each.event_id for each in await web.inbox()] == ["wamid.1", "wamid.2"]


async def test_every_entry_change_and_message_is_taken(web: Web) -> None:
    body = delivery(text(1), text(2))
    body["entry"].append(delivery(text(3))["entry"][0])
    body["entry"][0]["changes"].append(delivery(text(4))["entry"][0]["changes"][0])
    await web.webhook(body)
    assert sorted(each.event_id for each in await web.inbox()) == ["wamid.1", "wamid.2", "wamid.3", "wamid.4"]


async def test_the_handshake_answers_the_challenge_to_who_knows_the_token(web: Web) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "verify-demo", "hub.challenge": "4291"}
    answer = await web.client.get("/webhooks/whatsapp", params=asked)
    assert (answer.status_code, answer.text) == (200, "4291")
    for wrong in ({"hub.verify_token": "guess"}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": ""}):
        assert (await web.client.get("/webhooks/whatsapp", params={**asked, **wrong})).status_code == 403


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, field=st.sampled_from(["messages", "contacts", "metadata", "statuses"]))
async def test_no_signed_body_breaks_it(web: Web, value: Any, field: str) -> None:
    answer = await web.webhook(delivery(text(), **{field: value}))
    assert answer.status_code in {200, 400}
