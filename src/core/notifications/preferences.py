"""How somebody wants to be told: by which ways, of what, when, and in which language."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, time, tzinfo
from typing import Any, Final, TypeAlias

from attrs import evolve, field, frozen

from core.kernel.errors import Invalid
from core.notifications.quiet import QuietHours
from core.notifications.templates import LANGUAGES, TEMPLATES

CHANNELS: Final = ("whatsapp", "push", "sms", "email")
"""In the order in which they are tried; SMS when nothing else works, e-mail for documents."""
CUSTOMERS: Final = "customers"
"""Whose preferences hold for every customer; no recipient has this id."""
EVENTS: Final = tuple(dict.fromkeys(each.event for each in TEMPLATES.values() if each.event != "digest"))
"""What people can turn off, in the order of the messages."""

ZoneNamed: TypeAlias = Callable[[str], tzinfo]
"""Return the time zone of an IANA name; raise `LookupError`, `ValueError` or `OSError` for what is none."""


@frozen(kw_only=True, slots=False)
class Preferences:
    """What one recipient wants; `zone` is an IANA name, None the tenant's. Nobody has any until they choose."""

    tenant: str
    id: str
    """The recipient's id, or `CUSTOMERS`."""
    channels: frozenset[str] = frozenset(CHANNELS)
    muted: frozenset[str] = frozenset()
    quiet: bool = False
    hours: QuietHours = QuietHours()
    zone: str | None = None
    language: str = "es"
    digest: bool = True
    version: int = 0
    facts: tuple[()] = field(default=(), eq=False, repr=False)

    def chosen(self, *, zone_named: ZoneNamed, **choice: Any) -> Preferences:
        """Return them with other choices; raise `Invalid`, which names the field."""
        after = evolve(self, **choice)
        _among(after.channels, CHANNELS, "channels")
        _among(after.muted, EVENTS, "muted")
        if after.language not in LANGUAGES:
            msg = f"the language must be one of {', '.join(LANGUAGES)}"
            raise Invalid(msg, field="language")
        if after.zone is not None:
            try:
                zone_named(after.zone)
            except (LookupError, ValueError, OSError) as unknown:
                msg = f"{after.zone[:60]!r} is no time zone, as in America/Argentina/Buenos_Aires"
                raise Invalid(msg, field="zone") from unknown
        if after.quiet and after.hours.start == after.hours.end:
            msg = "quiet hours need a beginning and another end"
            raise Invalid(msg, field="quietHours")
        return after

    def held_until(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Return when a message that is not urgent may go out, or None if that is now."""
        if not self.quiet or not self.hours.holds(at, zone):
            return None
        return self.hours.over(at, zone)


def wall_time(text: str) -> time:
    """Read a time of day, as in `22:00`; raise `Invalid`."""
    try:
        hour, minute = (int(part) for part in text.split(":") if len(part) <= 2 and part.isascii() and part.isdigit())  # noqa: PLR2004 - two digits
        return time(hour, minute)
    except ValueError as broken:
        msg = f"{text[:20]!r} is no time of day, as in 22:00"
        raise Invalid(msg, field="quietHours") from broken


def _among(given: Collection[str], known: Collection[str], name: str) -> None:
    strange = sorted(set(given) - set(known))
    if strange:
        msg = f"{', '.join(strange)[:100]} is none of {', '.join(known)}"
        raise Invalid(msg, field=name)
