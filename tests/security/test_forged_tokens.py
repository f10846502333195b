"""S1: no forged access token is anybody, and none breaks anything (OWASP ASVS 5.0, 9.1 and 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import evolve

from core.identity import Origin, Tenant, User
from core.kernel.actor import Actor
from tests.adapters.test_crypto_access import BODY, CLAIMS, FORGERIES, GOOD, HEAD, KEY, NEW, OLD, said, signed
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

ME = "/api/v1/auth/me"
FOREIGN: dict[str, str] = {
    "of another tenant": said(tid="demo"),
    "of a tenant that is not there": said(tid="tenant_2"),
    "of another person": said(sub="marta"),
    "of another person of the tenant": said(sub="user_2"),
    "of another session": said(sid="session_2"),
    "of another person's session": said(sid="session_3"),
    "of a session that has ended": said(sid="session_4"),
    "of a tenant with a NUL": said(tid="tenant_1\x00"),
    "of a session that is SQL": said(sid="' OR 1=1 --"),
    "of a very long session": signed(HEAD, {**BODY, "sid": "s" * 900}),
    "signed after the key was changed": signed(HEAD, BODY, key=KEY[::-1]),
}
"""Signed with our key, and saying what is not so."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Web]:
    """Give an application in which the one good token is somebody."""
    keys = f"{NEW.decode()},{OLD.decode()}"
    async with serving_web(tmp_path, CUADRILLA_SECRET_KEY=keys) as web:
        people = [User(id=f"user_{number}", tenant="tenant_1", name="Uma", role="owner") for number in (1, 2)]
        await web.app.store.directory.enrol(Tenant(id="tenant_1", name="The first"), people)
        for number, user in ((1, people[0]), (3, people[1]), (4, people[0])):
            sessions = evolve(web.app.sessions, new_id=lambda _, number=number: f"session_{number}")  # type: ignore[misc] # as NewId
            actor = Actor(tenant="tenant_1", id=user.id, role="service", correlation="c")
            async with web.app.store.begin(actor) as tx:
                tokens = await sessions.start(tx, user=user, method="otp", origin=Origin("c"))
        await web.app.sessions.log_out(token=tokens.refresh, origin=Origin("c"))
        yield web


async def shown(web: Web, token: str) -> httpx2.Response:
    raw = f"Bearer {token}".encode("utf-8", "surrogatepass")
    return await web.client.get(ME, headers=[(b"authorization", raw)])


async def test_what_we_signed_is_somebody(house: Web) -> None:
    me = (await shown(house, GOOD)).json()
    assert (me["id"], me["tenant"]["id"]) == (CLAIMS.user_id, CLAIMS.tenant)


async def test_no_forgery_is_anybody(house: Web) -> None:
    forgeries: dict[str, Any] = {**FORGERIES, **FOREIGN}
    forgeries |= {f"truncated to {length}": GOOD[:length] for length in range(1, len(GOOD), 7)}
    # A blank at the end of a line is not part of what a header says (RFC 9110, 5.5): over HTTP it is the good token.
    del forgeries["with a space"], forgeries["with a line after it"]
    for name, token in forgeries.items():
        answer = await shown(house, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), name
        assert "send a valid bearer token" in answer.json()["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len(forgeries) > 100
    assert (await shown(house, GOOD)).status_code == 200
