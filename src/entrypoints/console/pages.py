"""The pages, and what goes around each of them."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from core.identity import (
    AboveOneself,
    LastOwner,
    LoginTaken,
    PhoneTaken,
    SecondFactorState,
    Unauthenticated,
    WrongCode,
    WrongCredentials,
    WrongSecondFactor,
)
from core.kernel.actor import Actor
from core.kernel.errors import Conflict, CuadrillaError, Denied, Invalid, Limited, NotFound, Unavailable
from entrypoints.console import words
from entrypoints.console.sentences import word
from entrypoints.console.texts import TEXTS
from entrypoints.console.turn import PageExpired, Turn, Unreadable
from entrypoints.languages import Language
from entrypoints.phones import phone_in_words

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # With `no-referrer` a browser would not say from which origin a form comes.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
HTMX: Final = json.dumps(
    {
        "allowEval": False,
        "includeIndicatorStyles": False,
        "selfRequestsOnly": True,
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "responseHandling": [{"code": "204", "swap": False}, {"code": "[2345]..", "swap": True}],
    }
)
"""Pages that say no are pages as well, and no page stays in the browser's storage."""
COMING: Final = (
    ("conversations", "message-circle"),
    ("circuits", "waypoints"),
    ("workflows", "workflow"),
    ("questions", "circle-help"),
)
"""Areas that are not there yet, and their icons."""
FAILURES: Final[dict[type[CuadrillaError], tuple[int, str]]] = {
    PageExpired: (403, "stale"),
    Denied: (403, "denied"),
    NotFound: (404, "not_found"),
    Unreadable: (400, "malformed"),
    Invalid: (400, "malformed"),
    Conflict: (409, "conflict"),
    Limited: (429, "limited"),
    Unavailable: (503, "unavailable"),
}
_OURS: Final = 500
"""From here on the fault is ours, and what the shell needs may be what fails."""
_ICONS: Final = {"denied": "lock", "not_found": "search-x", "stale": "timer-off", "limited": "hourglass"}
_PROBLEMS: Final[dict[type[CuadrillaError], tuple[str, str]]] = {
    WrongCode: ("code", "problem.wrong_code"),
    WrongCredentials: ("", "problem.wrong_credentials"),
    WrongSecondFactor: ("totp", "problem.wrong_second_factor"),
    LoginTaken: ("email", "problem.login_taken"),
    PhoneTaken: ("phone", "problem.phone_taken"),
    LastOwner: ("", "problem.last_owner"),
    AboveOneself: ("", "problem.above"),
    SecondFactorState: ("", "problem.factor_state"),
    Unauthenticated: ("", "problem.again"),
    Conflict: ("", "problem.again"),
    Unavailable: ("", "failure.unavailable.meaning"),
}
_LOCALES: Final = {"es": "es-AR", "en": "en"}
_PAGES: Final = Environment(
    loader=PackageLoader("entrypoints.console"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def areas(actor: Actor) -> list[tuple[str, str]]:
    """Return the areas that somebody has, with their icons, the first one first; settings are everybody's."""
    own = {"owner": actor.id}
    wanted = (
        ("jobs", "clipboard-list", actor.may("jobs.read", **own)),
        ("invoices", "receipt-text", actor.may("invoices.read")),
    )
    return [*((name, icon) for name, icon, may in wanted if may), ("settings", "settings")]


async def page(
    turn: Turn, name: str, *, status: int = 200, headers: dict[str, str] | None = None, bare: bool = False, **more: Any
) -> Response:
    """Return a page, inside the shell for whoever is logged in unless it is to stand alone (`bare`).

    `problems` are texts by the field that they are about.
    """
    zone = "America/Argentina/Buenos_Aires"
    me = None
    if turn.visit is not None and not bare:
        tenant = await turn.app.identity.tenant(actor=turn.actor)
        zone = tenant.zone
        actor = turn.actor
        me = {
            "name": await turn.app.identity.name(actor=actor),
            "role": actor.role,
            "tenant": tenant.name,
            "areas": areas(actor),
            "sections": _sections(turn),
        }
    context = {
        "t": partial(say, turn.language),
        "knows": TEXTS.__contains__,
        "when": partial(_when, turn, ZoneInfo(zone)),
        "device": partial(_device, turn.language),
        "phone": phone_in_words,
        "day": partial(words.day, language=turn.language, today=turn.app.clock().astimezone(ZoneInfo(zone)).date()),
        "money": words.money,
        "number": words.number,
        "word": partial(word, language=turn.language),
        "locale": _LOCALES[turn.language],
        "other": "en" if turn.language == "es" else "es",
        "csrf": turn.csrf,
        "htmx": HTMX,
        "coming": COMING,
        "me": me,
        "path": turn.request.url.path,
        "next": turn.next,
        "problems": {},
        "said": None,
        "given": {},
        **more,
    }
    body = _PAGES.get_template(name).render(context)
    response = HTMLResponse(body, status, {**HEADERS, **(headers or {})})
    turn.greet(response)
    return response


async def failure(turn: Turn, error: CuadrillaError | None) -> Response:
    """Return the page that says what an error means; None is a defect of ours."""
    kinds = type(error).__mro__ if error is not None else ()
    status, name = next((FAILURES[kind] for kind in kinds if kind in FAILURES), (500, "defect"))
    wait, headers = "", {}
    if isinstance(error, Limited):
        wait, headers = waiting(turn.language, error.retry_after), _retry(error)
    return await page(
        turn,
        "failure.html",
        status=status,
        headers=headers,
        bare=status >= _OURS,
        failure=f"failure.{name}",
        icon_name=_ICONS.get(name, "triangle-alert"),
        wait=wait,
        request_id=turn.request.state.request_id,
        again=turn.request.url.path if turn.request.method == "GET" else turn.next,
    )


async def form_again(turn: Turn, name: str, error: CuadrillaError, **more: Any) -> Response:
    """Return a form as it was filled in, with what is wrong; raise what is about no form."""
    if isinstance(error, Limited):
        text = say(turn.language, "problem.too_often", wait=waiting(turn.language, error.retry_after))
        return await page(turn, name, status=429, headers=_retry(error), problems={"": text}, **more)
    if isinstance(error, Invalid) and f"problem.{error.field}" in TEXTS:
        problems = {str(error.field): say(turn.language, f"problem.{error.field}")}
        return await page(turn, name, status=422, problems=problems, **more)
    known = next((_PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS), None)
    if known is None:
        raise error
    status = 503 if isinstance(error, Unavailable) else 422
    return await page(turn, name, status=status, problems={known[0]: say(turn.language, known[1])}, **more)


def say(language: Language, key: str, **values: object) -> str:
    """Return a text; it is not escaped."""
    return TEXTS[key][language == "en"].format(**values)


def waiting(language: Language, seconds: float) -> str:
    """Say how long to wait."""
    unit, n = words.wait(seconds)
    return say(language, f"wait.{unit}", n=n)


def _retry(error: Limited) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(error.retry_after)))}


def _sections(turn: Turn) -> list[tuple[str, str]]:
    wanted = (
        ("account", "user-round", None),
        ("sessions", "monitor", None),
        ("notifications", "bell", None),
        ("deliveries", "send", "notifications.read"),
        ("team", "users", "users.read"),
        ("service-tokens", "key-round", "service_tokens.read"),
        ("audit", "scroll-text", "audit.read"),
    )
    return [(name, icon) for name, icon, need in wanted if need is None or turn.actor.may(need)]


def _when(turn: Turn, zone: ZoneInfo, instant: datetime) -> str:
    return words.when(instant, zone=zone, language=turn.language, now=turn.app.clock())


def _device(language: Language, agent: str) -> dict[str, Any]:
    browser, system = words.device(agent)
    if browser and system:
        name = say(language, "device.on", browser=browser, system=system)
    else:
        name = browser or system or agent.partition(" ")[0][:40] or say(language, "device.unknown")
    return {"name": name, "icon": "smartphone" if system in words.HAND_HELD else "monitor"}
