"""Who issues and who receives a voucher."""

from __future__ import annotations

from datetime import date

from attrs import frozen

_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
DIGITS = 11


@frozen(kw_only=True)
class Issuer:
    """Who issues a tenant's invoices, as AFIP knows them."""

    tenant: str
    cuit: str
    name: str
    address: str
    vat_condition: str
    point_of_sale: int
    gross_income: str
    started_on: date
    concept: str = "services"


@frozen(kw_only=True)
class Receiver:
    """Whom an invoice is for, as they stood when it was drafted."""

    customer_id: str
    name: str
    vat_condition: str = "consumidor_final"
    document_type: str = "none"
    document_number: str = ""
    address: str = ""


def cuit_is_valid(number: str) -> bool:
    """Check a CUIT, CUIL or CDI: eleven digits, the last of which checks the others (modulo 11)."""
    if len(number) != DIGITS or not (number.isascii() and number.isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return int(number[-1]) == {11: 0, 10: 9}.get(11 - total % 11, 11 - total % 11)
