"""The whole system in one process."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx2
import pytest

from adapters.sql import pending
from core.kernel.errors import Unavailable
from entrypoints.demo_tenant import TENANT, app_secret, log_ins, seed
from entrypoints.serving import PortTaken, free_port
from entrypoints.settings import Settings, read_settings
from entrypoints.staging import leads_to_sandbox, running


def settings_for(folder: Path, **environ: str) -> Settings:
    given = {"ENV": "test", "VAR": str(folder), "PORT": str(free_port()), "SANDBOX_PORT": str(free_port())} | environ
    return read_settings({f"CUADRILLA_{name}": value for name, value in given.items()}, directory=folder)


async def test_a_newcomer_finds_tables_a_tenant_and_a_world_outside(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, ENV="development")
    async with running(settings) as system, httpx2.AsyncClient(trust_env=False) as client:
        assert pending(settings.database_url) == []
        assert (await client.get(f"{system.api}/health/ready")).status_code == 200
        for log_in in log_ins(settings):
            bearer = {"authorization": f"Bearer {log_in.token}"}
            assert (await client.get(f"{system.api}/api/v1/users/me", headers=bearer)).status_code in {200, 404}
            assert (await client.get(f"{system.api}/api/v1/jobs", headers=bearer)).status_code == 200
        for page in ("desk", "phone", "sms", "push", "mail"):
            assert (await client.get(f"{system.sandbox}/{page}")).status_code == 200
        assert [await check() for check in system.app.checks.values()] == [
            "answers",
            settings.whatsapp_api_url,
            settings.twilio_api_url,
            system.app.settings.smtp_url,
            settings.expo_url,
            settings.fcm_url,
            settings.afip_wsfe_url,
            "1 valid for 30 days and more",
        ]


async def test_a_second_start_finds_what_the_first_left(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running(settings) as system:
        certificate = await system.app.store.secrets.get(TENANT, "afip")
        await seed(system.app)
    async with running(settings) as system:
        assert await system.app.store.secrets.get(TENANT, "afip") == certificate
        assert (await system.app.whatsapp.account_of(TENANT)).app_secret == app_secret(settings)


async def test_the_seeded_tokens_count_in_development_only(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running(settings) as system, httpx2.AsyncClient(trust_env=False) as client:
        for log_in in log_ins(settings):
            bearer = {"authorization": f"Bearer {log_in.token}"}
            assert (await client.get(f"{system.api}/api/v1/jobs", headers=bearer)).status_code == 401


async def test_the_owner_has_a_password_which_a_second_start_leaves_alone(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (owner,) = [each for each in log_ins(settings) if each.email is not None]
    for _ in range(2):
        async with running(settings) as system, httpx2.AsyncClient(trust_env=False) as client:
            given = {"email": owner.email, "password": owner.password}
            answer = await client.post(f"{system.api}/api/v1/auth/login", json=given)
            account = await system.app.store.accounts.get(TENANT, owner.user_id)
        assert (answer.status_code, answer.json()["user"]["role"]) == (200, "owner")
        assert account is not None
        assert account.version == 1
    assert str(owner.password) not in repr(owner)
    assert owner.token not in repr(owner)


async def test_a_world_outside_that_is_real_is_left_alone(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, WHATSAPP_API_URL="https://graph.example", DATABASE_URL="memory:")
    async with running(settings) as system:
        assert system.sandbox is None
        assert await system.app.store.secrets.all("") == []


@pytest.mark.parametrize("port", ["port", "sandbox_port"])
async def test_a_port_that_is_taken_leaves_nothing_running(port: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with (
        socket.create_server(("127.0.0.1", getattr(settings, port))),
        pytest.raises(PortTaken, match=str(getattr(settings, port))),
    ):
        async with running(settings):
            pass
    async with running(settings) as system:
        assert system.api.endswith(str(settings.port))


async def test_a_database_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, DATABASE_URL=f"postgresql+asyncpg://u@127.0.0.1:{free_port()}/x")
    with pytest.raises(Unavailable):
        async with running(settings):
            pass


def test_the_sandbox_runs_only_where_the_settings_lead_to_it(tmp_path: Path) -> None:
    assert leads_to_sandbox(settings_for(tmp_path))
    assert leads_to_sandbox(settings_for(tmp_path, ENV="development"))
    assert not leads_to_sandbox(settings_for(tmp_path, WHATSAPP_API_URL="http://127.0.0.1:1"))
    assert not leads_to_sandbox(settings_for(tmp_path, WHATSAPP_API_URL="https://graph.example/v24.0"))


def test_the_demo_people_have_other_tokens_in_another_installation(tmp_path: Path) -> None:
    one, other = settings_for(tmp_path / "one"), settings_for(tmp_path / "other")
    assert log_ins(one) == log_ins(one)
    assert not {each.token for each in log_ins(one)} & {each.token for each in log_ins(other)}
    assert app_secret(one) != app_secret(other)
