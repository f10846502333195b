"""Who issues and who receives a voucher."""

from __future__ import annotations

from datetime import date

from attrs import frozen


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
