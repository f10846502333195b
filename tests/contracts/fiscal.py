"""Vouchers that AFIP refuses, one for each rule of the pre-flight, by AFIP's code."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from attrs import evolve

from core.invoicing import Corrected, Invoice, Mipyme, Receiver, Tax, Terms
from core.kernel.money import Line
from tests.contracts.samples import MINE, NOW, an_issuer

TODAY: Final = date(2026, 11, 20)
ANA: Final = Receiver(customer_id="cust_1", name="Ana Ruiz")
COMPANY: Final = Receiver(
    customer_id="cust_2",
    name="Frío S.A.",
    vat_condition="responsable_inscripto",
    document_type="CUIT",
    document_number="30000000007",
)
CREDIT: Final = Mipyme(cbu="0170099220000067797370")


def line(price: str = "1000", rate: str = "21", treatment: str = "taxed", description: str = "Carga de gas") -> Line:
    return Line(
        description=description,
        quantity=Decimal(1),
        unit_price=Decimal(price),
        vat_rate=Decimal(rate if treatment == "taxed" else 0),
        treatment=treatment,
    )


def corrected(type_: int = 6, number: int = 1) -> Corrected:
    return Corrected(
        invoice_id="inv_0", voucher_type=type_, point_of_sale=1, number=number, cuit="30712345671", issued_on=TODAY
    )


def unchecked(**wanted: Any) -> Invoice:
    """Return a draft that nobody has looked at; `condition`, `concept`, `point` are the issuer's."""
    issuer = an_issuer()
    issuer = evolve(
        issuer,
        vat_condition=wanted.pop("condition", issuer.vat_condition),
        concept=wanted.pop("concept", "services"),
        point_of_sale=wanted.pop("point", 1),
    )
    given: dict[str, Any] = {
        "id": "inv_1",
        "tenant": MINE,
        "job_id": "job_1",
        "issuer": issuer,
        "receiver": ANA,
        "lines": (line(),),
        "created_at": NOW,
        "serviced_on": TODAY,
    }
    return Invoice(**{**given, **wanted})


def _of(receiver: Receiver = ANA, **changes: Any) -> Receiver:
    return evolve(receiver, **changes)


TAX: Final = Tax.at_rate(id_=7, base=Decimal(1000), rate=Decimal(3))
LARGE: Final = (line("6000000"),)

