"""The control door of the sandbox AFIP: certificates, faults and the clock, for programs as JSON and for people as a page."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import asdict
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from entrypoints.sandbox.afip import wsfe
from entrypoints.sandbox.afip.state import KINDS, AfipState, Fault
from entrypoints.sandbox.afip.texts import TEXTS
from entrypoints.sandbox.afip.wsaa import ARGENTINA

_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_CONDITIONS: Final = ("responsable_inscripto", "monotributo", "exento")
_SLOWEST: Final = 120.0
_PAGES: Final = Environment(
    # The frame of all the sandbox's pages lies with the phone's.
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.afip"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)


class NotUnderstood(Exception):
    """What was asked of the control door makes no sense."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} must be {rule}")


def control_routes(*, state: AfipState, now: Callable[[], datetime], services: tuple[str, str]) -> list[Route]:
    """Return the control door's routes."""

    async def certificates(request: Request) -> Response:
        try:
            wanted = _certificate_order(await _json(request))
        except NotUnderstood as problem:
            return JSONResponse({"error": str(problem)}, 422)
        return JSONResponse(await asyncio.to_thread(lambda: state.issue_certificate(**wanted, at=now())), 201)

    async def faults(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": [asdict(each) for each in state.faults]})
        from_page = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        try:
            order = fault_order(dict(await request.form()) if from_page else await _json(request))
        except NotUnderstood as problem:
            if from_page:
                return _page(request, state, now(), services, problem=str(problem))
            return JSONResponse({"error": str(problem)}, 422)
        state.faults.append(order)
        return RedirectResponse("/afip/control#faults", 303) if from_page else JSONResponse(asdict(order), 201)

    async def clear(_: Request) -> Response:
        state.faults.clear()
        return RedirectResponse("/afip/control#faults", 303)

    async def set_clock(request: Request) -> Response:
        try:
            state.offset = timedelta(seconds=float((await _json(request)).get("offsetSeconds", 0)))
        except (NotUnderstood, TypeError, ValueError, OverflowError):
            return JSONResponse({"error": "offsetSeconds must be a number of seconds"}, 422)
        return JSONResponse({"now": now().isoformat()})

    async def vouchers(_: Request) -> Response:
        return JSONResponse({"items": [asdict(each) for each in state.vouchers()]})

    async def page(request: Request) -> Response:
        return _page(request, state, now(), services)

    async def style(_: Request) -> Response:
        return FileResponse(Path(str(resources.files("entrypoints.sandbox.afip") / "control.css")))

    return [
        Route("/afip/control", page, methods=["GET"]),
        Route("/afip/control/control.css", style, methods=["GET"]),
        Route("/afip/control/vouchers", vouchers, methods=["GET"]),
        Route("/afip/control/certificates", certificates, methods=["POST"]),
        Route("/afip/control/faults", faults, methods=["GET", "POST"]),
        Route("/afip/control/faults/clear", clear, methods=["POST"]),
        Route("/afip/control/clock", set_clock, methods=["POST"]),
    ]


def fault_order(wanted: Mapping[str, Any]) -> Fault:
    """Read an order for a failure; raise `NotUnderstood`."""
    kind, operation = str(wanted.get("kind", "")), str(wanted.get("operation") or "*")
    code = str(wanted.get("code") or "")
    if kind not in KINDS:
        raise NotUnderstood("kind", f"one of {', '.join(KINDS)}")
    if operation not in {"*", "loginCms", *wsfe.operations()}:
        raise NotUnderstood("operation", "one that exists, or *")
    if kind == "refuse" and operation != "FECAESolicitar":
        raise NotUnderstood("operation", "FECAESolicitar, which alone refuses vouchers")
    if kind in {"error", "refuse"} and operation != "loginCms" and not re.fullmatch(r"[0-9]{1,9}", code):
        raise NotUnderstood("code", "a number")
    if kind == "error" and operation == "loginCms" and not re.fullmatch(r"[A-Za-z.]{3,60}", code):
        raise NotUnderstood("code", "a code of WSAA, such as wsaa.unavailable")
    try:
        seconds = float(wanted.get("seconds") or 0)
    except (TypeError, ValueError) as broken:
        raise NotUnderstood("seconds", "a number") from broken
    if not 0 <= seconds <= _SLOWEST:
        raise NotUnderstood("seconds", f"between 0 and {_SLOWEST:.0f}")
    text = "".join(letter for letter in str(wanted.get("text") or "") if letter.isprintable())[:500]
    return Fault(
        kind=kind,
        operation=operation,
        after_effect=str(wanted.get("after_effect", "")).lower() in {"true", "1", "on"},
        code=code,
        seconds=seconds,
        **({"text": text} if text else {}),
    )


def _certificate_order(wanted: Mapping[str, Any]) -> dict[str, Any]:
    cuit, condition, points = str(wanted.get("cuit", "")), wanted.get("vatCondition"), wanted.get("points", [1])
    if not re.fullmatch(r"[0-9]{11}", cuit):
        raise NotUnderstood("cuit", "eleven digits")
    if condition is not None and condition not in _CONDITIONS:
        raise NotUnderstood("vatCondition", f"one of {', '.join(_CONDITIONS)}")
    if not isinstance(points, list) or not all(type(each) is int and 1 <= each <= 99_998 for each in points):
        raise NotUnderstood("points", "a list of numbers between 1 and 99998")
    days = wanted.get("days", 730)
    if type(days) is not int or not -3650 <= days <= 3650:
        raise NotUnderstood("days", "a number between -3650 and 3650")
    csr = None
    if wanted.get("csr") is not None:
        try:
            csr = x509.load_pem_x509_csr(str(wanted["csr"]).encode())
        except ValueError as broken:
            raise NotUnderstood("csr", "a signing request in PEM") from broken
        if not csr.is_signature_valid or not isinstance(csr.public_key(), RSAPublicKey):
            raise NotUnderstood("csr", "signed with the RSA key that it is for")
    alias = "".join(letter for letter in str(wanted.get("alias") or "cuadrilla") if letter.isprintable())[:64]
    return {
        "cuit": cuit,
        "alias": alias or "cuadrilla",
        "points": points,
        "csr": csr,
        "vat_condition": condition,
        "days": days,
    }


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        read = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise NotUnderstood("body", "JSON") from broken
    if not isinstance(read, dict):
        raise NotUnderstood("body", "a JSON object")
    return read


def _page(
    request: Request, state: AfipState, now: datetime, services: tuple[str, str], *, problem: str = ""
) -> Response:
    language = _language(request.headers.get("accept-language", ""))
    address = urlsplit(str(request.url))
    page = _PAGES.get_template("afip.html").render(
        t=TEXTS[language],
        language=language,
        problem=problem,
        now=now.astimezone(ARGENTINA),
        moved=bool(state.offset),
        services=[f"{address.scheme}://{address.netloc}{path}" for path in services],
        certificates=[
            {**each, "expires": _local(each["expires"]), "lastTicketAt": _local(each["lastTicketAt"])}
            for each in state.certificates()
        ],
        series=[{**each, "name": wsfe.TYPES[each["type"]]} for each in state.series()],
        vouchers=[
            {**asdict(each), "name": wsfe.TYPES[each.type], "date": f"{each.day[6:]}/{each.day[4:6]}/{each.day[:4]}"}
            for each in state.vouchers()
        ],
        documents=wsfe.DOCUMENTS,
        faults=list(state.faults),
        kinds=KINDS,
        operations=("*", "loginCms", *wsfe.operations()),
    )
    headers = {
        "content-security-policy": _POLICY,
        "content-language": language,
        "vary": "accept-language",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(page, 422 if problem else 200, headers=headers)


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
