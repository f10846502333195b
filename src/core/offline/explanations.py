"""A conflict in Spanish: who changed what, when, which rule decided, what was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from core.offline.model import Decision, Plain

FIELDS: Final[Mapping[str, str]] = {
    "status": "Estado",
    "title": "Título",
    "notes": "Notas",
    "report": "Informe",
    "address": "Dirección",
    "lat": "Latitud",
    "lng": "Longitud",
    "total": "Total",
    "lines": "Total",
    "signature": "Firma",
    "signed_by": "Firma",
    "name": "Nombre",
    "phone": "Teléfono",
    "vat_condition": "Condición de IVA",
    "document_type": "Tipo de documento",
    "document_number": "Documento",
    "description": "Descripción",
    "quantity": "Cantidad",
    "unit_price": "Precio",
    "discount": "Descuento",
    "vat_rate": "IVA",
    "place": "Orden",
    "media_id": "Foto",
    "taken_at": "Fecha de la foto",
}
STATUSES: Final[Mapping[str, str]] = {
    "pending": "pendiente",
    "scheduled": "agendado",
    "en_camino": "en camino",
    "working": "en el trabajo",
    "completed": "terminado",
    "invoiced": "facturado",
    "cancelled": "cancelado",
}
RULES: Final[Mapping[str, str]] = {
    "last_write_wins": "gana el último cambio de cada dato.",
    "ask_user": "el estado, los totales y la firma no se deciden sin preguntar.",
    "state_machine": "el trabajo no puede pasar a ese estado.",
    "not_allowed": "tu rol no puede cambiar este dato.",
    "not_writable": "este dato no se cambia desde el teléfono.",
    "repaired": "un valor que no sirve se reemplaza por el guardado.",
    "gone": "lo que se borró o ya no es tuyo no se cambia.",
    "refused": "vale lo mismo que con conexión.",
}
_SHOWN: Final = 80


def explained(decisions: Sequence[Decision], *, names: Mapping[str, str], written_at: datetime, zone: tzinfo) -> str:
    """Return one paragraph for each decision; `written_at` is when the phone's person did theirs."""
    return "\n".join(_sentence(each, names, written_at, zone) for each in decisions)


def _sentence(decision: Decision, names: Mapping[str, str], written_at: datetime, zone: tzinfo) -> str:
    field = decision.field
    said = [f"{FIELDS.get(field, field) if field else 'Registro'}:"]
    who = "otra persona"
    if decision.by is not None and decision.at is not None:
        who = names.get(decision.by, "el sistema")
        said.append(f"{who} puso {_value(field, decision.theirs)} {_when(decision.at, zone)};")
    if decision.kept != "server" or decision.yours is not None:
        said.append(f"vos pusiste {_value(field, decision.yours)} {_when(written_at, zone)}.")
    if decision.why:
        said.append(f"{decision.why[0].upper()}{decision.why[1:]}.")
    said.append(f"Regla: {RULES[decision.rule]}")
    if decision.rule == "gone":
        said.append("Tu cambio no se guardó.")
    elif decision.kept == "ask":
        said.append("No se cambió nada: elegí cuál vale.")
    elif decision.kept == "phone":
        said.append(f"Quedó lo tuyo: {_value(field, decision.yours)}.")
    else:
        whose = f" de {who}" if decision.by is not None else " guardado"
        said.append(f"Quedó lo{whose}: {_value(field, decision.theirs)}.")
    return " ".join(said)


def _value(field: str | None, value: Plain) -> str:
    if value in (None, ""):
        return "nada"
    text = STATUSES.get(str(value), str(value)) if field == "status" else str(value)
    return f"«{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}»"


def _when(at: datetime, zone: tzinfo) -> str:
    return f"el {at.astimezone(zone):%d/%m a las %H:%M}"
