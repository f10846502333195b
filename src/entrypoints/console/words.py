"""Times, waits and devices as people say them."""

from __future__ import annotations

import math
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Final

from entrypoints.languages import Language

_DAYS: Final = {
    "es": ("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS: Final = {
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
"""Programs name those before them in the list as well, so the first that is found counts."""
_HERE: Final = str.maketrans(",.", ".,")
"""A point between thousands and a comma before the cents, in both languages: it is what the vouchers say."""
HAND_HELD: Final = frozenset({"Android", "iPhone", "iPad"})


def when(instant: datetime, *, zone: tzinfo, language: Language, now: datetime) -> str:
    """Write an instant as `vie 21 nov, 14:30`, with the year if it is another."""
    there = instant.astimezone(zone)
    day = f"{_DAYS[language][there.weekday()]} {there.day} {_MONTHS[language][there.month - 1]}"
    year = "" if there.year == now.astimezone(zone).year else f" {there.year}"
    return f"{day}{year}, {there:%H:%M}"


def day(date_: date, *, language: Language, today: date) -> str:
    """Write a day as `vie 21 nov`, with the year if it is another."""
    text = f"{_DAYS[language][date_.weekday()]} {date_.day} {_MONTHS[language][date_.month - 1]}"
    return text if date_.year == today.year else f"{text} {date_.year}"


def money(amount: Decimal, currency: str = "ARS") -> str:
    """Write an amount with two decimals as people here do: `$ 24.580,00`, another currency by its code."""
    sign = "$" if currency == "ARS" else currency
    return f"{sign} " + f"{amount:,.2f}".translate(_HERE)


def number(value: Decimal) -> str:
    """Write a quantity or a rate with the decimals that it has: `1,5`, `10,5`, `21`."""
    text = f"{value:,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).translate(_HERE)


def wait(seconds: float) -> tuple[str, int]:
    """Return a wait as a unit (`seconds`, `minutes`, `hours`) and how many, rounded up."""
    if seconds < 120:  # noqa: PLR2004 - up to two minutes people count seconds
        return "seconds", max(1, math.ceil(seconds))
    if seconds < 7200:  # noqa: PLR2004
        return "minutes", math.ceil(seconds / 60)
    return "hours", math.ceil(seconds / 3600)


def device(agent: str) -> tuple[str | None, str | None]:
    """Return the browser and the system that a user agent names, as far as we know them."""
    return _first(agent, _BROWSERS), _first(agent, _SYSTEMS)


def _first(agent: str, signs: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for sign, name in signs if sign in agent), None)
