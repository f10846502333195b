"""Settings become an application: which store, buffer, model and broker, and what `doctor` asks."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pika
import pytest
import redis

from adapters.llm.extractor import SpanishExtractor
from adapters.llm.openai_model import OpenAIModel
from adapters.media import FileMedia
from adapters.memory import MemoryBuffer, MemoryMedia, MemoryPositions, MemoryStore
from adapters.redis import RedisBuffer, RedisPositions
from adapters.routing import OsrmRoutes
from adapters.sql import SqlStore, current
from core.identity import Origin
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, NotFound, Unavailable
from entrypoints.sandbox.afip import AfipState
from entrypoints.settings import Settings, read_settings
from entrypoints.wiring import App, afip_descriptions, build, migrate
from tests.servers import free_port

OUTLETS = ("twilio", "expo", "fcm")
"""The ways to phones that the sandbox has an address for."""


def settings_for(folder: Path, **environ: str) -> Settings:
    given = {f"CUADRILLA_{name}": value for name, value in environ.items()}
    return read_settings({"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(folder), **given}, directory=folder)


@contextlib.asynccontextmanager
async def app_for(folder: Path, **environ: str) -> AsyncIterator[App]:
    async with build(settings_for(folder, **environ)).running() as app:
        yield app


async def test_nothing_of_a_memory_application_is_kept(tmp_path: Path) -> None:
    assert migrate(settings_for(tmp_path, DATABASE_URL="memory:")) == []
    async with app_for(tmp_path, DATABASE_URL="memory:") as app:
        assert isinstance(app.store, MemoryStore)
        assert isinstance(app.jobs._media, MemoryMedia)
        assert await app.checks["database"]() == "answers"
        await app.ping_database()
    assert {each.suffix for each in tmp_path.iterdir()} == {".key", ".keys"}


async def test_a_file_is_enough_to_keep_everything(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    done = migrate(settings)
    assert (done[0], done[-1], migrate(settings)) == ("0001", current(settings.database_url), [])
    async with build(settings).running() as app:
        assert isinstance(app.store, SqlStore)
        assert isinstance(app.jobs._media, FileMedia)
        assert isinstance(app.messaging._buffer, MemoryBuffer)
        assert isinstance(app.tracking._positions, MemoryPositions)
        assert await app.checks["database"]() == "answers"
        assert set(app.checks) == {"database", "whatsapp", *OUTLETS, "afip", "afip_certificates"}


async def test_a_routing_engine_that_is_named_is_examined(tmp_path: Path) -> None:
    nobody = f"osrm+http://127.0.0.1:{free_port()}"
    async with app_for(tmp_path, DATABASE_URL="memory:", ROUTING_URL=nobody) as app:
        assert isinstance(app.tracking._routes, OsrmRoutes)
        with pytest.raises(Unavailable):
            await app.checks["routing"]()


async def _certificates_of(folder: Path, *, days: int) -> str:
    """Say what the check says of a tenant's certificate that ends in so many days."""
    state = AfipState(folder / "afip.db")
    issued = state.issue_certificate(cuit="30712345671", alias="x", points=[1], days=days, at=datetime.now(UTC))
    state.close()
    async with app_for(folder, DATABASE_URL="memory:") as app:
        assert isinstance(app.store, MemoryStore)
        values = {name: issued[name] for name in ("certificate", "key")}
        app.store.secrets.apply({("acme", "afip"): ("afip", values, datetime.now(UTC))})
        return await app.checks["afip_certificates"]()


async def test_a_certificate_s_end_is_told_a_month_ahead(tmp_path: Path) -> None:
    assert await _certificates_of(tmp_path, days=400) == "1 valid for 30 days and more"
    assert await _certificates_of(tmp_path, days=30) == "WARNING: expires soon: acme in 29 days"
    with pytest.raises(Unavailable, match="of acme has expired"):
        await _certificates_of(tmp_path, days=-1)


async def test_redis_shares_windows_and_positions(tmp_path: Path, redis_url: str) -> None:
    async with app_for(tmp_path, DATABASE_URL="memory:", REDIS_URL=redis_url) as app:
        assert isinstance(app.messaging._buffer, RedisBuffer)
        assert isinstance(app.tracking._positions, RedisPositions)
        assert await app.checks["redis"]() == "answers"


async def test_a_language_model_is_asked_where_one_is_named(tmp_path: Path) -> None:
    async with app_for(tmp_path, DATABASE_URL="memory:") as app:
        assert isinstance(app.messaging._model, SpanishExtractor)
    async with app_for(tmp_path, DATABASE_URL="memory:", OPENAI_BASE_URL="http://127.0.0.1:1/v1") as app:
        assert isinstance(app.messaging._model, OpenAIModel)


