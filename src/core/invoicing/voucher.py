"""AFIP's words for an invoice: letters, types, documents and rates (WSFEv1 manual; RG 1415, RG 4291, RG 5616)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from attrs import frozen

from core.kernel.errors import Invalid

INVOICE_TYPE: Final[Mapping[str, int]] = {"A": 1, "B": 6, "C": 11}
"""Letter to AFIP's `CbteTipo` of an invoice."""

DOCUMENT_TYPE: Final[Mapping[str, int]] = {"CUIT": 80, "CUIL": 86, "DNI": 96, "none": 99}
"""Our word to AFIP's `DocTipo`; 99 with number 0 is an unidentified final consumer."""

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
}
"""Our word to `CondicionIVAReceptorId`, always sent: without it AFIP refuses from 2026-12-01."""

CONCEPT: Final[Mapping[str, int]] = {"products": 1, "services": 2, "both": 3}

ISSUER_CONDITIONS: Final = ("responsable_inscripto", "monotributo", "exento")


@frozen(kw_only=True)
class Series:
    """What AFIP numbers without gaps: a point of sale and a voucher type of one issuer."""

    cuit: str
    point_of_sale: int
    voucher_type: int


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
    return "A" if receiver in {"responsable_inscripto", "monotributo"} else "B"


def number_text(point_of_sale: int, number: int) -> str:
    """Write a voucher number as it is printed: `00001-00000042`."""
    return f"{point_of_sale:05}-{number:08}"
