"""Facts in words. `track.js` says the same when they change; a browser test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

from attrs import frozen

from entrypoints.http.track.facts import Eta, TrackingFacts
from entrypoints.http.track.texts import TEXTS
from entrypoints.languages import Language

SCALES: Final = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
"""Metres that the strip can span; the smallest is taken that holds the distance and leaves 15 % behind it."""
_KILOMETRE: Final = 1000
_HOUR: Final = 60


@frozen(kw_only=True)
class Words:
    """The card's lines; `strip` is how much of the way is done, 0 to 100, on a span of `scale` metres."""

    headline: str
    detail: str
    state: str
    mode: str | None
    distance: str | None
    updated: str | None
    scale: int | None
    strip: int | None


def words_of(facts: TrackingFacts, *, language: Language, zone: tzinfo) -> Words:
    """Say the facts in a language, with times of day in a zone."""
    texts = TEXTS[language]
    scale = strip = distance = updated = None
    if facts.distance is not None:
        scale = next((each for each in SCALES if each * 20 >= facts.distance * 23), round(facts.distance * 1.15))
        strip = round(100 * (1 - facts.distance / scale))
        distance = texts["away"].format(distance=distance_in_words(facts.distance, language=language))
    if facts.updated_at is not None and facts.state != "stale":  # then the detail says it
        updated = texts["updated"].format(time=_clock(facts.updated_at, zone))
    return Words(
        headline=_headline(facts, texts, zone),
        detail=_detail(facts, texts, zone),
        state=texts[f"state_{facts.outcome or facts.state}"],
        mode=None if facts.mode is None else texts[f"mode_{facts.mode}"],
        distance=distance,
        updated=updated,
        scale=scale,
        strip=strip,
    )


def distance_in_words(metres: int, *, language: Language) -> str:
    """Write a distance as people do: `350 m`, `1,2 km`; in English `1.2 km`."""
    tens = (metres + 5) // 10 * 10
    if tens < _KILOMETRE:
        return f"{tens} m"
    tenths = (metres + 50) // 100
    return f"{tenths // 10}{',' if language == 'es' else '.'}{tenths % 10} km"


def _headline(facts: TrackingFacts, texts: Mapping[str, str], zone: tzinfo) -> str:
    if facts.outcome is not None:
        return texts[facts.outcome]
    if facts.state == "arrived":
        return texts["arrived"].format(time=_clock(facts.arrived_at or facts.at, zone))
    eta = facts.eta
    if eta is None:
        return texts["on_the_way"]
    if eta.arriving:
        return texts["arriving"]
    if eta.low_minutes == 0:
        return texts["comes_within"].format(minutes=_minutes(eta.high_minutes))
    return texts["comes_in"].format(minutes=_interval(eta, texts))


def _detail(facts: TrackingFacts, texts: Mapping[str, str], zone: tzinfo) -> str:
    if facts.outcome is not None:
        return texts[f"{facts.outcome}_detail"].format(business=facts.business.name)
    if facts.state == "arrived":
        return texts["at_the_door"]
    if facts.updated_at is None:
        return texts["unplaced"].format(time=_clock(facts.set_out_at, zone))
    if facts.state == "stale":
        return texts["lost"].format(time=_clock(facts.updated_at, zone))
    eta = facts.eta
    if eta is None:
        return texts["no_estimate"]
    if eta.arriving:
        return texts["near"]
    high = _clock(facts.at + timedelta(minutes=eta.high_minutes), zone)
    if eta.low_minutes == 0:
        return texts["before"].format(high=high)
    return texts["between"].format(low=_clock(facts.at + timedelta(minutes=eta.low_minutes), zone), high=high)


def _interval(eta: Eta, texts: Mapping[str, str]) -> str:
    if eta.high_minutes < _HOUR:
        return f"{eta.low_minutes}-{eta.high_minutes} min"
    return texts["range"].format(low=_minutes(eta.low_minutes), high=_minutes(eta.high_minutes))


def _minutes(minutes: int) -> str:
    hours, rest = divmod(minutes, _HOUR)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _clock(instant: datetime, zone: tzinfo) -> str:
    return f"{instant.astimezone(zone):%H:%M}"
