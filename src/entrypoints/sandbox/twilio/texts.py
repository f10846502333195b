"""The words on the page of text messages, in Argentine Spanish and in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "es": {
        "sandbox": "Cuadrilla de prueba",
        "title": "SMS de prueba",
        "lead": "Los códigos que WhatsApp no entregó salen por acá, el más nuevo arriba.",
        "empty": "Todavía no salió ningún SMS.",
        "refresh": "Actualizar",
        "to": "Para",
    },
    "en": {
        "sandbox": "Cuadrilla sandbox",
        "title": "Sandbox SMS",
        "lead": "Codes that WhatsApp did not deliver go out here, the newest on top.",
        "empty": "No SMS has gone out yet.",
        "refresh": "Refresh",
        "to": "To",
    },
}
