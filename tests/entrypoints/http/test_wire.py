"""Between JSON and attrs classes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen

from entrypoints.http.problems import Malformed
from entrypoints.http.wire import camel, decode, encode, plain, schema, structure


@frozen(kw_only=True)
class Item:
    """One line."""

    unit_price: Decimal
    how_many: int = 1


@frozen(kw_only=True)
class Order:
    """An order of several lines.

    More about it.
    """

    customer_name: str
    line_items: tuple[Item, ...] = ()
    is_urgent: bool = False
    wanted_day: date | None = None
    starts_at: datetime | None = None
    lat: float | None = None
    extra: dict[str, Any] | None = None


def order(**fields: object) -> Order:
    return decode(json.dumps({"customerName": "Ana", **fields}).encode(), Order)


def complaint(**fields: object) -> tuple[str | None, str]:
    with pytest.raises(Malformed) as wrong:
        order(**fields)
    return wrong.value.field, str(wrong.value)


def test_names_are_spelt_as_senders_spell_them() -> None:
    assert [camel(name) for name in ("id", "starts_at", "a_b_c")] == ["id", "startsAt", "aBC"]


def test_a_whole_body_is_read_and_written_again() -> None:
    read = order(
        lineItems=[{"unitPrice": "24580.00", "howMany": 2}, {"unitPrice": 3}],
        isUrgent=True,
        wantedDay="2026-11-21",
        startsAt="2026-11-21T09:00:00-03:00",
        lat=-34,
    )
    assert read == Order(
        customer_name="Ana",
        line_items=(Item(unit_price=Decimal("24580.00"), how_many=2), Item(unit_price=Decimal(3))),
        is_urgent=True,
        wanted_day=date(2026, 11, 21),
        starts_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
        lat=-34.0,
    )
    assert (type(read.lat), read.starts_at and read.starts_at.tzinfo) == (float, UTC)
    written = json.loads(encode(read))
    assert written["lineItems"][0] == {"unitPrice": "24580.00", "howMany": 2}
    assert (written["startsAt"], written["wantedDay"], written["extra"]) == ("2026-11-21T12:00:00Z", "2026-11-21", None)
    assert decode(encode(read), Order) == read
    assert json.loads(encode({"items": [read]}))["items"] == [written]
    assert plain(read)["customerName"] == "Ana"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff{}", b"nothing", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="the body is not JSON"):
        decode(body, Order)


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"1"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="must be a JSON object"):
        decode(body, Order)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"customerName": 1}, "customerName", "must be text"),
        ({"customerName": None}, "customerName", "must be text"),
        ({"isUrgent": "yes"}, "isUrgent", "must be true or false"),
        ({"isUrgent": 1}, "isUrgent", "must be true or false"),
        ({"lat": True}, "lat", "must be a number"),
        ({"lat": "1.5"}, "lat", "must be a number"),
        ({"lat": 1e300}, "lat", "must be a number"),
        ({"wantedDay": "tomorrow"}, "wantedDay", "must be an ISO 8601 day, as in 2026-11-21"),
        ({"wantedDay": 20261121}, "wantedDay", "must be an ISO 8601 day, as in 2026-11-21"),
        ({"startsAt": "2026-11-21T09:00:00"}, "startsAt", "must be an ISO 8601 time with its zone"),
        ({"startsAt": "0001-01-01T00:00:00+14:00"}, "startsAt", "must be an ISO 8601 time with its zone"),
        ({"startsAt": 1}, "startsAt", "must be an ISO 8601 time with its zone"),
        (
            {"lineItems": [{"unitPrice": "1"}, {"unitPrice": 1.5}]},
            "lineItems.1.unitPrice",
            "must be a decimal in quotes",
        ),
        ({"lineItems": [{"unitPrice": "NaN"}]}, "lineItems.0.unitPrice", "must be a decimal in quotes"),
        ({"lineItems": [{"unitPrice": "1e99"}]}, "lineItems.0.unitPrice", "must be a decimal in quotes"),
        ({"lineItems": [{"unitPrice": "1" * 41}]}, "lineItems.0.unitPrice", "must be a decimal in quotes"),
        ({"lineItems": [{"unitPrice": "one"}]}, "lineItems.0.unitPrice", "must be a decimal in quotes"),
        ({"lineItems": [{"unitPrice": True}]}, "lineItems.0.unitPrice", "must be a decimal in quotes"),
        ({"lineItems": [{"unitPrice": "1", "howMany": 1.0}]}, "lineItems.0.howMany", "must be a whole number"),
        ({"lineItems": [{"unitPrice": "1", "howMany": True}]}, "lineItems.0.howMany", "must be a whole number"),
        ({"lineItems": [{}]}, "lineItems.0.unitPrice", "is missing"),
        ({"lineItems": 7}, "lineItems", "does not have the right shape"),
        ({"lineItems": [7]}, "lineItems.0", ""),
        ({"customer_name": "x"}, "customer_name", "is not a field of this request"),
        ({"b": 1, "a": 1}, "a, b", "is not a field of this request"),
    ],
)
def test_a_complaint_names_the_field_as_the_sender_spelt_it(fields: dict[str, object], field: str, said: str) -> None:
    of, text = complaint(**fields)
    assert of == field
    assert text.startswith(f"{field} {said}")


def test_a_field_that_must_be_there_is_missed() -> None:
    with pytest.raises(Malformed, match=r"^customerName is missing$") as wrong:
        structure({}, Order)
    assert wrong.value.details() == {"field": "customerName"}


def test_instants_are_written_in_utc() -> None:
    at = datetime(2026, 11, 21, 9, tzinfo=timezone(timedelta(hours=-3))).astimezone(UTC)
    assert json.loads(encode({"at": at})) == {"at": "2026-11-21T12:00:00Z"}


def test_a_class_is_described_as_it_stands_on_the_wire() -> None:
    parts: dict[str, Any] = {}
    assert schema(Order, parts=parts) == {"$ref": "#/components/schemas/Order"}
    assert parts["Order"]["description"] == "An order of several lines."
    assert parts["Order"]["required"] == ["customerName"]
    assert parts["Order"]["properties"]["lineItems"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Item"},
    }
    assert parts["Order"]["properties"]["lat"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert parts["Order"]["properties"]["extra"] == {"anyOf": [{"type": "object"}, {"type": "null"}]}
    assert parts["Item"]["properties"]["unitPrice"]["format"] == "decimal"
    assert schema(int | str, parts=parts) == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert schema(Any, parts=parts) == {}
