"""The control door of the sandbox AFIP, for programs as JSON and for people as a page."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import asdict, frozen
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from entrypoints.sandbox.afip import tables, wsfe
from entrypoints.sandbox.afip.faults import KINDS
from entrypoints.sandbox.afip.orders import (
    NotUnderstood,
    certificate_order,
    clock_order,
    fault_order,
    issuer_order,
    rules_order,
    taxpayer_order,
)
from entrypoints.sandbox.afip.state import FCE, RECEIVER_CONDITIONS, STATUSES, AfipState, Issuer, Rules, Taxpayer
from entrypoints.sandbox.afip.texts import TEXTS
from entrypoints.sandbox.afip.wsaa import ARGENTINA

_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_SHOWN: Final = 50
_MOST: Final = 100_000
_PAGES: Final = Environment(
    # The frame of all the sandbox's pages lies with the phone's.
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.afip"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)
Reading = Callable[[Mapping[str, Any]], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(*, state: AfipState, now: Callable[[], datetime], services: tuple[str, str]) -> list[Route]:
    """Return the control door's routes."""
    control, base = _Control(state, now, services), "/afip/control"
    return [
        Route(base, control.page, methods=["GET"]),
        Route(f"{base}/control.css", _style, methods=["GET"]),
        Route(f"{base}/vouchers", control.vouchers, methods=["GET"]),
        Route(f"{base}/certificates", control.door("certificates", control.certify, status=201), methods=["POST"]),
        Route(f"{base}/faults", _shown(lambda: {"items": state.faults.listed()}), methods=["GET"]),
        Route(f"{base}/faults", control.door("faults", control.order_fault, status=201), methods=["POST"]),
        Route(f"{base}/faults", control.clear, methods=["DELETE"]),
        Route(f"{base}/faults/clear", control.clear, methods=["POST"]),
        Route(f"{base}/faults/{{number:int}}", control.clear, methods=["DELETE"]),
        Route(f"{base}/faults/{{number:int}}/clear", control.clear, methods=["POST"]),
        Route(f"{base}/clock", _shown(control.clock), methods=["GET"]),
        Route(f"{base}/clock", control.door("clock", control.move_clock), methods=["POST"]),
        Route(f"{base}/rules", _shown(lambda: _rules(state.rules)), methods=["GET"]),
        Route(f"{base}/rules", control.door("clock", control.change_rules), methods=["POST"]),
        Route(f"{base}/register", _shown(control.register), methods=["GET"]),
        Route(f"{base}/register", control.door("register", control.enter), methods=["POST"]),
        Route(f"{base}/issuers", control.door("certificates", control.change_issuer), methods=["POST"]),
    ]


@frozen
class _Control:
    """What can be seen and changed over the door."""

    state: AfipState
    now: Callable[[], datetime]
    services: tuple[str, str]

    def door(self, section: str, change: Reading, *, status: int = 200) -> Endpoint:
        """Return an endpoint that reads JSON or the page's form, changes something, and answers in kind."""

        async def endpoint(request: Request) -> Response:
            from_page = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
            try:
                wanted = dict(await request.form()) if from_page else await _json(request)
                answer = await asyncio.to_thread(change, wanted)
            except NotUnderstood as problem:
                if from_page:
                    return self._shown_page(request, problem=str(problem), section=section)
                return JSONResponse({"error": str(problem)}, 422)
            return RedirectResponse(f"/afip/control#{section}", 303) if from_page else JSONResponse(answer, status)

        return endpoint

    def certify(self, wanted: Mapping[str, Any]) -> Any:
        return self.state.issue_certificate(**certificate_order(wanted), at=self.now())

    def order_fault(self, wanted: Mapping[str, Any]) -> Any:
        fault = fault_order(wanted)
        return {**asdict(fault), "number": self.state.faults.order(fault)}

    def clock(self) -> Any:
        return {"now": self.now().isoformat(), "offsetSeconds": self.state.offset.total_seconds()}

    def move_clock(self, wanted: Mapping[str, Any]) -> Any:
        self.state.move_clock(clock_order(wanted, real=self.now() - self.state.offset))
        return self.clock()

    def change_rules(self, wanted: Mapping[str, Any]) -> Any:
        self.state.set_rules(rules_order(wanted, now=self.state.rules))
        return _rules(self.state.rules)

    def register(self) -> Any:
        return {"items": [_taxpayer(each) for each in self.state.taxpayers()]}

    def enter(self, wanted: Mapping[str, Any]) -> Any:
        taxpayer = taxpayer_order(wanted)
        self.state.register(taxpayer)
        return _taxpayer(taxpayer)

    def change_issuer(self, wanted: Mapping[str, Any]) -> Any:
        cuit, issuer, points = issuer_order(wanted, known=self.state.issuer)
        with self.state.transaction():
            self.state.set_issuer(cuit, issuer)
            for point in points:
                self.state.set_point(cuit, point)
        return _issuer(self.state, cuit, issuer)

    async def clear(self, request: Request) -> Response:
        number = request.path_params.get("number")
        cleared = self.state.faults.clear(number)
        if request.method == "DELETE":
            return JSONResponse({"cleared": cleared}, 404 if number is not None and not cleared else 200)
        return RedirectResponse("/afip/control#faults", 303)

    async def vouchers(self, request: Request) -> Response:
        asked = request.query_params
        try:
            limit, after = int(asked.get("limit", 200)), int(asked.get("after", 0))
        except ValueError:
            return JSONResponse({"error": "limit and after must be numbers"}, 422)
        bounds = {"limit": min(max(limit, 0), _MOST), "after": min(max(after, 0), _MOST)}
        found = await asyncio.to_thread(lambda: [asdict(each) for each in self.state.vouchers(**bounds)])
        return JSONResponse({"items": found, "total": self.state.count()})

    async def page(self, request: Request) -> Response:
        return self._shown_page(request)

    def _shown_page(self, request: Request, *, problem: str = "", section: str = "") -> Response:
        return _page(request, self.state, self.now(), self.services, problem=problem, section=section)


