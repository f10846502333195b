"""A voucher's values by their types, in WSFEv1's own order.

AFIP takes elements in any order, ignores those it does not know, and reads a missing number as 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

Tree = dict[str, Any]
_LARGEST: Final = 20
"""Digits before the decimal point beyond which we do not calculate."""
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class WrongType(Exception):
    """A number is none; AFIP answers with a SOAP fault."""


def whole(value: Any, *, bits: int = 32) -> int:
    """Read an integer of so many bits, 0 if there is none; raise `WrongType`."""
    text = "" if value is None else str(value)
    if not text:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise WrongType(text)
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise WrongType(text)
    return number


def long(value: Any) -> int:
    """Read an integer of 64 bits, 0 if there is none; raise `WrongType`."""
    return whole(value, bits=64)


def short(value: Any) -> int:
    """Read an integer of 16 bits, 0 if there is none; raise `WrongType`."""
    return whole(value, bits=16)


def amount(value: Any) -> Decimal:
    """Read a double as it is written, 0 if there is none; raise `WrongType`."""
    text = "" if value is None else str(value)
    if not text:
        return Decimal(0)
    if not _DOUBLE.fullmatch(text):
        raise WrongType(text)
    read = Decimal(text)
    if read.adjusted() > _LARGEST:
        raise WrongType(text)
    return read


def text(value: Any) -> str:
    """Read a string; raise `WrongType` for what has elements inside."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise WrongType(str(value))


Reader = Callable[[Any], Any]
_ROWS: Final[Mapping[str, tuple[str, Mapping[str, Reader]]]] = {
    "CbtesAsoc": ("CbteAsoc", {"Tipo": whole, "PtoVta": whole, "Nro": long, "Cuit": text, "CbteFch": text}),
    "Tributos": ("Tributo", {"Id": short, "Desc": text, "BaseImp": amount, "Alic": amount, "Importe": amount}),
    "Iva": ("AlicIva", {"Id": whole, "BaseImp": amount, "Importe": amount}),
    "Opcionales": ("Opcional", {"Id": text, "Valor": text}),
    "Compradores": ("Comprador", {"DocTipo": whole, "DocNro": long, "Porcentaje": amount}),
    "Actividades": ("Actividad", {"Id": long}),
}
_FIELDS: Final[Mapping[str, Reader | None]] = {
    "Concepto": whole,
    "DocTipo": whole,
    "DocNro": long,
    "CbteDesde": long,
    "CbteHasta": long,
    "CbteFch": text,
    **dict.fromkeys(("ImpTotal", "ImpTotConc", "ImpNeto", "ImpOpEx", "ImpTrib", "ImpIVA"), amount),
    "FchServDesde": text,
    "FchServHasta": text,
    "FchVtoPago": text,
    "MonId": text,
    "MonCotiz": amount,
    "CanMisMonExt": text,
    "CondicionIVAReceptorId": whole,
    "CbtesAsoc": None,
    "Tributos": None,
    "Iva": None,
    "Opcionales": None,
    "Compradores": None,
    "PeriodoAsoc": None,
    "Actividades": None,
    "CAEA": text,
    "CbteFchHsGen": text,
}


def voucher(sent: Mapping[str, Any]) -> Tree:
    """Return what was sent of a `FECAEDetRequest`, read; raise `WrongType`."""
    read: Tree = {}
    for name, reader in _FIELDS.items():
        value = sent.get(name)
        if value in (None, ""):
            continue
        if isinstance(value, list):
            # What may stand once and stands twice: the last one holds.
            value = value[-1]
        if reader is not None:
            read[name] = reader(value)
        elif not isinstance(value, Mapping):
            raise WrongType(name)
        elif name == "PeriodoAsoc":
            read[name] = _row(value, {"FchDesde": text, "FchHasta": text})
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
