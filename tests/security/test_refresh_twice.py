"""S2: whoever uses a refresh token twice at once, in two processes, has one line of tokens at most, and then none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2

from adapters.sql import upgrade
from core.identity import Origin
from core.kernel.actor import Actor
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web
from tests.full import so_many

TOKENS = so_many(1000, usually=60)
AT_ONCE = 10


async def a_refresh_token(web: Web) -> str:
    user = await web.app.store.directory.user("demo", "marta")
    async with web.app.store.begin(Actor(tenant="demo", id="marta", role="service", correlation="c")) as tx:
        return (await web.app.sessions.start(tx, user=user, method="otp", origin=Origin("c"))).refresh


async def refresh(web: Web, token: str) -> httpx2.Response:
    return await web.ask("POST", "/api/v1/auth/refresh", None, json={"refreshToken": token})


async def test_of_two_uses_at_once_never_two_lines_live(tmp_path: Path, postgres_url: str) -> None:
    upgrade(postgres_url)
    environ = {"CUADRILLA_DATABASE_URL": postgres_url, "CUADRILLA_SECRET_KEY": "the key of both of these processes"}
    won = 0

    async with serving_web(tmp_path / "a", **environ) as here, serving_web(tmp_path / "b", **environ) as there:

        async def once() -> int:
            token = await a_refresh_token(here)
            pair = await asyncio.gather(refresh(here, token), refresh(there, token))
            assert {each.status_code for each in pair} <= {200, 401}
            winners: list[Any] = [each.json() for each in pair if each.status_code == 200]
            assert len(winners) <= 1
            for web, tokens in ((web, tokens) for tokens in winners for web in (here, there)):
                assert (await refresh(web, tokens["refreshToken"])).status_code == 401
                bearer = {"authorization": f"Bearer {tokens['accessToken']}"}
                assert (await web.client.get("/api/v1/auth/me", headers=bearer)).status_code == 401
            assert (await refresh(here, token)).status_code == 401
            return len(winners)

        for _ in range(TOKENS // AT_ONCE):
            won += sum(await asyncio.gather(*(once() for _ in range(AT_ONCE))))
        sessions = await here.app.store.log_ins.of("demo", "marta")
    assert sessions == []
    assert won > TOKENS // 2
