"""What WSFEv1 refuses and observes, rule by rule (manual for developers; RG 1415, 4291, 4367, 5616, 5700).

A rule looks at one voucher and names what is wrong by AFIP's code. The texts are our own words, but for two that clients are known
to show: clients must not match on AFIP's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Protocol

from attrs import field, frozen

from entrypoints.sandbox.afip.fields import rows
from entrypoints.sandbox.afip.state import Caea, Issuer, Rules, Taxpayer, Voucher
from entrypoints.sandbox.afip.tables import (
    ASSOCIATED,
    CLASS_OF,
    CONDITIONS,
    CREDITS,
    CURRENCIES,
    DOCUMENTS,
    FCE_INVOICES,
    FCE_NOTES,
    NOTES,
    RATES,
    SIMPLE_REGIME,
    TRIBUTES,
)

UNCATEGORISED: Final = 23_000_000_000
"""The CUIT that stands for whoever has none."""
_ASK_LAST: Final = "Consultar metodo FECompUltimoAutorizado."
WRONG_NUMBER: Final = f"El numero o fecha del comprobante no se corresponde con el proximo a autorizar. {_ASK_LAST}"
_DAY: Final = re.compile("[0-9]{8}")
_CENT: Final = Decimal("0.01")
_NO_RATE_CHECK: Final = frozenset({2, 3, 7, 8, 52, 53})
_NO_BASE_CHECK: Final = frozenset({2, 3, 7, 8})
_COMMON_INVOICES: Final = frozenset({1, 6, 11, 51})


class Books(Protocol):
    """Where a rule looks things up."""

    @property
    def rules(self) -> Rules:
        """The amounts, dates and rates in force."""

    def taxpayer(self, cuit: int) -> Taxpayer | None:
        """Return what the register has of a CUIT, or None."""

    def find(self, cuit: int, point: int, type_: int, number: int) -> Voucher | None:
        """Return an authorised voucher, or None."""


@frozen
class Finding:
    """What a rule found; `refuses` or only observes. `of_request`: AFIP says it in `Errors` and not beside the voucher."""

    code: int
    text: str
    refuses: bool = True
    of_request: bool = False


@frozen(kw_only=True)
class Case:
    """A voucher as it was read, and what it is judged against. With a `caea` it is reported and not asked for."""

    detail: Mapping[str, Any]
    type_: int
    issuer: int
    known: Issuer = field(factory=Issuer)
    today: date
    last_number: int
    last_day: str
    books: Books
    caea: Caea | None = None

    @property
    def letter(self) -> str:
        return CLASS_OF[self.type_][0]

    @property
    def fce(self) -> bool:
        return self.type_ in FCE_INVOICES | FCE_NOTES

    def whole(self, name: str) -> int:
        return int(self.detail.get(name, 0))

    def amount(self, name: str) -> Decimal:
        return Decimal(self.detail.get(name, 0))

    def rows(self, holder: str, name: str) -> list[Mapping[str, Any]]:
        return rows(self.detail.get(holder), name)

    def day(self, name: str) -> date | None:
        return _day(self.detail.get(name))

    @property
    def total_in_pesos(self) -> Decimal:
        rate = self.amount("MonCotiz") or Decimal(self.books.rules.rates.get(str(self.detail.get("MonId")), 1))
        return self.amount("ImpTotal") * rate


def findings(case: Case) -> list[Finding]:
    """Return everything that AFIP would say of the voucher; of one that is not next in its series it says no more than that."""
    about_numbers = list(_numbers(case))
    if any(each.of_request for each in about_numbers):
        return about_numbers
    rules = (
        _issuer,
        _dates,
        _service,
        _document,
        _receiver,
        _condition,
        _currency,
        _sums,
        _vat,
        _tributes,
        _associations,
        _optionals,
    )
    return [*about_numbers, *(finding for rule in rules for finding in rule(case))]


def _issuer(case: Case) -> Iterator[Finding]:
    known = case.known
    wrong_class = known.vat_condition is not None and (known.vat_condition == "responsable_inscripto") == (
        case.letter == "C"
    )
    if wrong_class or (known.class_a_denied and CLASS_OF[case.type_] == "A"):
        yield Finding(10000, "El emisor no se encuentra autorizado a emitir comprobantes de esta clase")
    if known.class_a_pending and case.letter == "A":
        yield Finding(10234, "La habilitacion para emitir comprobantes clase A esta pendiente", refuses=False)
    if known.category_exceeded and case.letter == "C":
        yield Finding(10235, "El emisor supera los ingresos de la maxima categoria del monotributo", refuses=False)


def _numbers(case: Case) -> Iterator[Finding]:
    first, last = case.whole("CbteDesde"), case.whole("CbteHasta")
    if not 1 <= first <= 99_999_999:
        yield Finding(10008, "CbteDesde debe estar entre 1 y 99999999")
    if not 1 <= last <= 99_999_999:
        yield Finding(10010, "CbteHasta debe estar entre 1 y 99999999")
    if last < first:
        yield Finding(10011, "CbteHasta debe ser mayor o igual a CbteDesde")
    elif last > first:
        if case.letter != "B" or case.fce:
            yield Finding(10012, "Solo la clase B puede informar un rango de comprobantes")
        elif (case.whole("DocTipo"), case.whole("DocNro")) != (99, 0) or _identifies(case):
            yield Finding(10014, "Un rango solo corresponde a consumidores finales sin identificar, debajo del tope")
    if case.whole("Concepto") not in {1, 2, 3}:
        yield Finding(10030, "Concepto debe ser 1, 2 o 3")
    day = case.detail.get("CbteFch", "")
    if first != case.last_number + 1 or (case.last_day != "" and _day(day) and day < case.last_day):
        yield Finding(10016, WRONG_NUMBER, of_request=True)


def _dates(case: Case) -> Iterator[Finding]:
    day = case.day("CbteFch")
    if case.caea is not None:
        if day is None or not case.caea.since <= f"{day:%Y%m%d}" <= case.caea.until:
            yield Finding(10016, "CbteFch debe estar dentro de la vigencia del CAEA")
        return
    if case.fce:
        behind, ahead = 5, 0 if case.type_ in FCE_NOTES else 1
    else:
        behind = ahead = 5 if case.whole("Concepto") == 1 else 10
    if day is None or not case.today - timedelta(days=behind) <= day <= case.today + timedelta(days=ahead):
        yield Finding(10016, f"CbteFch debe estar comprendida entre N-{behind} y N+{ahead}, siendo N la fecha de envio")
    elif (
        case.whole("Concepto") == 1
        and day > case.today
        and (day.year, day.month) != (case.today.year, case.today.month)
    ):
        yield Finding(10152, "Una fecha futura debe ser del mismo mes que la de envio")


def _service(case: Case) -> Iterator[Finding]:
    day = case.day("CbteFch") or case.today
    since, until, due = case.day("FchServDesde"), case.day("FchServHasta"), case.day("FchVtoPago")
    if case.whole("Concepto") in {2, 3}:
        if since is None:
            yield Finding(10031, "FchServDesde es obligatoria para servicios, con el formato aaaammdd")
        if until is None:
            yield Finding(10032, "FchServHasta es obligatoria para servicios, con el formato aaaammdd")
        if since and until and since > until:
            yield Finding(10033, "FchServDesde no puede ser posterior a FchServHasta")
        if due is None and case.type_ not in FCE_NOTES:
            yield Finding(10035, "FchVtoPago es obligatoria para servicios, con el formato aaaammdd")
    elif case.detail.get("FchServDesde") or case.detail.get("FchServHasta"):
        yield Finding(10049, "Las fechas de servicio no corresponden al concepto 1")
    elif case.detail.get("FchVtoPago") and not case.fce:
        yield Finding(10049, "FchVtoPago no corresponde al concepto 1")
    if case.type_ in FCE_INVOICES and due is None:
        yield Finding(10163, "FchVtoPago es obligatoria para una Factura de Credito")
    if due is not None and due < day:
        yield Finding(10036, "FchVtoPago no puede ser anterior a la fecha del comprobante")


def _identifies(case: Case) -> bool:
    """Whether the total obliges to say who the buyer is."""
    return case.total_in_pesos >= case.books.rules.threshold(case.day("CbteFch") or case.today)


def _document(case: Case) -> Iterator[Finding]:
    kind, number = case.whole("DocTipo"), case.whole("DocNro")
    if case.letter == "A" and kind != 80:
        yield Finding(10013, "Para la clase A el DocTipo debe ser 80 (CUIT)")
    if kind not in DOCUMENTS:
        yield Finding(10015, "DocTipo invalido")
    elif kind == 99:
        if number != 0:
            yield Finding(10015, "Para DocTipo 99 el DocNro debe ser 0")
        if case.letter != "A" and _identifies(case) and case.whole("CbteDesde") == case.whole("CbteHasta"):
            yield Finding(10015, "Desde el tope vigente el consumidor final debe identificarse")
    elif number <= 0:
        yield Finding(10015, "DocNro invalido")
    elif kind in {80, 86, 87} and not is_cuit(number):
        yield Finding(10015, "DocNro no se encuentra registrado en los padrones")
        if kind == 80:
            yield Finding(10284, "DocNro no es una CUIT valida")
    if kind == 80 and number == case.issuer:
        yield Finding(10069, "El receptor no puede ser el emisor")


def _receiver(case: Case) -> Iterator[Finding]:
    """Hold the receiver's CUIT against the register."""
    if case.whole("DocTipo") != 80 or not is_cuit(case.whole("DocNro")):
        return
    receiver = case.books.taxpayer(case.whole("DocNro"))
    if receiver is None:
        return
    credit = case.type_ in CREDITS
    match receiver.status:
        case "nonexistent":
            yield Finding(10238, "La CUIT del receptor no existe", refuses=False)
        case "deceased":
            yield Finding(10249, "El receptor figura como fallecido", refuses=False)
        case "fictitious":
            yield Finding(10195, "El receptor figura en la base de apocrifos")
        case "inactive":
            yield Finding(10247, "La CUIT del receptor esta inactiva", refuses=not credit)
        case "untrusted":
            yield Finding(10248, "La CUIT del receptor no es confiable", refuses=not credit)
        case "no_vat" if case.letter == "A":
            yield Finding(10017, "El receptor no se encuentra activo en el impuesto", refuses=False)
    if case.letter == "A" and receiver.vat_condition in {"exento", "consumidor_final", "no_categorizado"}:
        yield Finding(10063, "El receptor no es responsable inscripto ni monotributista", refuses=False)
    if case.type_ in _COMMON_INVOICES and case.total_in_pesos >= Decimal(case.books.rules.fce_from):
        if receiver.fce == "obligatory" and case.known.small:
            yield Finding(10192, "No es un comprobante valido bajo el regimen de la Ley 27.440: debe ser una FCE")
        elif receiver.fce == "optional":
            yield Finding(10188, "El receptor puede recibir una FCE", refuses=False)


