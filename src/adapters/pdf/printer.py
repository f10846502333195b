"""`core.invoicing.ports.InvoicePrinter` with Typst and segno."""

from __future__ import annotations

import asyncio
import io
import json
import unicodedata
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final

import segno
import typst
from attrs import frozen

from core.invoicing import Invoice, NotIssued
from core.kernel.errors import CuadrillaError
from core.kernel.money import Line, cents

CONDITIONS: Final = {
    "responsable_inscripto": "IVA Responsable Inscripto",
    "monotributo": "Responsable Monotributo",
    "exento": "IVA Sujeto Exento",
    "consumidor_final": "Consumidor Final",
}
DOCUMENTS: Final = {"CUIT": "CUIT", "CUIL": "CUIL", "DNI": "DNI", "none": "Documento"}
PICTOGRAPHS: Final = 0x1F000
"""No font of the document has what lies from here on."""
UNBROKEN: Final = 20
"""Letters up to which a word stays whole; a longer one may end a line anywhere."""
MONOTRIBUTO_LEGEND: Final = (
    "El crédito fiscal discriminado en el presente comprobante, sólo podrá ser computado a efectos del Régimen de Sostenimiento e "
    "Inclusión Fiscal para Pequeños Contribuyentes de la Ley Nº 27.618"
)


class Unprintable(CuadrillaError):
    """The document could not be made."""

    code = "invoice.unprintable"


@frozen(kw_only=True)
class TypstPrinter:
    """Prints what RG 1415 (annex II), RG 4892 and Ley 27.743 ask for; `sandbox` marks a document of no fiscal validity."""

    sandbox: bool = False

    async def print(self, invoice: Invoice, *, qr_text: str) -> bytes:
        """Return the issued invoice as a PDF; the same invoice gives the same bytes."""
        return await asyncio.to_thread(render, invoice, qr_text=qr_text, sandbox=self.sandbox)


def render(invoice: Invoice, *, qr_text: str, sandbox: bool) -> bytes:
    """Return the PDF. Data reaches the template as JSON and is never markup."""
    drawing = io.BytesIO()
    segno.make(qr_text, error="m", micro=False).save(drawing, kind="svg", border=0, xmldecl=False)
    issued = datetime.combine(invoice.issued_on or invoice.serviced_on, time(), UTC)
    try:
        compile_: Any = typst.compile  # its stub forgets that the input may be a dict of files
        pdf: bytes = compile_(
            {"main": _template(), "qr.svg": drawing.getvalue()},
            sys_inputs={"data": json.dumps(_data(invoice, sandbox=sandbox), ensure_ascii=False)},
            ignore_system_fonts=True,
            timestamp=int(issued.timestamp()),
        )
    except RuntimeError as failure:
        msg = f"invoice {invoice.id} cannot be printed"
        raise Unprintable(msg) from failure
    return pdf


@cache
def _template() -> bytes:
    return (resources.files("adapters.pdf") / "invoice.typ").read_bytes()


def _data(invoice: Invoice, *, sandbox: bool) -> dict[str, Any]:
    sums, issuer, receiver = invoice.totals, invoice.issuer, invoice.receiver
    split = invoice.letter == "A"  # only A shows the tax apart; B and C print what the customer pays
    yes = invoice.authorisation
    if yes is None or invoice.issued_on is None:
        msg = f"invoice {invoice.id} has no CAE"
        raise NotIssued(msg)
    totals = (
        [
            ["Importe neto gravado", amount(sums.net)],
            *([f"IVA {percent(rate.rate)}", amount(rate.vat)] for rate in sums.rates),
            ["Importe otros tributos", amount(Decimal(0))],
        ]
        if split
        else [["Subtotal", amount(sums.total)], ["Importe otros tributos", amount(Decimal(0))]]
    )
    return {
        "letter": invoice.letter,
        "code": f"{invoice.voucher_type:03}",
        "point": f"{issuer.point_of_sale:05}",
        "number": f"{invoice.number or 0:08}",
        "date": f"{invoice.issued_on:%d/%m/%Y}",
        "issuer": {
            "name": clean(issuer.name),
            "address": clean(issuer.address),
            "condition": CONDITIONS[issuer.vat_condition],
            "cuit": issuer.cuit,
            "iibb": clean(issuer.gross_income),
            "start": f"{issuer.started_on:%d/%m/%Y}",
        },
        "period": None
        if issuer.concept == "products"
        else {
            "day": f"{invoice.serviced_on:%d/%m/%Y}",
            "due": f"{max(invoice.issued_on, invoice.serviced_on):%d/%m/%Y}",
        },
        "receiver": {
            "name": "A CONSUMIDOR FINAL"
            if receiver.document_type == "none" and not receiver.name
            else clean(receiver.name),
            "document": DOCUMENTS[receiver.document_type],
            "documentNumber": receiver.document_number or "-",
            "condition": CONDITIONS[receiver.vat_condition],
            "address": clean(receiver.address),
        },
        "split": split,
        "lines": _lines(invoice.lines, split=split),
        "totals": totals,
        "total": amount(sums.total),
        "transparency": {"vat": amount(sums.vat)}
        if invoice.letter == "B" and receiver.vat_condition == "consumidor_final"
        else None,
        "legend": MONOTRIBUTO_LEGEND if split and receiver.vat_condition == "monotributo" else "",
        "cae": yes.cae,
        "caeExpires": f"{yes.expires_on:%d/%m/%Y}",
        "sandbox": sandbox,
    }


def _lines(lines: tuple[Line, ...], *, split: bool) -> list[list[str]]:
    """Return the table's rows. With tax inside, amounts are differences of running sums, so that they add up to the total."""
    rows = []
    running: dict[Decimal, Decimal] = {}
    for line in lines:
        before = running.get(line.vat_rate, Decimal(0))
        running[line.vat_rate] = before + line.net
        factor = Decimal(1) if split else 1 + line.vat_rate / 100
        subtotal = cents(running[line.vat_rate] * factor) - cents(before * factor)
        rows.append(
            [
                clean(line.description),
                plain(line.quantity),
                amount(line.unit_price * factor),
                percent(line.discount) if line.discount else "",
                *([percent(line.vat_rate)] if split else []),
                amount(subtotal),
            ]
        )
    return rows


def clean(text: str) -> str:
    """Return text as the document's fonts can set it: one line, no pictographs, and long words that may break anywhere."""
    kept = "".join(
        letter if unicodedata.category(letter)[0] in "LMNPSZ" and ord(letter) < PICTOGRAPHS else " "
        for letter in unicodedata.normalize("NFC", text)
    )
    words = (word if len(word) <= UNBROKEN else "\u200b".join(word) for word in kept.split())
    return " ".join(words) or "-"


def amount(value: Decimal) -> str:
    """Write `1.234,56`."""
    return f"{cents(value):,.2f}".translate(str.maketrans(",.", ".,"))


def plain(value: Decimal) -> str:
    """Write a quantity without needless zeros."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(".", ",")


def percent(rate: Decimal) -> str:
    """Write `10,5 %`."""
    return f"{plain(rate)} %"
