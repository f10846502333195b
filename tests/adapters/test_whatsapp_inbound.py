"""Reading what Meta delivers: every body is written out here with the true shapes."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.whatsapp import Delivery, decode
from core.kernel.errors import Invalid
from core.messaging import InboundMessage, StatusReport

RECEIVED = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
OURS, THEIRS = "7794189252778687", "8800112233445566"
ANA, ANA_ID = "5491155550123", "AR.4127839910562287"
TENANTS = {OURS: "tenant_palermo", THEIRS: "tenant_cordoba"}
SAMPLES = next(
    (each for each in Path(__file__).parents[2].parent.glob("shared/reference/messaging") if each.is_dir()), None
)


def read(body: Any) -> Delivery:
    numbers = itertools.count(1)
    return decode(body, tenant_of=TENANTS.get, received_at=RECEIVED, new_id=lambda kind: f"{kind}_{next(numbers)}")


def change(number: str = OURS, **content: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "541152630088", "phone_number_id": number}
    ana = {"profile": {"name": "Ana Gómez"}, "wa_id": ANA, "user_id": ANA_ID}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [ana], **content}
    return {"value": value, "field": "messages"}


def envelope(*changes: Any) -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "215589313241560883", "changes": list(changes)}],
    }


def message(kind: str = "text", content: Any = None, **further: Any) -> dict[str, Any]:
    content = {"body": "Hola"} if kind == "text" and content is None else content
    return {
        "from": ANA,
        "from_user_id": ANA_ID,
        "id": "wamid.A1",
        "timestamp": "1795255200",
        "type": kind,
        kind: content,
        **further,
    }


def status(**changed: Any) -> dict[str, Any]:
    return {"id": "wamid.S1", "status": "delivered", "timestamp": "1795255203", "recipient_id": ANA, **changed}


def test_a_text_is_read_with_who_wrote_it_and_when() -> None:
    delivery = read(envelope(change(messages=[message()])))
    (found,) = delivery.messages
    assert found.id == "msg_1"
    assert found.tenant == "tenant_palermo"
    assert found.source == "whatsapp"
    assert found.event_id == "wamid.A1"
    assert found.kind == "text"
    assert found.text == "Hola"
    assert found.sender.identities == ("whatsapp:5491155550123", "whatsapp:AR.4127839910562287")
    assert found.sender.thread == "whatsapp:5491155550123"
    assert found.sender.name == "Ana Gómez"
    assert found.sender.phone == "+5491155550123"
    assert found.sent_at == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert found.received_at == RECEIVED
    assert (found.lat, found.lng) == (None, None)
    assert found.raw == message()
    assert delivery.statuses == ()
    assert delivery.ignored == {}


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("text", {"body": "¿Cuánto sale? ⚡"}, "¿Cuánto sale? ⚡"),
        ("text", {"body": "una línea\notra\tmás"}, "una línea\notra\tmás"),
        ("text", {"body": "a\0b\x1b[31mc\x85d"}, "ab[31mcd"),
        ("text", {"body": "roto \ud83d"}, "roto "),
        ("text", {"body": "x" * 5000}, "x" * 4096),
        ("text", {}, ""),
        ("text", {"body": None}, ""),
        ("text", {"body": ["Hola"]}, ""),
        ("image", {"id": "1", "mime_type": "image/jpeg", "caption": "La térmica saltó"}, "La térmica saltó"),
        ("image", {"id": "1", "mime_type": "image/jpeg"}, ""),
        ("video", {"id": "1", "caption": "Hace este ruido"}, "Hace este ruido"),
        ("document", {"id": "1", "filename": "f.pdf", "caption": "Última factura"}, "Última factura"),
        ("audio", {"id": "1", "voice": True}, ""),
        ("sticker", {"id": "1", "animated": False}, ""),
        ("button", {"payload": "job:J-1:reschedule", "text": "Reprogramar"}, "Reprogramar"),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "1", "title": "Confirmar"}}, "Confirmar"),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "2", "title": "Lunes 10 a 12"}}, "Lunes 10 a 12"),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": "{}"}}, ""),
        ("interactive", {"type": "button_reply", "button_reply": "Confirmar"}, ""),
        ("contacts", [{"name": {"formatted_name": "Pedro Portero"}}], "Pedro Portero"),
        (
            "contacts",
            [{"name": {"formatted_name": "Pedro"}}, "no", {"name": 1}, {"name": {"formatted_name": "Eva"}}],
            "Pedro, Eva",
        ),
        ("contacts", [], ""),
        ("order", {"catalog_id": "1", "text": "Dos por favor", "product_items": []}, "Dos por favor"),
        ("reaction", {"message_id": "wamid.X", "emoji": "👍"}, ""),
        ("reaction", {"message_id": "wamid.X"}, ""),
        ("system", {"type": "user_changed_number", "body": "User changed", "wa_id": "5491155550777"}, ""),
        ("edit", {"original_message_id": "wamid.X", "message": {"type": "text"}}, ""),
        ("revoke", {"original_message_id": "wamid.X"}, ""),
    ],
)
def test_each_type_is_read_as_a_person_would(kind: str, content: Any, text: str) -> None:
    (found,) = read(envelope(change(messages=[message(kind, content)]))).messages
    assert (found.kind, found.text) == (kind, text)


@pytest.mark.parametrize(
    ("content", "text", "place"),
    [
        (
            {"latitude": -34.603722, "longitude": -58.381592, "name": "Obelisco", "address": "Av. 9 de Julio s/n"},
            "Obelisco, Av. 9 de Julio s/n",
            (-34.603722, -58.381592),
        ),
        ({"latitude": -31.420083, "longitude": -64.188776}, "", (-31.420083, -64.188776)),
        ({"latitude": 0, "longitude": 0, "address": "Golfo de Guinea"}, "Golfo de Guinea", (0.0, 0.0)),
        ({"latitude": 90.1, "longitude": 0}, "", (None, None)),
        ({"latitude": 0, "longitude": -180.1}, "", (None, None)),
        ({"latitude": "-34.6", "longitude": -58.4}, "", (None, None)),
        ({"latitude": True, "longitude": False}, "", (None, None)),
        ({"latitude": math.nan, "longitude": math.inf}, "", (None, None)),
        ({"latitude": 10**400, "longitude": 1}, "", (None, None)),
        ({"longitude": 1}, "", (None, None)),
    ],
)
def test_a_place_has_both_coordinates_or_none(content: Any, text: str, place: Any) -> None:
    (found,) = read(envelope(change(messages=[message("location", content)]))).messages
    assert (found.kind, found.text, (found.lat, found.lng)) == ("location", text, place)


@pytest.mark.parametrize(
    "raw",
    [
        message("unsupported", {"type": "poll_creation"}, errors=[{"code": 131051}]),
        message("hologram", {"body": "from next year"}),
        message("text", "Hola"),
        message("text", ["Hola"]),
        message("text", 7),
        message("image"),
        message("contacts", {"name": "Pedro"}),
        {"from": ANA, "id": "wamid.A1", "timestamp": "1795255200"},
        {"from": ANA, "id": "wamid.A1", "type": ["text"], "text": {"body": "Hola"}},
        {"from": ANA, "id": "wamid.A1", "type": None},
        {"from": ANA, "id": "wamid.A1", "type": "id"},
    ],
)
def test_a_message_that_is_not_understood_is_kept_as_unsupported(raw: dict[str, Any]) -> None:
    delivery = read(envelope(change(messages=[raw])))
    (found,) = delivery.messages
    assert (found.kind, found.text, found.event_id) == ("unsupported", "", "wamid.A1")
    assert found.raw["id"] == "wamid.A1"
    assert delivery.ignored == {}


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"id": 17},
        {"id": ""},
        {"id": "wamid with a blank"},
        {"id": "wamid.\0"},
        {"id": "wamid.ñ"},
        {"id": "w" * 201},
        {"from": None, "from_user_id": None},
        {"from": 5491155550123, "from_user_id": ["AR.1"]},
        {"from": "", "from_user_id": ""},
        {"from": "549\0", "from_user_id": "AR.\ud800"},
    ],
)
def test_a_message_without_id_or_sender_is_counted_and_the_others_are_read(broken: dict[str, Any]) -> None:
    delivery = read(envelope(change(messages=[message(**broken), message(id="wamid.A2")])))
    assert [found.event_id for found in delivery.messages] == ["wamid.A2"]
    assert delivery.ignored == {"message without id or sender": 1}


def test_every_entry_change_message_and_status_is_read_for_its_own_tenant() -> None:
    first = envelope(
        change(
            messages=[
                message(id="wamid.1", timestamp="1795255201", content={"body": "necesito"}),
                message(id="wamid.2", content={"body": "Hola"}),
            ]
        ),
        change(
            THEIRS,
            contacts=[{"profile": {"name": "Bruno Díaz"}, "wa_id": "5493515550142", "user_id": "AR.77"}],
            messages=[{**message(id="wamid.3", content={"body": "Buen día"}), "from": "5493515550142"}],
            statuses=[status(id="wamid.S3", status="read")],
        ),
    )
    second = envelope(change(statuses=[status(), status(status="read")]))
    delivery = read({**first, "entry": first["entry"] + second["entry"]})
    assert [(m.tenant, m.event_id, m.text, m.sender.phone) for m in delivery.messages] == [
        ("tenant_palermo", "wamid.1", "necesito", "+5491155550123"),
        ("tenant_palermo", "wamid.2", "Hola", "+5491155550123"),
        ("tenant_cordoba", "wamid.3", "Buen día", "+5493515550142"),
    ]
    assert [(s.tenant, s.provider_id, s.status) for s in delivery.statuses] == [
        ("tenant_cordoba", "wamid.S3", "read"),
        ("tenant_palermo", "wamid.S1", "delivered"),
        ("tenant_palermo", "wamid.S1", "read"),
    ]
    assert delivery.ignored == {}


def test_somebody_without_a_phone_is_known_by_their_scoped_id() -> None:
    contact = {"profile": {"name": "Ana Gómez", "username": "ana.gomez"}, "user_id": ANA_ID}
    raw = {key: value for key, value in message().items() if key != "from"}
    (found,) = read(envelope(change(contacts=[contact], messages=[raw]))).messages
    assert found.sender.identities == ("whatsapp:AR.4127839910562287",)
    assert found.sender.phone is None
    assert found.sender.name == "Ana Gómez"


def test_contacts_are_joined_by_id_and_not_by_position() -> None:
    contacts = [
        {"profile": {"name": "Bruno"}, "wa_id": "5493515550142", "user_id": "AR.77"},
        {"profile": {"name": "Ana"}, "wa_id": ANA, "user_id": ANA_ID},
    ]
    legacy = {key: value for key, value in message().items() if key != "from_user_id"}
    (found,) = read(envelope(change(contacts=contacts, messages=[legacy]))).messages
    assert found.sender.name == "Ana"
    assert found.sender.identities == ("whatsapp:5491155550123", "whatsapp:AR.4127839910562287")


@pytest.mark.parametrize("contacts", [None, [], [None, 3, []], {}, "Ana", [{"profile": "Ana", "wa_id": ANA}]])
def test_contacts_may_be_missing_or_broken(contacts: Any) -> None:
    (found,) = read(envelope(change(contacts=contacts, messages=[message()]))).messages
    assert found.sender.identities == ("whatsapp:5491155550123", "whatsapp:AR.4127839910562287")
    assert found.sender.name is None


@pytest.mark.parametrize("wa_id", ["0491155550123", "12345", "5491155550123456", "549-1155550123", "٥٤٩١١٥٥٥٥"])
def test_a_sender_that_is_no_phone_number_has_no_phone(wa_id: str) -> None:
    (found,) = read(envelope(change(messages=[{**message(), "from": wa_id}]))).messages
    assert found.sender.phone is None
    assert found.sender.identities[-1] == "whatsapp:AR.4127839910562287"


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1795255200", datetime(2026, 11, 21, 10, 0, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1795255501", RECEIVED),  # a second after we received it
        ("99999999999", RECEIVED),
        ("999999999999999999999", RECEIVED),
        ("-5", RECEIVED),
        ("1795255200.5", RECEIVED),
        ("١٢٣", RECEIVED),
        ("", RECEIVED),
        (1795255200, RECEIVED),
        (None, RECEIVED),
    ],
)
def test_a_message_has_its_own_time_and_never_one_to_come(timestamp: Any, expected: datetime) -> None:
    (found,) = read(envelope(change(messages=[message(timestamp=timestamp)]))).messages
    assert found.sent_at == expected


def test_a_status_names_its_message_and_our_own_reference() -> None:
    raw = status(
        biz_opaque_callback_data="dlv_1", pricing={"billable": True}, conversation={"id": "c"}, recipient_user_id=ANA_ID
    )
    (found,) = read(envelope(change(statuses=[raw]))).statuses
    assert found.tenant == "tenant_palermo"
    assert found.source == "whatsapp"
    assert found.event_id == "wamid.S1:delivered"
    assert found.provider_id == "wamid.S1"
    assert found.status == "delivered"
    assert found.at == datetime(2026, 11, 21, 10, 0, 3, tzinfo=UTC)
    assert found.received_at == RECEIVED
    assert found.reference == "dlv_1"
    assert (found.error_code, found.error_text) == (None, None)
    assert found.raw == raw


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "played", "failed"])
def test_every_known_status_is_a_report(word: str) -> None:
    (found,) = read(envelope(change(statuses=[status(status=word)]))).statuses
    assert (found.status, found.event_id) == (word, f"wamid.S1:{word}")


@pytest.mark.parametrize(
    ("errors", "code", "text"),
    [
        (
            [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "More than 24 hours"}}],
            131047,
            "More than 24 hours",
        ),
        (
            [{"code": 131026, "title": "Undeliverable", "message": "Message Undeliverable."}],
            131026,
            "Message Undeliverable.",
        ),
        ([{"code": 131026, "title": "Undeliverable"}], 131026, "Undeliverable"),
        ([{"code": "131026", "title": "a\0b"}], None, "ab"),
        ([{"code": True, "title": 5}], None, None),
        ([{"code": 10**30, "error_data": "no"}], None, None),
        ([{"title": "x" * 900}], None, "x" * 500),
        (["no", {"code": 1}], 1, None),
        ([], None, None),
        ({"code": 1}, None, None),
    ],
)
def test_a_failure_keeps_its_code_and_the_longest_explanation(errors: Any, code: int | None, text: str | None) -> None:
    (found,) = read(envelope(change(statuses=[status(status="failed", errors=errors)]))).statuses
    assert (found.error_code, found.error_text) == (code, text)


@pytest.mark.parametrize(
    "raw",
    [status(status="warning"), status(status=None), status(id=None), status(id="a b"), status(id=["wamid.S1"]), {}],
)
def test_a_status_that_is_not_understood_is_counted(raw: dict[str, Any]) -> None:
    delivery = read(envelope(change(statuses=[raw, status()])))
    assert [found.provider_id for found in delivery.statuses] == ["wamid.S1"]
    assert delivery.ignored == {"status not understood": 1}


@pytest.mark.parametrize("reference", [None, 5, "", "two words", "x" * 201, "dlv_\0"])
def test_a_reference_that_is_not_ours_is_left_out(reference: Any) -> None:
    (found,) = read(envelope(change(statuses=[status(biz_opaque_callback_data=reference)]))).statuses
    assert found.reference is None


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ({"object": "page", "entry": []}, {"another object": 1}),
        ({}, {"another object": 1}),
        ({"object": "whatsapp_business_account"}, {}),
        ({"object": "whatsapp_business_account", "entry": {"changes": []}}, {}),
        ({"object": "whatsapp_business_account", "entry": ["no", 1]}, {"not an object": 2}),
        (envelope(), {}),
        (envelope(None, [], "x"), {"not an object": 3}),
        (envelope({"field": "field_added_next_year", "value": {}}), {"field field_added_next_year": 1}),
        (envelope({"field": "x" * 1000, "value": {}}), {"field " + "x" * 40: 1}),
        (envelope({"field": "a\0\nb", "value": {}}), {"field a\nb": 1}),
        (envelope({"field": 7, "value": {}}), {"field ?": 1}),
        (envelope({"field": "messages", "value": []}), {"unknown number": 1}),
        (envelope(change("1234", messages=[message()])), {"unknown number": 1}),
        (envelope(change(messages={"0": message()})), {}),
        (envelope(change(messages=[None, 1, "x", []])), {"not an object": 4}),
        (envelope(change(errors=[{"code": 130429, "title": "Rate limit hit"}])), {"error": 1}),
        (
            envelope({"field": "smb_message_echoes", "value": {"message_echoes": [message()]}}),
            {"field smb_message_echoes": 1},
        ),
    ],
)
def test_what_is_left_aside_is_counted_by_its_reason(body: Any, ignored: Mapping[str, int]) -> None:
    delivery = read(body)
    assert (delivery.messages, delivery.statuses, delivery.ignored) == ((), (), ignored)


@pytest.mark.parametrize("body", [None, [], [envelope()], "x", 1, 1.5, True])
def test_a_body_that_is_no_object_is_invalid(body: Any) -> None:
    with pytest.raises(Invalid, match="the body must be a JSON object"):
        read(body)


def test_what_is_kept_of_a_message_is_what_a_database_takes() -> None:
    raw = message(
        context={"id": "a\0b", "k\0ey": "\ud800", "deep": json.loads("[" * 100 + "]" * 100)},
        odd=[math.nan, -math.inf, 1.5],
    )
    (found,) = read(envelope(change(messages=[raw]))).messages
    assert found.raw["odd"] == [None, None, 1.5]
    context = found.raw["context"]
    assert isinstance(context, dict)
    assert (context["id"], context["key"]) == ("ab", "")
    written = json.dumps(found.raw, allow_nan=False)
    assert "\\u0000" not in written
    assert "\\ud800" not in written
    assert 25 < written.count("[") < 40


# What follows breaks good bodies in every way that JSON allows.

GOOD = envelope(
    change(
        messages=[
            message(),
            message("location", {"latitude": -34.6, "longitude": -58.4, "name": "Obelisco"}),
            message("interactive", {"type": "list_reply", "list_reply": {"id": "2", "title": "Lunes"}}),
            message("contacts", [{"name": {"formatted_name": "Pedro"}, "phones": [{"phone": "+54"}]}]),
            message("image", {"id": "1", "caption": "La térmica"}, context={"forwarded": True}),
        ],
        errors=[{"code": 130429}],
    ),
    change(THEIRS, statuses=[status(status="failed", errors=[{"code": 131026, "error_data": {"details": "no"}}])]),
)
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    math.nan,
    math.inf,
    "",
    "\0",
    "\ud83d",
    "x" * 100_000,
    "text",
    "messages",
    OURS,
    ANA,
    [],
    {},
    [[[]]],
    [None],
    {"": None},
    {"id": {"id": {}}},
    json.loads("[" * 900 + "]" * 900),
    [{}] * 50,
)


DEEPEST = 14


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    if len(here) == DEEPEST:
        return
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*here, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from paths(value[index], (*here, index))


def replaced(body: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    body = copy.copy(body)
    body[path[0]] = replaced(body[path[0]], path[1:], junk)
    return body


def check(body: Any) -> None:
    """Hold the promises about any body at all."""
    try:
        delivery = read(body)
    except Invalid:
        assert not isinstance(body, dict)
        return
    for found in delivery.messages:
        assert found.event_id.isascii()
        assert 1 <= len(found.event_id) <= 200
        assert found.tenant in {"tenant_palermo", "tenant_cordoba"}
        assert found.sender.identities
        assert found.sent_at <= RECEIVED
        assert len(found.text) <= 4096
        assert (found.lat is None) == (found.lng is None)
    records: list[InboundMessage | StatusReport] = [*delivery.messages, *delivery.statuses]
    for record in records:
        written = msgspec.json.encode(record)  # refuses halves of characters
        assert b"\\u0000" not in written
        json.dumps(record.raw, allow_nan=False)
    assert all(count > 0 for count in delivery.ignored.values())


def test_junk_in_every_single_place_of_a_body_raises_nothing_but_invalid() -> None:
    broken = [replaced(GOOD, path, junk) for path in paths(GOOD) for junk in JUNK]
    assert len(broken) > 2000
    for body in broken:
        check(body)


def test_a_thousand_bodies_broken_in_several_places_raise_nothing_but_invalid() -> None:
    dice = random.Random(20261121)
    for _ in range(1000):
        body: Any = GOOD
        for _ in range(dice.randint(2, 8)):
            places = list(paths(body))
            if len(places) > 2000:
                break
            body = replaced(body, dice.choice(places), dice.choice(JUNK))
        check(body)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["whatsapp_business_account", "messages", "text", "image", "sent", "failed", OURS, ANA, ANA_ID]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                [
                    "entry",
                    "changes",
                    "value",
                    "field",
                    "metadata",
                    "phone_number_id",
                    "id",
                    "from",
                    "type",
                    "text",
                    "body",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(ANYTHING)
@example({"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": None}]}]})
def test_any_json_at_all_raises_nothing_but_invalid(body: Any) -> None:
    check(body)


@settings(max_examples=300)
@given(st.lists(ANYTHING, max_size=3), st.lists(ANYTHING, max_size=3), ANYTHING)
def test_any_json_inside_a_good_envelope_raises_nothing_at_all(
    messages: list[Any], statuses: list[Any], contacts: Any
) -> None:
    check(envelope(change(messages=messages, statuses=statuses, contacts=contacts)))


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["from", "from_user_id", "timestamp", "text", "image", "context"]), ANYTHING))
def test_any_content_of_a_message_that_has_an_id_is_kept_if_somebody_sent_it(changed: dict[str, Any]) -> None:
    body = envelope(change(messages=[{**message(), **changed}]))
    check(body)
    if "from" not in changed:
        assert len(read(body).messages) == 1


@pytest.mark.skipif(SAMPLES is None, reason="the recorded bodies are not on this machine")
def test_recorded_bodies_are_all_read() -> None:
    assert SAMPLES is not None
    kinds: dict[str, int] = {}
    for path in sorted(SAMPLES.glob("wa_*.json")):
        body = json.loads(path.read_bytes())
        check(body)
        for found in read(body).messages:
            kinds[found.kind] = kinds.get(found.kind, 0) + 1
    assert kinds["unsupported"] == 2
    assert kinds["text"] >= 8