def _condition(case: Case) -> Iterator[Finding]:
    receiver = case.books.taxpayer(case.whole("DocNro")) if case.whole("DocTipo") == 80 else None
    simple = receiver is not None and receiver.vat_condition == "monotributo"
    condition = case.whole("CondicionIVAReceptorId")
    if not condition:
        obligatory = case.today >= date.fromisoformat(case.books.rules.condition_obligatory_from)
        yield Finding(
            10246 if obligatory else 10245,
            "El campo Condicion IVA del receptor es obligatorio (RG 5616)",
            refuses=obligatory,
        )
    elif condition not in CONDITIONS:
        yield Finding(10242, "Condicion IVA del receptor invalida. Consulte FEParamGetCondicionIvaReceptor")
    elif case.letter not in {"C", CONDITIONS[condition][1]}:
        yield Finding(10243, "Condicion IVA del receptor invalida para la clase de comprobante")
    else:
        simple = simple or condition in SIMPLE_REGIME
        uncategorised = case.letter == "B" and not any(
            each.get("Id") == 13 for each in case.rows("Tributos", "Tributo")
        )
        if uncategorised and case.whole("DocNro") == UNCATEGORISED:
            yield Finding(10067, "A un no categorizado corresponde informar el tributo 13 (percepcion de IVA)")
        elif uncategorised and condition == 7:
            yield Finding(10283, "A un no categorizado corresponde el tributo 13 (percepcion de IVA)", refuses=False)
    if simple and case.letter == "A":
        yield Finding(10217, "El receptor es monotributista: corresponde la leyenda de la Ley 27.618", refuses=False)


