"""WSFEv1: the operations, each from a request's tree to an answer's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from entrypoints.sandbox.afip import caea
from entrypoints.sandbox.afip.errors import NOTHING, errors
from entrypoints.sandbox.afip.faults import EXPIRED, Fault
from entrypoints.sandbox.afip.fields import Tree, long, rows, text, voucher, whole, written
from entrypoints.sandbox.afip.rules import WRONG_NUMBER, Case, Finding, findings
from entrypoints.sandbox.afip.state import AfipState, Caea, Voucher
from entrypoints.sandbox.afip.tables import CLASS_OF, CONDITIONS, LISTS, classes_of
from entrypoints.sandbox.afip.wsaa import ARGENTINA, holder_of

NAMESPACE: Final = "http://ar.gov.afip.dif.FEV1/"
_NUMBERS: Final[Mapping[str, Tree]] = {
    "FECompUltimoAutorizado": {"PtoVta": 0, "CbteTipo": 0, "CbteNro": 0},
    "FECompTotXRequest": {"RegXReq": 0},
}
_DRESS: Final = ("FchServDesde", "FchServHasta", "FchVtoPago")
"""Dates that an answer shows empty where none was sent."""


def answer(state: AfipState, operation: str, request: Tree, *, at: datetime, fault: Fault | None = None) -> Tree | None:
    """Return an operation's result, or None for an operation that we do not have; raise `WrongType`."""
    result = _answer(state, operation, request, at=at, fault=fault)
    # A number that must be there is there, also beside an error.
    return None if result is None else {**_NUMBERS.get(operation, {}), **result}


def _answer(state: AfipState, operation: str, request: Tree, *, at: datetime, fault: Fault | None) -> Tree | None:
    if operation not in operations():
        return None
    if fault is not None and fault.kind == "error":
        if fault.after_effect:
            _answer(state, operation, request, at=at, fault=None)
        return errors(int(fault.code), fault.text)
    if operation == "FEDummy":
        return {"AppServer": "OK", "DbServer": "OK", "AuthServer": "OK"}
    if fault is not None and fault.kind == "expired_token":
        return errors(int(EXPIRED), "ValidacionDeToken: No validaron las fechas del token GenTime, ExpTime, NowUTC")
    auth = request.get("Auth")
    if not isinstance(auth, dict):
        return errors(500, "Campo Auth no fue ingresado o esta mal formado.")
    cuit = long(auth.get("Cuit"))
    holder = holder_of(state, text(auth.get("Token")), text(auth.get("Sign")), at=at)
    if isinstance(holder, str):
        return errors(600, holder)
    if cuit not in holder.cuits:
        return errors(600, "ValidacionDeToken: No apareció CUIT en lista de relaciones")
    if operation in LISTS:
        name, table = LISTS[operation]
        dates = {} if name == "PaisTipo" else {"FchDesde": "20100917", "FchHasta": "NULL"}
        return {"ResultGet": {name: [{"Id": id_, "Desc": named, **dates} for id_, named in table.items()]}}
    if operation == "FECAESolicitar" and fault is not None:
        return _request(state, cuit, request, at, ordered=Finding(int(fault.code), fault.text))
    return _OPERATIONS[operation](state, cuit, request, at)


