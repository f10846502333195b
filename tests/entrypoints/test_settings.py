"""What the environment decides, and everything that is wrong with it at once."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Final

import attrs
import pytest

from entrypoints.settings import BadSettings, Settings, read_settings

SECRET: Final = "s" * 40
KEYS: Final = "k1:" + base64.b64encode(b"1" * 32).decode() + ",k2:" + base64.b64encode(b"2" * 32).decode()
PRODUCTION: Final = {
    "CUADRILLA_ENV": "production",
    "CUADRILLA_DATABASE_URL": "postgresql+asyncpg://u:pass-of-the-database@db/cuadrilla",
    "CUADRILLA_SECRET_KEY": SECRET,
    "CUADRILLA_ENCRYPTION_KEYS": KEYS,
    "CUADRILLA_PUBLIC_URL": "https://cuadrilla.example",
    "CUADRILLA_WHATSAPP_API_URL": "https://graph.example/v24.0",
    "CUADRILLA_AFIP_WSAA_URL": "https://wsaa.example/ws",
    "CUADRILLA_AFIP_WSFE_URL": "https://wsfe.example/ws",
}


def read(folder: Path, **environ: str) -> Settings:
    return read_settings({f"CUADRILLA_{name}": value for name, value in environ.items()}, directory=folder)


def problems(folder: Path, environ: dict[str, str]) -> list[str]:
    with pytest.raises(BadSettings) as bad:
        read_settings({"CUADRILLA_VAR": str(folder), **environ}, directory=folder)
    assert str(bad.value) == "\n".join(bad.value.problems)
    return bad.value.problems


def test_development_gets_what_it_lacks(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert attrs.evolve(settings, secret_key=b"", encryption_keys="") == Settings(
        var=tmp_path / "var", database_url=f"sqlite+aiosqlite:///{tmp_path}/var/cuadrilla.db"
    )
    assert settings.sandboxed
    assert len(settings.secret_key) >= 32
    assert len(base64.b64decode(settings.encryption_keys.partition(":")[2])) == 32


def test_what_the_process_is_given_counts_where_no_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUADRILLA_PORT", "8123")
    settings = read_settings()
    assert (settings.port, settings.var) == (8123, tmp_path / "var")


@pytest.mark.parametrize(
    ("name", "given", "field", "expected"),
    [
        ("ENV", "test", "env", "test"),
        ("DATABASE_URL", "memory:", "database_url", "memory:"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "redis_url", "redis://127.0.0.1:1/0"),
        ("REDIS_URL", "rediss://127.0.0.1:1/0", "redis_url", "rediss://127.0.0.1:1/0"),
        ("BROKER_URL", "amqp://127.0.0.1:1/v", "broker_url", "amqp://127.0.0.1:1/v"),
        ("SECRET_KEY", SECRET, "secret_key", SECRET.encode()),
        ("ENCRYPTION_KEYS", KEYS, "encryption_keys", KEYS),
        ("HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("PORT", "65535", "port", 65535),
        ("PORT", "1", "port", 1),
        ("SANDBOX_PORT", "9001", "sandbox_port", 9001),
        ("SANDBOX_PORT", "9001", "whatsapp_api_url", "http://127.0.0.1:9001"),
        ("SANDBOX_PORT", "9001", "afip_wsaa_url", "http://127.0.0.1:9001/ws/services/LoginCms"),
        ("SANDBOX_PORT", "9001", "afip_wsfe_url", "http://127.0.0.1:9001/wsfev1/service.asmx"),
        ("PORT", "9000", "public_url", "http://127.0.0.1:9000"),
        ("PUBLIC_URL", "https://x.example/", "public_url", "https://x.example"),
        ("WHATSAPP_API_URL", "https://x.example/v24.0/", "whatsapp_api_url", "https://x.example/v24.0"),
        ("TWILIO_API_URL", "https://x.example/", "twilio_api_url", "https://x.example"),
        ("EXPO_URL", "https://exp.host/", "expo_url", "https://exp.host"),
        ("SANDBOX_PORT", "9001", "expo_url", "http://127.0.0.1:9001"),
        ("FCM_URL", "https://fcm.example", "fcm_url", "https://fcm.example"),
        ("SANDBOX_PORT", "9001", "fcm_token_url", "http://127.0.0.1:9001/token"),
        ("SMTP_URL", "smtps://mail.example:465", "smtp_url", "smtps://mail.example:465"),
        ("SANDBOX_PORT", "9001", "twilio_api_url", "http://127.0.0.1:9001"),
        ("HOUSE_TENANT", "acme", "house_tenant", "acme"),
        ("ENV", "test", "house_tenant", None),
        ("AFIP_WSAA_URL", "https://x.example", "afip_wsaa_url", "https://x.example"),
        ("AFIP_WSFE_URL", "https://x.example", "afip_wsfe_url", "https://x.example"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1", "openai_base_url", "http://127.0.0.1:1/v1"),
        ("OPENAI_MODEL", "small", "openai_model", "small"),
        ("TILES_URL", "https://t.example/{z}", "tiles_url", "https://t.example/{z}"),
        ("ROUTING_URL", "osrm+http://127.0.0.1:5000", "routing_url", "osrm+http://127.0.0.1:5000"),
        ("ZONE", "America/Montevideo", "zone", "America/Montevideo"),
        ("OPERATIONS_TOKEN", SECRET, "operations_token", SECRET),
        ("LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("LOG_LEVEL", "  ", "log_level", "info"),
    ],
)
def test_each_setting_is_read(name: str, given: str, field: str, expected: object, tmp_path: Path) -> None:
    assert getattr(read(tmp_path, **{name: given}), field) == expected


def test_the_model_s_key_has_the_name_that_its_makers_gave_it(tmp_path: Path) -> None:
    assert read_settings({"OPENAI_API_KEY": "sk-1"}, directory=tmp_path).openai_api_key == "sk-1"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("ENV", "staging", "CUADRILLA_ENV must be one of development, test, production"),
        ("PORT", "0", "CUADRILLA_PORT must be a port number, not '0'"),
        ("PORT", "65536", "CUADRILLA_PORT must be a port number"),
        ("PORT", "-1", "CUADRILLA_PORT must be a port number"),
        ("PORT", "²", "CUADRILLA_PORT must be a port number"),
        ("PORT", "9" * 5000, "CUADRILLA_PORT must be a port number"),
        ("SANDBOX_PORT", "http", "CUADRILLA_SANDBOX_PORT must be a port number"),
        ("SECRET_KEY", "short", "CUADRILLA_SECRET_KEY must have 32 characters or more"),
        ("SMTP_URL", "http://mail.example", "CUADRILLA_SMTP_URL must be smtp://host[:port] or smtps://host[:port]"),
        ("SMTP_URL", "smtp://me:secret@mail.example", "CUADRILLA_SMTP_URL must be smtp://"),
        ("SMTP_URL", "smtp://mail.example:99999", "CUADRILLA_SMTP_URL must be smtp://"),
        ("SMTP_URL", "smtp://", "CUADRILLA_SMTP_URL must be smtp://"),
        ("ROUTING_URL", "https://routes.example", "CUADRILLA_ROUTING_URL must begin with osrm+ or valhalla+"),
        ("ROUTING_URL", "google+https://routes.example", "CUADRILLA_ROUTING_URL must begin with osrm+ or valhalla+"),
        ("ROUTING_URL", "osrm+https://", "CUADRILLA_ROUTING_URL must begin with osrm+ or valhalla+"),
        ("ROUTING_URL", "valhalla+http://[", "CUADRILLA_ROUTING_URL must begin with osrm+ or valhalla+"),
        ("EXPO_URL", "exp.host", "CUADRILLA_EXPO_URL must begin with http"),
        ("FCM_TOKEN_URL", "ftp://x", "CUADRILLA_FCM_TOKEN_URL must begin with http"),
        ("ENCRYPTION_KEYS", "no colon", "CUADRILLA_ENCRYPTION_KEYS must be a list of id:key"),
        ("ENCRYPTION_KEYS", "k:c2hvcnQ=", "CUADRILLA_ENCRYPTION_KEYS must be a list of id:key"),
        ("ENCRYPTION_KEYS", "k:ñ", "CUADRILLA_ENCRYPTION_KEYS must be a list of id:key"),
        ("ENCRYPTION_KEYS", f"{KEYS},:{KEYS[3:47]}", "CUADRILLA_ENCRYPTION_KEYS must be a list of id:key"),
        ("BROKER_URL", "kafka://127.0.0.1", "CUADRILLA_BROKER_URL must begin with redis:// or amqp://"),
        ("BROKER_URL", "amqp://[", "CUADRILLA_BROKER_URL must begin with redis:// or amqp://"),
        ("REDIS_URL", "amqp://127.0.0.1", "CUADRILLA_REDIS_URL must begin with redis://"),
        ("DATABASE_URL", "mysql://127.0.0.1/x", "CUADRILLA_DATABASE_URL must begin with postgresql or sqlite"),
        ("PUBLIC_URL", "cuadrilla.example", "CUADRILLA_PUBLIC_URL must begin with http:// or https://"),
        ("AFIP_WSFE_URL", "https://[", "CUADRILLA_AFIP_WSFE_URL must begin with http:// or https://"),
        ("ZONE", "America/Nowhere", "CUADRILLA_ZONE must name a time zone"),
        ("ZONE", "../etc/passwd", "CUADRILLA_ZONE must name a time zone"),
        ("ZONE", "America", "CUADRILLA_ZONE must name a time zone"),
        ("OPERATIONS_TOKEN", "short", "CUADRILLA_OPERATIONS_TOKEN must have 32 characters or more"),
        ("OPERATIONS_TOKEN", "ñ" * 40, "CUADRILLA_OPERATIONS_TOKEN must have 32 characters or more"),
        ("LOG_LEVEL", "loud", "CUADRILLA_LOG_LEVEL must be one of debug, info, warning, error, critical"),
    ],
)
def test_each_problem_names_its_setting(name: str, given: str, said: str, tmp_path: Path) -> None:
    found = problems(tmp_path, {f"CUADRILLA_{name}": given})
    assert [each.startswith(said) for each in found] == [True]


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    found = problems(tmp_path, {"CUADRILLA_PORT": "x", "CUADRILLA_SECRET_KEY": "y", "CUADRILLA_REDIS_URL": "z"})
    assert [each.split()[0] for each in found] == ["CUADRILLA_PORT", "CUADRILLA_SECRET_KEY", "CUADRILLA_REDIS_URL"]


def test_production_starts_with_what_it_was_given(tmp_path: Path) -> None:
    settings = read_settings({**PRODUCTION, "CUADRILLA_VAR": str(tmp_path / "var")}, directory=tmp_path)
    assert (settings.env, settings.sandboxed, settings.public_url) == ("production", False, "https://cuadrilla.example")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "CUADRILLA_ENV"])
def test_production_gets_no_default_for_what_would_be_unsafe(name: str, tmp_path: Path) -> None:
    given = {key: value for key, value in PRODUCTION.items() if key != name}
    assert problems(tmp_path, given) == [f"{name} is required in production"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("DATABASE_URL", "sqlite+aiosqlite:///x.db"),
        ("DATABASE_URL", "memory:"),
        ("PUBLIC_URL", "http://cuadrilla.example"),
        ("WHATSAPP_API_URL", "http://127.0.0.1:8001"),
        ("AFIP_WSAA_URL", "http://127.0.0.1:8001"),
        ("AFIP_WSFE_URL", "ftp://wsfe.example"),
        ("SECRET_KEY", "short"),
    ],
)
def test_production_refuses_what_is_unsafe(name: str, given: str, tmp_path: Path) -> None:
    found = problems(tmp_path, {**PRODUCTION, f"CUADRILLA_{name}": given})
    assert [each.split()[0] for each in found] == [f"CUADRILLA_{name}"]


def test_production_with_nothing_says_all_that_is_missing(tmp_path: Path) -> None:
    found = problems(tmp_path, {"CUADRILLA_ENV": "production"})
    assert {each.split()[0] for each in found} == set(PRODUCTION) - {"CUADRILLA_ENV"}


def test_keys_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    assert first == second
    files = sorted((tmp_path / "var").iterdir())
    assert [file.name for file in files] == ["encryption.keys", "secret.key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_two_installations_have_keys_of_their_own(tmp_path: Path) -> None:
    one, other = read(tmp_path / "one"), read(tmp_path / "other")
    assert one.secret_key != other.secret_key
    assert one.encryption_keys != other.encryption_keys


def test_no_secret_is_shown(tmp_path: Path) -> None:
    environ = {
        "CUADRILLA_SECRET_KEY": "secret-" * 6,
        "CUADRILLA_ENCRYPTION_KEYS": KEYS,
        "CUADRILLA_REDIS_URL": "redis://:pass-of-redis@127.0.0.1/0",
        "CUADRILLA_BROKER_URL": "amqp://u:pass-of-amqp@127.0.0.1/",
        "CUADRILLA_DATABASE_URL": PRODUCTION["CUADRILLA_DATABASE_URL"],
        "OPENAI_API_KEY": "sk-very-private",
        "CUADRILLA_OPERATIONS_TOKEN": "scraper-" * 6,
    }
    shown = repr(read_settings(environ, directory=tmp_path))
    assert "8000" in shown
    for secret in ("secret-secret", "scraper-scraper", KEYS, "pass-of", "sk-very-private"):
        assert secret not in shown


def test_a_file_fills_in_what_the_environment_does_not_say(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# CUADRILLA_HOST=commented\n\nnot a setting\nCUADRILLA_PORT = 9100\nCUADRILLA_ZONE='America/Montevideo'\n"
        'CUADRILLA_PUBLIC_URL="https://x.example/?a=b"\nCUADRILLA_SANDBOX_PORT=1\n'
    )
    settings = read(tmp_path, SANDBOX_PORT="2")
    assert (settings.host, settings.port, settings.sandbox_port) == ("127.0.0.1", 9100, 2)
    assert (settings.zone, settings.public_url) == ("America/Montevideo", "https://x.example/?a=b")