def _currency(case: Case) -> Iterator[Finding]:
    currency, same, rate = case.detail.get("MonId"), case.detail.get("CanMisMonExt", ""), case.amount("MonCotiz")
    if same not in {"", "S", "N"}:
        yield Finding(10239, "CanMisMonExt debe ser S o N")
    if currency not in CURRENCIES:
        yield Finding(10037, "MonId invalido")
        return
    if currency == "PES":
        if rate != 1:
            yield Finding(10039, "Para PES la cotizacion debe ser 1")
        if same == "S":
            yield Finding(10241, "CanMisMonExt no corresponde a PES")
        return
    known = case.books.rules.rates.get(currency)
    if same == "S":
        if "MonCotiz" in case.detail and (known is None or rate != Decimal(known)):
            yield Finding(
                10038, "Con CanMisMonExt = S la cotizacion debe ser la del dia habil anterior, o no informarse"
            )
    elif rate <= 0:
        yield Finding(10038, "MonCotiz debe ser mayor a 0")
    elif known is not None and not Decimal(known) / 50 <= rate <= Decimal(known) * 4:
        yield Finding(10119, "MonCotiz debe estar entre el 2 % y el 400 % de la cotizacion de referencia")


def _sums(case: Case) -> Iterator[Finding]:
    codes = {
        "ImpTotConc": 10043,
        "ImpNeto": 10044,
        "ImpOpEx": 10045,
        "ImpTrib": 10046,
        "ImpIVA": 10047,
        "ImpTotal": 10065,
    }
    for name, code in codes.items():
        amount = case.amount(name)
        if amount < 0:
            yield Finding(code, f"{name} no puede ser negativo")
        if not _written_in_cents(amount):
            yield Finding(10056, f"{name} admite 13 enteros y 2 decimales")
    if case.letter == "C":
        for name in ("ImpTotConc", "ImpOpEx", "ImpIVA"):
            if case.amount(name):
                yield Finding(codes[name], f"{name} debe ser 0 para la clase C")
    total = sum((case.amount(name) for name in codes if name != "ImpTotal"), Decimal(0))
    if not near(case.amount("ImpTotal"), total):
        yield Finding(10048, "ImpTotal no es la suma de sus componentes")


