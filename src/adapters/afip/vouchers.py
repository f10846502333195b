"""Vouchers in WSFEv1's words, out and back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from adapters.afip.soap import brief
from core.invoicing import Authorisation, Invoice, Observation, Refused
from core.invoicing.voucher import CURRENCY, OTHER_TAX, TAX_NAMES, VAT_ID
from core.kernel.errors import Unavailable
from core.kernel.money import Totals, cents

NOTHING: Final = Decimal("0.00")
CBU, ALIAS, ANNULS, REFERENCE, TRANSFER = "2101", "2102", "22", "23", "27"
"""AFIP's optional fields of a MiPyME credit voucher."""


def voucher(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice or note as a `FECAEDetRequest`: dates as yyyymmdd, amounts with two decimals.

    Raise `Refused` for money that AFIP does not know.
    """
    if invoice.issued_on is None or invoice.number is None:
        msg = "an invoice is numbered before AFIP is asked"
        raise ValueError(msg)
    if invoice.currency not in CURRENCY:
        raise Refused([Observation(0, f"AFIP knows no {invoice.currency}")])
    sums, terms = invoice.totals, invoice.terms
    document_type, document_number = invoice.document
    detail: dict[str, Any] = {
        "Concepto": invoice.concept,
        "DocTipo": document_type,
        "DocNro": document_number,
        "CbteDesde": invoice.number,
        "CbteHasta": invoice.number,
        "CbteFch": day(invoice.issued_on),
        "ImpTotal": cents(sums.total),
        "ImpTotConc": cents(sums.not_taxed),
        "ImpNeto": cents(sums.net),
        "ImpOpEx": cents(sums.exempt),
        "ImpTrib": cents(sums.taxes),
        "ImpIVA": cents(sums.vat),
        "MonId": invoice.afip_currency,
        "MonCotiz": terms.rate,
        "CondicionIVAReceptorId": invoice.receiver_condition,
    }
    if invoice.currency != "ARS" or terms.paid_in_currency:
        detail["CanMisMonExt"] = "S" if terms.paid_in_currency else "N"
    # What was said is sent as it was said: whether it makes sense was the pre-flight's question.
    since, until = terms.service_from, terms.service_to
    if since is None and until is None and invoice.period is not None:
        since, until = invoice.period
    days = {"FchServDesde": since, "FchServHasta": until, "FchVtoPago": invoice.due_on or terms.due_on}
    detail |= {name: day(each) for name, each in days.items() if each is not None}
    lists = {
        "CbtesAsoc": ("CbteAsoc", _associated(invoice)),
        "Tributos": ("Tributo", _taxes(invoice)),
        "Iva": ("AlicIva", [] if invoice.letter == "C" else _vat(sums)),
        "Opcionales": ("Opcional", _optionals(invoice)),
    }
    detail |= {name: {inner: rows} for name, (inner, rows) in lists.items() if rows}
    if invoice.corrects_period is not None:
        since, until = invoice.corrects_period
        detail["PeriodoAsoc"] = {"FchDesde": day(since), "FchHasta": day(until)}
    return detail


def _associated(invoice: Invoice) -> list[dict[str, Any]]:
    return [
        {
            "Tipo": each.voucher_type,
            "PtoVta": each.point_of_sale,
            "Nro": each.number,
            "Cuit": each.cuit,
            "CbteFch": day(each.issued_on),
        }
        for each in invoice.named
    ]


def _taxes(invoice: Invoice) -> list[dict[str, Any]]:
    return [
        {
            "Id": tax.id,
            "Desc": brief(tax.description) or (TAX_NAMES.get(tax.id, "") if tax.id != OTHER_TAX else ""),
            "BaseImp": cents(tax.base),
            "Alic": cents(tax.rate),
            "Importe": cents(tax.amount),
        }
        for tax in invoice.terms.taxes
    ]


def _vat(sums: Totals) -> list[dict[str, Any]]:
    return [
        {"Id": VAT_ID[rate.rate], "BaseImp": cents(rate.base), "Importe": cents(rate.vat)}
        for rate in sums.rates
        if rate.base  # what is given away has no row of its own
    ]


def _optionals(invoice: Invoice) -> list[dict[str, str]]:
    credit = invoice.terms.mipyme
    if credit is None:
        return []
    if invoice.kind != "invoice":
        return [{"Id": ANNULS, "Valor": "S" if credit.annuls else "N"}]
    values = {CBU: credit.cbu, ALIAS: credit.alias, REFERENCE: credit.reference, TRANSFER: credit.transfer}
    return [{"Id": id_, "Valor": value} for id_, value in values.items() if value]


def is_ours(got: Mapping[str, Any], invoice: Invoice) -> bool:
    """Whether what AFIP has is this voucher: document, total, date and corrected vouchers; raise for what cannot be read."""
    associated = {
        (int(each["Tipo"]), int(each["PtoVta"]), int(each["Nro"]))
        for each in (got.get("CbtesAsoc") or {}).get("CbteAsoc") or []
    }
    return (
        (int(got["DocTipo"]), int(got["DocNro"])) == invoice.document
        and cents(Decimal(str(got["ImpTotal"]))) == cents(invoice.totals.total)
        and invoice.issued_on is not None
        and got["CbteFch"] == day(invoice.issued_on)
        and associated == {(each.voucher_type, each.point_of_sale, each.number) for each in invoice.named}
    )


def errors_of(answer: Mapping[str, Any]) -> list[Observation]:
    """Return what stands in `Errors`."""
    return notes_of(answer.get("Errors"), "Err")


def notes_of(holder: Mapping[str, Any] | None, name: str) -> list[Observation]:
    """Return AFIP's codes and texts of one list."""
    return [Observation(int(each["Code"]), brief(each["Msg"])) for each in (holder or {}).get(name) or []]


def authorisation(cae: Any, expires: Any, observed: list[Observation]) -> Authorisation:
    """Read a CAE; raise `ValueError` if it is none."""
    if not re.fullmatch(r"[0-9]{14}", str(cae)):
        raise ValueError(cae)
    last = datetime.strptime(str(expires)[:8], "%Y%m%d").date()  # noqa: DTZ007 - a calendar day has no zone
    return Authorisation(cae=str(cae), expires_on=last, observations=tuple(observed))


def day(of: date) -> str:
    """Write a day as AFIP does."""
    return f"{of:%Y%m%d}"


@contextlib.contextmanager
def reading(lost: type[Unavailable]) -> Iterator[None]:
    """Turn what a senseless answer provokes into the given error."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as broken:
        msg = "AFIP's answer cannot be read"
        raise lost(msg) from broken