async def _style(_: Request) -> Response:
    return FileResponse(Path(str(resources.files("entrypoints.sandbox.afip") / "control.css")))


def _shown(what: Callable[[], Any]) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(what))

    return endpoint


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        read = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise NotUnderstood("body", "JSON") from broken
    if not isinstance(read, dict):
        raise NotUnderstood("body", "a JSON object")
    return read


def _rules(rules: Rules) -> dict[str, Any]:
    return {
        "guardSeconds": rules.guard_seconds,
        "finalConsumer": dict(rules.final_consumer),
        "conditionObligatoryFrom": rules.condition_obligatory_from,
        "fceFrom": rules.fce_from,
        "batch": rules.batch,
        "rates": dict(rules.rates),
    }


def _taxpayer(taxpayer: Taxpayer) -> dict[str, Any]:
    return {
        "cuit": str(taxpayer.cuit),
        "name": taxpayer.name,
        "status": taxpayer.status,
        "vatCondition": taxpayer.vat_condition,
        "fce": taxpayer.fce,
    }


def _issuer(state: AfipState, cuit: int, issuer: Issuer) -> dict[str, Any]:
    return {
        "cuit": str(cuit),
        "vatCondition": issuer.vat_condition,
        "small": issuer.small,
        "classAPending": issuer.class_a_pending,
        "classADenied": issuer.class_a_denied,
        "categoryExceeded": issuer.category_exceeded,
        "activities": list(issuer.activities),
        "points": [asdict(each) for each in state.points(cuit)],
    }


def _page(
    request: Request,
    state: AfipState,
    now: datetime,
    services: tuple[str, str],
    *,
    problem: str = "",
    section: str = "",
) -> Response:
    language = _language(request.headers.get("accept-language", ""))
    address = urlsplit(str(request.url))
    page = _PAGES.get_template("afip.html").render(
        t=TEXTS[language],
        language=language,
        problem=problem,
        section=section,
        now=now.astimezone(ARGENTINA),
        moved=_moved(state.offset, TEXTS[language]),
        rules=state.rules,
        threshold=state.rules.threshold(now.astimezone(ARGENTINA).date()),
        services=[f"{address.scheme}://{address.netloc}{path}" for path in services],
        certificates=[
            {**each, "expires": _local(each["expires"]), "lastTicketAt": _local(each["lastTicketAt"])}
            for each in state.certificates()
        ],
        series=[{**each, "name": tables.TYPES[each["type"]]} for each in state.series()],
        count=state.count(),
        vouchers=[
            {**asdict(each), "name": tables.TYPES[each.type], "date": f"{each.day[6:]}/{each.day[4:6]}/{each.day[:4]}"}
            for each in state.vouchers(limit=_SHOWN)
        ],
        documents=tables.DOCUMENTS,
        faults=state.faults.listed(),
        kinds=KINDS,
        operations=("*", "loginCms", *wsfe.operations()),
        taxpayers=state.taxpayers(),
        statuses=STATUSES,
        conditions=RECEIVER_CONDITIONS,
        fce=FCE,
    )
    headers = {
        "content-security-policy": _POLICY,
        "content-language": language,
        "vary": "accept-language",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(page, 422 if problem else 200, headers=headers)


def _moved(offset: timedelta, texts: Mapping[str, str]) -> str:
    """Say how far the clock is moved, in the largest units that matter; nothing if it is not."""
    if not offset:
        return ""
    minutes = round(abs(offset).total_seconds() / 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    span = f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"
    return f"{span} {texts['ahead'] if offset > timedelta() else texts['behind']}"


def _money(text: object) -> str:
    return f"{Decimal(str(text)):,.2f}".translate(str.maketrans(",.", ".,"))


_PAGES.filters["money"] = _money


def _local(instant: str | None) -> str:
    if instant is None:
        return ""
    return f"{datetime.fromisoformat(instant).astimezone(ARGENTINA):%d/%m/%Y %H:%M}"


def _language(header: str) -> str:
    """Return the better wanted of our two languages; Spanish when neither is."""
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(header.split(",")):
        tag, _, quality = part.partition(";q=")
        code = tag.strip().lower().split("-")[0]
        if code in TEXTS and re.fullmatch(r"\s*[01](\.[0-9]{0,3})?\s*", quality or "1"):
            wanted.append((-float(quality or 1), position, code))
    return min(wanted)[2] if wanted else "es"
