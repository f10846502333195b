"""Which of the two languages a reader gets."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["es", "en"]

_READ_AT_MOST: Final = 1000
_WEIGHT: Final = re.compile(r"q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def language_of(accept_language: str | None) -> Language:
    """Return the language to write in: English for who prefers it over Spanish (RFC 9110, 12.5.4), else Spanish.

    Whatever cannot be read counts as not said; nothing raises.
    """
    wish: dict[str, float] = {}
    for choice in (accept_language or "")[:_READ_AT_MOST].split(","):
        tag, _, parameter = choice.partition(";")
        found = _WEIGHT.fullmatch(parameter.strip())
        weight = float(found[1]) if found else 0.0 if parameter else 1.0
        language = tag.strip().lower().partition("-")[0]
        wish[language] = max(wish.get(language, 0.0), weight)
    others = wish.get("*", 0.0)
    return "en" if wish.get("en", others) > wish.get("es", others) else "es"
