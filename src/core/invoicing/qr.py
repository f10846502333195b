"""The QR code of an authorised voucher (RG 4892/2020; RG 4291 is the regime of the voucher itself)."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Final

from core.invoicing.model import Invoice
from core.invoicing.outcome import NotIssued

ADDRESS: Final = "https://www.arca.gob.ar/fe/qr/?p="


def qr_text(invoice: Invoice) -> str:
    """Return the text to encode; raise `NotIssued` for an invoice without a CAE."""
    if invoice.authorisation is None or invoice.issued_on is None:
        msg = f"invoice {invoice.id} has no CAE"
        raise NotIssued(msg)
    document_type, document_number = invoice.document
    payload = {
        "ver": 1,
        "fecha": invoice.issued_on.isoformat(),
        "cuit": int(invoice.issuer.cuit),
        "ptoVta": invoice.issuer.point_of_sale,
        "tipoCmp": invoice.voucher_type,
        "nroCmp": invoice.number,
        "importe": _number(invoice.totals.total),
        "moneda": invoice.afip_currency,
        "ctz": _number(invoice.terms.rate),
        "tipoDocRec": document_type,
        "nroDocRec": document_number,
        "tipoCodAut": "E",
        "codAut": int(invoice.authorisation.cae),
    }
    return ADDRESS + base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()


def _number(amount: Decimal) -> int | float:
    """Return a JSON number that prints as the amount: at most 15 digits, which a double holds exactly."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
