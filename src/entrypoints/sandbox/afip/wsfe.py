"""WSFEv1: the operations, each from a request's tree to an answer's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from entrypoints.sandbox.afip.fields import Tree, rows, voucher, whole, written
from entrypoints.sandbox.afip.rules import CLASS_OF, CONDITIONS, RATES, Case, Finding, findings
from entrypoints.sandbox.afip.state import AfipState, Fault, Voucher
from entrypoints.sandbox.afip.wsaa import ARGENTINA, holder_of

BATCH: Final = 250

TYPES: Final = {
    1: "Factura A",
    2: "Nota de Débito A",
    3: "Nota de Crédito A",
    4: "Recibos A",
    6: "Factura B",
    7: "Nota de Débito B",
    8: "Nota de Crédito B",
    9: "Recibos B",
    11: "Factura C",
    12: "Nota de Débito C",
    13: "Nota de Crédito C",
    15: "Recibo C",
    51: "Factura A con leyenda",
    52: "Nota de Débito A con leyenda",
    53: "Nota de Crédito A con leyenda",
    54: "Recibo A con leyenda",
}
_CONDITION_NAMES: Final = {
    1: "IVA Responsable Inscripto",
    4: "IVA Sujeto Exento",
    5: "Consumidor Final",
    6: "Responsable Monotributo",
    7: "Sujeto No Categorizado",
    8: "Proveedor del Exterior",
    9: "Cliente del Exterior",
    10: "IVA Liberado - Ley N° 19.640",
    13: "Monotributista Social",
    15: "IVA No Alcanzado",
    16: "Monotributo Trabajador Independiente Promovido",
}
DOCUMENTS: Final = {
    80: "CUIT",
    86: "CUIL",
    87: "CDI",
    89: "LE",
    90: "LC",
    91: "CI Extranjera",
    94: "Pasaporte",
    96: "DNI",
    99: "Doc. (Otro)",
}
_TABLES: Final[Mapping[str, tuple[str, Mapping[Any, str]]]] = {
    "FEParamGetTiposCbte": ("CbteTipo", TYPES),
    "FEParamGetTiposConcepto": (
        "ConceptoTipo",
        {1: "Producto", 2: "Servicios", 3: "Productos y Servicios"},
    ),
    "FEParamGetTiposDoc": ("DocTipo", DOCUMENTS),
    "FEParamGetTiposIva": ("IvaTipo", {id_: f"{rate}%" for id_, rate in RATES.items()}),
    "FEParamGetTiposMonedas": (
        "Moneda",
        {"PES": "Pesos Argentinos", "DOL": "Dólar Estadounidense", "060": "Euro", "012": "Real"},
    ),
    "FEParamGetTiposTributos": (
        "TributoTipo",
        {
            1: "Impuestos nacionales",
            2: "Impuestos provinciales",
            3: "Impuestos municipales",
            4: "Impuestos Internos",
            99: "Otro",
        },
    ),
    "FEParamGetTiposOpcional": (
        "OpcionalTipo",
        {"2101": "CBU", "2102": "Alias", "22": "Anulación", "23": "Referencia Comercial"},
    ),
    "FEParamGetTiposPaises": ("PaisTipo", {"200": "Argentina", "203": "Brasil", "225": "Uruguay"}),
}


_NUMBERS: Final[Mapping[str, Tree]] = {
    "FECompUltimoAutorizado": {"PtoVta": 0, "CbteTipo": 0, "CbteNro": 0},
    "FECompTotXRequest": {"RegXReq": 0},
}


def answer(state: AfipState, operation: str, request: Tree, *, at: datetime, fault: Fault | None = None) -> Tree | None:
    """Return an operation's result, or None for an operation that we do not have; raise `WrongType`."""
    result = _answer(state, operation, request, at=at, fault=fault)
    # A number that must be there is there, also beside an error.
    return None if result is None else {**_NUMBERS.get(operation, {}), **result}