def _vat(case: Case) -> Iterator[Finding]:
    lines = case.rows("Iva", "AlicIva")
    if case.letter == "C":
        if lines:
            yield Finding(10071, "Para la clase C no debe informarse Iva")
        return
    if not lines and case.amount("ImpIVA") > 0:
        yield Finding(10018, "Si ImpIVA es mayor a 0 es obligatorio informar Iva")
    elif not lines and case.amount("ImpNeto") > 0:
        yield Finding(10070, "Si ImpNeto es mayor a 0 es obligatorio informar Iva")
    yield from _rates(case, lines)
    if not lines:
        return
    if not near(case.amount("ImpIVA"), _total(lines, "Importe"), times=len(lines)):
        yield Finding(10023, "ImpIVA no es la suma de las alicuotas")
    if case.type_ not in _NO_BASE_CHECK and not near(
        case.amount("ImpNeto"), _total(lines, "BaseImp"), times=len(lines)
    ):
        yield Finding(10061, "La suma de las bases no coincide con ImpNeto")


def _rates(case: Case, lines: list[Mapping[str, Any]]) -> Iterator[Finding]:
    seen: set[int] = set()
    for line in lines:
        id_, base, amount = line.get("Id", 0), line.get("BaseImp", Decimal(0)), line.get("Importe", Decimal(0))
        if id_ not in RATES:
            yield Finding(10019, "Id de alicuota invalido")
            continue
        if id_ in seen:
            yield Finding(10022, "Las alicuotas no deben repetirse")
        seen.add(id_)
        if base <= 0:
            yield Finding(10020, "BaseImp debe ser mayor a 0")
        if amount < 0:
            yield Finding(10021, "El importe de IVA no puede ser negativo")
        if not _written_in_cents(base) or not _written_in_cents(amount):
            yield Finding(10056, "BaseImp e Importe admiten 13 enteros y 2 decimales")
        if case.type_ not in _NO_RATE_CHECK and not near(amount, base * RATES[id_] / 100):
            yield Finding(10051, "El importe de IVA no corresponde a la base y la alicuota")


def _tributes(case: Case) -> Iterator[Finding]:
    lines = case.rows("Tributos", "Tributo")
    if case.amount("ImpTrib") and not lines:
        yield Finding(10024, "Si ImpTrib es mayor a 0 es obligatorio informar Tributos")
    for line in lines:
        if line.get("Id") not in TRIBUTES:
            yield Finding(10025, "Id de tributo invalido")
        if line.get("Id") == 99 and not line.get("Desc"):
            yield Finding(10026, "Para el tributo 99 es obligatoria la descripcion")
        if line.get("BaseImp", 0) < 0 or line.get("Alic", 0) < 0:
            yield Finding(10027, "La base y la alicuota de un tributo no pueden ser negativas")
        if line.get("Importe", 0) < 0:
            yield Finding(10028, "El importe de un tributo no puede ser negativo")
        if not all(_written_in_cents(line.get(name, Decimal(0))) for name in ("BaseImp", "Alic", "Importe")):
            yield Finding(10056, "Los valores de un tributo admiten 2 decimales")
    if lines and not near(case.amount("ImpTrib"), _total(lines, "Importe"), times=len(lines)):
        yield Finding(10029, "ImpTrib no es la suma de los tributos")


