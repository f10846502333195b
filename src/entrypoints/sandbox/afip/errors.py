"""How WSFEv1 says that a request as a whole is wrong."""

from __future__ import annotations

from typing import Final

from entrypoints.sandbox.afip.fields import Tree

NOTHING: Final = "No existen datos en nuestros registros para los parametros ingresados."


def errors(code: int, text: str) -> Tree:
    """Return an answer of one error."""
    return {"Errors": {"Err": [{"Code": code, "Msg": text}]}}
