"""What the environment decides, read once, all problems reported together."""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from attrs import field, frozen

ENVIRONMENTS: Final = ("development", "test", "production")
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
DATABASES: Final = ("sqlite", "postgresql", "memory:")


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
    database_url: str = field(default="sqlite+aiosqlite:///var/cuadrilla.db", repr=False)
    redis_url: str | None = field(default=None, repr=False)
    broker_url: str | None = field(default=None, repr=False)
    secret_key: bytes = field(default=b"", repr=False)
    old_secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """What tokens and links may still be signed with; one is dropped once the life of what it signed has passed."""
    encryption_keys: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    sandbox_port: int = 8001
    public_url: str = "http://127.0.0.1:8000"
    whatsapp_api_url: str = "http://127.0.0.1:8001"
    twilio_api_url: str | None = "http://127.0.0.1:8001"
    """Where SMS are sent; None is nowhere."""
    expo_url: str | None = "http://127.0.0.1:8001"
    fcm_url: str | None = "http://127.0.0.1:8001"
    """Where push notifications are sent; None is nowhere."""
    fcm_token_url: str = "http://127.0.0.1:8001/token"  # noqa: S105 - an address
    smtp_url: str | None = field(default=None, repr=False)
    """Where letters are sent; None is the sandbox where there is one, and otherwise nowhere."""
    house_tenant: str | None = "demo"
    """Whose channels send codes to phones that nobody knows, and for tenants without a channel; None is nobody's."""
    afip_wsaa_url: str = "http://127.0.0.1:8001/ws/services/LoginCms"
    afip_wsfe_url: str = "http://127.0.0.1:8001/wsfev1/service.asmx"
    openai_base_url: str | None = None
    openai_api_key: str = field(default="", repr=False)
    openai_model: str = "gpt-5-mini"
    tiles_url: str | None = None
    routing_url: str | None = field(default=None, repr=False)
    """Which engine knows the streets, and where it is; without one the estimate goes by the distance."""
    zone: str = "America/Argentina/Buenos_Aires"
    log_level: str = "info"
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    operations_token: str | None = field(default=None, repr=False)
    """What an operator shows at `/metrics` and for the health of each service; None is nobody in production."""

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
        if not value.isdecimal() or not 0 < int(value[:6]) < 65536:  # noqa: PLR2004 - ports
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
    secret_key, *old_secret_keys = _secrets(text("SECRET_KEY", ""), production, var, problems)
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
    twilio_api_url = text("TWILIO_API_URL", "" if production else sandbox).rstrip("/") or None
    expo_url = text("EXPO_URL", "" if production else sandbox).rstrip("/") or None
    fcm_url = text("FCM_URL", "" if production else sandbox).rstrip("/") or None
    fcm_token_url = text("FCM_TOKEN_URL", "https://oauth2.googleapis.com/token" if production else f"{sandbox}/token")
    optional = {"TWILIO_API_URL": twilio_api_url, "EXPO_URL": expo_url, "FCM_URL": fcm_url}
    web = {
        "PUBLIC_URL": public_url,
        **outside,
        **{name: value for name, value in optional.items() if value},
        "FCM_TOKEN_URL": fcm_token_url,
    }
    smtp_url = text("SMTP_URL", "") or None
    if smtp_url and not _is_mail_server(smtp_url):
        problems.append(
            "CUADRILLA_SMTP_URL must be smtp://host[:port] or smtps://host[:port]; the log-in is a credential"
        )
    routing_url = _engine(text("ROUTING_URL", ""), problems)
    _judge_addresses(database_url, web, production, problems)
    zone, log_level = text("ZONE", "America/Argentina/Buenos_Aires"), text("LOG_LEVEL", "info").lower()
    if not _is_zone(zone):
        problems.append(f"CUADRILLA_ZONE must name a time zone, as in America/Argentina/Buenos_Aires, not {zone!r}")
    if log_level not in LOG_LEVELS:
        problems.append(f"CUADRILLA_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {log_level!r}")
    broker_url = text("BROKER_URL", "") or None
    if broker_url and _scheme(broker_url) not in {"redis", "rediss", "amqp", "amqps"}:
        problems.append("CUADRILLA_BROKER_URL must begin with redis:// or amqp://")
    redis_url = text("REDIS_URL", "") or None
    if redis_url and _scheme(redis_url) not in {"redis", "rediss"}:
        problems.append("CUADRILLA_REDIS_URL must begin with redis://")
    cors_origins, trusted_proxies = _outer_world(
        text("CORS_ORIGINS", ""), text("TRUSTED_PROXIES", ""), production, problems
    )
    operations_token = text("OPERATIONS_TOKEN", "") or None
    if operations_token and not (len(operations_token) >= 32 and operations_token.isascii()):  # noqa: PLR2004 - as for the other keys
        problems.append("CUADRILLA_OPERATIONS_TOKEN must have 32 characters or more, all of them ASCII")
    if problems:
        raise BadSettings(problems)
    return Settings(
        env=env,
        var=var,
        database_url=database_url,
        redis_url=redis_url,
        broker_url=broker_url,
        secret_key=secret_key,
        old_secret_keys=tuple(old_secret_keys),
        encryption_keys=encryption_keys,
        host=host,
        port=port,
        sandbox_port=sandbox_port,
        public_url=public_url,
        whatsapp_api_url=outside["WHATSAPP_API_URL"],
        twilio_api_url=twilio_api_url,
        expo_url=expo_url,
        fcm_url=fcm_url,
        fcm_token_url=fcm_token_url,
        smtp_url=smtp_url,
        house_tenant=text("HOUSE_TENANT", "demo" if env == "development" else "") or None,
        afip_wsaa_url=outside["AFIP_WSAA_URL"],
        afip_wsfe_url=outside["AFIP_WSFE_URL"],
        openai_base_url=text("OPENAI_BASE_URL", "") or None,
        openai_api_key=given.get("OPENAI_API_KEY", ""),
        openai_model=text("OPENAI_MODEL", "gpt-5-mini"),
        tiles_url=text("TILES_URL", "") or None,
        routing_url=routing_url,
        zone=zone,
        log_level=log_level,
        cors_origins=cors_origins,
        trusted_proxies=trusted_proxies,
        operations_token=operations_token,
    )


