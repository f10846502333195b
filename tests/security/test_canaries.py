"""S12: no secret is in a log line, an answer that is not its owner's, a fact, a message to a worker, or the database."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyotp
import pytest
import structlog
from attrs import define, evolve, field, frozen

from adapters.sql import upgrade
from core.identity.ports import Verdict
from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from entrypoints.logs import configure_logs
from entrypoints.settings import Settings
from entrypoints.wiring import AFIP, WHATSAPP
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

PASSWORD: Final = "canario de la contraseña 71"
WRONG: Final = "canario equivocado 72"
FRESH: Final = "canario nuevo 73"
CODE: Final = "730519"
SECRET_KEY: Final = "canary-of-the-secret-key-abcdefghijkl"
ENCRYPTION_KEY: Final = "Y2FuYXJ5IG9mIHRoZSBlbmNyeXB0aW9uIGtleSAxMjM="
ACCOUNT: Final = {
    "phone_number_id": "1000000009",
    "waba_id": "9",
    "token": "canary-whatsapp-token",
    "app_secret": "canary-app-secret",
    "verify_token": "canary-verify-token",
}
AFIP_KEY: Final = {"cuit": "30712345671", "certificate": "canary-certificate", "private_key": "canary-private-key"}
EMAIL: Final = "ana.ruiz@example.com"
AUTH: Final = "/api/v1/auth"


@define
class Seen:
    """What is secret, and everything that was written where others read."""

    secrets: dict[str, str] = field(factory=dict)
    written: list[tuple[str, str]] = field(factory=list)

    def tokens(self, pair: Any, name: str) -> Any:
        """Note a pair as secret, the parts of each token too."""
        self.secrets[f"access token {name}"] = pair["accessToken"]
        self.secrets[f"signature {name}"] = pair["accessToken"].rpartition(".")[2]
        for place, part in enumerate(pair["refreshToken"].split(".")[2:]):
            self.secrets[f"refresh token {name} {place}"] = part
        return pair

    def leaks(self) -> list[tuple[str, str]]:
        # Digits of a code may stand inside a longer number by accident.
        found = {
            name: re.compile(rf"(?<![0-9a-f]){re.escape(each)}(?![0-9a-f])") for name, each in self.secrets.items()
        }
        return [(name, where) for where, text in self.written for name, each in found.items() if each.search(text)]


@frozen
class Failing:
    """A hasher that fails while it holds a password."""

    failure: Exception

    async def hash(self, password: str) -> str:
        raise self.failure

    async def verify(self, stored: str | None, password: str) -> Verdict:
        raise self.failure


@pytest.fixture
def logged() -> Iterator[io.BytesIO]:
    """Give all that is logged, by us and by the libraries, as a process in production would write it, at debug."""
    kept, lines = io.BytesIO(), io.StringIO()
    before, root = structlog.get_config(), logging.getLogger()
    handler, level = logging.StreamHandler(lines), root.level
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    with contextlib.redirect_stderr(io.TextIOWrapper(kept, write_through=True)):
        configure_logs(Settings(env="production", log_level="debug"))
        structlog.configure(cache_logger_on_first_use=False)
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield kept
        finally:
            kept.write(lines.getvalue().encode())
            root.removeHandler(handler)
            root.setLevel(level)
            structlog.configure(**before)


async def the_story(web: Web, seen: Seen) -> None:
    """Let somebody use every way in, rightly and wrongly; what is answered to others than the owner is written down."""

    async def ask(method: str, path: str, token: str | None = None, **body: Any) -> Any:
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        answer = await web.ask(method, path, None, headers=bearer, **({"json": body} if body else {}))
        if answer.status_code >= 400 or path == "/api/v1/audit":
            seen.written.append((f"{method} {path}: {answer.status_code}", answer.text + str(answer.headers)))
        return answer

    async def got(method: str, path: str, token: str | None = None, **body: Any) -> Any:
        answer = await ask(method, path, token, **body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    phone = {"phone": "+5491150000001"}
    await got("POST", f"{AUTH}/otp", **phone)
    await ask("POST", f"{AUTH}/verify", **phone, otp="111111")
    seen.tokens(await got("POST", f"{AUTH}/verify", **phone, otp=CODE), "by code")
    await ask("POST", f"{AUTH}/verify", **phone, otp=CODE)
    mine = seen.tokens(await got("POST", f"{AUTH}/register", email=EMAIL, password=PASSWORD, name="Ana"), "registered")
    await ask("POST", f"{AUTH}/register", email=EMAIL, password=PASSWORD, name="Ana")
    await ask("POST", f"{AUTH}/register", email="otra@example.com", password=PASSWORD, name="")
    await ask("POST", f"{AUTH}/login", email=EMAIL, password=WRONG)
    await ask("POST", f"{AUTH}/login", email=EMAIL, password=PASSWORD, surplus=PASSWORD)
    await ask("POST", f"{AUTH}/login", email=PASSWORD, password=PASSWORD)
    await ask("POST", f"{AUTH}/login", email=[PASSWORD], password={"x": PASSWORD})
    token = mine["accessToken"]
    begun = await got("POST", f"{AUTH}/totp", token)
    seen.secrets["second factor"] = begun["secret"]
    app = pyotp.TOTP(begun["secret"])
    codes = (await got("POST", f"{AUTH}/totp/confirm", token, code=app.at(web.clock())))["recoveryCodes"]
    seen.secrets |= {f"recovery code {place}": code for place, code in enumerate(codes)}
    await ask("POST", f"{AUTH}/login", email=EMAIL, password=PASSWORD)
    await ask("POST", f"{AUTH}/login", email=EMAIL, password=PASSWORD, totp=app.at(web.clock()))
    again = await got("POST", f"{AUTH}/login", email=EMAIL, password=PASSWORD, totp=codes[0])
    spent = seen.tokens(again, "by recovery code")
    await ask("POST", f"{AUTH}/login", email=EMAIL, password=PASSWORD, totp=codes[0])
    seen.tokens(await got("POST", f"{AUTH}/refresh", refreshToken=spent["refreshToken"]), "refreshed")
    await ask("POST", f"{AUTH}/refresh", refreshToken=spent["refreshToken"])
    await ask("POST", f"{AUTH}/refresh", refreshToken=spent["accessToken"])
    await ask("GET", f"{AUTH}/me", spent["refreshToken"])
    await ask("PUT", f"{AUTH}/password", token, password=FRESH, current=WRONG)
    await got("PUT", f"{AUTH}/password", token, password=FRESH, current=PASSWORD)
    made = await got("POST", "/api/v1/service-tokens", token, label="Panel", scopes=["jobs.read"])
    seen.secrets["machine's token"] = made["token"]
    await ask("GET", "/api/v1/audit", made["token"])
    for path in (f"{AUTH}/sessions", "/api/v1/service-tokens", "/api/v1/users", "/api/v1/audit"):
        answer = await ask("GET", path, token)
        seen.written.append((path, answer.text))
    for failure in (Unavailable("the database does not answer"), ZeroDivisionError()):
        async with door(web, passwords=evolve(web.app.passwords, hasher=Failing(failure))) as other:
            login = await other.ask("POST", f"{AUTH}/login", None, json={"email": EMAIL, "password": FRESH})
            seen.written.append(("a failed log-in", login.text))
    await got("POST", f"{AUTH}/logout", refreshToken=mine["refreshToken"])


async def test_no_secret_is_where_it_does_not_belong(tmp_path: Path, logged: io.BytesIO) -> None:
    file = tmp_path / "web.db"
    upgrade(f"sqlite+aiosqlite:///{file}")
    environ = {
        "CUADRILLA_DATABASE_URL": f"sqlite+aiosqlite:///{file}",
        "CUADRILLA_SECRET_KEY": SECRET_KEY,
        "CUADRILLA_ENCRYPTION_KEYS": f"canary:{ENCRYPTION_KEY}",
        "CUADRILLA_LOG_LEVEL": "debug",
    }
    seen = Seen({"password": PASSWORD, "wrong password": WRONG, "new password": FRESH, "code": CODE})
    seen.secrets |= {"secret key": SECRET_KEY, "encryption key": ENCRYPTION_KEY}
    seen.secrets |= {f"WhatsApp {name}": ACCOUNT[name] for name in ("token", "app_secret", "verify_token")}
    seen.secrets |= {f"AFIP {name}": AFIP_KEY[name] for name in ("certificate", "private_key")}
    messages: list[Any] = []
    async with serving_web(tmp_path, **environ) as web:
        async with web.app.store.begin(Actor(tenant="demo", id="alba", role="admin", correlation="c")) as tx:
            await tx.credentials.put("demo", WHATSAPP + "1000000009", ACCOUNT, label="1000000009", at=web.clock())
            await tx.credentials.put("demo", AFIP, AFIP_KEY, label="30712345671", at=web.clock())
        async with door(web, otp=evolve(web.app.otp, new_code=lambda _: CODE)) as fixed:
            await the_story(fixed, seen)
        await web.app.whatsapp.accounts()

        async def publish(*message: Any, **named: Any) -> None:
            messages.append((message, named))

        while await web.app.relay_to(publish).send(limit=100):
            pass
        seen.written += [("repr", repr(web.app)), ("settings", repr(web.app.settings)), ("codes", repr(web.app.otp))]
        for path in ("/openapi.json", "/docs", "/health/ready", "/health/services", "/health/detailed", "/metrics"):
            seen.written.append((path, (await web.ask("GET", path, None)).text))
    seen.written.append(("messages to workers", repr(messages)))
    seen.written.append(("the database", file.read_bytes().decode("latin-1")))
    assert EMAIL in seen.written[-1][1], "the database was not read: the check saw nothing"
    seen.written.append(("its log", "".join(each.read_bytes().decode("latin-1") for each in tmp_path.glob("web.db-*"))))
    lines = [json.loads(line) for line in logged.getvalue().splitlines() if line.startswith(b"{")]
    assert [each for each in lines if each["event"] == "defect"], "the failures were not logged: the check saw nothing"
    for line in lines:
        line.pop("timestamp")
    seen.written.append(("log", json.dumps(lines, ensure_ascii=False)))
    seen.written.append(("other logs", b"\n".join(x for x in logged.getvalue().splitlines() if x[:1] != b"{").decode()))
    assert len(seen.secrets) > 30
    assert seen.leaks() == []


def test_a_secret_that_stands_somewhere_is_found() -> None:
    seen = Seen({"code": CODE, "token": "abc"})
    seen.written = [("log", f"the code is {CODE}."), ("id", f"9{CODE}"), ("page", "token=abc&x")]
    assert seen.leaks() == [("code", "log"), ("token", "page")]
