"""What AFIP refuses and observes, as data: for each code the smallest voucher that provokes it.

The sandbox is tested with it, and the product's own pre-flight may be held against it. All is said of 2026-11-20 in Argentina,
of an issuer that the sandbox knows nothing else about, unless a case says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from attrs import field, frozen

ISSUER: Final = 30712345671
TODAY: Final = date(2026, 11, 20)
COMPANY: Final = 30500010912
REGISTER: Final[Mapping[str, Mapping[str, str]]] = {
    "30500001735": {"status": "inactive"},
    "30500003193": {"status": "no_vat"},
    "30500006613": {"status": "untrusted"},
    "30522763922": {"status": "fictitious"},
    "30546689979": {"status": "nonexistent"},
    "20111111112": {"status": "deceased"},
    "27111111117": {"vatCondition": "exento"},
    "23111111111": {"vatCondition": "monotributo"},
    "30707306799": {"fce": "obligatory"},
    "30711111111": {"fce": "optional"},
}
"""Who the cases' receivers are, as the control door takes them."""


@frozen(kw_only=True)
class Provocation:
    """A voucher (`detail`, of a `FECAEDetRequest`, or None for a wrong head) and the code that it provokes.

    `refused`, or authorised with the code as an observation. `in_errors`: the code stands in `Errors` and not beside the voucher.
    `head`: what differs in `FeCabReq`. `issuer`, `rules`: what the sandbox is told before. `after`: vouchers authorised before.
    """

    name: str
    code: int
    type_: int
    detail: Mapping[str, Any]
    refused: bool = True
    in_errors: bool = False
    head: Mapping[str, int] = field(factory=dict)
    issuer: Mapping[str, Any] = field(factory=dict)
    rules: Mapping[str, Any] = field(factory=dict)
    after: tuple[Mapping[str, Any], ...] = ()
    today: date = TODAY


def detail(**changed: Any) -> dict[str, Any]:
    """Return a voucher of class B that AFIP takes, with changes; None leaves a field out. `Iva` is rows of id, base and amount."""
    wanted: dict[str, Any] = {
        "Concepto": 1,
        "DocTipo": 96,
        "DocNro": 28123456,
        "CbteDesde": 1,
        "CbteHasta": 1,
        "CbteFch": "20261120",
        "ImpTotal": Decimal("121.00"),
        "ImpTotConc": 0,
        "ImpNeto": Decimal("100.00"),
        "ImpOpEx": 0,
        "ImpTrib": 0,
        "ImpIVA": Decimal("21.00"),
        "MonId": "PES",
        "MonCotiz": 1,
        "CondicionIVAReceptorId": 5,
        "Iva": [(5, "100.00", "21.00")],
        **changed,
    }
    rows = [{"Id": id_, "BaseImp": base, "Importe": vat} for id_, base, vat in wanted.pop("Iva")]
    if rows:
        wanted["Iva"] = {"AlicIva": rows}
    return {name: value for name, value in wanted.items() if value is not None}


def to(cuit: int, **changed: Any) -> dict[str, Any]:
    """Return a voucher of class A for a CUIT."""
    return detail(**{"DocTipo": 80, "DocNro": cuit, "CondicionIVAReceptorId": 1, **changed})


def class_c(**changed: Any) -> dict[str, Any]:
    """Return a voucher of class C."""
    return detail(**{"ImpTotal": 100, "ImpIVA": 0, "Iva": [], **changed})


def service(**changed: Any) -> dict[str, Any]:
    """Return a voucher for services."""
    dates = {"FchServDesde": "20261101", "FchServHasta": "20261120", "FchVtoPago": "20261120"}
    return detail(**{"Concepto": 2, **dates, **changed})


def tribute(**changed: Any) -> dict[str, Any]:
    """Return a voucher with a tribute of one peso."""
    row = {"Id": 7, "Desc": "IIBB", "BaseImp": 100, "Alic": 1, "Importe": 1, **changed}
    return detail(
        ImpTotal=122, ImpTrib=1, Tributos={"Tributo": [{name: each for name, each in row.items() if each is not None}]}
    )


