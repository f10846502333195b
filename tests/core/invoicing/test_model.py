"""An invoice and its states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from attrs import evolve

from core.invoicing import MOVES, Invoice, Observation, Receiver, Series
from core.invoicing.events import (
    InvoiceDrafted,
    InvoiceIssued,
    InvoiceRefused,
    InvoiceReleased,
    InvoiceSubmitted,
    InvoiceUnanswered,
)
from core.invoicing.model import OPEN
from core.kernel.errors import Invalid
from core.kernel.money import Line
from core.kernel.states import IllegalMove
from tests.contracts.samples import MINE, NOW, a_cae, an_invoice, an_issuer, submitted

LATER: Final = NOW + timedelta(minutes=1)
NO: Final = (Observation(10016, "fecha"), Observation(10015, "documento"))
ANA: Final = Receiver(customer_id="cust_1", name="Ana Ruiz")
COMPANY: Final = Receiver(
    customer_id="cust_2",
    name="Frío S.A.",
    vat_condition="responsable_inscripto",
    document_type="CUIT",
    document_number="30000000007",
)

(DOUBT,) = an_invoice().submit(number=7, issued_on=date(2026, 11, 20), at=NOW).release(at=NOW, late=True).doubts

VERBS: Final[dict[str, Callable[[Invoice], Invoice]]] = {
    "revise": lambda i: i.revise(issuer=i.issuer, receiver=i.receiver, lines=i.lines, at=LATER),
    "submit": lambda i: i.submit(number=7, issued_on=date(2026, 11, 20), at=LATER),
    "issue": lambda i: i.issue(a_cae(7), at=LATER),
    "refuse": lambda i: i.refuse(NO, at=LATER),
    "lose the answer": lambda i: i.lose_answer(at=LATER),
    "release": lambda i: i.release(at=LATER),
    "ask again": lambda i: i.ask_again(at=LATER),
    "adopt": lambda i: i.adopt(DOUBT, a_cae(7), at=LATER),
}
# Where each verb leads in the field; what is not written makes no sense there.
LEADS: Final = {
    "draft": {"revise": "draft", "submit": "pending_cae", "adopt": "issued"},
    "pending_cae": {
        "issue": "issued",
        "refuse": "cae_failed",
        "lose the answer": "unknown",
        "release": "draft",
        "ask again": "pending_cae",
        "adopt": "issued",
    },
    "unknown": {
        "issue": "issued",
        "refuse": "cae_failed",
        "lose the answer": "unknown",
        "release": "draft",
        "ask again": "pending_cae",
        "adopt": "issued",
    },
    "cae_failed": {"revise": "draft", "adopt": "issued"},
    "issued": {},
}
STATES: Final = tuple(LEADS)


def an_invoice_that_is(state: str) -> Invoice:
    way = {
        "draft": [],
        "pending_cae": ["submit"],
        "unknown": ["submit", "lose the answer"],
        "cae_failed": ["submit", "refuse"],
        "issued": ["submit", "issue"],
    }
    invoice = an_invoice()
    for verb in way[state]:
        invoice = VERBS[verb](invoice)
    assert invoice.state == state
    return invoice


@pytest.mark.parametrize("target", STATES)
@pytest.mark.parametrize("state", STATES)
def test_a_pair_of_states_is_a_move_exactly_if_the_field_knows_it(state: str, target: str) -> None:
    assert (target in MOVES[state]) is (target in LEADS[state].values())


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", STATES)
def test_a_verb_leads_where_the_table_says_or_is_refused(state: str, verb: str) -> None:
    invoice = an_invoice_that_is(state)
    if verb in LEADS[state]:
        assert VERBS[verb](invoice).state == LEADS[state][verb]
        return
    with pytest.raises(IllegalMove) as refusal:
        VERBS[verb](invoice)
    assert refusal.value.details()["state"] == state
    assert refusal.value.details()["allowed"] == sorted(set(LEADS[state].values()))


def test_only_an_invoice_that_waits_for_afip_holds_its_series() -> None:
    assert {"pending_cae", "unknown"} == OPEN


@pytest.mark.parametrize(
    ("state", "verb", "kind", "said"),
    [
        ("draft", "revise", InvoiceDrafted, {"total": Decimal("18150.91"), "currency": "ARS"}),
        ("draft", "submit", InvoiceSubmitted, {"number": "00001-00000007"}),
        (
            "pending_cae",
            "issue",
            InvoiceIssued,
            {"number": "00001-00000007", "cae": "70000000000007", "total": Decimal("18150.91"), "currency": "ARS"},
        ),
        ("pending_cae", "refuse", InvoiceRefused, {"errors": ("10016: fecha", "10015: documento")}),
        ("pending_cae", "lose the answer", InvoiceUnanswered, {"number": "00001-00000007"}),
        ("unknown", "ask again", InvoiceSubmitted, {"number": "00001-00000007"}),
        ("unknown", "release", InvoiceReleased, {"number": "00001-00000007"}),
    ],
)
def test_each_move_tells_what_happened(state: str, verb: str, kind: Callable[..., Any], said: dict[str, Any]) -> None:
    fact = VERBS[verb](an_invoice_that_is(state)).facts[-1]
    about = {"tenant": MINE, "at": LATER, "job_id": "job_1", "invoice_id": "inv_1", "customer_id": "cust_1"}
    assert fact == kind(**about, **said)


def test_drafting_tells_what_it_comes_to() -> None:
    (fact,) = an_invoice().facts
    assert (type(fact), fact.at) == (InvoiceDrafted, NOW)


def test_a_number_is_taken_before_afip_is_asked_and_freed_by_a_no() -> None:
    pending = an_invoice_that_is("pending_cae")
    assert (pending.number, pending.issued_on, pending.submitted_at) == (7, date(2026, 11, 20), LATER)
    refused = VERBS["refuse"](pending)
    assert (refused.number, refused.errors) == (None, NO)
    assert VERBS["revise"](refused).errors == ()


def test_a_lost_answer_keeps_the_number_and_a_release_frees_it() -> None:
    unknown = an_invoice_that_is("unknown")
    assert unknown.number == 7
    released = VERBS["release"](unknown)
    assert (released.number, released.issued_on, released.submitted_at) == (None, None, None)


def test_asking_again_keeps_number_and_day_and_waits_anew() -> None:
    again = an_invoice_that_is("unknown").ask_again(at=LATER + timedelta(minutes=5))
    assert (again.number, again.issued_on) == (7, date(2026, 11, 20))
    assert again.submitted_at == LATER + timedelta(minutes=5)


def test_an_issued_invoice_has_cae_and_printed_number() -> None:
    issued = an_invoice_that_is("issued")
    assert issued.authorisation == a_cae(7)
    assert (issued.printed_number, issued.filename) == ("00001-00000007", "30712345671_006_00001_00000007.pdf")


def test_the_series_is_point_of_sale_and_type_of_one_issuer() -> None:
    assert an_invoice().series == Series(cuit="30712345671", point_of_sale=1, voucher_type=6)
    assert (an_invoice().letter, an_invoice().voucher_type, an_invoice().receiver_condition) == ("B", 6, 5)


@pytest.mark.parametrize(
    ("receiver", "document"),
    [
        (ANA, (99, 0)),
        (evolve(ANA, document_type="DNI", document_number="20111222"), (96, 20111222)),
        (evolve(ANA, document_type="CUIL", document_number="20111111112"), (86, 20111111112)),
        (COMPANY, (80, 30000000007)),
    ],
)
def test_a_document_is_afip_s_type_and_number(receiver: Receiver, document: tuple[int, int]) -> None:
    assert evolve(an_invoice(), receiver=receiver).document == document


def drafted(
    *, price: str = "1000", rate: str = "21", condition: str = "responsable_inscripto", receiver: Receiver = ANA
) -> Invoice:
    return Invoice.drafted(
        id_="inv_1",
        job_id="job_1",
        issuer=evolve(an_issuer(), vat_condition=condition),
        receiver=receiver,
        lines=(Line(description="x", quantity=Decimal(1), unit_price=Decimal(price), vat_rate=Decimal(rate)),),
        currency="ARS",
        serviced_on=date(2026, 11, 20),
        at=NOW,
    )


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        ({"price": "0"}, "items", "more than zero"),
        ({"receiver": evolve(COMPANY, document_type="none", document_number="")}, "documentType", "receiver's CUIT"),
        ({"receiver": evolve(COMPANY, document_type="DNI", document_number="20111222")}, "documentType", "CUIT"),
        ({"condition": "monotributo"}, "items", "VAT rate of 0"),
        ({"condition": "exento"}, "items", "VAT rate of 0"),
        ({"price": "10000000", "rate": "0"}, "documentNumber", "10,000,000"),
        ({"receiver": evolve(COMPANY, document_number="30712345671")}, "documentNumber", "the same"),
    ],
    ids=["nothing", "A to nobody", "A to a DNI", "C with VAT", "C of an exempt with VAT", "unidentified", "to oneself"],
)
def test_what_afip_is_known_to_refuse_is_refused_before_a_number_is_taken(
    wanted: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        drafted(**wanted)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "B"),
        ({"receiver": COMPANY}, "A"),
        ({"receiver": evolve(COMPANY, vat_condition="monotributo")}, "A"),
        ({"condition": "monotributo", "rate": "0"}, "C"),
        ({"condition": "monotributo", "rate": "0", "receiver": COMPANY}, "C"),
        ({"price": "9999999.99", "rate": "0"}, "B"),
        ({"price": "10000000", "receiver": evolve(ANA, document_type="DNI", document_number="20111222")}, "B"),
    ],
)
def test_what_afip_takes_may_be_drafted(wanted: dict[str, Any], expected: str) -> None:
    assert drafted(**wanted).letter == expected


def test_a_revision_is_checked_like_a_draft() -> None:
    with pytest.raises(Invalid):
        an_invoice().revise(issuer=an_issuer(), receiver=COMPANY, lines=(), at=LATER)
    revised = an_invoice().revise(issuer=an_issuer(), receiver=COMPANY, lines=an_invoice().lines, at=LATER)
    assert (revised.letter, revised.receiver) == ("A", COMPANY)


def test_a_refused_invoice_is_revised_and_submitted_again() -> None:
    again = submitted(VERBS["revise"](an_invoice_that_is("cae_failed")), 8)
    assert (again.state, again.number) == ("pending_cae", 8)