def _associations(case: Case) -> Iterator[Finding]:
    associated = case.rows("CbtesAsoc", "CbteAsoc")
    period = case.detail.get("PeriodoAsoc")
    if case.type_ not in NOTES:
        if associated:
            yield Finding(10040, "El comprobante no admite asociados")
        if period:
            yield Finding(10198, "PeriodoAsoc solo corresponde a notas")
        return
    since, until = (_day((period or {}).get(name)) for name in ("FchDesde", "FchHasta"))
    dated = since is not None and until is not None and since <= until
    if not associated and (not dated or case.fce):
        yield Finding(10197, "Las notas deben informar CbtesAsoc o PeriodoAsoc")
    for each in associated:
        yield from _malformed(case, each)
    names = [tuple(each.get(name, 0) for name in ("Tipo", "PtoVta", "Nro")) for each in associated]
    if len(set(names)) < len(names):
        yield Finding(10060, "Los comprobantes asociados no deben repetirse")
    originals = [
        case.books.find(int(each["Cuit"]) if _digits(each.get("Cuit")) else case.issuer, point, type_, number)
        for each, (type_, point, number) in zip(associated, names, strict=True)
    ]
    if not all(originals):
        yield Finding(10041, "El comprobante asociado no se encuentra registrado", refuses=False)
    elif originals and case.type_ in CREDITS:
        left = sum((Decimal(each.body.get("ImpTotal", 0)) for each in originals if each), Decimal(0))
        if case.amount("ImpTotal") > left:
            yield Finding(10237, "El credito supera el total de los comprobantes asociados", refuses=False)


def _malformed(case: Case, each: Mapping[str, Any]) -> Iterator[Finding]:
    type_ = each.get("Tipo", 0)
    if type_ <= 0:
        yield Finding(10057, "Tipo del comprobante asociado invalido")
    elif type_ not in ASSOCIATED[case.type_]:
        yield Finding(10040, "Tipo de comprobante asociado no permitido para el que se autoriza")
    if not 1 <= each.get("PtoVta", 0) <= 99_998:
        yield Finding(10058, "PtoVta del comprobante asociado debe estar entre 1 y 99998")
    if not 1 <= each.get("Nro", 0) <= 99_999_999:
        yield Finding(10059, "Nro del comprobante asociado debe estar entre 1 y 99999999")
    cuit, day = each.get("Cuit", ""), each.get("CbteFch", "")
    if (cuit and not (_digits(cuit) and is_cuit(int(cuit)))) or (day and _day(day) is None):
        yield Finding(10062, "Cuit o fecha del comprobante asociado invalidos")
    if case.fce and not cuit:
        yield Finding(10151, "Para notas FCE es obligatoria la Cuit del comprobante asociado")
    if case.fce and not day:
        yield Finding(10158, "Para notas FCE es obligatoria la fecha del comprobante asociado")


def _optionals(case: Case) -> Iterator[Finding]:
    if case.type_ not in FCE_INVOICES:
        return
    sent = {str(each.get("Id", "")): str(each.get("Valor", "")) for each in case.rows("Opcionales", "Opcional")}
    if not re.fullmatch(r"[0-9]{22}", sent.get("2101", "")):
        yield Finding(10165, "El opcional 2101 debe ser una CBU de 22 digitos")
    if "27" not in sent:
        yield Finding(10216, "Para una factura FCE es obligatorio el opcional 27")
    elif sent["27"] not in {"SCA", "ADC"}:
        yield Finding(10215, "El opcional 27 debe ser SCA o ADC")


def near(sent: Decimal, expected: Decimal, *, times: int = 1) -> bool:
    """Accept an absolute error of a cent (times the rows added up) or a relative one of 0.01 %; what is expected is rounded half even."""
    rounded = expected.quantize(_CENT, ROUND_HALF_EVEN)
    error = abs(sent - rounded)
    return error <= _CENT * max(1, times) or (rounded != 0 and error / abs(rounded) <= Decimal("0.0001"))


def is_cuit(number: int) -> bool:
    """Whether a number has eleven digits of which the last one checks the others."""
    digits = str(number)
    if len(digits) != 11 or number < 0:
        return False
    total = sum(int(d) * w for d, w in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    return int(digits[-1]) == {11: 0, 10: 9}.get(11 - total % 11, 11 - total % 11)


def _written_in_cents(amount: Decimal) -> bool:
    return abs(amount) < 10**13 and amount == amount.quantize(_CENT)


def _total(lines: list[Mapping[str, Any]], name: str) -> Decimal:
    return sum((line.get(name, Decimal(0)) for line in lines), Decimal(0))


def _digits(value: Any) -> bool:
    return re.fullmatch(r"[0-9]{11}", str(value or "")) is not None


def _day(value: Any) -> date | None:
    text = str(value or "")
    if not _DAY.fullmatch(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