REFUSED: Final[dict[str, tuple[Invoice, str, int]]] = {
    "point of sale": (unchecked(point=99_999), "pointOfSale", 10004),
    "concept": (unchecked(terms=Terms(concept="rent")), "concept", 10030),
    "A to nobody": (
        unchecked(receiver=_of(COMPANY, document_type="none", document_number="")),
        "documentType",
        10013,
    ),
    "A to a DNI": (
        unchecked(receiver=_of(COMPANY, document_type="DNI", document_number="20111222")),
        "documentType",
        10013,
    ),
    "a number without type": (unchecked(receiver=_of(document_number="20111222")), "documentType", 10015),
    "unidentified": (unchecked(lines=(line("10000000", "0"),)), "documentNumber", 10015),
    "unidentified in dollars": (
        unchecked(lines=(line("6800", "0"),), currency="USD", terms=Terms(rate=Decimal("1480.5"))),
        "documentNumber",
        10015,
    ),
    "a wrong CUIT": (unchecked(receiver=_of(COMPANY, document_number="30000000008")), "documentNumber", 10015),
    "a wrong CUIL": (
        unchecked(receiver=_of(document_type="CUIL", document_number="20111111113")),
        "documentNumber",
        10015,
    ),
    "a DNI of zeros": (unchecked(receiver=_of(document_type="DNI", document_number="00")), "documentNumber", 10015),
    "to oneself": (unchecked(receiver=_of(COMPANY, document_number="30712345671")), "documentNumber", 10069),
    "uncategorised": (
        unchecked(receiver=_of(vat_condition="no_categorizado", document_type="CUIT", document_number="23000000000")),
        "taxes",
        10067,
    ),
    "C with VAT": (unchecked(condition="monotributo"), "items", 10047),
    "C not taxed": (unchecked(condition="monotributo", lines=(line(treatment="not_taxed"),)), "items", 10043),
    "C exempt": (unchecked(condition="exento", lines=(line(treatment="exempt"),)), "items", 10045),
    "an unknown tax": (unchecked(terms=Terms(taxes=(evolve(TAX, id=77),))), "taxes", 10025),
    "another tax unnamed": (unchecked(terms=Terms(taxes=(evolve(TAX, id=99),))), "taxes", 10026),
    "unknown money": (unchecked(currency="XAU", terms=Terms(rate=Decimal(9000))), "currency", 10037),
    "a rate of pesos": (unchecked(terms=Terms(rate=Decimal(2))), "rate", 10039),
    "a rate of nothing": (unchecked(currency="USD", terms=Terms(rate=Decimal(0))), "rate", 10038),
    "no rate": (unchecked(currency="USD"), "rate", 10119),
    "pesos paid as foreign money": (unchecked(terms=Terms(paid_in_currency=True)), "paidInCurrency", 10241),
    "a period of products": (
        unchecked(concept="products", terms=Terms(service_from=TODAY, service_to=TODAY)),
        "serviceFrom",
        10049,
    ),
    "products due": (unchecked(concept="products", terms=Terms(due_on=TODAY)), "dueOn", 10049),
    "no beginning": (unchecked(terms=Terms(service_to=TODAY)), "serviceFrom", 10031),
    "no end": (unchecked(terms=Terms(service_from=TODAY)), "serviceTo", 10032),
    "ends before it begins": (
        unchecked(terms=Terms(service_from=TODAY, service_to=TODAY - timedelta(days=1))),
        "serviceFrom",
        10033,
    ),
    "due before": (unchecked(terms=Terms(due_on=TODAY - timedelta(days=1))), "dueOn", 10036),
    "services too old": (unchecked(terms=Terms(issued_on=TODAY - timedelta(days=11))), "issuedOn", 10016),
    "services too early": (unchecked(terms=Terms(issued_on=TODAY + timedelta(days=11))), "issuedOn", 10016),
    "products too old": (
        unchecked(concept="products", terms=Terms(issued_on=TODAY - timedelta(days=6))),
        "issuedOn",
        10016,
    ),
    "an invoice with a period": (unchecked(corrects_period=(TODAY, TODAY)), "periodFrom", 10198),
    "an invoice that corrects": (unchecked(corrects=(corrected(),)), "corrects", 10040),
    "a note of nothing": (unchecked(kind="credit_note"), "corrects", 10197),
    "a note of another letter": (unchecked(kind="credit_note", corrects=(corrected(1),)), "corrects", 10040),
    "a period that ends before it begins": (
        unchecked(kind="credit_note", corrects_period=(TODAY, TODAY - timedelta(days=1))),
        "periodFrom",
        10197,
    ),
    "a MiPyME note of a period": (
        unchecked(
            kind="credit_note",
            receiver=COMPANY,
            corrects_period=(TODAY, TODAY),
            terms=Terms(mipyme=Mipyme(annuls=True)),
        ),
        "periodFrom",
        10197,
    ),
    "a credit invoice without CBU": (
        unchecked(receiver=COMPANY, lines=LARGE, terms=Terms(mipyme=Mipyme(cbu="1"))),
        "mipyme",
        10165,
    ),
    "a credit invoice that cannot travel": (
        unchecked(receiver=COMPANY, lines=LARGE, terms=Terms(mipyme=evolve(CREDIT, transfer="XXX"))),
        "mipyme",
        10215,
    ),
    "a credit invoice too early": (
        unchecked(receiver=COMPANY, lines=LARGE, terms=Terms(mipyme=CREDIT, issued_on=TODAY + timedelta(days=2))),
        "issuedOn",
        10016,
    ),
}
"""What is wrong with each: the field, and the code of the refusal. Today is `TODAY`."""

OBSERVED: Final[dict[str, tuple[Invoice, str, int]]] = {
    "uncategorised": (unchecked(receiver=_of(vat_condition="no_categorizado")), "taxes", 10283),
}
"""What AFIP authorises with an observation, and we do not ask for."""

