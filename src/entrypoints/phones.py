"""Phones as people write them."""

from __future__ import annotations

import re
from typing import Final

_MOBILE: Final = re.compile(r"\+54(9?)(11)([0-9]{4})([0-9]{4})|\+54(9?)([0-9]{3})([0-9]{3})([0-9]{4})")


def phone_in_words(phone: str) -> str:
    """Write an Argentine number as people do, `+54 9 11 5555-0123`; any other stays as it is."""
    found = _MOBILE.fullmatch(phone)
    if found is None:
        return phone
    nine, area, first, last = found.groups()[:4] if found[2] else found.groups()[4:]
    return f"+54 {nine}{' ' if nine else ''}{area} {first}-{last}"
