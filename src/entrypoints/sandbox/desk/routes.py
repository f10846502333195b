"""The desk's page, its buttons, and the door through which the product introduces itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from entrypoints.sandbox.desk.api import Api, Refusal
from entrypoints.sandbox.desk.drive import Drives, Place
from entrypoints.sandbox.desk.texts import TEXTS
from entrypoints.sandbox.whatsapp.pages import language_of

_ZONE: Final = ZoneInfo("America/Argentina/Buenos_Aires")
_DOOR: Final = Place(-34.603851, -58.383735)
"""Av. Corrientes 1234: where a visit goes to whose place has no position."""
_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_PAGES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.desk"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)


def pesos(amount: str) -> str:
    """Write an amount as people here do: `$ 24.580,00`."""
    return "$ " + f"{Decimal(amount):,.2f}".translate(str.maketrans(",.", ".,"))


def moment(instant: str) -> str:
    """Write an instant as people here do: `21/11 14:30`."""
    return f"{datetime.fromisoformat(instant).astimezone(_ZONE):%d/%m %H:%M}"


_PAGES.filters["pesos"] = pesos
_PAGES.filters["moment"] = moment


def desk_routes(*, api: Api, drives: Drives, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """Return the routes under `/desk`."""
    desk = _Desk(api, drives, clock)
    return [
        Route("/desk", desk.page, methods=["GET"]),
        Route("/desk/jobs/{id}", desk.act, methods=["POST"]),
        Route("/desk/invoices/{id}/pdf", desk.pdf, methods=["GET"]),
        Route("/desk/control/api", desk.introduce, methods=["PUT"]),
        Mount("/desk/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


@attrs.frozen
class _Desk:
    _api: Api
    _drives: Drives
    _clock: Callable[[], datetime]

    async def introduce(self, request: Request) -> Response:
        """Learn where the product is and whom to act as."""
        body = await request.json()
        for name in ("url", "dispatcher", "technician", "technician_id"):
            setattr(self._api, name, str(body[name]))
        return JSONResponse({})

    async def page(self, request: Request) -> Response:
        return await self._shown(request, problem=request.query_params.get("problem", "")[:300])

    async def act(self, request: Request) -> Response:
        """Do what a button says, and show the page again."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return Response("only the desk's own page may press its buttons", 403)
        job_id = request.path_params["id"]
        async with request.form(max_fields=20) as form:
            wanted = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            await self._do(job_id, wanted, TEXTS[language_of(request.headers.get("accept-language", ""))])
        except Refusal as refusal:
            return await self._shown(request, problem=str(refusal))
        return RedirectResponse(f"/desk#{job_id}", 303)

    async def pdf(self, request: Request) -> Response:
        try:
            content = await self._api.pdf(request.path_params["id"])
        except Refusal as refusal:
            return Response(str(refusal), 502)
        name = f"factura-{request.path_params['id'][-8:]}.pdf"
        return Response(
            content, media_type="application/pdf", headers={"content-disposition": f'attachment; filename="{name}"'}
        )

    async def _do(self, job_id: str, wanted: dict[str, str], t: Mapping[str, str]) -> None:
        to = wanted.get("to")
        move = f"/api/v1/jobs/{job_id}/transitions"
        if to == "scheduled":
            await self._api.post(move, _visit(wanted, t))
        elif to == "en_camino":
            job = await self._api.post(move, {"to": to}, technician=True)
            self._drives.start(job_id, _door(job))
        elif to == "working":
            await self._api.post(move, {"to": to}, technician=True)
        elif to == "completed":
            await self._api.post(move, {"to": to, "lines": [_item(wanted, t)]}, technician=True)
        elif to == "invoiced":
            await self._api.post("/api/v1/invoices", {"jobId": job_id})
        else:
            msg = "there is no such button"
            raise Refusal(msg)

    async def _shown(self, request: Request, *, problem: str) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        jobs: list[dict[str, Any]] = []
        technicians: list[dict[str, Any]] = []
        offline = ""
        try:
            found, people, invoices = await asyncio.gather(
                self._api.get("/api/v1/jobs?limit=20"),
                self._api.get("/api/v1/users?role=technician"),
                self._api.get("/api/v1/invoices?limit=100"),
            )
            technicians = people["items"]
            by_job = {each["jobId"]: each for each in invoices["items"]}
            names = {each["id"]: each["name"] for each in technicians}
            jobs = [
                {**job, "invoice": by_job.get(job["id"]), "technician": names.get(job["technicianId"])}
                for job in found["items"]
            ]
        except Refusal as refusal:
            offline = str(refusal)
        tomorrow = (self._clock().astimezone(_ZONE) + timedelta(days=1)).date()
        page = _PAGES.get_template("desk.html").render(
            t=TEXTS[language],
            language=language,
            jobs=jobs,
            technicians=technicians,
            tomorrow=tomorrow.isoformat(),
            problem=problem,
            offline=offline,
        )
        headers = {
            "content-security-policy": _POLICY,
            "content-language": language,
            "vary": "accept-language",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return HTMLResponse(page, headers=headers)


def _visit(wanted: dict[str, str], t: Mapping[str, str]) -> dict[str, Any]:
    try:
        starts_at = datetime.fromisoformat(wanted.get("day", "")).replace(hour=9, tzinfo=_ZONE)
    except ValueError as unfit:
        raise Refusal(t["bad_day"]) from unfit
    ends_at = starts_at + timedelta(hours=2)
    try:
        door = Place(float(wanted["lat"]), float(wanted["lng"]))
    except (KeyError, ValueError):
        door = _DOOR
    return {
        "to": "scheduled",
        "technicianId": wanted.get("technician", ""),
        "startsAt": starts_at.astimezone(UTC).isoformat(),
        "endsAt": ends_at.astimezone(UTC).isoformat(),
        "location": {"address": wanted.get("address", ""), "lat": door.lat, "lng": door.lng},
    }


def _door(job: dict[str, Any]) -> Place:
    where = job["location"]
    return _DOOR if where["lat"] is None else Place(where["lat"], where["lng"])


def _item(wanted: dict[str, str], t: Mapping[str, str]) -> dict[str, str]:
    price = wanted.get("price", "").strip().replace(".", "").replace(",", ".")
    try:
        Decimal(price)
    except InvalidOperation as unfit:
        raise Refusal(t["bad_price"]) from unfit
    return {"description": wanted.get("item", "").strip(), "quantity": "1", "unitPrice": price}