def _judge_addresses(database_url: str, web: Mapping[str, str], production: bool, problems: list[str]) -> None:  # noqa: FBT001 - private
    schemes = ("https",) if production else ("http", "https")
    where = "https:// in production" if production else "http:// or https://"
    for name, value in {"DATABASE_URL": database_url, **web}.items():
        if not value:
            problems.append(f"CUADRILLA_{name} is required in production")
        elif name in web and _scheme(value) not in schemes:
            problems.append(f"CUADRILLA_{name} must begin with {where}")
    if database_url and not database_url.startswith(DATABASES):
        problems.append("CUADRILLA_DATABASE_URL must begin with postgresql or sqlite")
    elif production and database_url and not database_url.startswith("postgresql"):
        problems.append("CUADRILLA_DATABASE_URL must be PostgreSQL in production")


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme if urlsplit(url).hostname else ""
    except ValueError:
        return ""


def _is_mail_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port or 25
    except ValueError:
        return False
    plain = parts.path in {"", "/"} and not parts.query and "@" not in parts.netloc
    return parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and port > 0 and plain


def _engine(url: str, problems: list[str]) -> str | None:
    """Return which routing engine stands where, as in `osrm+https://routes.example`, if one does."""
    kind, _, address = url.partition("+")
    if url and not (kind in {"osrm", "valhalla"} and _scheme(address) in {"http", "https"}):
        problems.append("CUADRILLA_ROUTING_URL must begin with osrm+ or valhalla+ and http:// or https://")
    return url or None


def _outer_world(
    origins_listed: str,
    proxies_listed: str,
    production: bool,  # noqa: FBT001 - private
    problems: list[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the origins whose pages may ask us, and the proxies whose word counts."""
    origins, proxies = (
        tuple(each.strip() for each in listed.split(",") if each.strip()) for listed in (origins_listed, proxies_listed)
    )
    secure = "https://" if production else "http:// or https://"
    problems += [
        f"CUADRILLA_CORS_ORIGINS must be a list of {secure}host[:port], not {each!r}"
        for each in origins
        if not _is_origin(each, secure=production)
    ]
    problems += [
        f"CUADRILLA_TRUSTED_PROXIES must be a list of addresses or networks, not {each!r}"
        for each in proxies
        if not _is_network(each)
    ]
    return origins, proxies


def _is_origin(text: str, *, secure: bool) -> bool:
    """Say whether a browser would send this, letter by letter, as the `Origin` of a page."""
    return re.fullmatch(rf"{'https' if secure else 'https?'}://[a-z0-9.-]+(:[0-9]{{1,5}})?", text) is not None


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a folder, an impossible path, nothing of that name
        return False
    return True


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line.lstrip()[:1] != "#")
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _secrets(given: str, production: bool, var: Path, problems: list[str]) -> list[bytes]:  # noqa: FBT001 - private
    """Return the keys, the one that signs first; the others only check what was signed before."""
    if given:
        keys = [each.strip() for each in given.split(",")]
        if any(len(key) < 32 for key in keys):  # noqa: PLR2004 - 256 bits at least when it is random bytes in text form
            problems.append("CUADRILLA_SECRET_KEY must have 32 characters or more (each, if it is a list)")
        return [key.encode() for key in keys]
    if production:
        problems.append("CUADRILLA_SECRET_KEY is required in production")
        return [b""]
    return [_generated(var / "secret.key", lambda: secrets.token_urlsafe(32)).encode()]


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
        except ValueError:  # binascii's own error is one, and letters beyond ASCII are another
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