async def test_a_service_that_is_not_there_fails_its_check(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    environ = {
        "DATABASE_URL": f"postgresql+asyncpg://u@{nobody}/x",
        "REDIS_URL": f"redis://{nobody}",
        "WHATSAPP_API_URL": f"http://{nobody}",
        "AFIP_WSAA_URL": f"http://{nobody}",
        "AFIP_WSFE_URL": f"http://{nobody}",
    }
    for broker in ("redis", "amqp"):
        async with app_for(tmp_path, **environ, BROKER_URL=f"{broker}://{nobody}") as app:
            assert set(app.checks) == {"database", "redis", "broker", "whatsapp", *OUTLETS, "afip", "afip_certificates"}
            for name, check in app.checks.items():
                with pytest.raises(CuadrillaError) as failed:
                    await check()
                assert str(failed.value), name


async def test_a_broker_that_is_there_answers(tmp_path: Path, redis_url: str, rabbitmq_url: str) -> None:
    for url in (redis_url, rabbitmq_url):
        async with app_for(tmp_path, DATABASE_URL="memory:", BROKER_URL=url) as app:
            assert await app.checks["broker"]() == "answers"


async def test_asking_redis_as_a_broker_leaves_no_connection(tmp_path: Path, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        async with app_for(tmp_path, DATABASE_URL="memory:", BROKER_URL=redis_url) as app:
            before = {each["id"] for each in client.client_list()}
            await app.checks["broker"]()
            assert {each["id"] for each in client.client_list()} <= before


async def test_asking_rabbitmq_leaves_no_connection(tmp_path: Path, rabbitmq_url: str) -> None:
    parameters = pika.URLParameters(rabbitmq_url)
    to = (str(parameters.host), parameters.port)
    async with app_for(tmp_path, DATABASE_URL="memory:", BROKER_URL=rabbitmq_url) as app:
        await app.checks["broker"]()
        assert not connected_to(to)


def connected_to(server: tuple[str, int]) -> list[int]:
    """Return this process's open connections to a server."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=int(entry.name)) as each:
                try:
                    if each.getpeername()[:2] == server:
                        found.append(int(entry.name))
                finally:
                    each.detach()
        except OSError:
            continue
    return found


async def test_what_is_closed_closes_the_last_opened_first(tmp_path: Path) -> None:
    closed: list[str] = []

    async def one() -> None:
        closed.append("one")

    async def two() -> None:
        closed.append("two")

    app = attrs.evolve(build(settings_for(tmp_path, DATABASE_URL="memory:")), closing=(one, two))
    with pytest.raises(ZeroDivisionError):
        async with app.running():
            raise ZeroDivisionError
    assert closed == ["two", "one"]


async def test_a_tenant_without_channel_or_certificate_is_told_apart_from_a_silent_service(tmp_path: Path) -> None:
    async with app_for(tmp_path, DATABASE_URL="memory:") as app:
        with pytest.raises(NotFound, match="nobody has no WhatsApp channel"):
            await app.whatsapp.account_of("nobody")
        with pytest.raises(NotFound, match="nobody has no AFIP certificate"):
            await app.invoicing._authority._credentials("nobody")  # type: ignore[attr-defined] # it is AFIP's adapter


async def test_channels_are_remembered_until_they_are_forgotten(tmp_path: Path) -> None:
    async with app_for(tmp_path, DATABASE_URL="memory:") as app:
        account = {
            "phone_number_id": "1",
            "waba_id": "2",
            "token": "t",
            "app_secret": "first-secret",
            "verify_token": "v",
        }
        actor = Actor(tenant="demo", id="user_1", role="owner", correlation="corr_1")
        await app.credentials.set(actor=actor, kind="whatsapp", values=account, origin=Origin("corr_1"))
        assert (await app.whatsapp.account_of("demo")).app_secret == "first-secret"
        second = account | {"app_secret": "second-secret"}
        await app.credentials.set(actor=actor, kind="whatsapp", values=second, origin=Origin("corr_1"))
        assert (await app.whatsapp.account_of("demo")).app_secret == "first-secret"
        app.whatsapp.forget()
        assert (await app.whatsapp.account_of("demo")).app_secret == "second-secret"
        assert "second-secret" not in repr(app)


def test_a_server_that_is_not_there_cannot_be_migrated(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        migrate(settings_for(tmp_path, DATABASE_URL=f"postgresql+asyncpg://u@127.0.0.1:{free_port()}/x"))


def test_afip_s_descriptions_are_shipped() -> None:
    assert [b"LoginCms" in afip_descriptions()[0], b"FECAESolicitar" in afip_descriptions()[1]] == [True, True]
