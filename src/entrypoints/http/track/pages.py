"""The pages: the trip, and the two ways in which a link shows nothing."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import HTMLResponse

from entrypoints.http.track.facts import TrackingFacts, as_json
from entrypoints.http.track.texts import TEXTS
from entrypoints.http.track.words import SCALES, words_of
from entrypoints.languages import Language
from entrypoints.phones import phone_in_words

_PAGES: Final = Environment(
    loader=PackageLoader("entrypoints.http.track"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
_LOCALES: Final = {"es": "es-AR", "en": "en"}
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.*-]+(:[0-9]{1,5})?")
_GONE: Final = {"expired": 410, "unknown": 404}
_ICONS: Final = {"expired": "timer-off", "unknown": "link-2-off"}


def render_tracking(
    *, facts: TrackingFacts, language: Language, tiles_url: str | None, zone: str = "America/Argentina/Buenos_Aires"
) -> HTMLResponse:
    """Return the page of a trip, complete without JavaScript; it keeps itself current by asking its own address for JSON.

    `tiles_url` is a template as map servers publish it (`{z}`, `{x}`, `{y}`, perhaps `{s}` and `{r}`); without one the map is
    a quiet grid. `zone` is the IANA zone in which times are shown.
    """
    words = words_of(facts, language=language, zone=ZoneInfo(zone))
    phone = facts.business.phone
    context: dict[str, Any] = {
        "facts": facts,
        "words": words,
        "icon_of_state": _icon_of_state(facts),
        "initials": "".join(word[0] for word in facts.technician.split()[:2]).upper(),
        "phone": phone_in_words(phone) if phone else None,
        "dial": re.sub(r"[^0-9+]", "", phone) if phone else None,
        "given": {
            "facts": json.dumps(as_json(facts)),
            "texts": json.dumps(TEXTS[language]),
            "scales": json.dumps(SCALES),
            "zone": zone,
            "tiles": tiles_url or "",
        },
    }
    return _page("trip.html", language=language, images=_tile_origin(tiles_url), **context)


def render_gone(*, language: Language, reason: Literal["expired", "unknown"]) -> HTMLResponse:
    """Return the page of a link that shows nothing: 410 if its time is over, 404 if there is no such link."""
    return _page("gone.html", language=language, status=_GONE[reason], reason=reason, icon_name=_ICONS[reason])


def _page(name: str, *, language: Language, status: int = 200, images: str = "", **context: Any) -> HTMLResponse:
    body = _PAGES.get_template(name).render(locale=_LOCALES[language], t=TEXTS[language], **context)
    policy = (
        f"default-src 'self'; img-src 'self' data:{images}; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(body, status, headers)


def _tile_origin(tiles_url: str | None) -> str:
    """Return the origin of the tiles for the policy, with a space before it; nothing for tiles of our own."""
    parts = urlsplit((tiles_url or "").replace("{s}", "*"))
    found = _ORIGIN.fullmatch(f"{parts.scheme}://{parts.netloc}")
    return f" {found[0]}" if found else ""


def _icon_of_state(facts: TrackingFacts) -> str:
    if facts.outcome == "cancelled":
        return "circle-x"
    if facts.state == "arrived":
        return "circle-check-big"
    return "wifi-off" if facts.state == "stale" else "navigation"
