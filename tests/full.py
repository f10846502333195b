"""How often a check is made: so often that the suite stays short, or in full numbers where `CUADRILLA_FULL=1` asks for them."""

from __future__ import annotations

import os
from typing import Final

FULL: Final = os.environ.get("CUADRILLA_FULL") == "1"


def so_many(full: int, *, usually: int) -> int:
    """Return the full number under `make security`, and the usual one otherwise."""
    return full if FULL else usually
