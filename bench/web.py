"""Figures over HTTP: webhook, reading a job, hello; PostgreSQL and Redis behind both servers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2

from bench.figure import Figure, compare
from bench.load import request, requests_per_second
from entrypoints.demo import stage_of
from entrypoints.demo_tenant import PHONE_NUMBER_ID, app_secret, seed
from entrypoints.http.app import http_app
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import Running
from entrypoints.wiring import afip_descriptions, build, migrate, now
from tests import servers


async def figures() -> AsyncIterator[Figure]:
    """Take the three figures."""
    with servers.postgres() as postgres, servers.redis() as redis, servers.fresh_database(postgres) as url:
        folder = Path(tempfile.mkdtemp())
        environ = {
            "CUADRILLA_ENV": "test",
            "CUADRILLA_VAR": str(folder),
            "CUADRILLA_DATABASE_URL": url,
            "CUADRILLA_REDIS_URL": redis,
            "CUADRILLA_PORT": str(free_port()),
            "CUADRILLA_SANDBOX_PORT": str(free_port()),
            "CUADRILLA_LOG_LEVEL": "info",
        }
        settings = read_settings(environ, directory=folder)
        await asyncio.to_thread(migrate, settings)
        wsaa, wsfe = afip_descriptions()
        outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=folder)
        # One session for all: what is measured is a request, not a log-in.
        app = build(settings)
        async with (
            serving(outside, port=settings.sandbox_port) as sandbox,
            serving(http_app(app), port=settings.port) as api,
            httpx2.AsyncClient(trust_env=False) as client,
        ):
            await seed(app)
            stage = stage_of(Running(app=app, api=api, sandbox=sandbox))
            token = await stage.person(stage.dispatcher_phone, client, now).token()
        with running_server("floor", environ) as floor, running_server("ours", environ) as ours:
            await up(floor, ours)
            yield await _webhook(floor, ours, app_secret(settings))
            yield await _job(floor, ours, token)
            yield await _hello(floor, ours)


async def _webhook(floor: int, ours: int, secret: str) -> Figure:
    bodies = (_delivery(number) for number in itertools.count())

    def signed() -> Iterator[bytes]:
        for body in bodies:
            signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            yield request(
                "POST",
                "/webhooks/whatsapp",
                body,
                Content_Type="application/json",
                X_Hub_Signature_256=f"sha256={signature}",
            )

    plain = (request("POST", "/insert", body, Content_Type="application/json") for body in bodies)
    return await compare(
        "webhook: signature, inbox, buffer / bare ORM insert",
        floor=lambda: requests_per_second(floor, plain),
        ours=lambda: requests_per_second(ours, signed()),
        goal=0.8,
    )


async def _job(floor: int, ours: int, token: str) -> Figure:
    async with httpx2.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        api = f"http://127.0.0.1:{ours}/api/v1"
        customer = (await client.post(f"{api}/customers", json={"name": "Ana Ruiz", "phone": "+5491155550123"})).json()
        wish = {"customerId": customer["id"], "title": "Aire acondicionado", "request": "no enfría", "trade": "aire"}
        place = {"address": "Av. Corrientes 1234", "lat": -34.6, "lng": -58.4}
        job = (await client.post(f"{api}/jobs", json={**wish, "location": place})).json()
    mine = itertools.repeat(request("GET", f"/api/v1/jobs/{job['id']}", Authorization=f"Bearer {token}"))
    theirs = itertools.repeat(request("GET", "/rows/1"))
    return await compare(
        "GET a job, all layers / bare ORM get",
        floor=lambda: requests_per_second(floor, theirs),
        ours=lambda: requests_per_second(ours, mine),
        goal=1.0,
    )


async def _hello(floor: int, ours: int) -> Figure:
    mine, theirs = itertools.repeat(request("GET", "/health")), itertools.repeat(request("GET", "/hello"))
    return await compare(
        "hello through our middleware / bare Starlette",
        floor=lambda: requests_per_second(floor, theirs),
        ours=lambda: requests_per_second(ours, mine),
        goal=0.6,
    )


def _delivery(number: int) -> bytes:
    person = f"54911{number % 5000:08}"
    return (
        '{"object":"whatsapp_business_account","entry":[{"id":"2000000001","changes":[{"value":{"messaging_product":"whatsapp",'
        f'"metadata":{{"display_phone_number":"541150000000","phone_number_id":"{PHONE_NUMBER_ID}"}},'
        f'"contacts":[{{"profile":{{"name":"Ana"}},"wa_id":"{person}"}}],"messages":[{{"from":"{person}","id":"wamid.{number}",'
        f'"timestamp":"1795093920","text":{{"body":"Hola, buen día {number}"}},"type":"text"}}]}},"field":"messages"}}]}}]}}'
    ).encode()


@contextlib.contextmanager
def running_server(which: str, environ: dict[str, str]) -> Iterator[int]:
    """Run `floor` or `ours` in a process of its own, and give its port."""
    port = free_port()
    process: subprocess.Popen[Any] = subprocess.Popen(
        [sys.executable, "-m", "bench.server", which, str(port)],
        env={**os.environ, **environ},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


async def up(*ports: int) -> None:
    """Wait until all of them answer."""
    async with asyncio.timeout(30), httpx2.AsyncClient(trust_env=False) as client:
        for port in ports:
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    await client.get(f"http://127.0.0.1:{port}/hello")
                    break
                await asyncio.sleep(0.1)
