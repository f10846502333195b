"""The fiscal pre-flight: everything that AFIP is known to refuse in a voucher, found before a number is taken.

Each finding names the field, the rule in Spanish and in English, and the code of AFIP's refusal that it avoids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Protocol

from attrs import frozen

from core.invoicing.parties import Issuer, Receiver
from core.invoicing.terms import Terms
from core.invoicing.voucher import (
    ASSOCIATED,
    CHECKED,
    CONCEPT,
    CURRENCY,
    DOCUMENT_TYPE,
    MIPYME_FROM,
    MUST_IDENTIFY_FROM,
    OTHER_TAX,
    TAX_NAMES,
    UNCATEGORISED_TAX,
    Corrected,
    in_force,
)
from core.kernel.errors import Invalid
from core.kernel.money import Totals
from core.kernel.numbers import cuit_is_valid


class Voucher(Protocol):
    """What the pre-flight looks at: an `Invoice`."""

    @property
    def kind(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def voucher_type(self) -> int: ...
    @property
    def concept(self) -> int: ...
    @property
    def issuer(self) -> Issuer: ...
    @property
    def receiver(self) -> Receiver: ...
    @property
    def currency(self) -> str: ...
    @property
    def terms(self) -> Terms: ...
    @property
    def totals(self) -> Totals: ...
    @property
    def serviced_on(self) -> date: ...
    @property
    def issued_on(self) -> date | None: ...
    @property
    def corrects(self) -> Sequence[Corrected]: ...
    @property
    def corrects_period(self) -> tuple[date, date] | None: ...


POINTS: Final = range(1, 99_999)
PRODUCTS_WITHIN: Final = timedelta(days=5)
SERVICES_WITHIN: Final = timedelta(days=10)
MIPYME_AHEAD: Final = timedelta(days=1)
CBU_DIGITS: Final = 22
UNCATEGORISED: Final = "23000000000"
"""What stands for the CUIT of somebody who has none."""
NEAR_ONE: Final = frozenset({"CLP"})
"""Foreign money of which a unit may be worth one peso."""
LARGEST_DOCUMENT: Final = 11
"""Digits of AFIP's `DocNro`."""


@frozen(kw_only=True)
class Finding:
    """What is wrong: the field as the API calls it, the rule for people and for developers, AFIP's code (None: a rule of ours)."""

    field: str
    code: int | None
    rule_es: str
    rule: str


class NotAcceptable(Invalid):
    """AFIP would refuse the voucher; `findings` say why, the first one in the message."""

    code: ClassVar[str] = "invoice.not_acceptable"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        super().__init__(first.rule, field=first.field)

    def details(self) -> Mapping[str, object]:
        found = [
            {"field": each.field, "rule": each.rule, "regla": each.rule_es, "afipCode": each.code}
            for each in self.findings
        ]
        return {**super().details(), "findings": found}


_LINE: Final[Mapping[str, tuple[str, int | None, str]]] = {
    "description": ("description", None, "Cada renglón dice qué se hizo o entregó."),
    "quantity": ("quantity", 10044, "La cantidad es mayor que cero."),
    "unit_price": ("unitPrice", 10044, "El precio no es negativo, y el renglón tiene hasta 13 dígitos y 2 decimales."),
    "discount": ("discount", None, "El descuento va de 0 a 100 por ciento."),
    "vat_rate": ("vatRate", 10019, "La alícuota es una de 0, 2,5, 5, 10,5, 21 y 27, y 0 en lo exento o no gravado."),
    "treatment": ("treatment", None, "Un renglón es gravado, exento o no gravado."),
    "lines": ("items", 10056, "El total tiene hasta 13 dígitos y 2 decimales."),
    "taxes": ("taxes", 10028, "Base, alícuota e importe de un tributo no son negativos y tienen dos decimales."),
}
"""What cannot even be written down, by the field that says so."""


def unwritable(problem: Invalid, *, within: str = "") -> NotAcceptable:
    """Return what a line, a tax or a total says of itself as the pre-flight says it; `within` is where it stands (`items.0`)."""
    field, code, rule_es = _LINE.get(problem.field or "", (problem.field or "items", None, "El renglón no es válido."))
    where = f"{within}.{field}" if within else field
    return NotAcceptable([Finding(field=where, code=code, rule_es=rule_es, rule=str(problem))])


