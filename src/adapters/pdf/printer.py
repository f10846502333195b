"""`core.invoicing.ports.InvoicePrinter` with Typst and segno."""

from __future__ import annotations

import asyncio
import json
import threading
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final, cast

import typst
from attrs import frozen

from adapters.pdf.qr import drawn
from core.invoicing import Invoice, NotIssued
from core.invoicing.voucher import INVOICE_TYPE, MIPYME, TAX_NAMES, number_text
from core.kernel.errors import CuadrillaError
from core.kernel.money import Line, Totals, cents

CONDITIONS: Final = {
    "responsable_inscripto": "IVA Responsable Inscripto",
    "monotributo": "Responsable Monotributo",
    "exento": "IVA Sujeto Exento",
    "consumidor_final": "Consumidor Final",
    "no_categorizado": "Sujeto No Categorizado",
    "proveedor_exterior": "Proveedor del Exterior",
    "cliente_exterior": "Cliente del Exterior",
    "ley_19640": "IVA Liberado - Ley Nº 19.640",
    "monotributo_social": "Monotributista Social",
    "no_alcanzado": "IVA No Alcanzado",
    "monotributo_promovido": "Monotributo Trabajador Independiente Promovido",
}
DOCUMENTS: Final = {"none": "Documento", "foreign_id": "CI extranjera", "passport": "Pasaporte"}
"""Words of ours; all other documents are called what they are called."""
KINDS: Final = {"invoice": "Factura", "debit_note": "Nota de débito", "credit_note": "Nota de crédito"}
CREDIT: Final = {
    "invoice": "Factura de crédito electrónica MiPyME (FCE)",
    "debit_note": "Nota de débito electrónica MiPyME (FCE)",
    "credit_note": "Nota de crédito electrónica MiPyME (FCE)",
}
TYPES: Final = {
    first + MIPYME * above + place: f"{name} {letter_}"
    for letter_, first in INVOICE_TYPE.items()
    for above, names in enumerate((KINDS, CREDIT))
    for place, name in enumerate(names.values())
}
"""AFIP's voucher types by name."""
SYMBOLS: Final = {"ARS": "$", "USD": "US$", "EUR": "€", "BRL": "R$", "UYU": "$U", "CLP": "CLP$", "GBP": "£"}
TREATMENTS: Final = {"exempt": "Exento", "not_taxed": "No gravado"}
TRAVELS: Final = {"SCA": "Sistema de Circulación Abierta", "ADC": "Agente de Depósito Colectivo"}
NATIONAL_INDIRECT: Final = frozenset({1, 4})
"""AFIP's ids of taxes that Ley 27.743 wants to be shown beside the VAT."""
SUBJECT_TO_CREDIT: Final = frozenset({6, 13, 16})
"""Receivers of an A whose credit has the legend of Ley 27.618."""
PICTOGRAPHS: Final = 0x1F000
"""No font of the document has what lies from here on."""
UNBROKEN: Final = 20
"""Letters up to which a word stays whole; a longer one may end a line anywhere."""
MARKS: Final = {"original": ("ORIGINAL",), "duplicate": ("DUPLICADO",), "both": ("ORIGINAL", "DUPLICADO")}
"""The receiver's copy and the issuer's. Electronic vouchers know no third: the sheet that travelled with goods is the remito's."""
MONOTRIBUTO_LEGEND: Final = (
    "El crédito fiscal discriminado en el presente comprobante, sólo podrá ser computado a efectos del Régimen de Sostenimiento e "
    "Inclusión Fiscal para Pequeños Contribuyentes de la Ley Nº 27.618"
)


_OWN: Final = threading.local()


class Unprintable(CuadrillaError):
    """The document could not be made."""

    code = "invoice.unprintable"


@frozen(kw_only=True)
class TypstPrinter:
    """Prints what RG 1415 (annex II), RG 4892 and Ley 27.743 ask for; `sandbox` marks a document of no fiscal validity."""

    sandbox: bool = False

    async def print(self, invoice: Invoice, *, qr_text: str, copy: str = "original") -> bytes:
        """Return the issued invoice as a PDF; the same invoice gives the same bytes. Of `both` each counts its own pages."""
        return await asyncio.to_thread(render, invoice, qr_text=qr_text, sandbox=self.sandbox, copy=copy)


