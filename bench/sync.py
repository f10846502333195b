"""A phone that was away for long: what a pull of ten thousand changed jobs costs, JSON included."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx2
import sqlalchemy as sa

from adapters.sql.migrate import connected
from bench.figure import Figure, compare
from core.identity import Origin
from core.kernel.actor import Actor
from entrypoints.http.app import http_app
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate
from tests import servers
from tests.entrypoints.http.web import enrol_everybody

ROWS: Final = 10_000
LONGEST: Final = 1.5
JOBS: Final = """
INSERT INTO jobs (tenant, id, version, status, customer_id, technician_id, title, wish, place, starts_at, ends_at, lines, notes,
    photos, currency, created_at, changed_by, changed_at)
SELECT 'demo', 'job_' || n, 1, 'completed', 'cust_' || n % 100, 'carlos', 'Aire acondicionado ' || n,
    '{"text": "no enfría", "urgency": "normal", "trade": null, "day": null, "part_of_day": null}',
    '{"address": "Av. Corrientes 1234", "lat": -34.6, "lng": -58.4}', now(), now() + interval '2 hours',
    '[{"description": "Gas", "quantity": "1.5", "unit_price": "9800.00", "discount": "0", "vat_rate": "21", "treatment": "taxed"}]',
    'timbre 3', '[]', 'ARS', now(), 'user_marta', now()
FROM generate_series(1, :rows) n
"""


async def figures() -> AsyncIterator[Figure]:
    """Take the figures."""
    with tempfile.TemporaryDirectory() as folder, servers.postgres() as server, servers.fresh_database(server) as url:
        settings = read_settings(
            {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": folder, "CUADRILLA_DATABASE_URL": url}, directory=Path(folder)
        )
        migrate(settings)
        app = build(settings)
        async with app.running():
            await enrol_everybody(app)
            with connected(url) as connection:
                connection.execute(sa.text("SELECT set_config('cuadrilla.tenant', '*', true)"))
                connection.execute(sa.text(JOBS), {"rows": ROWS})
            yield await _pull(app)


async def _pull(app: App) -> Figure:
    async def wanted() -> float:
        return LONGEST

    application = http_app(app)
    actor = Actor(tenant="demo", id="carlos", role="service", correlation="corr_bench")
    user = await app.store.directory.user("demo", "carlos")
    async with app.store.begin(actor) as tx:
        tokens = await app.sessions.start(tx, user=user, method="otp", origin=Origin("corr_bench"))
    headers = {"authorization": f"Bearer {tokens.access}"}
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:

        async def pulled() -> float:
            began = time.perf_counter()
            answer = await client.get(f"/api/v1/sync?limit={ROWS * 2}")
            seconds = time.perf_counter() - began
            assert len(answer.json()["changes"]["jobs"]["updated"]) == ROWS
            return seconds

        name = "a pull of 10,000 changed jobs with a line each, JSON included / 1.5 s"
        return await compare(name, floor=wanted, ours=pulled, goal=1.0, unit=" s", at_most=True)
