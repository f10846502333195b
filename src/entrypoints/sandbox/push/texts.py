"""The words on the page of push notifications, in Argentine Spanish and in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "es": {
        "sandbox": "Cuadrilla de prueba",
        "title": "Notificaciones push de prueba",
        "lead": "Lo que los teléfonos mostrarían, lo más nuevo arriba.",
        "empty": "Todavía no salió ninguna notificación.",
        "refresh": "Actualizar",
    },
    "en": {
        "sandbox": "Cuadrilla sandbox",
        "title": "Sandbox push notifications",
        "lead": "What phones would show, the newest on top.",
        "empty": "No notification has gone out yet.",
        "refresh": "Refresh",
    },
}
