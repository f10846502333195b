"""A delivery and its states."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.errors import Invalid
from core.kernel.states import IllegalMove
from core.notifications import Delivery, Recipient
from core.notifications.events import NotificationFailed, NotificationQueued, NotificationSent
from core.notifications.model import MOVES
from tests.contracts.samples import MINE, NOW, a_delivery

STATES: Final = ("queued", "sending", "sent", "delivered", "failed", "read", "gathered")
LEADS: Final = {
    "queued": {"sending", "sent", "delivered", "read", "failed", "gathered"},
    "sending": {"queued", "sending", "sent", "delivered", "read", "failed"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "failed": {"delivered", "read"},
    "read": set(),
    "gathered": set(),
}
# What a provider's word makes of a delivery: the state it was in, the word, the state afterwards.
TOLD: Final = {
    "queued": {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"},
    "sending": {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"},
    "sent": {"delivered": "delivered", "read": "read", "failed": "failed"},
    "delivered": {"read": "read"},
    "failed": {"delivered": "delivered", "read": "read"},
    "read": {},
    "gathered": {},
}
WORDS: Final = ("queued", "sending", "sent", "delivered", "read", "played", "failed", "deleted", "warning", "")
LATER: Final = NOW + timedelta(seconds=5)
ABOUT: Final[dict[str, Any]] = {
    "tenant": MINE,
    "job_id": "job_1",
    "delivery_id": "dlv_1",
    "template": "technician_arrived",
    "recipient_id": "cust_1",
}


def told(delivery: Delivery, word: str) -> Delivery:
    return delivery.report(word, provider_id="wamid.1", error_code="131026", error_text="no phone", at=LATER)


def a_delivery_that_is(state: str) -> Delivery:
    delivery = a_delivery()
    if state == "queued":
        return delivery
    if state == "gathered":
        return delivery.gather("dlv_9", at=NOW)
    delivery = delivery.attempt(at=NOW)
    return delivery if state == "sending" else told(delivery, state)


@pytest.mark.parametrize("target", STATES)
@pytest.mark.parametrize("state", STATES)
def test_the_states_go_where_the_table_says(state: str, target: str) -> None:
    assert (target in MOVES[state]) is (target in LEADS[state])


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("state", STATES)
def test_a_report_only_raises_a_state(state: str, word: str) -> None:
    delivery = a_delivery_that_is(state)
    assert delivery.state == state
    after = told(delivery, word)
    expected = TOLD[state].get("read" if word == "played" else word)
    if expected is None:
        assert after is delivery
        return
    assert (after.state, after.updated_at) == (expected, LATER)
    assert told(after, word) is after


@pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "read"))), ids=" ".join)
def test_reports_out_of_order_end_with_the_highest(order: tuple[str, ...]) -> None:
    delivery = a_delivery_that_is("sending")
    for word in (*order, *order):
        delivery = told(delivery, word)
    assert delivery.state == "read"
    assert [type(fact) for fact in delivery.facts] == [NotificationQueued, NotificationSent]


@given(st.lists(st.sampled_from(WORDS), max_size=12))
@settings(deadline=None, max_examples=150)
def test_no_sequence_of_reports_goes_back(words: list[str]) -> None:
    rank = {"queued": 0, "sending": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4}
    delivery = a_delivery_that_is("sending")
    for word in words:
        after = told(delivery, word)
        assert rank[after.state] >= rank[delivery.state]
        delivery = after
    assert sum(isinstance(fact, NotificationSent) for fact in delivery.facts) <= 1


def test_a_device_may_deliver_what_another_failed() -> None:
    assert told(a_delivery_that_is("failed"), "delivered").state == "delivered"


def test_a_report_brings_the_provider_s_id_with_it() -> None:
    assert told(a_delivery(), "delivered").provider_id == "wamid.1"


def test_an_attempt_is_counted() -> None:
    twice = a_delivery().attempt(at=NOW).attempt(at=LATER)
    assert (twice.state, twice.attempts, twice.updated_at) == ("sending", 2, LATER)


def test_what_was_not_taken_waits_again_and_says_why() -> None:
    back = a_delivery().attempt(at=NOW).put_back(error="no route", at=LATER)
    assert (back.state, back.error_text, back.updated_at) == ("queued", "no route", LATER)


def test_what_was_taken_is_sent_under_the_provider_s_id() -> None:
    sent = (
        a_delivery().attempt(at=NOW).put_back(error="x", at=NOW).attempt(at=NOW).sent(provider_id="wamid.1", at=LATER)
    )
    assert (sent.state, sent.provider_id, sent.error_text) == ("sent", "wamid.1", None)
    assert sent.facts[-1] == NotificationSent(at=LATER, channel="whatsapp", **ABOUT)


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "failed"])
def test_a_report_that_was_faster_than_the_answer_stands(state: str) -> None:
    before = a_delivery_that_is(state)
    after = before.sent(provider_id="wamid.9", at=LATER)
    assert (after.state, after.provider_id, after.facts) == (state, "wamid.9", before.facts)


def test_a_refusal_says_why_in_the_provider_s_words() -> None:
    refused = a_delivery().attempt(at=NOW).refused(error_code="131026", error_text="no phone", at=LATER)
    assert (refused.state, refused.error_code, refused.error_text) == ("failed", "131026", "no phone")
    assert refused.facts[-1] == NotificationFailed(at=LATER, error_code="131026", error_text="no phone", **ABOUT)


def test_a_failure_without_words_is_a_failure() -> None:
    failed = a_delivery().report("failed", provider_id="w", error_code=None, error_text=None, at=LATER)
    assert (failed.state, failed.error_code, failed.error_text) == ("failed", "", "")


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "failed"])
def test_what_was_sent_is_not_attempted_again(state: str) -> None:
    with pytest.raises(IllegalMove) as refusal:
        a_delivery_that_is(state).attempt(at=LATER)
    assert refusal.value.details() == {
        "state": state,
        "event": "attempt",
        "wanted": "sending",
        "allowed": sorted(LEADS[state]),
    }


def queued(template: str, *parameters: str) -> Delivery:
    return Delivery.queued(
        id_="dlv_1",
        tenant=MINE,
        key="k",
        template=template,
        recipient=Recipient(id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550001"),
        parameters=parameters,
        link="token",
        attachment="invoice:inv_1",
        job_id=None,
        at=NOW,
    )


@pytest.mark.parametrize(("template", "parameters"), [("technician_arrived", ("Ana",)), ("greeting", ()), ("", ("x",))])
def test_a_message_that_no_template_has_is_refused(template: str, parameters: tuple[str, ...]) -> None:
    with pytest.raises(Invalid, match=f"{template} does not take {len(parameters)} parameters") as refusal:
        queued(template, *parameters)
    assert refusal.value.field == "template"


def test_a_parameter_is_one_line_and_never_empty() -> None:
    """WhatsApp refuses line breaks, tabs, runs of blanks and empty parameters."""
    delivery = queued("technician_arrived", " Ana\n\tMaría   Ruiz ", "")
    assert delivery.parameters == ("Ana María Ruiz", "-")


def test_a_delivery_reads_as_its_template_and_keeps_link_and_attachment() -> None:
    delivery = queued("technician_arrived", "Ana", "Carlos")
    assert delivery.text == "Hola Ana, Carlos llegó a tu domicilio."
    assert (delivery.link, delivery.attachment, delivery.attempts, delivery.state) == (
        "token",
        "invoice:inv_1",
        0,
        "queued",
    )
    assert delivery.facts == (NotificationQueued(at=NOW, **{**ABOUT, "job_id": None}),)