def findings(invoice: Voucher, *, today: date | None = None, newest: date | None = None) -> tuple[Finding, ...]:
    """Return everything that is wrong, in the order in which a person would correct it.

    Dates are judged against `today` (in Argentina) and the day of the series' `newest` voucher, as far as they are given.
    """
    day = invoice.issued_on or invoice.terms.issued_on or today or invoice.serviced_on
    return (
        *_issuer(invoice),
        *_receiver(invoice, day),
        *_condition(invoice),
        *_amounts(invoice),
        *_taxes(invoice),
        *_money(invoice),
        *_service(invoice, day),
        *_date(invoice, day, today, newest),
        *_association(invoice),
        *_mipyme(invoice, day),
    )


def _issuer(invoice: Voucher) -> Iterator[Finding]:
    if invoice.issuer.point_of_sale not in POINTS:
        yield Finding(
            field="pointOfSale",
            code=10004,
            rule_es="El punto de venta está entre 1 y 99998.",
            rule="a point of sale lies between 1 and 99998",
        )
    if (invoice.terms.concept or invoice.issuer.concept) not in CONCEPT:
        yield Finding(
            field="concept",
            code=10030,
            rule_es="El concepto es productos, servicios o ambos.",
            rule=f"the concept must be one of {', '.join(CONCEPT)}",
        )


def _receiver(invoice: Voucher, day: date) -> Iterator[Finding]:
    receiver = invoice.receiver
    kind, number = receiver.document_type, receiver.document_number
    if invoice.letter == "A" and kind != "CUIT":
        yield Finding(
            field="documentType",
            code=10013,
            rule_es="Una factura A necesita el CUIT del receptor.",
            rule="an invoice A needs the receiver's CUIT",
        )
    if kind not in DOCUMENT_TYPE:
        yield Finding(
            field="documentType",
            code=10015,
            rule_es="El tipo de documento no existe.",
            rule=f"the document type must be one of {', '.join(DOCUMENT_TYPE)}",
        )
    elif kind == "none":
        if number:
            yield Finding(
                field="documentType",
                code=10015,
                rule_es="Un número de documento necesita su tipo.",
                rule="a document number needs its type",
            )
        threshold = in_force(MUST_IDENTIFY_FROM, day)
        if invoice.totals.total * invoice.terms.rate >= threshold:
            yield Finding(
                field="documentNumber",
                code=10015,
                rule_es=f"Desde $ {_pesos(threshold)} hay que identificar al consumidor final con DNI, CUIL o CUIT.",
                rule=f"from $ {threshold:,} on a final consumer must be identified: note their DNI or CUIT",
            )
    elif not _is_document(kind, number):
        yield Finding(
            field="documentNumber",
            code=10015,
            rule_es=f"«{number}» no es un {kind} válido.",
            rule=f"{number!r} is not a {kind}: digits only, and in a CUIT or CUIL the last one checks the others",
        )
    if number and number == invoice.issuer.cuit:
        yield Finding(
            field="documentNumber",
            code=10069,
            rule_es="El receptor es el mismo emisor.",
            rule="issuer and receiver are the same",
        )


def _is_document(kind: str, number: str) -> bool:
    if kind in CHECKED:
        return cuit_is_valid(number)
    return number.isascii() and number.isdigit() and len(number) <= LARGEST_DOCUMENT and int(number) > 0


def _condition(invoice: Voucher) -> Iterator[Finding]:
    if (
        invoice.letter == "B"
        and invoice.receiver.vat_condition == "no_categorizado"
        and not any(tax.id == UNCATEGORISED_TAX for tax in invoice.terms.taxes)
    ):
        yield Finding(
            field="taxes",
            code=10067 if invoice.receiver.document_number == UNCATEGORISED else 10283,
            rule_es="A un sujeto no categorizado se le percibe el IVA: falta el tributo 13.",
            rule="an uncategorised receiver's VAT perception is missing: add tax 13",
        )