def render(invoice: Invoice, *, qr_text: str, sandbox: bool, copy: str = "original") -> bytes:
    """Return the PDF. Data reaches the template as JSON and is never markup. Raise `NotIssued`, or `Unprintable`."""
    issued = datetime.combine(invoice.issued_on or invoice.serviced_on, time(), UTC)
    data = json.dumps(_data(invoice, sandbox=sandbox, copies=MARKS[copy]), ensure_ascii=False)
    try:
        pdf = _here().compile(
            _template(),
            format="pdf",
            sys_inputs={"data": data, "qr": drawn(qr_text)},
            timestamp=int(issued.timestamp()),
        )
    except RuntimeError as failure:
        msg = f"invoice {invoice.id} cannot be printed"
        raise Unprintable(msg) from failure
    return cast("bytes", pdf)  # only pictures come page by page


def _here() -> typst.Compiler:
    """Return the thread's compiler: to make one for each document takes a tenth of the time."""
    if not hasattr(_OWN, "compiler"):
        _OWN.compiler = typst.Compiler(font_paths=_fonts(), ignore_system_fonts=True)
    compiler: typst.Compiler = _OWN.compiler
    return compiler


@cache
def _template() -> bytes:
    return (resources.files("adapters.pdf") / "invoice.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False)


def _data(invoice: Invoice, *, sandbox: bool, copies: tuple[str, ...]) -> dict[str, Any]:
    sums, issuer, receiver = invoice.totals, invoice.issuer, invoice.receiver
    split = invoice.letter == "A"  # only A shows the tax apart; B and C print what the customer pays
    yes = invoice.authorisation
    if yes is None or invoice.issued_on is None:
        msg = f"invoice {invoice.id} has no CAE"
        raise NotIssued(msg)
    kinds = KINDS if invoice.terms.mipyme is None else CREDIT
    return {
        "title": kinds[invoice.kind],
        "letter": invoice.letter,
        "code": f"{invoice.voucher_type:03}",
        "point": f"{issuer.point_of_sale:05}",
        "number": f"{invoice.number or 0:08}",
        "date": _day(invoice.issued_on),
        "issuer": {
            "name": clean(issuer.name),
            "address": clean(issuer.address),
            "condition": CONDITIONS[issuer.vat_condition],
            "cuit": issuer.cuit,
            "iibb": clean(issuer.gross_income),
            "start": _day(issuer.started_on),
        },
        "period": [_day(each) for each in invoice.period] if invoice.period else [],
        "due": _day(invoice.due_on) if invoice.due_on else "",
        "receiver": {
            "name": "A CONSUMIDOR FINAL"
            if receiver.document_type == "none" and not receiver.name
            else clean(receiver.name),
            "document": DOCUMENTS.get(receiver.document_type, receiver.document_type),
            "documentNumber": receiver.document_number or "-",
            "condition": CONDITIONS[receiver.vat_condition],
            "address": clean(receiver.address),
        },
        "saleTerms": "Cuenta corriente" if invoice.due_on and invoice.due_on > invoice.issued_on else "Contado",
        "remarks": _remarks(invoice),
        "symbol": SYMBOLS[invoice.currency],
        "split": split,
        "lines": _lines(invoice.lines, sums, split=split),
        "totals": _totals(invoice, split=split),
        "total": amount(sums.total),
        "transparency": {
            "vat": amount(sums.vat),
            "others": amount(sum((t.amount for t in invoice.terms.taxes if t.id in NATIONAL_INDIRECT), Decimal(0))),
        }
        if invoice.letter == "B" and receiver.vat_condition == "consumidor_final"
        else None,
        "legends": _legends(invoice),
        "cae": yes.cae,
        "caeExpires": _day(yes.expires_on),
        "copies": copies,
        "sandbox": sandbox,
    }


def _legends(invoice: Invoice) -> list[str]:
    """Return what stands beside the totals: what a foreign total is in pesos, and who may use the tax of an A."""
    legends = []
    if invoice.currency != "ARS":
        pesos = amount(invoice.totals.total * invoice.terms.rate)
        legends.append(f"El total expresado en pesos argentinos, al tipo de cambio consignado, es de $\xa0{pesos}.")
    if invoice.letter == "A" and invoice.receiver_condition in SUBJECT_TO_CREDIT:
        legends.append(MONOTRIBUTO_LEGEND)
    return legends


def _totals(invoice: Invoice, *, split: bool) -> list[list[str]]:
    """Return what stands above the total: the tax apart in an A, final prices else, and every other tax by its name."""
    sums = invoice.totals
    rows: list[list[str]]
    if split:
        beside = [("Importe neto no gravado", sums.not_taxed), ("Importe exento", sums.exempt)]
        rows = [
            ["Importe neto gravado", amount(sums.net)],
            *([f"IVA {percent(rate.rate)}", amount(rate.vat)] for rate in sums.rates),
            *([name, amount(value)] for name, value in beside if value),
        ]
    else:
        rows = [["Subtotal", amount(sums.total - sums.taxes)]]
    named = [
        [clean(tax.description or TAX_NAMES.get(tax.id, "Otro")) + f" {percent(tax.rate)}", amount(tax.amount)]
        for tax in invoice.terms.taxes
    ]
    return [*rows, *named, ["Importe otros tributos", amount(sums.taxes)]]


def _remarks(invoice: Invoice) -> list[list[str]]:
    """Return what a note corrects and why, in which money it is, and how a MiPyME credit is paid."""
    remarks = []
    for each in invoice.named:
        name = TYPES.get(each.voucher_type, str(each.voucher_type))
        number = number_text(each.point_of_sale, each.number)
        remarks.append(["Comprobante asociado", f"{name} {number} del {_day(each.issued_on)}"])
    if invoice.corrects_period is not None:
        remarks.append(["Período asociado", " al ".join(map(_day, invoice.corrects_period))])
    if invoice.reason:
        remarks.append(["Motivo", clean(invoice.reason)])
    if invoice.currency != "ARS":
        rate = f"{invoice.currency} 1 = $ {plain(invoice.terms.rate)}"
        remarks.append(["Moneda y cotización", rate])
    credit = invoice.terms.mipyme
    if credit is not None and invoice.kind == "invoice":
        remarks.append(["CBU del emisor", clean(credit.cbu)])
        remarks.append(["Opción de transferencia", TRAVELS.get(credit.transfer, clean(credit.transfer))])
        extra = (("Alias del CBU", credit.alias), ("Referencia comercial", credit.reference))
        remarks += [[name, clean(value)] for name, value in extra if value]
    return remarks


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _lines(lines: tuple[Line, ...], sums: Totals, *, split: bool) -> list[list[str]]:
    """Return the table's rows. With tax inside, amounts are differences of running sums, so that they add up to the total."""
    rows = []
    running: dict[Decimal, Decimal] = {}
    last = {line.vat_rate: place for place, line in enumerate(lines) if line.treatment == "taxed"}
    whole = {rate.rate: rate.base + rate.vat for rate in sums.rates}
    for place, line in enumerate(lines):
        factor = Decimal(1) if split else 1 + line.vat_rate / 100
        if line.treatment == "taxed":
            before = running.get(line.vat_rate, Decimal(0))
            running[line.vat_rate] = before + line.net
            until = cents(running[line.vat_rate] * factor)
            if not split and last[line.vat_rate] == place:  # the tax of a whole rate may be given to the cent
                until = whole[line.vat_rate]
            subtotal = until - cents(before * factor)
        else:
            subtotal = line.net
        rows.append(
            [
                clean(line.description),
                plain(line.quantity),
                amount(line.unit_price * factor),
                percent(line.discount) if line.discount else "",
                *([TREATMENTS.get(line.treatment, percent(line.vat_rate))] if split else []),
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
