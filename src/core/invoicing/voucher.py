"""AFIP's words for a voucher: letters, types, documents, rates, money (WSFEv1 manual; RG 1415, RG 4291, RG 5616, Ley 27.440)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from attrs import frozen

from core.kernel.errors import Invalid

KINDS: Final = ("invoice", "debit_note", "credit_note")

INVOICE_TYPE: Final[Mapping[str, int]] = {"A": 1, "B": 6, "C": 11}
"""Letter to AFIP's `CbteTipo` of an invoice; debit and credit note follow it."""
MIPYME: Final = 200
"""What a MiPyME credit voucher's type is above the plain one's."""

ASSOCIATED: Final[Mapping[int, frozenset[int]]] = {
    **dict.fromkeys((2, 3), frozenset({1, 2, 3, 4})),
    **dict.fromkeys((7, 8), frozenset({6, 7, 8, 9})),
    **dict.fromkeys((12, 13), frozenset({11, 12, 13, 15})),
    **{note: frozenset({first, first + 1, first + 2}) for first in (201, 206, 211) for note in (first + 1, first + 2)},
}
"""A note's type to the types that it may correct."""

DOCUMENT_TYPE: Final[Mapping[str, int]] = {
    "CUIT": 80,
    "CUIL": 86,
    "CDI": 87,
    "LE": 89,
    "LC": 90,
    "foreign_id": 91,
    "passport": 94,
    "DNI": 96,
    "none": 99,
}
"""Our word to AFIP's `DocTipo`; 99 with number 0 is an unidentified final consumer."""
CHECKED: Final = frozenset({"CUIT", "CUIL", "CDI"})
"""Documents of eleven digits with a check digit."""

VAT_ID: Final[Mapping[Decimal, int]] = {
    Decimal(0): 3,
    Decimal("10.5"): 4,
    Decimal(21): 5,
    Decimal(27): 6,
    Decimal(5): 8,
    Decimal("2.5"): 9,
}
"""Rate in percent to AFIP's id."""

RECEIVER_CONDITION: Final[Mapping[str, int]] = {
    "responsable_inscripto": 1,
    "exento": 4,
    "consumidor_final": 5,
    "monotributo": 6,
    "no_categorizado": 7,
    "proveedor_exterior": 8,
    "cliente_exterior": 9,
    "ley_19640": 10,
    "monotributo_social": 13,
    "no_alcanzado": 15,
    "monotributo_promovido": 16,
}
"""Our word to `CondicionIVAReceptorId`, always sent: without it AFIP refuses from 2026-12-01."""
DISCRIMINATED: Final = frozenset({1, 6, 13, 16})
"""Conditions of receivers who get an A from a responsable inscripto; all others get a B."""

CONCEPT: Final[Mapping[str, int]] = {"products": 1, "services": 2, "both": 3}

CURRENCY: Final[Mapping[str, str]] = {
    "ARS": "PES",
    "USD": "DOL",
    "EUR": "060",
    "BRL": "012",
    "UYU": "011",
    "CLP": "033",
    "GBP": "021",
}
"""ISO 4217 to AFIP's `MonId`."""

TAX_NAMES: Final[Mapping[int, str]] = {
    1: "Impuestos nacionales",
    2: "Impuestos provinciales",
    3: "Impuestos municipales",
    4: "Impuestos internos",
    5: "IIBB",
    6: "Percepción de IVA",
    7: "Percepción de IIBB",
    8: "Percepciones por impuestos municipales",
    9: "Otras percepciones",
    13: "Percepción de IVA a no categorizado",
    99: "Otro",
}
"""AFIP's ids of taxes that are no VAT; 99 needs a description of its own."""
OTHER_TAX: Final = 99
UNCATEGORISED_TAX: Final = 13

ISSUER_CONDITIONS: Final = ("responsable_inscripto", "monotributo", "exento")

MUST_IDENTIFY_FROM: Final = ((date(2025, 5, 29), Decimal(10_000_000)),)
"""Day from which it holds, and the pesos from which a final consumer is identified (RG 5700/2025, RG 5866/2026)."""
MIPYME_FROM: Final = ((date(2026, 4, 14), Decimal(5_549_862)),)
"""Day from which it holds, and the pesos from which a small company gives a large one a credit invoice."""


@frozen(kw_only=True)
class Series:
    """What AFIP numbers without gaps: a point of sale and a voucher type of one issuer."""

    cuit: str
    point_of_sale: int
    voucher_type: int


@frozen(kw_only=True)
class Corrected:
    """The voucher that a note corrects, as AFIP wants it named; `invoice_id` is ours."""

    invoice_id: str
    voucher_type: int
    point_of_sale: int
    number: int
    cuit: str
    issued_on: date


def letter(*, issuer: str, receiver: str) -> str:
    """Return A, B or C from the VAT conditions of both parties.

    C is what a monotributista or exempt issuer gives anybody; a responsable inscripto gives A to responsables inscriptos and
    monotributistas and B to everybody else.
    """
    if issuer not in ISSUER_CONDITIONS:
        msg = f"an issuer's VAT condition must be one of {', '.join(ISSUER_CONDITIONS)}"
        raise Invalid(msg, field="vatCondition")
    if receiver not in RECEIVER_CONDITION:
        msg = f"a receiver's VAT condition must be one of {', '.join(RECEIVER_CONDITION)}"
        raise Invalid(msg, field="vatCondition")
    if issuer != "responsable_inscripto":
        return "C"
    return "A" if RECEIVER_CONDITION[receiver] in DISCRIMINATED else "B"


def voucher_type(letter_: str, *, kind: str = "invoice", mipyme: bool = False) -> int:
    """Return AFIP's `CbteTipo`."""
    return INVOICE_TYPE[letter_] + KINDS.index(kind) + (MIPYME if mipyme else 0)


def in_force(amounts: Sequence[tuple[date, Decimal]], day: date) -> Decimal:
    """Return the amount that holds on a day: the newest that had begun, or the oldest known."""
    return max((each for each in amounts if each[0] <= day), default=min(amounts))[1]


def number_text(point_of_sale: int, number: int) -> str:
    """Write a voucher number as it is printed: `00001-00000042`."""
    return f"{point_of_sale:05}-{number:08}"
