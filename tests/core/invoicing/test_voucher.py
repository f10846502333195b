"""AFIP's words for an invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from core.customers.model import DOCUMENT_TYPES, VAT_CONDITIONS
from core.invoicing.voucher import (
    DOCUMENT_TYPE,
    INVOICE_TYPE,
    RECEIVER_CONDITION,
    VAT_ID,
    in_force,
    letter,
    number_text,
    voucher_type,
)
from core.kernel.errors import Invalid
from core.kernel.money import VAT_RATES

RECEIVERS: Final = ("responsable_inscripto", "monotributo", "exento", "consumidor_final")
LETTERS: Final = {
    "responsable_inscripto": "AABB",
    "monotributo": "CCCC",
    "exento": "CCCC",
}
CELLS: Final = [
    pytest.param(issuer, receiver, letters[column], id=f"{issuer}-{receiver}-{letters[column]}")
    for issuer, letters in LETTERS.items()
    for column, receiver in enumerate(RECEIVERS)
]


@pytest.mark.parametrize(("issuer", "receiver", "expected"), CELLS)
def test_the_letter_follows_from_both_conditions(issuer: str, receiver: str, expected: str) -> None:
    assert letter(issuer=issuer, receiver=receiver) == expected


@pytest.mark.parametrize(
    ("issuer", "receiver", "words"),
    [
        ("consumidor_final", "consumidor_final", "an issuer's VAT condition"),
        ("", "consumidor_final", "an issuer's VAT condition"),
        ("responsable_inscripto", "RI", "a receiver's VAT condition"),
        ("monotributo", "", "a receiver's VAT condition"),
    ],
)
def test_a_condition_that_nobody_knows_has_no_letter(issuer: str, receiver: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        letter(issuer=issuer, receiver=receiver)
    assert refusal.value.field == "vatCondition"


def test_our_words_are_afip_s_numbers() -> None:
    assert INVOICE_TYPE == {"A": 1, "B": 6, "C": 11}
    documents = {"CUIT": 80, "CUIL": 86, "CDI": 87, "LE": 89, "LC": 90, "foreign_id": 91, "passport": 94, "DNI": 96}
    assert documents | {"none": 99} == DOCUMENT_TYPE
    assert sorted(RECEIVER_CONDITION.values()) == [1, 4, 5, 6, 7, 8, 9, 10, 13, 15, 16]
    rates = {"0": 3, "10.5": 4, "21": 5, "27": 6, "5": 8, "2.5": 9}
    assert {Decimal(rate): id_ for rate, id_ in rates.items()} == VAT_ID


@pytest.mark.parametrize(
    ("letter_", "kind", "mipyme", "expected"),
    [
        ("A", "invoice", False, 1),
        ("A", "debit_note", False, 2),
        ("A", "credit_note", False, 3),
        ("B", "credit_note", False, 8),
        ("C", "debit_note", False, 12),
        ("A", "invoice", True, 201),
        ("B", "debit_note", True, 207),
        ("C", "credit_note", True, 213),
    ],
)
def test_the_type_follows_from_letter_kind_and_credit(letter_: str, kind: str, mipyme: bool, expected: int) -> None:
    assert voucher_type(letter_, kind=kind, mipyme=mipyme) == expected


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [("monotributo_social", "A"), ("monotributo_promovido", "A"), ("no_categorizado", "B"), ("cliente_exterior", "B")],
)
def test_the_rarer_receivers_get_a_letter_too(receiver: str, expected: str) -> None:
    assert letter(issuer="responsable_inscripto", receiver=receiver) == expected
    assert letter(issuer="monotributo", receiver=receiver) == "C"


def test_the_amount_in_force_is_that_of_the_newest_rule_that_had_begun() -> None:
    amounts = ((date(2025, 1, 1), Decimal(1)), (date(2026, 1, 1), Decimal(2)))
    days = (date(2024, 1, 1), date(2025, 12, 31), date(2026, 1, 1), date(2030, 1, 1))
    assert [in_force(amounts, day) for day in days] == [1, 1, 2, 2]


def test_what_a_customer_may_be_an_invoice_can_be_for() -> None:
    assert set(VAT_CONDITIONS) <= set(RECEIVER_CONDITION)
    assert set(DOCUMENT_TYPES) <= set(DOCUMENT_TYPE)
    assert set(VAT_RATES) == set(VAT_ID)


@pytest.mark.parametrize(
    ("point", "number", "printed"),
    [(1, 42, "00001-00000042"), (99999, 99999999, "99999-99999999"), (10, 0, "00010-00000000")],
)
def test_a_number_is_printed_with_five_and_eight_digits(point: int, number: int, printed: str) -> None:
    assert number_text(point, number) == printed
