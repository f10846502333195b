"""A voucher's values by their types, in WSFEv1's own order.

AFIP takes elements in any order, ignores those it does not know, and reads a missing number as 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Tree = dict[str, Any]
_LARGEST: Final = 20
"""Digits before the decimal point beyond which we do not calculate."""


class WrongType(Exception):
    """A number is none; AFIP answers with a SOAP fault."""


def whole(value: Any) -> int:
    """Read an integer, 0 if there is none; raise `WrongType`."""
    text = "" if value is None else str(value)
    if not text:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise WrongType(text)
    return int(text)


def amount(value: Any) -> Decimal:
    """Read a double as it is written, 0 if there is none; raise `WrongType`."""
    text = "" if value is None else str(value)
    try:
        read = Decimal(text or 0)
    except InvalidOperation as broken:
        raise WrongType(text) from broken
    if not read.is_finite() or read.adjusted() > _LARGEST:
        raise WrongType(text)
    return read


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise WrongType(str(value))


Reader = Callable[[Any], Any]
_ROWS: Final[Mapping[str, tuple[str, Mapping[str, Reader]]]] = {
    "CbtesAsoc": ("CbteAsoc", {"Tipo": whole, "PtoVta": whole, "Nro": whole, "Cuit": _text, "CbteFch": _text}),
    "Tributos": ("Tributo", {"Id": whole, "Desc": _text, "BaseImp": amount, "Alic": amount, "Importe": amount}),
    "Iva": ("AlicIva", {"Id": whole, "BaseImp": amount, "Importe": amount}),
    "Opcionales": ("Opcional", {"Id": _text, "Valor": _text}),
    "Compradores": ("Comprador", {"DocTipo": whole, "DocNro": whole, "Porcentaje": amount}),
    "Actividades": ("Actividad", {"Id": whole}),
}
_FIELDS: Final[Mapping[str, Reader | None]] = {
    "Concepto": whole,
    "DocTipo": whole,
    "DocNro": whole,
    "CbteDesde": whole,
    "CbteHasta": whole,
    "CbteFch": _text,
    **dict.fromkeys(("ImpTotal", "ImpTotConc", "ImpNeto", "ImpOpEx", "ImpTrib", "ImpIVA"), amount),
    "FchServDesde": _text,
    "FchServHasta": _text,
    "FchVtoPago": _text,
    "MonId": _text,
    "MonCotiz": amount,
    "CanMisMonExt": _text,
    "CondicionIVAReceptorId": whole,
    "CbtesAsoc": None,
    "Tributos": None,
    "Iva": None,
    "Opcionales": None,
    "Compradores": None,
    "PeriodoAsoc": None,
    "Actividades": None,
}


def voucher(sent: Mapping[str, Any]) -> Tree:
    """Return what was sent of a `FECAEDetRequest`, read; raise `WrongType`."""
    read: Tree = {}
    for name, reader in _FIELDS.items():
        value = sent.get(name)
        if value in (None, ""):
            continue
        if reader is not None:
            read[name] = reader(value)
        elif not isinstance(value, Mapping):
            raise WrongType(name)
        elif name == "PeriodoAsoc":
            read[name] = _row(value, {"FchDesde": _text, "FchHasta": _text})
        else:
            inner, fields = _ROWS[name]
            read[name] = {inner: [_row(each, fields) for each in rows(value, inner)]}
    return read


def rows(holder: Any, name: str) -> list[Mapping[str, Any]]:
    """Return the elements of that name, of which there may be none, one or many."""
    inner = holder.get(name) if isinstance(holder, Mapping) else None
    found = inner if isinstance(inner, list) else [inner]
    return [row for row in found if isinstance(row, Mapping)]


def written(value: Any) -> Any:
    """Return it as AFIP writes it: doubles without padding (`122`, `5.25`)."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Mapping):
        return {name: written(each) for name, each in value.items()}
    return [written(each) for each in value] if isinstance(value, list) else value


def _row(sent: Mapping[str, Any], fields: Mapping[str, Reader]) -> Tree:
    return {name: reader(sent[name]) for name, reader in fields.items() if sent.get(name) not in (None, "")}