def _amounts(invoice: Voucher) -> Iterator[Finding]:
    sums = invoice.totals
    if sums.total <= 0:
        yield Finding(
            field="items",
            code=None,
            rule_es="El comprobante tiene que sumar más que cero.",
            rule="an invoice must come to more than zero",
        )
    if invoice.letter != "C":
        return
    if sums.vat:
        yield Finding(
            field="items",
            code=10047,
            rule_es="Un monotributista o exento no cobra IVA: los renglones van con alícuota 0.",
            rule="a monotributista or exempt issuer charges no VAT: give the lines a VAT rate of 0",
        )
    for name, amount, code in (("no gravado", sums.not_taxed, 10043), ("exento", sums.exempt, 10045)):
        if amount:
            yield Finding(
                field="items",
                code=code,
                rule_es=f"En un comprobante C no hay importe {name}: todo va en el subtotal.",
                rule="a voucher C knows neither exempt nor non-taxed amounts: everything is its subtotal",
            )


def _taxes(invoice: Voucher) -> Iterator[Finding]:
    for tax in invoice.terms.taxes:
        if tax.id not in TAX_NAMES:
            yield Finding(
                field="taxes",
                code=10025,
                rule_es=f"ARCA no conoce el tributo {tax.id}.",
                rule=f"a tax's id must be one of {', '.join(map(str, TAX_NAMES))}",
            )
        if tax.id == OTHER_TAX and not tax.description.strip():
            yield Finding(
                field="taxes",
                code=10026,
                rule_es="El tributo 99 (otro) necesita una descripción.",
                rule="tax 99 (other) needs a description",
            )


def _money(invoice: Voucher) -> Iterator[Finding]:
    rate = invoice.terms.rate
    if invoice.currency not in CURRENCY:
        yield Finding(
            field="currency",
            code=10037,
            rule_es=f"ARCA no conoce la moneda {invoice.currency}.",
            rule=f"the currency must be one of {', '.join(CURRENCY)}",
        )
    elif invoice.currency == "ARS":
        if rate != 1:
            yield Finding(
                field="rate",
                code=10039,
                rule_es="La cotización del peso es 1.",
                rule="the rate of pesos is 1",
            )
        if invoice.terms.paid_in_currency:
            yield Finding(
                field="paidInCurrency",
                code=10241,
                rule_es="Solo un comprobante en moneda extranjera se paga en la misma moneda extranjera.",
                rule="only a voucher in foreign currency is paid in it",
            )
    elif rate <= 0 or (rate == 1 and invoice.currency not in NEAR_ONE):
        yield Finding(
            field="rate",
            code=10038 if rate <= 0 else 10119,
            rule_es="Falta la cotización de la moneda: cuántos pesos vale una unidad.",
            rule="a foreign currency needs its rate: the pesos of one unit",
        )


def _service(invoice: Voucher, day: date) -> Iterator[Finding]:
    terms = invoice.terms
    if invoice.concept == CONCEPT["products"]:
        if terms.service_from or terms.service_to:
            yield Finding(
                field="serviceFrom",
                code=10049,
                rule_es="Los productos no llevan período de servicio.",
                rule="products have no service period",
            )
        if terms.due_on and terms.mipyme is None:
            yield Finding(
                field="dueOn",
                code=10049,
                rule_es="El vencimiento del pago se informa en servicios y en facturas de crédito.",
                rule="the day on which payment is due belongs to services and credit invoices",
            )
    else:
        for field, given, other, code in (
            ("serviceFrom", terms.service_from, terms.service_to, 10031),
            ("serviceTo", terms.service_to, terms.service_from, 10032),
        ):
            if given is None and other is not None:
                yield Finding(
                    field=field,
                    code=code,
                    rule_es="El período del servicio tiene principio y fin.",
                    rule="a service period has a beginning and an end",
                )
        if terms.service_from and terms.service_to and terms.service_from > terms.service_to:
            yield Finding(
                field="serviceFrom",
                code=10033,
                rule_es="El período del servicio termina antes de empezar.",
                rule="the service period ends before it begins",
            )
    if terms.due_on is not None and terms.due_on < day:
        yield Finding(
            field="dueOn",
            code=10036,
            rule_es="El vencimiento del pago no puede ser anterior a la fecha del comprobante.",
            rule="payment cannot be due before the day of issue",
        )


