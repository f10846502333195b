"""The loop that asks the routing engine which the settings name."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.identity import Tenant, User
from core.kernel.actor import Actor
from core.tracking import Eta, Point
from entrypoints.serving import serving
from entrypoints.settings import read_settings
from entrypoints.wiring import build
from entrypoints.worker import beside_requests

OFFICE = Actor(tenant="demo", id="user_marta", role="dispatcher", correlation="corr_1")
PATIENCE = 90.0
"""Seconds: an engine that a busy machine held up too long rests for 30 before it is asked again."""


async def an_hour(_: Request) -> Response:
    return JSONResponse({"code": "Ok", "routes": [{"duration": 3600.0}]})


async def test_a_trip_s_estimate_goes_by_the_engine_that_the_settings_name(tmp_path: Path) -> None:
    async with serving(Starlette(routes=[Route("/route/v1/driving/{places}", an_hour)])) as engine:
        given = {
            "CUADRILLA_ENV": "test",
            "CUADRILLA_VAR": str(tmp_path),
            "CUADRILLA_DATABASE_URL": "memory:",
            "CUADRILLA_ROUTING_URL": f"osrm+{engine}",
        }
        async with build(read_settings(given, directory=tmp_path)).running() as app, beside_requests(app):
            await app.store.directory.enrol(
                Tenant(id="demo", name="Demo"),
                [User(id="user_carlos", tenant="demo", name="Carlos", role="technician")],
            )
            trip = {"job_id": "job_1", "technician_id": "user_carlos", "customer_id": "cust_1"}
            await app.tracking.open(actor=OFFICE, destination=Point(-34.6037, -58.3816), **trip)
            eta: Eta | None = None
            await app.tracking.update(actor=OFFICE, job_id="job_1", point=Point(-34.57, -58.3816))
            async with asyncio.timeout(PATIENCE):
                while eta is None or round(eta.seconds) != 3600:
                    await asyncio.sleep(0.01)
                    eta = (await app.tracking.show(actor=OFFICE, job_id="job_1")).eta
