"""Batches: fragments that are one text, and what it asks for."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest

from core.messaging import Batch, Sender, Understanding
from core.messaging.events import MessagesAggregated, RequestUnderstood
from tests.contracts.samples import MINE, NOW, a_message


def gathered(*messages: Any) -> Batch:
    return Batch.gathered(id_="batch_1", messages=messages, reason="timeout", at=NOW + timedelta(seconds=8))


def test_a_text_is_read_in_the_order_of_writing_whatever_the_order_of_arrival() -> None:
    first = a_message(1, text="Hola", sent_at=NOW, received_at=NOW + timedelta(seconds=3))
    second = a_message(2, text=" necesito ", sent_at=NOW + timedelta(seconds=1), received_at=NOW)
    third = a_message(3, text="un técnico", sent_at=NOW + timedelta(seconds=2), received_at=NOW)
    for order in permutations((first, second, third)):
        batch = gathered(*order)
        assert batch.text == "Hola necesito un técnico"
        assert batch.message_ids == ("msg_1", "msg_2", "msg_3")


def test_messages_of_one_second_are_in_the_order_of_arrival() -> None:
    """Providers date messages by the second."""
    second = a_message(1, text="técnico", sent_at=NOW, received_at=NOW + timedelta(milliseconds=20))
    first = a_message(2, text="un", sent_at=NOW, received_at=NOW + timedelta(milliseconds=10))
    assert gathered(second, first).text == "un técnico"


def test_what_has_no_text_leaves_no_gap() -> None:
    messages = [
        a_message(1, text="Hola"),
        a_message(2, text="", kind="image"),
        a_message(3, text=" \n"),
        a_message(4, text="chau"),
    ]
    assert gathered(*messages).text == "Hola chau"
    assert gathered(a_message(1, text="", kind="sticker")).text == ""


def test_the_newest_position_and_the_newest_name_count() -> None:
    thread = "whatsapp:5491155550001"
    batch = gathered(
        a_message(1, lat=-34.1, lng=-58.1),
        a_message(2, lat=-34.2, lng=-58.2, sent_at=NOW + timedelta(seconds=1)),
        a_message(3, sent_at=NOW + timedelta(seconds=2), sender=Sender(identities=(thread,), name="Ana Ruiz")),
    )
    assert (batch.lat, batch.lng, batch.sender.name) == (-34.2, -58.2, "Ana Ruiz")
    assert (gathered(a_message()).lat, gathered(a_message()).lng) == (None, None)


def test_a_position_on_the_equator_counts() -> None:
    assert gathered(a_message(1, lat=0.0, lng=0.0)).lat == 0.0


def test_a_batch_tells_how_many_it_gathered_and_why() -> None:
    batch = gathered(a_message(1), a_message(2))
    assert batch.facts == (
        MessagesAggregated(
            tenant=MINE,
            at=NOW + timedelta(seconds=8),
            batch_id="batch_1",
            thread="whatsapp:5491155550001",
            messages=2,
            reason="timeout",
        ),
    )


@pytest.mark.parametrize("day", [date(2026, 11, 21), None], ids=["tomorrow", "not said"])
def test_an_understanding_carries_everything_that_opens_a_job(day: date | None) -> None:
    batch = gathered(a_message(1, text="necesito un técnico", lat=-34.6, lng=-58.4))
    understanding = Understanding(
        intent="request_tech",
        trade="plomeria",
        address="Corrientes 1",
        day=day,
        part_of_day="morning",
        urgency="urgente",
    )
    understood = batch.understand(understanding, at=NOW + timedelta(seconds=9))
    assert understood.understanding == understanding
    assert understood.facts == (
        *batch.facts,
        RequestUnderstood(
            tenant=MINE,
            at=NOW + timedelta(seconds=9),
            batch_id="batch_1",
            thread="whatsapp:5491155550001",
            intent="request_tech",
            text="necesito un técnico",
            trade="plomeria",
            address="Corrientes 1",
            lat=-34.6,
            lng=-58.4,
            day=day,
            part_of_day="morning",
            urgency="urgente",
            sender_name="Ana",
            sender_phone="+5491155550001",
            identities=("whatsapp:5491155550001",),
        ),
    )
