"""What WSFEv1 refuses and observes, rule by rule (manual for developers; RG 1415, 4291, 5616, 5700).

A rule looks at one voucher and names what is wrong by AFIP's code. The texts are our own words: clients must not match on AFIP's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from attrs import frozen

from entrypoints.sandbox.afip.fields import rows

CLASS_OF: Final = {
    **dict.fromkeys((1, 2, 3, 4), "A"),
    **dict.fromkeys((6, 7, 8, 9), "B"),
    **dict.fromkeys((11, 12, 13, 15), "C"),
    **dict.fromkeys((51, 52, 53, 54), "ALEY"),
}
NOTES: Final = frozenset({2, 3, 7, 8, 12, 13, 52, 53})
ASSOCIATED: Final = {
    **dict.fromkeys((2, 3), frozenset({1, 2, 3, 4, 5, 51, 52, 53, 54})),
    **dict.fromkeys((7, 8), frozenset({6, 7, 8, 9, 10})),
    **dict.fromkeys((12, 13), frozenset({11, 12, 13, 15})),
    **dict.fromkeys((52, 53), frozenset({1, 2, 3, 51, 52, 53, 54})),
}
RATES: Final = {
    3: Decimal(0),
    4: Decimal("10.5"),
    5: Decimal(21),
    6: Decimal(27),
    8: Decimal(5),
    9: Decimal("2.5"),
}
DOCUMENTS: Final = frozenset({80, 86, 87, 89, 90, 91, 92, 94, 96, 99})
CONDITIONS: Final = {1: "A", 6: "A", 13: "A", 16: "A", 4: "B", 5: "B", 7: "B", 8: "B", 9: "B", 10: "B", 15: "B"}
THRESHOLD: Final = Decimal(10_000_000)
CONDITION_OBLIGATORY_FROM: Final = date(2026, 12, 1)


@frozen
class Finding:
    """What a rule found; `refuses` or only observes."""

    code: int
    text: str
    refuses: bool = True


@frozen(kw_only=True)
class Case:
    """A voucher as it was read, and what it is judged against."""

    detail: Mapping[str, Any]
    type_: int
    issuer: int
    issuer_condition: str | None
    today: date
    last_number: int
    last_day: str

    @property
    def letter(self) -> str:
        return CLASS_OF[self.type_]

    def whole(self, name: str) -> int:
        return int(self.detail.get(name, 0))

    def amount(self, name: str) -> Decimal:
        return Decimal(self.detail.get(name, 0))

    def rows(self, holder: str, name: str) -> list[Mapping[str, Any]]:
        return rows(self.detail.get(holder), name)

    def day(self, name: str) -> date | None:
        return _day(self.detail.get(name))


def findings(case: Case) -> list[Finding]:
    """Return everything that AFIP would say of the voucher."""
    rules = (_issuer, _numbers, _dates, _document, _condition, _currency, _sums, _vat, _tributes, _associations)
    return [finding for rule in rules for finding in rule(case)]


def _issuer(case: Case) -> Iterator[Finding]:
    if case.issuer_condition is None:
        return
    if (case.issuer_condition == "responsable_inscripto") == (case.letter == "C"):
        yield Finding(10000, "El emisor no se encuentra autorizado a emitir comprobantes de esta clase")


def _numbers(case: Case) -> Iterator[Finding]:
    first, last = case.whole("CbteDesde"), case.whole("CbteHasta")
    if not 1 <= first <= 99_999_999:
        yield Finding(10008, "CbteDesde debe estar entre 1 y 99999999")
    if last < first:
        yield Finding(10011, "CbteHasta debe ser mayor o igual a CbteDesde")
    if last != first and (case.letter != "B" or case.amount("ImpTotal") >= THRESHOLD):
        yield Finding(10012, "Solo la clase B por debajo del tope puede informar un rango")
    if case.whole("Concepto") not in {1, 2, 3}:
        yield Finding(10030, "Concepto debe ser 1, 2 o 3")
    wrong_date = _wrong_date(case)
    if first != case.last_number + 1 or wrong_date:
        yield Finding(
            10016,
            "El numero o fecha del comprobante no se corresponde con el proximo a autorizar. "
            "Consultar metodo FECompUltimoAutorizado.",
        )


def _wrong_date(case: Case) -> bool:
    day = case.day("CbteFch")
    reach = timedelta(days=5 if case.whole("Concepto") == 1 else 10)
    return day is None or abs(day - case.today) > reach or (case.last_day != "" and f"{day:%Y%m%d}" < case.last_day)


def _dates(case: Case) -> Iterator[Finding]:
    day = case.day("CbteFch") or case.today
    if case.whole("Concepto") == 1:
        if day > case.today and (day.year, day.month) != (case.today.year, case.today.month):
            yield Finding(10152, "Una fecha futura debe ser del mismo mes")
        if case.detail.get("FchServDesde") or case.detail.get("FchServHasta"):
            yield Finding(10049, "Las fechas de servicio no corresponden al concepto 1")
        return
    since, until, due = case.day("FchServDesde"), case.day("FchServHasta"), case.day("FchVtoPago")
    if since is None:
        yield Finding(10031, "FchServDesde es obligatoria para servicios")
    if until is None:
        yield Finding(10032, "FchServHasta es obligatoria para servicios")
    if since and until and since > until:
        yield Finding(10033, "FchServDesde no puede ser posterior a FchServHasta")
    if due is None:
        yield Finding(10035, "FchVtoPago es obligatoria para servicios")
    elif due < day:
        yield Finding(10036, "FchVtoPago no puede ser anterior a la fecha del comprobante")


def _document(case: Case) -> Iterator[Finding]:
    kind, number = case.whole("DocTipo"), case.whole("DocNro")
    if case.letter in {"A", "ALEY"} and kind != 80:
        yield Finding(10013, "Para la clase A el DocTipo debe ser 80 (CUIT)")
    if kind not in DOCUMENTS:
        yield Finding(10015, "DocTipo invalido")
    elif kind == 99:
        if number != 0:
            yield Finding(10015, "Para DocTipo 99 el DocNro debe ser 0")
        if case.amount("ImpTotal") * (case.amount("MonCotiz") or 1) >= THRESHOLD:
            yield Finding(10015, "Desde el tope vigente el consumidor final debe identificarse")
    elif number <= 0:
        yield Finding(10015, "DocNro invalido")
    elif kind in {80, 86} and not _is_cuit(number):
        yield Finding(10015, "DocNro no es una CUIT o CUIL valida")
    if kind == 80 and number == case.issuer:
        yield Finding(10069, "El receptor no puede ser el emisor")


def _condition(case: Case) -> Iterator[Finding]:
    if not case.detail.get("CondicionIVAReceptorId"):
        obligatory = case.today >= CONDITION_OBLIGATORY_FROM
        yield Finding(
            10246 if obligatory else 10245,
            "El campo Condicion IVA del receptor es obligatorio (RG 5616)",
            refuses=obligatory,
        )
        return
    condition = case.whole("CondicionIVAReceptorId")
    if condition not in CONDITIONS:
        yield Finding(10242, "Condicion IVA del receptor invalida. Consulte FEParamGetCondicionIvaReceptor")
    elif case.letter != "C" and CONDITIONS[condition] != case.letter[0]:
        yield Finding(10243, "Condicion IVA del receptor invalida para la clase de comprobante")
    elif case.letter == "A" and condition == 6:
        yield Finding(10217, "El receptor es monotributista: corresponde la leyenda de la Ley 27.618", refuses=False)


def _currency(case: Case) -> Iterator[Finding]:
    currency = case.detail.get("MonId")
    if currency not in {"PES", "DOL", "060", "012", "011", "033", "021"}:
        yield Finding(10037, "MonId invalido")
    elif currency == "PES" and case.amount("MonCotiz") != 1:
        yield Finding(10039, "Para PES la cotizacion debe ser 1")
    elif case.amount("MonCotiz") <= 0 and case.detail.get("CanMisMonExt") != "S":
        yield Finding(10038, "MonCotiz debe ser mayor a 0")


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
    if not _near(case.amount("ImpTotal"), total):
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
        if not _written_in_cents(base) or not _written_in_cents(amount):
            yield Finding(10056, "BaseImp e Importe admiten 13 enteros y 2 decimales")
        if case.type_ not in NOTES and not _near(amount, base * RATES[id_] / 100):
            yield Finding(10051, "El importe de IVA no corresponde a la base y la alicuota")
    if lines and not _near(case.amount("ImpIVA"), _total(lines, "Importe"), times=len(lines)):
        yield Finding(10023, "ImpIVA no es la suma de las alicuotas")
    if (
        case.type_ not in NOTES
        and lines
        and not _near(case.amount("ImpNeto"), _total(lines, "BaseImp"), times=len(lines))
    ):
        yield Finding(10061, "La suma de las bases no coincide con ImpNeto")


def _tributes(case: Case) -> Iterator[Finding]:
    lines = case.rows("Tributos", "Tributo")
    if case.amount("ImpTrib") and not lines:
        yield Finding(10024, "Si ImpTrib es mayor a 0 es obligatorio informar Tributos")
    if lines and not _near(case.amount("ImpTrib"), _total(lines, "Importe"), times=len(lines)):
        yield Finding(10029, "ImpTrib no es la suma de los tributos")


def _associations(case: Case) -> Iterator[Finding]:
    associated = case.rows("CbtesAsoc", "CbteAsoc")
    period = case.detail.get("PeriodoAsoc")
    if case.type_ in NOTES:
        if not associated and not period:
            yield Finding(10197, "Las notas deben informar CbtesAsoc o PeriodoAsoc")
        if any(each.get("Tipo") not in ASSOCIATED[case.type_] for each in associated):
            yield Finding(10040, "Tipo de comprobante asociado invalido")
    elif associated:
        yield Finding(10040, "El comprobante no admite asociados")
    if period and case.type_ not in NOTES:
        yield Finding(10198, "PeriodoAsoc solo corresponde a notas")


def _near(sent: Decimal, expected: Decimal, *, times: int = 1) -> bool:
    """Accept an absolute error of a cent (times the rows added up) or a relative one of 0.01 %."""
    error = abs(sent - expected)
    return error <= Decimal("0.01") * max(1, times) or (expected != 0 and error / abs(expected) <= Decimal("0.0001"))


def _written_in_cents(amount: Decimal) -> bool:
    return abs(amount) < 10**13 and amount == amount.quantize(Decimal("0.01"))


def _total(lines: list[Mapping[str, Any]], name: str) -> Decimal:
    return sum((line.get(name, Decimal(0)) for line in lines), Decimal(0))


def _day(value: Any) -> date | None:
    try:
        return datetime.strptime(str(value or ""), "%Y%m%d").date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        return None


def _is_cuit(number: int) -> bool:
    digits = f"{number:011}"
    if len(digits) != 11:
        return False
    total = sum(int(d) * w for d, w in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    return int(digits[-1]) == {11: 0, 10: 9}.get(11 - total % 11, 11 - total % 11)
