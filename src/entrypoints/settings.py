"""What the environment decides, read once, all problems reported together."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

ENVIRONMENTS: Final = ("development", "test", "production")


class BadSettings(Exception):
    """The environment does not make a running system; `problems` says all that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@frozen(kw_only=True)
class Settings:
    """The names of the public contract (`CUADRILLA_` and the field in capitals); secrets are never shown."""

    env: str = "development"
    var: Path = Path("var")
    database_url: str = "sqlite+aiosqlite:///var/cuadrilla.db"
    redis_url: str | None = field(default=None, repr=False)
    broker_url: str | None = field(default=None, repr=False)
    secret_key: bytes = field(default=b"", repr=False)
    encryption_keys: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    sandbox_port: int = 8001
    public_url: str = "http://127.0.0.1:8000"
    whatsapp_api_url: str = "http://127.0.0.1:8001"
    afip_wsaa_url: str = "http://127.0.0.1:8001/ws/services/LoginCms"
    afip_wsfe_url: str = "http://127.0.0.1:8001/wsfev1/service.asmx"
    openai_base_url: str | None = None
    openai_api_key: str = field(default="", repr=False)
    openai_model: str = "gpt-5-mini"
    tiles_url: str | None = None
    zone: str = "America/Argentina/Buenos_Aires"
    log_level: str = "info"

    @property
    def sandboxed(self) -> bool:
        """Whether invoices go to the built-in AFIP, which gives them no fiscal validity."""
        return urlsplit(self.afip_wsfe_url).hostname in {"127.0.0.1", "localhost", "::1"}


def read_settings(environ: Mapping[str, str] | None = None, *, directory: Path | None = None) -> Settings:
    """Read the settings from the environment and, where it is silent, from `.env` in the directory.

    Development and test get what they lack: a SQLite file, the sandbox's addresses, keys generated once under `var/`.
    Production gets no default that would be unsafe. Raise `BadSettings` with every problem found.
    """
    directory = directory or Path.cwd()
    given = {**_dotenv(directory / ".env"), **(os.environ if environ is None else environ)}
    problems: list[str] = []

    def text(name: str, default: str) -> str:
        return given.get(f"CUADRILLA_{name}", "").strip() or default

    def number(name: str, default: int) -> int:
        value = text(name, str(default))
        if not value.isdigit() or not 0 < int(value) < 65536:  # noqa: PLR2004 - ports
            problems.append(f"CUADRILLA_{name} must be a port number, not {value!r}")
            return default
        return int(value)

    env = text("ENV", "development")
    if env not in ENVIRONMENTS:
        problems.append(f"CUADRILLA_ENV must be one of {', '.join(ENVIRONMENTS)}, not {env!r}")
    production = env == "production"
    var = Path(text("VAR", str(directory / "var")))
    host, port, sandbox_port = text("HOST", "127.0.0.1"), number("PORT", 8000), number("SANDBOX_PORT", 8001)
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    database_url = text("DATABASE_URL", "" if production else f"sqlite+aiosqlite:///{var / 'cuadrilla.db'}")
    secret_key = _secret(text("SECRET_KEY", ""), production, var, problems)
    encryption_keys = _keys(text("ENCRYPTION_KEYS", ""), production, var, problems)
    public_url = text("PUBLIC_URL", "" if production else f"http://127.0.0.1:{port}").rstrip("/")
    outside = {
        name: text(name, "" if production else default).rstrip("/")
        for name, default in (
            ("WHATSAPP_API_URL", sandbox),
            ("AFIP_WSAA_URL", f"{sandbox}/ws/services/LoginCms"),
            ("AFIP_WSFE_URL", f"{sandbox}/wsfev1/service.asmx"),
        )
    }
    for name, value in {"DATABASE_URL": database_url, "PUBLIC_URL": public_url, **outside}.items():
        if not value:
            problems.append(f"CUADRILLA_{name} is required in production")
    if production:
        if database_url.startswith(("sqlite", "memory")):
            problems.append("CUADRILLA_DATABASE_URL must be PostgreSQL in production")
        for name, value in {"PUBLIC_URL": public_url, **outside}.items():
            if value and urlsplit(value).scheme != "https":
                problems.append(f"CUADRILLA_{name} must begin with https:// in production")
    broker_url = text("BROKER_URL", "") or None
    if broker_url and urlsplit(broker_url).scheme not in {"redis", "rediss", "amqp", "amqps"}:
        problems.append("CUADRILLA_BROKER_URL must begin with redis:// or amqp://")
    redis_url = text("REDIS_URL", "") or None
    if redis_url and urlsplit(redis_url).scheme not in {"redis", "rediss"}:
        problems.append("CUADRILLA_REDIS_URL must begin with redis://")
    if problems:
        raise BadSettings(problems)
    return Settings(
        env=env,
        var=var,
        database_url=database_url,
        redis_url=redis_url,
        broker_url=broker_url,
        secret_key=secret_key,
        encryption_keys=encryption_keys,
        host=host,
        port=port,
        sandbox_port=sandbox_port,
        public_url=public_url,
        whatsapp_api_url=outside["WHATSAPP_API_URL"],
        afip_wsaa_url=outside["AFIP_WSAA_URL"],
        afip_wsfe_url=outside["AFIP_WSFE_URL"],
        openai_base_url=text("OPENAI_BASE_URL", "") or None,
        openai_api_key=given.get("OPENAI_API_KEY", ""),
        openai_model=text("OPENAI_MODEL", "gpt-5-mini"),
        tiles_url=text("TILES_URL", "") or None,
        zone=text("ZONE", "America/Argentina/Buenos_Aires"),
        log_level=text("LOG_LEVEL", "info").lower(),
    )


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line.lstrip()[:1] != "#")
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _secret(given: str, production: bool, var: Path, problems: list[str]) -> bytes:  # noqa: FBT001 - private
    if given:
        if len(given) < 32:  # noqa: PLR2004 - 256 bits at least when it is random bytes in text form
            problems.append("CUADRILLA_SECRET_KEY must have 32 characters or more")
        return given.encode()
    if production:
        problems.append("CUADRILLA_SECRET_KEY is required in production")
        return b""
    return _generated(var / "secret.key", lambda: secrets.token_urlsafe(32)).encode()


def _keys(given: str, production: bool, var: Path, problems: list[str]) -> str:  # noqa: FBT001 - private
    if not given:
        if production:
            problems.append("CUADRILLA_ENCRYPTION_KEYS is required in production")
            return ""
        return _generated(var / "encryption.keys", lambda: "dev:" + base64.b64encode(secrets.token_bytes(32)).decode())
    for entry in given.split(","):
        name, _, key = entry.strip().partition(":")
        try:
            sound = bool(name) and len(base64.b64decode(key, validate=True)) == 32  # noqa: PLR2004 - AES-256
        except binascii.Error:
            sound = False
        if not sound:
            problems.append("CUADRILLA_ENCRYPTION_KEYS must be a list of id:key, each key 32 bytes in base64")
            break
    return given


def _generated(path: Path, make: Callable[[], str]) -> str:
    """Return the file's text, making it first, readable by its owner only, if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        try:
            os.link(fresh, path)  # fails if another process was first: then theirs counts
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