TAKEN: Final[dict[str, Invoice]] = {
    "B": unchecked(),
    "B below the threshold": unchecked(lines=(line("9999999.99", "0"),)),
    "B to a DNI": unchecked(lines=(line("10000000"),), receiver=_of(document_type="DNI", document_number="20111222")),
    "B to a passport": unchecked(receiver=_of(document_type="passport", document_number="20111222")),
    "B to a CDI": unchecked(receiver=_of(document_type="CDI", document_number="20111111112")),
    "B to an exempt": unchecked(receiver=_of(COMPANY, vat_condition="exento")),
    "B to a foreigner": unchecked(receiver=_of(vat_condition="cliente_exterior")),
    **{
        f"B to a {kind}": unchecked(receiver=_of(document_type=kind, document_number="6011222"))
        for kind in ("LE", "LC", "foreign_id")
    },
    **{
        f"B to {condition}": unchecked(receiver=_of(vat_condition=condition))
        for condition in ("proveedor_exterior", "ley_19640", "no_alcanzado")
    },
    **{
        f"A to {condition}": unchecked(receiver=_of(COMPANY, vat_condition=condition))
        for condition in ("monotributo_social", "monotributo_promovido")
    },
    "B to an uncategorised": unchecked(
        receiver=_of(vat_condition="no_categorizado", document_type="CUIT", document_number="23000000000"),
        terms=Terms(taxes=(evolve(TAX, id=13),)),
    ),
    "A": unchecked(receiver=COMPANY),
    "A to a monotributista": unchecked(receiver=_of(COMPANY, vat_condition="monotributo")),
    "A of everything": unchecked(
        receiver=COMPANY,
        lines=tuple(
            line(price, rate, treatment)
            for price, rate, treatment in (
                ("0.07", "21", "taxed"),
                ("33.333333", "10.5", "taxed"),
                ("999.99", "27", "taxed"),
                ("1", "0", "taxed"),
                ("250.10", "0", "exempt"),
                ("80.80", "0", "not_taxed"),
            )
        ),
        terms=Terms(taxes=(TAX, Tax.at_rate(id_=99, base=Decimal(10), rate=Decimal(5), description="Tasa vial"))),
    ),
    "A without VAT": unchecked(receiver=COMPANY, lines=(line(treatment="exempt"),)),
    "C": unchecked(condition="monotributo", lines=(line(rate="0"),), terms=Terms(taxes=(TAX,))),
    "C to a company": unchecked(condition="exento", lines=(line(rate="0"),), receiver=COMPANY),
    "dollars": unchecked(receiver=COMPANY, currency="USD", terms=Terms(rate=Decimal("1500.25"))),
    "dollars paid as such": unchecked(
        receiver=COMPANY, currency="USD", terms=Terms(rate=Decimal("1480.5"), paid_in_currency=True)
    ),
    "euros": unchecked(currency="EUR", terms=Terms(rate=Decimal("1712.25"))),
    "reais": unchecked(currency="BRL", terms=Terms(rate=Decimal("275.4"))),
    "Chilean pesos": unchecked(currency="CLP", terms=Terms(rate=Decimal(1))),
    "both": unchecked(terms=Terms(concept="both", due_on=TODAY + timedelta(days=30))),
    "a month's service": unchecked(
        terms=Terms(service_from=date(2026, 10, 1), service_to=date(2026, 10, 31), due_on=date(2026, 12, 10))
    ),
    "services ten days ago": unchecked(terms=Terms(issued_on=TODAY - timedelta(days=10))),
    "services in ten days": unchecked(terms=Terms(issued_on=TODAY + timedelta(days=10))),
    "products five days ago": unchecked(concept="products", terms=Terms(issued_on=TODAY - timedelta(days=5))),
    "products in five days": unchecked(concept="products", terms=Terms(issued_on=TODAY + timedelta(days=5))),
    "a note of a period": unchecked(kind="credit_note", corrects_period=(date(2026, 10, 1), date(2026, 10, 31))),
    "a note of a period that takes from a voucher": unchecked(
        kind="debit_note", corrects=(corrected(),), corrects_period=(TODAY - timedelta(days=30), TODAY)
    ),
    "a credit invoice": unchecked(
        receiver=COMPANY, lines=LARGE, terms=Terms(mipyme=evolve(CREDIT, reference="OC 77"), due_on=TODAY)
    ),
    "a credit invoice of products": unchecked(
        receiver=COMPANY, lines=LARGE, concept="products", terms=Terms(mipyme=CREDIT, due_on=TODAY)
    ),
}
"""What AFIP takes as the first voucher of its series."""