def _answer(state: AfipState, operation: str, request: Tree, *, at: datetime, fault: Fault | None) -> Tree | None:
    if fault is not None and fault.kind == "error":
        return _errors(int(fault.code), fault.text)
    if operation == "FEDummy":
        return {"AppServer": "OK", "DbServer": "OK", "AuthServer": "OK"}
    handler = _OPERATIONS.get(operation)
    if handler is None and operation not in _TABLES:
        return None
    auth = request.get("Auth")
    if not isinstance(auth, dict):
        return _errors(500, "Campo Auth no fue ingresado o esta mal formado.")
    cuit = whole(auth.get("Cuit"))
    holder = holder_of(state, str(auth.get("Token") or ""), str(auth.get("Sign") or ""), at=at)
    if isinstance(holder, str):
        return _errors(600, holder)
    if cuit not in holder.cuits:
        return _errors(600, "ValidacionDeToken: No apareció CUIT en lista de relaciones")
    if handler is None:
        name, table = _TABLES[operation]
        dates = {} if name == "PaisTipo" else {"FchDesde": "20100917", "FchHasta": "NULL"}
        return {"ResultGet": {name: [{"Id": id_, "Desc": text, **dates} for id_, text in table.items()]}}
    if handler is _request and fault is not None:
        return _request(state, cuit, request, at, ordered=Finding(int(fault.code), fault.text))
    return handler(state, cuit, request, at)


def _last(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    point, type_ = whole(request.get("PtoVta")), whole(request.get("CbteTipo"))
    if not 1 <= point <= 99998:
        return _errors(11000, "PtoVta invalido")
    if type_ not in CLASS_OF:
        return _errors(11001, "CbteTipo invalido")
    if point not in state.points_of(cuit):
        return _errors(11002, "El punto de venta no se encuentra habilitado a usar en el presente ws")
    return {"PtoVta": point, "CbteTipo": type_, "CbteNro": state.last(cuit, point, type_)[0]}


def _consult(state: AfipState, cuit: int, request: Tree, _: datetime) -> Tree:
    wanted = _within(request, "FeCompConsReq")
    point, type_, number = (whole(wanted.get(name)) for name in ("PtoVta", "CbteTipo", "CbteNro"))
    found = state.find(cuit, point, type_, number)
    if found is None:
        return _errors(602, "No existen datos en nuestros registros para los parametros ingresados.")
    return {
        "ResultGet": {
            **found.body,
            "Resultado": "A",
            "CodAutorizacion": found.cae,
            "EmisionTipo": "CAE",
            "FchVto": found.due,
            "FchProceso": found.processed,
            "PtoVta": point,
            "CbteTipo": type_,
        }
    }


def _request(state: AfipState, cuit: int, request: Tree, at: datetime, *, ordered: Finding | None = None) -> Tree:
    wanted = _within(request, "FeCAEReq")
    head = _within(wanted, "FeCabReq")
    now = at.astimezone(ARGENTINA)
    processed = f"{now:%Y%m%d%H%M%S}"
    details = [
        voucher({**each, "CbteFch": each.get("CbteFch") or processed[:8]})
        for each in rows(wanted.get("FeDetReq"), "FECAEDetRequest")
    ]
    point, type_, count = (whole(head.get(name)) for name in ("PtoVta", "CbteTipo", "CantReg"))
    if not 1 <= count <= 9998:
        return _errors(10001, "CantReg debe estar entre 1 y 9998")
    if count != len(details):
        return _errors(10002, "CantReg no coincide con la cantidad de comprobantes")
    if count > BATCH:
        return _errors(10003, "CantReg supera el maximo por solicitud")
    if not 1 <= point <= 99998:
        return _errors(10004, "PtoVta invalido")
    if point not in state.points_of(cuit):
        return _errors(10005, "El punto de venta no se encuentra registrado como web service")
    if type_ not in CLASS_OF:
        return _errors(10007, "CbteTipo invalido")
    condition = state.vat_condition_of(cuit)
    results: list[Tree] = []
    refused = False
    with state.lock:
        for detail in details:
            last, last_day = state.last(cuit, point, type_)
            case = Case(
                detail=detail,
                type_=type_,
                issuer=cuit,
                issuer_condition=condition,
                today=now.date(),
                last_number=last,
                last_day=last_day,
            )
            found = [*findings(case), *([ordered] if ordered else [])]
            # After the first refusal the rest of a batch is refused too.
            refused = refused or any(each.refuses for each in found)
            accepted = None if refused else _accepted(state, case, point=point, processed=processed)
            results.append(_judged(case, found, accepted))
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
        "FeDetResp": {"FECAEDetResponse": results},
    }


