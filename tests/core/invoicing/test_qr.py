"""The QR code of an authorised voucher, decoded."""

from __future__ import annotations

import base64
from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from core.invoicing import Authorisation, Invoice, NotIssued, Receiver, qr_text
from core.kernel.money import Line
from tests.contracts.samples import NOW, a_cae, an_invoice, an_issuer, submitted

ADDRESS: Final = "https://www.arca.gob.ar/fe/qr/?p="


def decoded(invoice: Invoice) -> str:
    text = qr_text(invoice)
    assert text.startswith(ADDRESS)
    return base64.b64decode(text.removeprefix(ADDRESS), validate=True).decode()


def test_an_invoice_b_to_an_unidentified_consumer() -> None:
    invoice = submitted(an_invoice(), 42).issue(a_cae(5), at=NOW)
    assert decoded(invoice) == (
        '{"ver":1,"fecha":"2026-11-20","cuit":30712345671,"ptoVta":1,"tipoCmp":6,"nroCmp":42,"importe":18150.91,'
        '"moneda":"PES","ctz":1,"tipoDocRec":99,"nroDocRec":0,"tipoCodAut":"E","codAut":70000000000005}'
    )


def test_an_invoice_a_of_a_round_amount() -> None:
    receiver = Receiver(
        customer_id="cust_1",
        name="Frío S.A.",
        vat_condition="responsable_inscripto",
        document_type="CUIT",
        document_number="30000000007",
    )
    draft = an_invoice(price="10000").revise(
        issuer=an_issuer(point_of_sale=10), receiver=receiver, lines=an_invoice(price="1000").lines, at=NOW
    )
    yes = Authorisation(cae="70417054367476", expires_on=date(2026, 11, 30))
    assert decoded(submitted(draft, 94).issue(yes, at=NOW)) == (
        '{"ver":1,"fecha":"2026-11-20","cuit":30712345671,"ptoVta":10,"tipoCmp":1,"nroCmp":94,"importe":1815,'
        '"moneda":"PES","ctz":1,"tipoDocRec":80,"nroDocRec":30000000007,"tipoCodAut":"E","codAut":70417054367476}'
    )


@pytest.mark.parametrize(
    ("price", "written"), [("9999999999999.99", "9999999999999.99"), ("9999999999999", "9999999999999"), ("0.1", "0.1")]
)
def test_no_amount_is_written_with_an_exponent(price: str, written: str) -> None:
    lines = (Line(description="x", quantity=Decimal(1), unit_price=Decimal(price), vat_rate=Decimal(0)),)
    receiver = Receiver(customer_id="cust_1", name="Ana", document_type="DNI", document_number="20111222")
    draft = an_invoice().revise(issuer=an_issuer(), receiver=receiver, lines=lines, at=NOW)
    assert f'"importe":{written},' in decoded(submitted(draft).issue(a_cae(), at=NOW))


@pytest.mark.parametrize("state", ["draft", "pending_cae", "unknown", "cae_failed"])
def test_without_a_cae_there_is_no_code(state: str) -> None:
    invoices = {
        "draft": an_invoice(),
        "pending_cae": submitted(an_invoice()),
        "unknown": submitted(an_invoice()).lose_answer(at=NOW),
        "cae_failed": submitted(an_invoice()).refuse([], at=NOW),
    }
    with pytest.raises(NotIssued, match="invoice inv_1 has no CAE"):
        qr_text(invoices[state])