def _date(invoice: Voucher, day: date, today: date | None, newest: date | None) -> Iterator[Finding]:
    if newest is not None and day < newest:
        yield Finding(
            field="issuedOn",
            code=10016,
            rule_es=f"La fecha no puede ser anterior a la del último comprobante de la serie ({newest:%d/%m/%Y}).",
            rule=f"the day of issue cannot lie before that of the series' last voucher, {newest}",
        )
    if today is None:
        return
    products = invoice.concept == CONCEPT["products"]
    reach = ahead = PRODUCTS_WITHIN if products or invoice.terms.mipyme else SERVICES_WITHIN
    if invoice.terms.mipyme:
        ahead = MIPYME_AHEAD if invoice.kind == "invoice" else timedelta()
    if not today - reach <= day <= today + ahead:
        yield Finding(
            field="issuedOn",
            code=10016,
            rule_es=f"La fecha puede estar hasta {reach.days} días antes y {ahead.days} después de hoy.",
            rule=f"the day of issue may lie {reach.days} days before today and {ahead.days} after it",
        )
    elif products and day > today and (day.year, day.month) != (today.year, today.month):
        yield Finding(
            field="issuedOn",
            code=10152,
            rule_es="Una fecha futura tiene que ser del mismo mes.",
            rule="a day of issue in the future must lie in this month",
        )


def _association(invoice: Voucher) -> Iterator[Finding]:
    if invoice.kind == "invoice":
        if invoice.corrects_period is not None:
            yield Finding(
                field="periodFrom",
                code=10198,
                rule_es="Una factura no lleva período asociado.",
                rule="an invoice corrects no period",
            )
        allowed: frozenset[int] = frozenset()
    else:
        if not invoice.corrects and invoice.corrects_period is None:
            yield Finding(
                field="corrects",
                code=10197,
                rule_es="Una nota dice qué comprobante o período corrige.",
                rule="a note names the voucher or the period that it corrects",
            )
        yield from _period(invoice)
        allowed = ASSOCIATED[invoice.voucher_type]
    if any(each.voucher_type not in allowed for each in invoice.corrects):
        yield Finding(
            field="corrects",
            code=10040,
            rule_es="El comprobante asociado tiene que ser de la misma letra, y una factura no lleva ninguno.",
            rule="a note corrects vouchers of its own letter, an invoice none",
        )


def _period(invoice: Voucher) -> Iterator[Finding]:
    if invoice.corrects_period is None:
        return
    since, until = invoice.corrects_period
    if since > until:
        yield Finding(
            field="periodFrom",
            code=10197,
            rule_es="El período asociado termina antes de empezar.",
            rule="the period that a note corrects ends before it begins",
        )
    elif any(not since <= each.issued_on <= until for each in invoice.corrects):
        yield Finding(
            field="periodFrom",
            code=None,
            rule_es="El período asociado incluye la fecha del comprobante que se corrige.",
            rule="the period that a note names includes the day of the voucher that it corrects",
        )
    if invoice.terms.mipyme is not None:
        yield Finding(
            field="periodFrom",
            code=10197,
            rule_es="Una nota MiPyME nombra su comprobante, no un período.",
            rule="a MiPyME note names its voucher, not a period",
        )


def _mipyme(invoice: Voucher, day: date) -> Iterator[Finding]:
    credit = invoice.terms.mipyme
    if credit is None:
        return
    if invoice.receiver.document_type != "CUIT":
        yield Finding(
            field="documentType",
            code=None,
            rule_es="Una factura de crédito MiPyME necesita el CUIT del receptor.",
            rule="a MiPyME credit invoice needs the receiver's CUIT",
        )
    if invoice.kind != "invoice":
        return
    threshold = in_force(MIPYME_FROM, day)
    if invoice.totals.total * invoice.terms.rate < threshold:
        yield Finding(
            field="mipyme",
            code=None,
            rule_es=f"La factura de crédito MiPyME corresponde desde $ {_pesos(threshold)}; por menos va una factura común.",
            rule=f"a MiPyME credit invoice is for $ {threshold:,} and more; below that it is a plain invoice",
        )
    if len(credit.cbu) != CBU_DIGITS or not (credit.cbu.isascii() and credit.cbu.isdigit()):
        yield Finding(
            field="mipyme",
            code=10165,
            rule_es="La factura de crédito MiPyME necesita el CBU donde se cobra, de 22 dígitos.",
            rule="a MiPyME credit invoice needs the CBU that it is paid to, 22 digits",
        )
    if credit.transfer not in {"SCA", "ADC"}:
        yield Finding(
            field="mipyme",
            code=10215,
            rule_es="La factura de crédito MiPyME se transfiere por SCA o por ADC.",
            rule="a MiPyME credit invoice travels by SCA or ADC",
        )


def _pesos(amount: Decimal) -> str:
    return f"{amount:,}".replace(",", ".")
