"""The words on the page of letters, in Argentine Spanish and in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "es": {
        "sandbox": "Cuadrilla de prueba",
        "title": "Correos de prueba",
        "lead": "Los correos que salieron, el más nuevo arriba.",
        "empty": "Todavía no salió ningún correo.",
        "refresh": "Actualizar",
        "to": "Para",
        "attached": "Adjunto:",
    },
    "en": {
        "sandbox": "Cuadrilla sandbox",
        "title": "Sandbox mail",
        "lead": "The letters that went out, the newest on top.",
        "empty": "No letter has gone out yet.",
        "refresh": "Refresh",
        "to": "To",
        "attached": "Attached:",
    },
}
