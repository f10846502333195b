"""The pages for people: the phone, and the sandbox's front door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from entrypoints.sandbox.whatsapp.control import NotUnderstood, digits
from entrypoints.sandbox.whatsapp.model import Account
from entrypoints.sandbox.whatsapp.state import WhatsAppState
from entrypoints.sandbox.whatsapp.texts import TEXTS

_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_STATIC: Final = Path(__file__).parent / "static"
_FIRST_PERSON: Final = ("5491155550123", "Ana Gómez")
"""Who the phone belongs to until another is chosen."""
_AREA_11: Final = re.compile(r"54(9?)(11)(\d{4})(\d{4})")
_AREA_OF_THREE: Final = re.compile(r"54(9?)(\d{3})(\d{3})(\d{4})")


def written(phone: str) -> str:
    """Write a number's digits as people do: `+54 9 11 5555-0123`."""
    phone = phone.removeprefix("+")
    found = _AREA_11.fullmatch(phone) or _AREA_OF_THREE.fullmatch(phone)
    if found is None:
        return f"+{phone}"
    nine, area, first, last = found.groups()
    return f"+54 {nine}{' ' if nine else ''}{area} {first}-{last}"


_PAGES: Final = Environment(loader=PackageLoader("entrypoints.sandbox.whatsapp"), autoescape=select_autoescape())
_PAGES.filters["written"] = written
_PAGES.filters["initials"] = lambda name: "".join(word[0] for word in str(name).split()[:2]).upper()


def page_routes(state: WhatsAppState) -> list[BaseRoute]:
    """Return the phone page and the files that the sandbox's pages load."""

    async def phone(request: Request) -> Response:
        accounts = state.accounts()
        asked = request.query_params
        account = next((each for each in accounts if each.phone_number_id == asked.get("account")), None)
        account = account or (accounts[0] if accounts else None)
        problem = None
        wa_id, name = _FIRST_PERSON
        if asked.get("wa_id"):
            try:
                wa_id, name = digits(asked["wa_id"]), ""
            except NotUnderstood:
                problem = asked["wa_id"][:40]
        people = [] if account is None else state.contacts(account.phone_number_id)
        known = next((each.name for each in people if each.wa_id == wa_id and each.name), "")
        name = asked.get("name", "").strip()[:120] if problem is None and asked.get("name") else known or name
        links = [_person(account, each.wa_id, each.name) for each in people] if account else []
        if account and all(each["wa_id"] != wa_id for each in links):
            links.insert(0, _person(account, wa_id, name))
        return _page(
            request,
            "phone.html",
            account=account,
            accounts=accounts,
            wa_id=wa_id,
            name=name,
            people=links,
            problem=problem,
        )

    return [
        Route("/phone", phone, methods=["GET"]),
        Mount("/static", StaticFiles(directory=_STATIC), name="static"),
    ]


def index_route(*, state: WhatsAppState) -> Route:
    """Return the front door: what is here, and the way to each part."""

    async def index(request: Request) -> Response:
        accounts = state.accounts()
        phones = [
            (account, [_person(account, each.wa_id, each.name) for each in state.contacts(account.phone_number_id)])
            for account in accounts
        ]
        return _page(request, "index.html", phones=phones)

    return Route("/", index, methods=["GET"])


def _person(account: Account, wa_id: str, name: str) -> dict[str, str]:
    query = urlencode({"account": account.phone_number_id, "wa_id": wa_id, **({"name": name} if name else {})})
    return {"wa_id": wa_id, "name": name, "href": f"/phone?{query}"}


def _page(request: Request, template: str, **values: Any) -> Response:
    language = language_of(request.headers.get("accept-language", ""))
    texts: Mapping[str, str] = TEXTS[language]
    page = _PAGES.get_template(template).render(t=texts, language=language, **values)
    headers = {
        "content-security-policy": _POLICY,
        "content-language": language,
        "vary": "accept-language",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(page, headers=headers)


def language_of(header: str) -> str:
    """Return the better wanted of our two languages; Spanish when neither is."""
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(header.split(",")):
        tag, _, quality = part.partition(";q=")
        code = tag.strip().lower().split("-")[0]
        if code in TEXTS:
            try:
                wanted.append((-float(quality or 1), position, code))
            except ValueError:
                continue
    return min(wanted)[2] if wanted else "es"
