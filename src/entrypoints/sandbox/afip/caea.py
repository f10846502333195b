"""CAEA: a code asked for half a month in advance, and the report of where it was not used (RG 5782: a contingency).

Vouchers under a CAEA are judged beside those that ask for a CAE.
"""

from __future__ import annotations

import calendar
import secrets
from datetime import date, datetime, timedelta
from typing import Final

from entrypoints.sandbox.afip.errors import NOTHING, errors
from entrypoints.sandbox.afip.fields import Tree, short, text, whole
from entrypoints.sandbox.afip.state import AfipState, Caea
from entrypoints.sandbox.afip.wsaa import ARGENTINA

_AHEAD: Final = timedelta(days=5)
_REPORT: Final = timedelta(days=8)


def ask(state: AfipState, cuit: int, request: Tree, at: datetime) -> Tree:
    """FECAEASolicitar: give a code, one for each half of a month."""
    period, half = whole(request.get("Periodo")), short(request.get("Orden"))
    wrong = _wrong(period, half)
    empty: Tree = {"ResultGet": {"Periodo": 0, "Orden": 0}}
    if wrong:
        return {**empty, **wrong}
    since, until = _half(period, half)
    now = at.astimezone(ARGENTINA)
    if not since - _AHEAD <= now.date() <= until:
        return errors(15006, f"La fecha de envio debe estar entre {since - _AHEAD:%d/%m/%Y} y {until:%d/%m/%Y}")
    with state.transaction():
        if state.caea(cuit, period, half):
            return {**empty, **errors(15008, "Existe un CAEA otorgado para la CUIT, el periodo y el orden informados")}
        given = Caea(
            cuit=cuit,
            period=period,
            half=half,
            caea=f"{secrets.randbelow(9 * 10**13) + 10**13}",
            since=f"{since:%Y%m%d}",
            until=f"{until:%Y%m%d}",
            report_by=f"{until + _REPORT:%Y%m%d}",
            processed=f"{now:%Y%m%d%H%M%S}",
        )
        state.give_caea(given)
    return {"ResultGet": _shown(given)}


def consult(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    """FECAEAConsultar: tell again what was given for half a month."""
    period, half = whole(request.get("Periodo")), short(request.get("Orden"))
    found = state.caea(cuit, period, half)
    if found:
        return {"ResultGet": _shown(found)}
    return {"ResultGet": {"Periodo": period, "Orden": half}, **(_wrong(period, half) or errors(602, NOTHING))}


def report_unused(state: AfipState, cuit: int, request: Tree, at: datetime) -> Tree:
    """FECAEASinMovimientoInformar: take note that a point of sale did not use a code."""
    point, named = whole(request.get("PtoVta")), text(request.get("CAEA"))
    processed = f"{at.astimezone(ARGENTINA):%Y%m%d}"
    answer: Tree = {"CAEA": named, "FchProceso": processed, "PtoVta": point, "Resultado": "R"}
    with state.transaction():
        if not state.caea_named(cuit, named):
            return {**answer, **errors(1200, "El codigo de autorizacion debe ser del tipo CAEA")}
        if not state.usable(cuit, point, "CAEA"):
            return {**answer, **errors(10005, "El punto de venta no se encuentra registrado para CAEA")}
        if state.caea_used(cuit, named, point):
            return {**answer, **errors(1200, "El CAEA tiene comprobantes informados en ese punto de venta")}
        state.note_unused(named, point, processed)
    return {**answer, "Resultado": "A"}


def consult_unused(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    """FECAEASinMovimientoConsultar: tell where a code was reported as not used; point of sale 0 means all."""
    point, named = whole(request.get("PtoVta")), text(request.get("CAEA"))
    if not state.caea_named(cuit, named):
        return errors(1200, "El codigo de autorizacion debe ser del tipo CAEA")
    found = [
        {"CAEA": named, "FchProceso": processed, "PtoVta": number} for number, processed in state.unused(named, point)
    ]
    return {"ResultGet": {"FECAEASinMov": found}} if found else errors(602, NOTHING)


def _wrong(period: int, half: int) -> Tree | None:
    if not (2000_00 < period < 2100_00 and 1 <= period % 100 <= 12):
        return errors(15004, "El campo <Periodo> debe tener el formato AAAAMM")
    return None if half in {1, 2} else errors(15007, "Orden incorrecto.")


def _half(period: int, half: int) -> tuple[date, date]:
    year, month = divmod(period, 100)
    if half == 1:
        return date(year, month, 1), date(year, month, 15)
    return date(year, month, 16), date(year, month, calendar.monthrange(year, month)[1])


def _shown(given: Caea) -> Tree:
    return {
        "CAEA": given.caea,
        "Periodo": given.period,
        "Orden": given.half,
        "FchVigDesde": given.since,
        "FchVigHasta": given.until,
        "FchTopeInf": given.report_by,
        "FchProceso": given.processed,
    }