def _accepted(state: AfipState, case: Case, *, point: int, processed: str) -> Voucher:
    day = str(case.detail["CbteFch"])
    due = datetime.strptime(day, "%Y%m%d") + timedelta(days=10)  # noqa: DTZ007 - a calendar day has no zone
    accepted = Voucher(
        cuit=case.issuer,
        point=point,
        type=case.type_,
        number=case.whole("CbteHasta"),
        cae=f"{secrets.randbelow(9 * 10**13) + 10**13}",
        day=day,
        due=f"{due:%Y%m%d}",
        processed=processed,
        body=written(case.detail),
    )
    state.keep(accepted)
    return accepted


def _judged(case: Case, found: list[Finding], accepted: Voucher | None) -> Tree:
    observed = [{"Code": each.code, "Msg": each.text} for each in found]
    return {
        "Concepto": case.whole("Concepto"),
        "DocTipo": case.whole("DocTipo"),
        "DocNro": case.whole("DocNro"),
        "CbteDesde": case.whole("CbteDesde"),
        "CbteHasta": case.whole("CbteHasta"),
        "CbteFch": case.detail["CbteFch"],
        "Resultado": "R" if accepted is None else "A",
        "Observaciones": {"Obs": observed} if observed else None,
        "CAE": accepted.cae if accepted else "",
        "CAEFchVto": accepted.due if accepted else "",
    }


def _points(state: AfipState, cuit: int, _: Tree, __: datetime) -> Tree:
    points = [
        {"Nro": point, "EmisionTipo": "CAE - Ri Iva", "Bloqueado": "N", "FchBaja": "NULL"}
        for point in state.points_of(cuit)
    ]
    if not points:
        return _errors(602, "Sin Resultados: - Metodo FEParamGetPtosVenta")
    return {"ResultGet": {"PtoVenta": points}}


def _rate(_: AfipState, __: int, request: Tree, at: datetime) -> Tree:
    rates = {"PES": "1", "DOL": "1480.5", "060": "1712.25", "012": "275.4"}
    currency = str(request.get("MonId") or "")
    if currency not in rates:
        return _errors(12000, "MonId invalido")
    day = f"{at.astimezone(ARGENTINA):%Y%m%d}"
    return {"ResultGet": {"MonId": currency, "MonCotiz": rates[currency], "FchCotiz": day}}


def _conditions(_: AfipState, __: int, request: Tree, ___: datetime) -> Tree:
    wanted = str(request.get("ClaseCmp") or "")
    if wanted and wanted not in {"A", "ALEY", "B", "C", "49"}:
        return _errors(10244, "ClaseCmp invalida")
    rows = [
        {"Id": id_, "Desc": name, "Cmp_Clase": wanted or f"{CONDITIONS[id_]}/C"}
        for id_, name in _CONDITION_NAMES.items()
        if wanted in {"", "C"} or CONDITIONS[id_] == wanted[0]
    ]
    return {"ResultGet": {"CondicionIvaReceptor": rows}}


def _errors(code: int, text: str) -> Tree:
    return {"Errors": {"Err": [{"Code": code, "Msg": text}]}}


def _within(request: Tree, name: str) -> Tree:
    found = request.get(name)
    return found if isinstance(found, dict) else {}


_OPERATIONS: Final[Mapping[str, Callable[[AfipState, int, Tree, datetime], Tree]]] = {
    "FECompUltimoAutorizado": _last,
    "FECompConsultar": _consult,
    "FECAESolicitar": _request,
    "FECompTotXRequest": lambda *_: {"RegXReq": BATCH},
    "FEParamGetPtosVenta": _points,
    "FEParamGetCotizacion": _rate,
    "FEParamGetCondicionIvaReceptor": _conditions,
    "FEParamGetActividades": lambda *_: _errors(602, "Sin Resultados"),
    **{
        name: lambda *_: _errors(15000, "El sandbox no otorga CAEA")
        for name in (
            "FECAEASolicitar",
            "FECAEAConsultar",
            "FECAEARegInformativo",
            "FECAEASinMovimientoInformar",
            "FECAEASinMovimientoConsultar",
        )
    },
}


def operations() -> tuple[str, ...]:
    """Return the names of all operations."""
    return ("FEDummy", *_OPERATIONS, *_TABLES)