def _last(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    point, type_ = whole(request.get("PtoVta")), whole(request.get("CbteTipo"))
    if not 1 <= point <= 99998:
        return errors(11000, "PtoVta debe estar entre 1 y 99998")
    if type_ not in CLASS_OF:
        return errors(11001, "CbteTipo invalido. Consulte FEParamGetTiposCbte")
    if not any(state.usable(cuit, point, kind) for kind in ("CAE", "CAEA")):
        return errors(11002, "El punto de venta no se encuentra habilitado a usar en el presente ws")
    return {"PtoVta": point, "CbteTipo": type_, "CbteNro": state.last(cuit, point, type_)[0]}


def _consult(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    wanted = request.get("FeCompConsReq")
    if not isinstance(wanted, dict):
        return errors(10104, "FeCompConsReq no fue ingresado o esta mal formado")
    point, type_, number = whole(wanted.get("PtoVta")), whole(wanted.get("CbteTipo")), long(wanted.get("CbteNro"))
    if not 1 <= point <= 99998:
        return errors(10200, "PtoVta debe estar entre 1 y 99998")
    if type_ not in CLASS_OF:
        return errors(10201, "CbteTipo invalido. Consulte FEParamGetTiposCbte")
    if not 1 <= number <= 99_999_999:
        return errors(10202, "CbteNro debe estar entre 1 y 99999999")
    found = state.find(cuit, point, type_, number)
    if found is None:
        return errors(602, NOTHING)
    shown = {**found.body}
    for name in _DRESS:
        shown.setdefault(name, "")
    order = [*_BEFORE_DATES, *_DRESS]
    body = {name: shown[name] for name in [*order, *(each for each in shown if each not in order)] if name in shown}
    for name in ("CAEA", "CbteFchHsGen"):
        body.pop(name, None)
    return {
        "ResultGet": {
            **body,
            "Resultado": "A",
            "CodAutorizacion": found.cae,
            "EmisionTipo": found.kind,
            "FchVto": found.due,
            "FchProceso": found.processed,
            "Observaciones": {"Obs": list(found.observed)} if found.observed else None,
            "PtoVta": point,
            "CbteTipo": type_,
        }
    }


_BEFORE_DATES: Final = (
    *("Concepto", "DocTipo", "DocNro", "CbteDesde", "CbteHasta", "CbteFch", "ImpTotal", "ImpTotConc", "ImpNeto"),
    *("ImpOpEx", "ImpTrib", "ImpIVA"),
)


def _request(state: AfipState, cuit: int, request: Tree, at: datetime, *, ordered: Finding | None = None) -> Tree:
    return _judge(state, cuit, _within(request, "FeCAEReq"), at, name="FECAEDet", ordered=ordered)


def _report(state: AfipState, cuit: int, request: Tree, at: datetime) -> Tree:
    return _judge(state, cuit, _within(request, "FeCAEARegInfReq"), at, name="FECAEADet")


def _judge(
    state: AfipState, cuit: int, wanted: Tree, at: datetime, *, name: str, ordered: Finding | None = None
) -> Tree:
    """Authorise, or take the report of, all the vouchers of one request, up to the first refusal."""
    head = _within(wanted, "FeCabReq")
    processed = f"{at.astimezone(ARGENTINA):%Y%m%d%H%M%S}"
    details = [
        voucher({**each, "CbteFch": each.get("CbteFch") or processed[:8]})
        for each in rows(wanted.get("FeDetReq"), f"{name}Request")
    ]
    point, type_, count = (whole(head.get(field)) for field in ("PtoVta", "CbteTipo", "CantReg"))
    reported = name == "FECAEADet"
    if not 1 <= count <= 9998:
        return errors(10001, "CantReg debe estar entre 1 y 9998")
    if count != len(details):
        return errors(10002, "CantReg no coincide con la cantidad de comprobantes")
    if count > (1 if type_ >= 200 and not reported else state.rules.batch):
        return errors(10003, "CantReg supera el maximo por solicitud")
    if not 1 <= point <= 99998:
        return errors(10004, "PtoVta debe estar entre 1 y 99998")
    if not state.usable(cuit, point, "CAEA" if reported else "CAE"):
        return errors(10005, "El punto de venta no se encuentra registrado como web service o esta bloqueado")
    if type_ <= 0:
        return errors(10006, "CbteTipo no fue informado")
    if type_ not in CLASS_OF:
        return errors(10007, "CbteTipo invalido. Consulte FEParamGetTiposCbte")
    today = at.astimezone(ARGENTINA).date()
    results: list[Tree] = []
    of_request: dict[int, str] = {}
    refused = False
    # One transaction, so that a batch is in the book as a whole before any of it is answered.
    with state.transaction():
        known = state.issuer(cuit)
        for detail in details:
            last, last_day = state.last(cuit, point, type_)
            given, found = _reported(state, cuit, detail) if reported else (None, [])
            case = Case(
                detail=detail,
                type_=type_,
                issuer=cuit,
                known=known,
                today=today,
                last_number=last,
                last_day=last_day,
                books=state,
                caea=given,
            )
            if refused:
                # After the first refusal the rest of a batch is refused too: none of it is next any more.
                found = [Finding(10016, WRONG_NUMBER)]
            else:
                found = found or [*findings(case), *([ordered] if ordered else [])]
                refused = any(each.refuses for each in found)
            of_request |= {each.code: each.text for each in found if each.of_request}
            beside = [each for each in found if not each.of_request]
            accepted = None if refused else _accepted(state, case, beside, point=point, processed=processed)
            results.append(_judged(case, beside, accepted, reported=reported))
    verdicts = {result["Resultado"] for result in results}
    return {
        "FeCabResp": {
            "Cuit": cuit,
            "PtoVta": point,
            "CbteTipo": type_,
            "FchProceso": processed,
            "CantReg": count,
            "Resultado": verdicts.pop() if len(verdicts) == 1 else "P",
            "Reproceso": "N",
        },
        "FeDetResp": {f"{name}Response": results},
        "Errors": {"Err": [_message(code, said) for code, said in of_request.items()]} if of_request else None,
    }


def _reported(state: AfipState, cuit: int, detail: Tree) -> tuple[Caea | None, list[Finding]]:
    named = str(detail.get("CAEA", ""))
    if not named:
        return None, [Finding(782, "El <CAEA> es obligatorio informarlo.", of_request=True)]
    given = state.caea_named(cuit, named)
    return given, [] if given else [Finding(1200, "El codigo de autorizacion debe ser un CAEA otorgado a la CUIT")]


def _accepted(state: AfipState, case: Case, observed: list[Finding], *, point: int, processed: str) -> Voucher:
    detail = case.detail
    if "MonCotiz" not in detail:
        # Left out on purpose (CanMisMonExt = S): AFIP's own rate stands.
        detail = {**detail, "MonCotiz": Decimal(state.rules.rates.get(str(detail["MonId"]), "1"))}
    day = str(detail["CbteFch"])
    due = datetime.strptime(day, "%Y%m%d") + timedelta(days=10)  # noqa: DTZ007 - a calendar day has no zone
    accepted = Voucher(
        cuit=case.issuer,
        point=point,
        type=case.type_,
        number=case.whole("CbteDesde"),
        cae=case.caea.caea if case.caea else f"{secrets.randbelow(9 * 10**13) + 10**13}",
        day=day,
        due=case.caea.until if case.caea else f"{due:%Y%m%d}",
        processed=processed,
        body={**dict.fromkeys(_BEFORE_DATES, "0"), **written(detail)},
        kind="CAEA" if case.caea else "CAE",
        observed=[_message(each.code, each.text) for each in observed],
        last=case.whole("CbteHasta"),
    )
    state.keep(accepted)
    return accepted


def _judged(case: Case, found: list[Finding], accepted: Voucher | None, *, reported: bool) -> Tree:
    observed = [_message(each.code, each.text) for each in found]
    if reported:
        code: Tree = {"CAEA": case.detail.get("CAEA", "")}
    else:
        code = {"CAE": accepted.cae if accepted else "", "CAEFchVto": accepted.due if accepted else ""}
    return {
        "Concepto": case.whole("Concepto"),
        "DocTipo": case.whole("DocTipo"),
        "DocNro": case.whole("DocNro"),
        "CbteDesde": case.whole("CbteDesde"),
        "CbteHasta": case.whole("CbteHasta"),
        "CbteFch": case.detail["CbteFch"],
        "Resultado": "R" if accepted is None else "A",
        "Observaciones": {"Obs": observed} if observed else None,
        **code,
    }


def _points(state: AfipState, cuit: int, _: Tree, __: datetime) -> Tree:
    points = [
        {
            "Nro": point.number,
            "EmisionTipo": f"{point.kind} - Ri Iva",
            "Bloqueado": "S" if point.blocked else "N",
            "FchBaja": "NULL",
        }
        for point in state.points(cuit)
        if point.kind != "other"
    ]
    if not points:
        return errors(602, "Sin Resultados: - Metodo FEParamGetPtosVenta")
    return {"ResultGet": {"PtoVenta": points}}


def _rate(state: AfipState, _: int, request: Tree, at: datetime) -> Tree:
    currency, asked = text(request.get("MonId")), text(request.get("FchCotiz"))
    today = at.astimezone(ARGENTINA).date()
    if not currency:
        return errors(12000, "MonId no fue informado")
    day = _working_day_before(today)
    if asked:
        try:
            day = datetime.strptime(asked, "%Y%m%d").date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            return errors(12001, "FchCotiz debe tener el formato aaaammdd")
        if day > today:
            return errors(12002, "FchCotiz no puede ser posterior a la fecha actual")
    if currency not in state.rules.rates:
        return errors(
            602,
            f"Sin Resultados: - Metodo FEParamGetCotizacion.Codigo  de moneda ({currency}) inexistente o SIN cotización",
        )
    rate = written(Decimal(state.rules.rates[currency]))
    return {"ResultGet": {"MonId": currency, "MonCotiz": rate, "FchCotiz": f"{day:%Y%m%d}"}}


def _working_day_before(day: date) -> date:
    before = day - timedelta(days=1)
    return before - timedelta(days=max(0, before.weekday() - 4))


def _conditions(_: AfipState, __: int, request: Tree, ___: datetime) -> Tree:
    wanted = text(request.get("ClaseCmp"))
    if wanted not in {"", "A", "ALEY", "B", "C", "49"}:
        return errors(10244, "ClaseCmp debe ser A, ALEY, B, C o 49")
    found = [
        {"Id": id_, "Desc": named, "Cmp_Clase": wanted or "/".join(classes_of(id_))}
        for id_, (named, _letter) in CONDITIONS.items()
        if not wanted or wanted in classes_of(id_)
    ]
    return {"ResultGet": {"CondicionIvaReceptor": found}}


def _activities(state: AfipState, cuit: int, _: Tree, __: datetime) -> Tree:
    known = state.issuer(cuit).activities
    if not known:
        return errors(602, "Sin Resultados: - Metodo FEParamGetActividades")
    found = [{"Id": id_, "Orden": order, "Desc": f"Actividad {id_}"} for order, id_ in enumerate(known, 1)]
    return {"ResultGet": {"ActividadesTipo": found}}


def _message(code: int, said: str) -> dict[str, Any]:
    return {"Code": code, "Msg": said}


def _within(request: Tree, name: str) -> Tree:
    found = request.get(name)
    return found if isinstance(found, dict) else {}


_OPERATIONS: Final[Mapping[str, Callable[[AfipState, int, Tree, datetime], Tree]]] = {
    "FECompUltimoAutorizado": _last,
    "FECompConsultar": _consult,
    "FECAESolicitar": _request,
    "FECompTotXRequest": lambda state, *_: {"RegXReq": state.rules.batch},
    "FEParamGetPtosVenta": _points,
    "FEParamGetCotizacion": _rate,
    "FEParamGetCondicionIvaReceptor": _conditions,
    "FEParamGetActividades": _activities,
    "FECAEASolicitar": caea.ask,
    "FECAEAConsultar": caea.consult,
    "FECAEARegInformativo": _report,
    "FECAEASinMovimientoInformar": caea.report_unused,
    "FECAEASinMovimientoConsultar": caea.consult_unused,
}
_ALL: Final = ("FEDummy", *_OPERATIONS, *LISTS)


def operations() -> tuple[str, ...]:
    """Return the names of all operations."""
    return _ALL
