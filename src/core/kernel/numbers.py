"""Numbers that people are known by: telephones in the one form we keep, and CUITs."""

from __future__ import annotations

import re
from typing import Final

from core.kernel.errors import Invalid

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_CUIT: Final = re.compile(r"[0-9]{11}\Z")
_WEIGHTS: Final = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


def e164(number: str) -> str:
    """Return the number as `+` and digits (ITU-T E.164); raise `Invalid` if it is not an international number.

    Takes what a provider reports (`5491155550123`) as well as what people write with `+`, spaces and dashes. Local forms
    (`011 15-...`) are not guessed at: from the digits alone an Argentine mobile cannot be told from a landline.
    """
    digits = "+" + re.sub(r"[\s().-]", "", number).removeprefix("+")
    if not _E164.match(digits):
        msg = f"{number!r} is not an international phone number"
        raise Invalid(msg, field="phone")
    return digits


def cuit_is_valid(number: str) -> bool:
    """Check a CUIT, CUIL or CDI: eleven digits, the last of which checks the others (modulo 11)."""
    if not _CUIT.match(number):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return int(number[-1]) == {11: 0, 10: 9}.get(11 - total % 11, 11 - total % 11)