def asks(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return the associated vouchers as a field."""
    return {"CbtesAsoc": {"CbteAsoc": [dict(row) for row in rows]}}


def fce(*optionals: tuple[str, str], **changed: Any) -> dict[str, Any]:
    """Return an FCE of class A with the optional data named."""
    rows = [{"Id": id_, "Valor": value} for id_, value in optionals]
    return to(COMPANY, **{"FchVtoPago": "20261220", "Opcionales": {"Opcional": rows}, **changed})


CBU: Final = ("2101", "0110599520000001234567")
SCA: Final = ("27", "SCA")
ORIGINAL: Final = {"Tipo": 6, "PtoVta": 1, "Nro": 1}
LARGE: Final = {"ImpTotal": 12_100_000, "ImpNeto": 10_000_000, "ImpIVA": 2_100_000, "Iva": [(5, "10000000", "2100000")]}
SOMEBODY: Final = {"DocTipo": 99, "DocNro": 0}
DOLLARS: Final = {"MonId": "DOL", "MonCotiz": "1480.5"}


def _refused(name: str, code: int, type_: int, sent: Mapping[str, Any], **more: Any) -> Provocation:
    return Provocation(name=name, code=code, type_=type_, detail=sent, **more)


def _observed(name: str, code: int, type_: int, sent: Mapping[str, Any], **more: Any) -> Provocation:
    return Provocation(name=name, code=code, type_=type_, detail=sent, refused=False, **more)


_HEAD: Final = (
    _refused("no voucher", 10001, 6, detail(), head={"CantReg": 0}),
    _refused("too many vouchers", 10001, 6, detail(), head={"CantReg": 9999}),
    _refused("another number of vouchers", 10002, 6, detail(), head={"CantReg": 2}),
    _refused("more than the service takes", 10003, 6, detail(), head={"CantReg": 2}, after=(), rules={"batch": 1}),
    _refused("no point of sale", 10004, 6, detail(), head={"PtoVta": 0}),
    _refused("a point of sale that nobody opened", 10005, 6, detail(), head={"PtoVta": 99_000}),
    _refused("a point of sale that is blocked", 10005, 6, detail(), head={"PtoVta": 99_001}),
    _refused("a point of sale of another system", 10005, 6, detail(), head={"PtoVta": 99_002}),
    _refused("no type", 10006, 6, detail(), head={"CbteTipo": 0}),
    _refused("a type that there is not", 10007, 6, detail(), head={"CbteTipo": 14}),
)
_ISSUER: Final = (
    _refused("monotributo issues B", 10000, 6, detail(), issuer={"vatCondition": "monotributo"}),
    _refused("exempt issues A", 10000, 1, to(COMPANY), issuer={"vatCondition": "exento"}),
    _refused("responsable inscripto issues C", 10000, 11, class_c(), issuer={"vatCondition": "responsable_inscripto"}),
    _refused("class A denied", 10000, 1, to(COMPANY), issuer={"classADenied": True}),
    _observed("class A pending", 10234, 1, to(COMPANY), issuer={"classAPending": True}),
    _observed("category exceeded", 10235, 11, class_c(), issuer={"categoryExceeded": True}),
)
_NUMBERS: Final = (
    _refused("number 0", 10008, 6, detail(CbteDesde=0, CbteHasta=0)),
    _refused("number of nine digits", 10008, 6, detail(CbteDesde=100_000_000, CbteHasta=100_000_000)),
    _refused("no last number", 10010, 6, detail(CbteHasta=0)),
    _refused("last below first", 10011, 6, detail(CbteHasta=0)),
    _refused("range in class A", 10012, 1, to(COMPANY, CbteHasta=2)),
    _refused("range in class C", 10012, 11, class_c(**SOMEBODY, CbteHasta=2)),
    _refused("range for somebody identified", 10014, 6, detail(CbteHasta=2)),
    _refused("range from the threshold on", 10014, 6, detail(**SOMEBODY, **LARGE, CbteHasta=2)),
    _refused("not the next number", 10016, 6, detail(CbteDesde=2, CbteHasta=2), in_errors=True),
    _refused("the same number again", 10016, 6, detail(), in_errors=True, after=(detail(),)),
    _refused(
        "before the last date",
        10016,
        6,
        detail(CbteDesde=2, CbteHasta=2, CbteFch="20261119"),
        in_errors=True,
        after=(detail(),),
    ),
)
_DATES: Final = (
    _refused("products, six days ago", 10016, 6, detail(CbteFch="20261114")),
    _refused("products, in six days", 10016, 6, detail(CbteFch="20261126")),
    _refused("services, eleven days ago", 10016, 6, service(CbteFch="20261109")),
    _refused("services, in eleven days", 10016, 6, service(CbteFch="20261201", FchVtoPago="20261201")),
    _refused("no date", 10016, 6, detail(CbteFch="2026-11-20")),
    _refused("a day that there is not", 10016, 6, detail(CbteFch="20261131")),
    _refused("an FCE in two days", 10016, 201, fce(CBU, SCA, CbteFch="20261122")),
    _refused(
        "an FCE note of tomorrow",
        10016,
        203,
        to(COMPANY, CbteFch="20261121")
        | asks({"Tipo": 201, "PtoVta": 1, "Nro": 1, "Cuit": str(ISSUER), "CbteFch": "20261120"}),
    ),
    _refused("products, next month", 10152, 6, detail(CbteFch="20261201"), today=date(2026, 11, 28)),
    _refused("no concept", 10030, 6, detail(Concepto=4)),
    _refused("service without a beginning", 10031, 6, service(FchServDesde=None)),
    _refused("service without an end", 10032, 6, service(FchServHasta=None)),
    _refused("service that ends before it begins", 10033, 6, service(FchServHasta="20261031")),
    _refused("service without a date of payment", 10035, 6, service(FchVtoPago=None)),
    _refused("payment before the voucher", 10036, 6, service(FchVtoPago="20261119")),
    _refused("service dates for products", 10049, 6, detail(FchServDesde="20261101", FchServHasta="20261102")),
    _refused("an FCE without a date of payment", 10163, 201, fce(CBU, SCA, FchVtoPago=None)),
)
_RECEIVER: Final = (
    _refused("class A without a CUIT", 10013, 1, to(COMPANY, DocTipo=96, DocNro=28123456)),
    _refused("a document that there is not", 10015, 6, detail(DocTipo=77)),
    _refused("no document number", 10015, 6, detail(DocNro=0)),
    _refused("nobody with a number", 10015, 6, detail(DocTipo=99, DocNro=1)),
    _refused("a wrong CUIL", 10015, 6, detail(DocTipo=86, DocNro=20111111113)),
    _refused("nobody from the threshold on", 10015, 6, detail(**SOMEBODY, **LARGE)),
    _refused(
        "nobody from the threshold on, in dollars",
        10015,
        6,
        detail(**SOMEBODY, **DOLLARS, ImpTotal=12100, ImpNeto=10000, ImpIVA=2100, Iva=[(5, "10000", "2100")]),
    ),
    _refused("nobody from the threshold on, in class C", 10015, 11, class_c(**SOMEBODY, ImpNeto=10**7, ImpTotal=10**7)),
    _refused("a wrong CUIT", 10284, 1, to(30500010913)),
    _refused("oneself", 10069, 1, to(ISSUER)),
    _observed("not active in VAT", 10017, 1, to(30500003193)),
    _observed("class A to an exempt company", 10063, 1, to(27111111117)),
    _refused("fictitious", 10195, 1, to(30522763922)),
    _observed("class A to a monotributista", 10217, 1, to(COMPANY, CondicionIVAReceptorId=6)),
    _observed("class A to whom the register has as monotributista", 10217, 1, to(23111111111)),
    _observed("a CUIT that does not exist", 10238, 1, to(30546689979)),
    _refused("inactive", 10247, 1, to(30500001735)),
    _observed("inactive, credited", 10247, 3, to(30500001735) | asks({"Tipo": 1, "PtoVta": 1, "Nro": 1})),
    _refused("untrusted", 10248, 1, to(30500006613)),
    _observed("deceased", 10249, 1, to(20111111112)),
    _refused(
        "should be an FCE",
        10192,
        1,
        to(30707306799, **LARGE),
        issuer={"small": True},
    ),
    _observed("may be an FCE", 10188, 1, to(30711111111, **LARGE)),
    _refused("no condition that there is", 10242, 6, detail(CondicionIVAReceptorId=2)),
    _refused("a condition of class A in B", 10243, 6, detail(CondicionIVAReceptorId=1)),
    _refused("a condition of class B in A", 10243, 1, to(COMPANY, CondicionIVAReceptorId=4)),
    _observed(
        "no condition, in November",
        10245,
        6,
        detail(CondicionIVAReceptorId=None, CbteFch="20261130"),
        today=date(2026, 11, 30),
    ),
    _refused(
        "no condition, in December",
        10246,
        6,
        detail(CondicionIVAReceptorId=None, CbteFch="20261201"),
        today=date(2026, 12, 1),
    ),
    _refused(
        "no CUIT, without its perception", 10067, 6, detail(DocTipo=80, DocNro=23_000_000_000, CondicionIVAReceptorId=7)
    ),
    _observed("uncategorised, without its perception", 10283, 6, detail(CondicionIVAReceptorId=7)),
)
_CURRENCY: Final = (
    _refused("no currency that there is", 10037, 6, detail(MonId="ARS")),
    _refused("no rate", 10038, 6, detail(MonId="DOL", MonCotiz=0)),
    _refused("paid in dollars at another rate", 10038, 6, detail(MonId="DOL", MonCotiz=1480, CanMisMonExt="S")),
    _refused("pesos at two", 10039, 6, detail(MonCotiz=2)),
    _refused("a fiftieth of the rate", 10119, 6, detail(MonId="DOL", MonCotiz=29)),
    _refused("more than four times the rate", 10119, 6, detail(MonId="DOL", MonCotiz=5923)),
    _refused("neither S nor N", 10239, 6, detail(**DOLLARS, CanMisMonExt="X")),
    _refused("pesos paid in pesos", 10241, 6, detail(CanMisMonExt="S")),
)
_AMOUNTS: Final = (
    _refused("negative not taxed", 10043, 6, detail(ImpTotConc=-1, ImpTotal=120)),
    _refused("negative base", 10044, 6, detail(ImpNeto=-100)),
    _refused("negative exempt", 10045, 6, detail(ImpOpEx=-1, ImpTotal=120)),
    _refused("negative tributes", 10046, 6, detail(ImpTrib=-1, ImpTotal=120)),
    _refused("negative VAT", 10047, 6, detail(ImpIVA=-21)),
    _refused("negative total", 10065, 6, detail(ImpTotal=-121)),
    _refused("not taxed in class C", 10043, 11, class_c(ImpTotConc=1, ImpTotal=101)),
    _refused("exempt in class C", 10045, 11, class_c(ImpOpEx=1, ImpTotal=101)),
    _refused("VAT in class C", 10047, 11, class_c(ImpIVA=21, ImpTotal=121)),
    _refused("not the sum", 10048, 6, detail(ImpTotal="121.02")),
    _refused("three decimals", 10056, 6, detail(ImpTotal="121.001")),
    _refused("a float's tail", 10056, 6, detail(ImpNeto="100.00000000000001")),
    _refused("fourteen digits", 10056, 6, detail(ImpTotal="10000000000000")),
    _refused("VAT without rates", 10018, 6, detail(Iva=[])),
    _refused("a rate that there is not", 10019, 6, detail(Iva=[(7, "100", "21")])),
    _refused("a rate on nothing", 10020, 6, detail(Iva=[(5, "0", "21")])),
    _refused("negative VAT of a rate", 10021, 6, detail(Iva=[(5, "100", "-21")])),
    _refused("a rate twice", 10022, 6, detail(Iva=[(5, "50", "10.5"), (5, "50", "10.5")])),
    _refused("VAT is not that of the rates", 10023, 6, detail(ImpTotal=122, ImpIVA=22)),
    _refused("VAT is not the rate's", 10051, 6, detail(ImpTotal=120, ImpIVA=20, Iva=[(5, "100", "20")])),
    _refused("the base is not that of the rates", 10061, 6, detail(ImpTotal=221, ImpNeto=200)),
    _refused("a base without rates", 10070, 6, detail(ImpIVA=0, ImpTotal=100, Iva=[])),
    _refused("rates in class C", 10071, 11, class_c(Iva=[(5, "100", "0")])),
    _refused("tributes not named", 10024, 6, detail(ImpTrib=1, ImpTotal=122)),
    _refused("a tribute that there is not", 10025, 6, tribute(Id=55)),
    _refused("another tribute without a name", 10026, 6, tribute(Id=99, Desc=None)),
    _refused("a tribute on less than nothing", 10027, 6, tribute(BaseImp=-1)),
    _refused("a negative tribute", 10028, 6, tribute(Importe=-1)),
    _refused("tributes are not their sum", 10029, 6, tribute(Importe=2)),
)
_NOTES: Final = (
    _refused("an invoice with an association", 10040, 6, detail(**asks(ORIGINAL))),
    _refused("a note of B on an A", 10040, 8, detail(**asks({**ORIGINAL, "Tipo": 1}))),
    _observed("a note on what nobody knows", 10041, 8, detail(**asks({**ORIGINAL, "Nro": 77}))),
    _refused("an association without a type", 10057, 8, detail(**asks({**ORIGINAL, "Tipo": 0}))),
    _refused("an association without a point of sale", 10058, 8, detail(**asks({**ORIGINAL, "PtoVta": 0}))),
    _refused("an association without a number", 10059, 8, detail(**asks({**ORIGINAL, "Nro": 0}))),
    _refused("an association twice", 10060, 8, detail(**asks(ORIGINAL, ORIGINAL))),
    _refused("an association of a wrong CUIT", 10062, 8, detail(**asks({**ORIGINAL, "Cuit": "30712345672"}))),
    _refused("a note on nothing", 10197, 8, detail()),
    _refused(
        "an invoice with a period", 10198, 6, detail(PeriodoAsoc={"FchDesde": "20261101", "FchHasta": "20261102"})
    ),
    _observed(
        "a credit above the original",
        10237,
        8,
        detail(ImpTotal=242, ImpNeto=200, ImpIVA=42, Iva=[(5, "200", "42")], **asks(ORIGINAL)),
    ),
    _refused("an FCE note without the CUIT", 10151, 203, to(COMPANY, **asks({"Tipo": 201, "PtoVta": 1, "Nro": 1}))),
    _refused("an FCE note without the date", 10158, 203, to(COMPANY, **asks({"Tipo": 201, "PtoVta": 1, "Nro": 1}))),
    _refused("an FCE without a CBU", 10165, 201, fce(SCA)),
    _refused("an FCE without its transfer", 10216, 201, fce(CBU)),
    _refused("an FCE with another transfer", 10215, 201, fce(CBU, ("27", "ABC"))),
)
PROVOCATIONS: Final = (*_HEAD, *_ISSUER, *_NUMBERS, *_DATES, *_RECEIVER, *_CURRENCY, *_AMOUNTS, *_NOTES)

GOOD: Final[tuple[tuple[str, int, Mapping[str, Any]], ...]] = (
    ("class B", 6, detail()),
    ("class A", 1, to(COMPANY)),
    ("class A with its legend", 51, to(COMPANY)),
    ("class C", 11, class_c()),
    ("services", 6, service()),
    ("both", 6, service(Concepto=3)),
    ("nobody", 6, detail(**SOMEBODY)),
    ("nobody, a cent below the threshold", 11, class_c(**SOMEBODY, ImpNeto="9999999.99", ImpTotal="9999999.99")),
    ("a range for nobody", 6, detail(**SOMEBODY, CbteHasta=3)),
    ("the last day ahead", 6, detail(CbteFch="20261125")),
    ("the last day behind", 6, detail(CbteFch="20261115")),
    ("services, the last day ahead", 6, service(CbteFch="20261130", FchVtoPago="20261130")),
    ("services, the last day behind", 6, service(CbteFch="20261110")),
    ("no date", 6, detail(CbteFch=None)),
    ("a cent off", 6, detail(ImpTotal="121.01")),
    (
        "a ten-thousandth off",
        6,
        detail(ImpTotal="12101", ImpNeto="10000", ImpIVA="2100", Iva=[(5, "10000", "2100")]),
    ),
    ("written with an exponent", 6, detail(ImpTotal="121", ImpNeto="1E+2")),
    ("exempt", 6, detail(ImpNeto=0, ImpIVA=0, ImpOpEx=121, Iva=[])),
    ("not taxed", 6, detail(ImpNeto=0, ImpIVA=0, ImpTotConc=121, Iva=[])),
    ("two rates", 6, detail(ImpTotal="231.5", ImpNeto=200, ImpIVA="31.5", Iva=[(5, "100", "21"), (4, "100", "10.5")])),
    ("a tribute", 6, tribute()),
    ("an uncategorised with the perception", 6, tribute(Id=13) | {"CondicionIVAReceptorId": 7}),
    ("dollars", 6, detail(**DOLLARS)),
    ("dollars paid in dollars", 6, detail(**DOLLARS, CanMisMonExt="S")),
    ("dollars paid in dollars, without a rate", 6, detail(MonId="DOL", MonCotiz=None, CanMisMonExt="S")),
    ("a note on a period", 8, detail(PeriodoAsoc={"FchDesde": "20261101", "FchHasta": "20261115"})),
    ("a credit", 8, detail(**asks(ORIGINAL))),
    ("a debit", 7, detail(**asks(ORIGINAL))),
    ("an FCE", 201, fce(CBU, SCA)),
    ("an FCE of tomorrow", 201, fce(CBU, SCA, CbteFch="20261121")),
)
"""Vouchers that AFIP takes without a word."""
