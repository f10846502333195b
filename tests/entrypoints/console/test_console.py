"""The console over the real application: coming in, staying in, what each may see, and what is refused."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
from attrs import evolve
from structlog.testing import capture_logs

from adapters.crypto import Argon2Passwords
from core.identity import Origin, Tenant, User
from core.kernel.errors import Unavailable
from core.kernel.ports import RateRule
from entrypoints.console import PAGES
from entrypoints.console.texts import TEXTS
from entrypoints.http.guards import RateRules
from tests.entrypoints.console.front import CARLOS, MARTA, PASSWORD, Window, window
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

SECURE = {"CUADRILLA_PUBLIC_URL": "https://cuadrilla.example"}
PRIVATE = [each.path.replace("{id}", "some") for each in PAGES if not each.open and each.get is not None]
UNSAFE = [each.path.replace("{id}", "some").replace("{rest:path}", "some") for each in PAGES if each.post is not None]


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    async with serving_web(tmp_path) as served:
        passwords = evolve(served.app.passwords, hasher=Argon2Passwords(memory=16))
        async with door(served, passwords=passwords) as quick:
            yield quick


async def marta(web: Web) -> Window:
    """Somebody who dispatches, logged in."""
    at = window(web)
    await at.log_in_by_code(web, MARTA)
    return at


async def ana(web: Web, **who: str) -> Window:
    """Somebody who owns a business, logged in."""
    at = window(web)
    await at.register(**who)
    return at


def cookies_of(at: Window) -> dict[str, str]:
    return {line.partition("=")[0]: line for line in at.page.headers.get_list("set-cookie")}


def secret_of(at: Window) -> str:
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', at.page.text)
    assert found is not None
    return found[1].replace(" ", "")


async def enrolled(at: Window, web: Web) -> tuple[str, list[str]]:
    """Turn on the second factor; return the secret and the recovery codes."""
    await at.open("/app/settings/account")
    await at.send("/app/settings/second-factor")
    secret = secret_of(at)
    await at.send("/app/settings/second-factor/confirm", totp=pyotp.TOTP(secret).at(web.clock.at))
    codes = re.findall(r"<li><code>([a-z0-9-]{14})</code>", at.page.text)
    assert len(codes) == 10
    return secret, codes


async def test_a_person_logs_in_by_a_code_and_comes_to_their_work(web: Web) -> None:
    at = window(web)
    await at.open("/app")
    assert at.page.headers["location"] == "/app/log-in?next=/app"
    await at.follow()
    await at.send("/app/log-in", phone="11 15 5000-0001")
    assert "Escribí el código" in at.page.text
    await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
    assert await at.follow()
    await at.follow()
    assert at.page.url.path == "/app/jobs"
    assert "The demo" in at.page.text
    assert "Marta" in at.page.text


async def test_a_wrong_code_is_said_beside_its_field_and_the_right_one_still_counts(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in")
    await at.send("/app/log-in", phone=MARTA)
    right = web.whatsapp.sent[-1].code
    await at.send("/app/log-in/code", code=f"{(int(right) + 1) % 1_000_000:06}")
    assert at.page.status_code == 422
    assert 'id="code-problem"' in at.page.text
    assert 'aria-describedby="code-problem ' in at.page.text
    assert "<title>Error: Escribí el código" in at.page.text
    await at.send("/app/log-in/code", code=f"{right[:3]} {right[3:]}")
    assert at.page.status_code == 303


async def test_who_guesses_too_often_is_told_how_long_to_wait(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in")
    await at.send("/app/log-in", phone=MARTA)
    wrong = f"{(int(web.whatsapp.sent[-1].code) + 1) % 1_000_000:06}"
    for _ in range(4):
        await at.send("/app/log-in/code", code=wrong)
    assert at.page.status_code == 429
    assert at.page.headers["retry-after"] == "60"
    assert "Esperá 60 segundos" in at.page.text


async def test_a_second_code_within_the_pause_keeps_the_form_open(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in")
    await at.send("/app/log-in", phone=MARTA)
    await at.send("/app/log-in")
    assert at.page.status_code == 429
    await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
    assert at.page.status_code == 303


async def test_the_answer_is_the_same_for_a_phone_that_nobody_knows(web: Web) -> None:
    pages = []
    for phone in (MARTA, "+5491150000077"):
        at = window(web)
        await at.open("/app/log-in")
        await at.send("/app/log-in", phone=phone)
        plain = re.sub(r'name="csrf" value="[0-9a-f]+"|X-CSRF-Token": "[0-9a-f]+"', "", at.page.text)
        pages.append((at.page.status_code, plain.replace(phone, "").replace("5000-0001", "").replace("5000-0077", "")))
    assert pages[0] == pages[1]


async def test_what_is_no_phone_is_refused_with_what_to_write(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in")
    await at.send("/app/log-in", phone="<b>123")
    assert at.page.status_code == 422
    assert "11\u00a015\u00a05555-0001" in at.page.text
    assert 'value="&lt;b&gt;123"' in at.page.text


async def test_an_address_and_a_password_let_in_and_neither_alone_is_named_as_wrong(web: Web) -> None:
    await ana(web)
    at = window(web)
    said = []
    for email, password in (("ana@example.com", "otra frase 8"), ("nadie@example.com", PASSWORD)):
        await at.open("/app/log-in/password")
        await at.send("/app/log-in/password", email=email, password=password)
        assert at.page.status_code == 422
        assert password not in at.page.text
        said.append(re.findall(r'role="alert".*?<p>(.*?)</p>', at.page.text, re.DOTALL))
    assert said[0] == said[1] != []
    await at.send("/app/log-in/password", email=" ANA@example.com ", password=PASSWORD)
    assert at.page.status_code == 303


async def test_a_second_factor_is_asked_for_after_the_password_which_is_sent_back_to_nobody(web: Web) -> None:
    secret, codes = await enrolled(await ana(web), web)
    web.clock.forward(minutes=2)
    at = window(web)
    await at.open("/app/log-in/password")
    await at.send("/app/log-in/password", email="ana@example.com", password=PASSWORD)
    assert (at.page.status_code, 'name="totp"' in at.page.text, PASSWORD in at.page.text) == (200, True, False)
    assert at.page.headers["hx-retarget"] == "#factor"
    assert "cuadrilla_session" not in cookies_of(at)
    await at.send("/app/log-in/password", password=PASSWORD, totp="000000")
    assert (at.page.status_code, 'id="totp-problem"' in at.page.text) == (422, True)
    await at.send("/app/log-in/password", password=PASSWORD, totp=pyotp.TOTP(secret).at(web.clock.at))
    assert at.page.status_code == 303
    again = window(web)
    await again.open("/app/log-in/password")
    await again.send("/app/log-in/password", email="ana@example.com", password=PASSWORD)
    await again.send("/app/log-in/password", password=PASSWORD, totp=codes[3])
    await again.follow()
    await again.open("/app/settings/account")
    assert "Te quedan 9 códigos" in again.page.text


async def test_a_second_factor_is_asked_for_after_the_code_of_the_phone(web: Web) -> None:
    secret, _ = await enrolled(await marta(web), web)
    web.clock.forward(minutes=2)
    at = window(web)
    await at.open("/app/log-in")
    await at.send("/app/log-in", phone=MARTA)
    code = web.whatsapp.sent[-1].code
    await at.send("/app/log-in/code", code=code)
    assert (at.page.status_code, 'name="totp"' in at.page.text) == (200, True)
    await at.send("/app/log-in/code", totp="123456")
    assert (at.page.status_code, 'name="phone"' in at.page.text) == (422, True)
    web.clock.forward(minutes=1)
    await at.send("/app/log-in")
    await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
    await at.send("/app/log-in/code", totp=pyotp.TOTP(secret).at(web.clock.at))
    assert at.page.status_code == 303


async def test_whoever_registers_owns_a_business_and_sees_what_an_owner_sees(web: Web) -> None:
    at = await ana(web)
    for path in ("team", "service-tokens", "audit", "account", "sessions"):
        assert (await at.open(f"/app/settings/{path}")).status_code == 200, path
    assert "Ruiz Hnos." in at.page.text


@pytest.mark.parametrize(
    ("filled", "field"),
    [
        ({"email": "ana@ejemplo"}, "email"),
        ({"password": "breve"}, "password"),
        ({"password": "password123"}, "password"),
        ({"name": "  "}, "name"),
        ({"email": "tomada@example.com"}, "email"),
    ],
)
async def test_a_registration_that_cannot_be_says_which_field_and_keeps_the_others(
    filled: dict[str, str], field: str, web: Web
) -> None:
    await ana(web, email="tomada@example.com")
    at = window(web)
    await at.open("/app/register")
    body = {"email": "ana@example.com", "name": "Ana Ruiz", "business": "Ruiz Hnos.", "password": PASSWORD, **filled}
    await at.send("/app/register", None, **body)
    assert at.page.status_code == 422
    assert f'id="{field}-problem"' in at.page.text
    assert 'value="Ruiz Hnos."' in at.page.text
    assert body["password"] not in at.page.text


@pytest.mark.parametrize("shown", ["nothing", "a guess", "a stranger's", "another session's"])
async def test_a_form_that_is_not_of_this_session_changes_nothing(shown: str, web: Web) -> None:
    at, other, stranger = await ana(web), await ana(web, email="bea@example.com"), window(web)
    await other.open("/app/settings/account")
    await stranger.open("/app/log-in")
    token = {
        "nothing": "",
        "a guess": "0" * 64,
        "a stranger's": dict(stranger.form("/app/log-in").values)["csrf"],
        "another session's": dict(other.form("/app/log-out").values)["csrf"],
    }[shown]
    before = await at.open("/app/settings/sessions")
    for path in UNSAFE:
        answer = await at.client.post(path, data={"csrf": token, "password": "otra frase 8", "label": "x"})
        assert answer.status_code == 403, path
        assert "La página venció" in answer.text
    assert (await at.open("/app/settings/sessions")).text == before.text
    cookie = at.client.cookies["cuadrilla_session"]
    seen = await web.app.sessions.visit(cookie=cookie, correlation="c", origin=Origin("c"))
    facts, _ = await web.app.audit.read(actor=seen.actor, limit=100)
    assert {each.event_type for each in facts} <= {"identity.registered", "identity.logged_in"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://test.evil.example"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_sent_from_elsewhere_is_refused_though_its_token_is_right(
    headers: dict[str, str], web: Web
) -> None:
    at = await ana(web)
    await at.open("/app/settings/sessions")
    await at.send("/app/log-out", headers=headers)
    assert at.page.status_code == 403
    assert "La página venció" in at.page.text
    await at.open("/app/settings/sessions")
    await at.send("/app/log-out", headers={"origin": "http://test", "sec-fetch-site": "same-origin"})
    assert at.page.status_code == 303


async def test_a_log_in_form_of_another_browser_logs_nobody_in(web: Web) -> None:
    await ana(web)
    attacker, victim = window(web), window(web)
    await attacker.open("/app/log-in/password")
    token = dict(attacker.form("/app/log-in/password").values)["csrf"]
    for known in (False, True):
        if known:
            await victim.open("/app/log-in")
        body = {"csrf": token, "email": "ana@example.com", "password": PASSWORD}
        answer = await victim.client.post("/app/log-in/password", data=body)
        assert answer.status_code == 403
        assert "cuadrilla_session" not in answer.headers.get("set-cookie", "")


async def test_htmx_may_carry_the_token_in_a_header(web: Web) -> None:
    at = await ana(web)
    await at.open("/app/settings/sessions")
    found = re.search(r'hx-headers=\'\{"X-CSRF-Token": "([0-9a-f]{64})"\}\'', at.page.text)
    assert found is not None
    answer = await at.client.post("/app/log-out", headers={"x-csrf-token": found[1]})
    assert answer.status_code == 303


async def test_the_session_s_cookie_is_for_no_script_and_no_other_site(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in")
    assert cookies_of(at)["cuadrilla_stranger"].endswith("; HttpOnly; Max-Age=86400; Path=/app; SameSite=lax")
    await at.log_in_by_code(web, MARTA)
    line = cookies_of(at)["cuadrilla_session"]
    assert line.endswith("; HttpOnly; Max-Age=2592000; Path=/app; SameSite=lax")
    assert "Domain" not in line
    assert "Max-Age=0" in cookies_of(at)["cuadrilla_stranger"]


async def test_by_https_every_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    async with serving_web(tmp_path, **SECURE) as web:
        at = window(web)
        at.client.base_url = "https://cuadrilla.example"
        await at.log_in_by_code(web, MARTA)
        lines = cookies_of(at)
        assert set(lines) == {"__Host-cuadrilla_session", "__Host-cuadrilla_stranger"}
        for line in lines.values():
            assert "; Path=/; " in line
            assert "; Secure" in line
            assert "Domain" not in line
        await at.follow()
        assert (await at.open("/app/jobs")).status_code == 200


async def test_a_stranger_is_led_to_the_log_in_and_back(web: Web) -> None:
    at = window(web)
    for path in PRIVATE:
        await at.open(path)
        assert at.page.headers["location"] == f"/app/log-in?next={path}"
    await at.follow()
    await at.send("/app/log-in", phone=MARTA)
    await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
    assert at.page.headers["location"] == PRIVATE[-1]


async def test_an_expired_session_leads_to_the_log_in_and_back_to_where_one_was(web: Web) -> None:
    at = await marta(web)
    web.clock.forward(days=8)
    await at.open("/app/jobs?status=pending")
    assert at.page.headers["location"] == "/app/log-in?next=/app/jobs%3Fstatus%3Dpending&said=ended"
    assert "Max-Age=0" in cookies_of(at)["cuadrilla_session"]
    await at.follow()
    assert "Tu sesión terminó" in at.page.text
    await at.send("/app/log-in", phone=MARTA)
    await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code)
    assert at.page.headers["location"] == "/app/jobs?status=pending"


async def test_nobody_is_led_elsewhere_after_the_log_in(web: Web) -> None:
    at = window(web)
    for wanted in (
        "https://evil.example",
        "//evil.example/app",
        "/app//evil.example",
        "/app/\\evil.example",
        "/application",
        "/app@evil.example",
        "/app/../docs",
        "/app/jobs\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/app/log-in",
    ):
        web.clock.forward(hours=2)
        await at.open("/app/log-in")
        await at.send("/app/log-in", phone=MARTA)
        await at.send("/app/log-in/code", code=web.whatsapp.sent[-1].code, next=wanted)
        assert at.page.headers["location"] == "/app", wanted
        at.client.cookies.clear()


async def test_whoever_logs_out_is_out_in_every_tab(web: Web) -> None:
    at = await marta(web)
    cookie = at.client.cookies["cuadrilla_session"]
    await at.open("/app/jobs")
    await at.send("/app/log-out")
    await at.follow()
    assert "Cerraste la sesión" in at.page.text
    other = window(web)
    other.client.cookies.set("cuadrilla_session", cookie, path="/app")
    assert (await other.open("/app/jobs")).status_code == 303


async def test_a_session_is_ended_from_another_device_and_all_others_at_once(web: Web) -> None:
    here, phone, tablet = await ana(web), window(web), window(web)
    for at in (phone, tablet):
        await at.open("/app/log-in/password")
        await at.send("/app/log-in/password", email="ana@example.com", password=PASSWORD)
    await here.open("/app/settings/sessions")
    assert here.page.text.count('class="session"') == 3
    await here.send(r"/app/settings/sessions/[^/]+/end")
    await here.follow()
    assert here.page.text.count('class="session"') == 2
    await here.send("/app/settings/sessions/end-others")
    await here.follow()
    assert here.page.text.count('class="session"') == 1
    web.clock.forward(seconds=6)
    assert [(await at.open("/app/jobs")).status_code for at in (here, phone, tablet)] == [200, 303, 303]


async def test_another_password_ends_the_other_sessions_and_needs_the_old_one(web: Web) -> None:
    here, phone = await ana(web), window(web)
    await phone.open("/app/log-in/password")
    await phone.send("/app/log-in/password", email="ana@example.com", password=PASSWORD)
    await here.open("/app/settings/account")
    await here.send("/app/settings/password", current="no es esta 9", password="otra frase 8")
    assert (here.page.status_code, 'id="current-problem"' in here.page.text) == (422, True)
    await here.send("/app/settings/password", current=PASSWORD, password="corta")
    assert (here.page.status_code, 'id="password-problem"' in here.page.text) == (422, True)
    await here.send("/app/settings/password", current=PASSWORD, password="otra frase 8")
    await here.follow()
    assert "la contraseña es otra" in here.page.text
    web.clock.forward(seconds=6)
    assert [(await at.open("/app/jobs")).status_code for at in (here, phone)] == [200, 303]


async def test_a_second_factor_is_removed_with_a_last_code(web: Web) -> None:
    at = await ana(web)
    _, codes = await enrolled(at, web)
    await at.open("/app/settings/account")
    await at.send("/app/settings/second-factor/remove", totp="000000")
    assert at.page.status_code == 422
    await at.send("/app/settings/second-factor/remove", totp=codes[0])
    await at.follow()
    assert "ya no pedimos el segundo factor" in at.page.text
    assert "Activar el segundo factor" in at.page.text


async def test_a_secret_is_shown_once_and_a_wrong_code_does_not_show_it_again(web: Web) -> None:
    at = await ana(web)
    await at.open("/app/settings/account")
    await at.send("/app/settings/second-factor")
    secret = secret_of(at)
    assert at.page.headers["cache-control"] == "no-store"
    await at.send("/app/settings/second-factor/confirm", totp="000000")
    assert (at.page.status_code, at.page.headers["hx-retarget"]) == (422, "#confirm")
    assert secret[:4] not in re.sub(r"[0-9a-f]{64}", "", at.page.text)
    await at.send("/app/settings/second-factor/confirm", totp=pyotp.TOTP(secret).at(web.clock.at))
    assert at.page.status_code == 200


async def test_a_service_token_is_shown_once_works_and_is_revoked(web: Web) -> None:
    at = await ana(web)
    await at.open("/app/settings/service-tokens")
    await at.send("/app/settings/service-tokens", label="", scopes=["jobs.read"], days="30")
    assert 'id="label-problem"' in at.page.text
    await at.send("/app/settings/service-tokens", label="Planilla", days="30")
    assert 'id="scopes-problem"' in at.page.text
    await at.send("/app/settings/service-tokens", label="Planilla", scopes=["everything"], days="30")
    assert at.page.status_code in (403, 422)
    await at.open("/app/settings/service-tokens")
    await at.send("/app/settings/service-tokens", label="Planilla", scopes=["jobs.read"], days="30")
    (token,) = re.findall(r'value="(cst_[^"]+)"', at.page.text)
    bearer = {"authorization": f"Bearer {token}"}
    assert (await web.client.get("/api/v1/jobs", headers=bearer)).status_code == 200
    await at.open("/app/settings/service-tokens")
    assert token not in at.page.text
    await at.send(r"/app/settings/service-tokens/[^/]+/revoke")
    await at.follow()
    assert "Revocado" in at.page.text
    web.clock.forward(seconds=6)
    assert (await web.client.get("/api/v1/jobs", headers=bearer)).status_code == 401


@pytest.mark.parametrize("path", ["service-tokens", "audit"])
async def test_a_technician_sees_nothing_that_is_for_those_who_manage(path: str, web: Web) -> None:
    at = window(web)
    await at.log_in_by_code(web, CARLOS)
    await at.open(f"/app/settings/{path}")
    assert at.page.status_code == 403
    assert "Tu rol no llega hasta acá" in at.page.text
    assert f'href="/app/settings/{path}"' not in at.page.text


async def test_an_owner_adds_somebody_who_logs_in_and_takes_their_access_again(web: Web) -> None:
    at, nora = await ana(web), window(web)
    await at.open("/app/settings/team")
    await at.send("/app/settings/team", name="Nora Vega", phone="011 15-5555-0300", role="technician")
    await at.follow()
    assert "ya puede entrar con su teléfono" in at.page.text
    assert "+54 9 11 5555-0300" in at.page.text
    await nora.log_in_by_code(web, "+5491155550300")
    assert "Ruiz Hnos." in (await nora.open("/app/jobs")).text
    await at.send(r"/app/settings/team/user_.+", role="dispatcher")
    await at.follow()
    assert "Despacho" in at.page.text
    await at.send(r"/app/settings/team/user_.+", active="no")
    await at.follow()
    assert "Sin acceso" in at.page.text
    web.clock.forward(seconds=6)
    assert (await nora.open("/app/jobs")).status_code == 303
    await at.open("/app/settings/audit")
    for said in (
        "sumó a Nora Vega: técnico",
        "cambió el rol de Nora Vega: era técnico, ahora despacho",
        "quitó el acceso de Nora Vega",
    ):
        assert f"Ana Ruiz {said}" in at.page.text, said


@pytest.mark.parametrize(
    ("filled", "problem"),
    [
        ({"phone": "123"}, 'id="phone-problem"'),
        ({"name": ""}, 'id="name-problem"'),
        ({"phone": "+5491155550300"}, "Ese teléfono ya es de otra persona"),
    ],
)
async def test_a_colleague_who_cannot_be_added_is_told_why(filled: dict[str, str], problem: str, web: Web) -> None:
    at = await ana(web)
    await at.open("/app/settings/team")
    await at.send("/app/settings/team", name="Nora Vega", phone="+5491155550300", role="technician")
    await at.follow()
    await at.send("/app/settings/team", None, **{"name": "Otra", "phone": "+5491155550301", "role": "agent", **filled})
    assert (at.page.status_code, problem in at.page.text) == (422, True)


async def test_who_does_not_manage_the_team_only_looks_at_it(web: Web) -> None:
    at = await marta(web)
    page = await at.open("/app/settings/team")
    assert ("Carlos" in page.text, 'action="/app/settings/team' in page.text) == (True, False)
    token = dict(at.form("/app/log-out").values)["csrf"]
    for path in ("/app/settings/team", "/app/settings/team/carlos"):
        answer = await at.client.post(
            path, data={"csrf": token, "role": "owner", "name": "X", "phone": "+5491155550300"}
        )
        assert answer.status_code == 403
    owner = await ana(web)
    await owner.open("/app/settings/account")
    token = dict(owner.form("/app/log-out").values)["csrf"]
    answer = await owner.client.post("/app/settings/team/carlos", data={"csrf": token, "role": "agent"})
    assert answer.status_code == 404


async def test_what_is_another_s_is_not_found_and_stays_as_it_is(web: Web) -> None:
    mine, theirs = await ana(web), await ana(web, email="bea@example.com", business="Otra")
    await theirs.open("/app/settings/service-tokens")
    await theirs.send("/app/settings/service-tokens", label="Suyo", scopes=["jobs.read"], days="30")
    await theirs.open("/app/settings/service-tokens")
    (revoke,) = re.findall(r'action="(/app/settings/service-tokens/[^/]+/revoke)"', theirs.page.text)
    session = theirs.client.cookies["cuadrilla_session"].split(".")[-2]
    await mine.open("/app/settings/sessions")
    token = dict(mine.form("/app/log-out").values)["csrf"]
    for path in (revoke, f"/app/settings/sessions/{session}/end"):
        answer = await mine.client.post(path, data={"csrf": token})
        assert answer.status_code == 404
        assert "No encontramos esa página" in answer.text
    assert "Vigente" in (await theirs.open("/app/settings/service-tokens")).text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{7*7}}", "'\"><img src=x onerror=alert(1)>"])
async def test_whatever_people_are_called_is_only_ever_text(name: str, web: Web) -> None:
    at = await ana(web, name=name, business=name)
    await at.open("/app/settings/service-tokens")
    await at.send("/app/settings/service-tokens", label=name, scopes=["jobs.read"], days="30")
    paths = ("jobs", "settings", "settings/account", "settings/sessions", "settings/team", "settings/audit")
    pages = [at.page.text, *[(await at.open(f"/app/{path}", user_agent=name)).text for path in paths]]
    pages.append((await at.open("/app/settings/service-tokens")).text)
    pages.append((await at.open(f"/app/jobs?status={name}&cursor=%22%3E")).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "onerror=alert(1)>" not in html.unescape(re.sub(r"&[a-z#0-9]+;", "", page))
        assert "<img src=x" not in page
    assert html.escape(name, quote=False).partition("'")[0] in pages[0]


async def test_a_line_break_or_a_null_in_a_field_is_left_out(web: Web) -> None:
    at = window(web)
    await at.open("/app/register")
    await at.send(
        "/app/register", email="ana@example.com", name="Ana\x00\r\n Ruiz", business="\u202eRuiz", password=PASSWORD
    )
    assert at.page.status_code == 303
    await at.open("/app/settings/account")
    assert "<dd>Ana Ruiz</dd>" in at.page.text
    assert "\u202e" not in at.page.text


async def test_the_log_says_what_happened_in_both_languages_by_pages_and_by_kind(web: Web) -> None:
    at = await ana(web)
    await enrolled(at, web)
    for _ in range(45):
        await at.open("/app/settings/service-tokens")
        await at.send("/app/settings/service-tokens", label="Uno", scopes=["jobs.read"], days="30")
    await at.open("/app/settings/audit")
    assert "Ana Ruiz creó un token de servicio: Trabajos: ver." in at.page.text
    assert "activó el segundo factor" not in at.page.text
    (older,) = re.findall(r'href="(\?[^"]+)" data-older', at.page.text)
    await at.open("/app/settings/audit" + html.unescape(older))
    assert "Ana Ruiz activó el segundo factor." in at.page.text
    await at.open("/app/settings/audit?kind=identity.totp_confirmed", accept_language="en")
    assert "Ana Ruiz turned on the second factor." in at.page.text
    assert "created a service token" not in at.page.text
    await at.open("/app/settings/audit?kind=identity.password_set")
    assert "No hay nada que mostrar" in at.page.text


async def test_the_language_is_the_browser_s_until_somebody_chooses(web: Web) -> None:
    at = window(web)
    await at.open("/app/log-in", accept_language="en-GB,en;q=0.9")
    assert ('<html lang="en">' in at.page.text, "Log in" in at.page.text) == (True, True)
    await at.send("/app/language", language="es")
    assert at.page.headers["location"] == "/app/log-in"
    assert "cuadrilla_language=es" in cookies_of(at)["cuadrilla_language"]
    await at.open("/app/log-in", accept_language="en-GB,en;q=0.9")
    assert '<html lang="es-AR">' in at.page.text


async def test_every_page_forbids_scripts_and_styles_of_others_and_is_kept_nowhere(web: Web) -> None:
    at = await ana(web)
    paths = ["/app/log-in", *PRIVATE, "/app/nothing"]
    for path in paths:
        page = await at.open(path)
        if page.status_code == 303:
            continue
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'; base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "same-origin")
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:", page.text)
        inside = set(re.findall(r'(?:src|href|action)="([^"#?]+)', page.text))
        assert all(each.startswith(("/app", "/static/", "data:image/svg", "otpauth:")) for each in inside)


async def test_what_does_not_exist_is_a_page_of_ours(web: Web) -> None:
    for at, shell in ((window(web), False), (await marta(web), True)):
        for path in ("/app/nothing", "/app/settings/nothing", "/app/settings/sessions/some", "/app/%00"):
            page = await at.open(path)
            assert page.status_code == 404, path
            assert "No encontramos esa página" in page.text
            assert ('class="rail"' in page.text) is shell
        await at.open("/app/log-in")


async def test_what_cannot_be_read_is_refused_as_a_page(web: Web) -> None:
    at = await ana(web)
    for body in (b"\xff\xfe=1", b"&".join(b"a=%d" % each for each in range(200))):
        answer = await at.client.post("/app/log-out", content=body)
        assert answer.status_code == 400
        assert "No entendimos" in answer.text
    answer = await at.client.post("/app/log-out", content=b"a=" + b"b" * 20_000)
    assert answer.status_code == 413


async def test_an_address_that_asks_too_often_gets_a_page_that_says_how_long_to_wait(web: Web) -> None:
    rules = evolve(RateRules(), pages=RateRule(name="pages", limit=2), doors=RateRule(name="log-in", limit=1))
    async with door(web, rules=rules) as limited:
        at = window(limited)
        await at.open("/app/log-in")
        await at.send("/app/log-in/password".replace("/password", ""), phone="nothing")
        await at.open("/app/log-in")
        await at.send("/app/log-in", phone="nothing")
        assert (at.page.status_code, "Demasiados pedidos" in at.page.text) == (429, True)
        assert int(at.page.headers["retry-after"]) > 0
        assert (await at.open("/app/log-in")).status_code == 429


async def test_a_failure_of_ours_is_a_page_with_a_number_and_nothing_of_its_cause(web: Web) -> None:
    class Broken:
        async def list(self, **_: object) -> None:
            msg = "the secret cause"
            raise RuntimeError(msg)

    class Away:
        async def list(self, **_: object) -> None:
            msg = "the database is away"
            raise Unavailable(msg)

    at = await marta(web)
    for jobs, status in ((Broken(), 500), (Away(), 503)):
        async with door(web, jobs=jobs) as failing:
            other = window(failing)
            other.client.cookies = at.client.cookies
            with capture_logs() as noted:
                page = await other.open("/app/jobs")
            assert page.status_code == status
            defects = [each["request_id"] for each in noted if each["event"] == "defect"]
            assert defects == ([page.headers["x-request-id"]] if status == 500 else [])
            assert "secret" not in page.text
            assert "away" not in page.text
            assert (page.headers["x-request-id"] in page.text) is (status == 500)


async def test_an_area_that_is_coming_is_no_link(web: Web) -> None:
    at = await marta(web)
    await at.open("/app/jobs")
    assert "Conversaciones" in at.page.text
    assert "/app/conversations" not in at.page.text


async def test_a_technician_sees_their_own_jobs_and_a_planner_begins_with_the_settings(web: Web) -> None:
    job = await web.a_job(title="De Carlos")
    await web.scheduled(job)
    await web.a_job(title="De nadie")
    at = window(web)
    await at.log_in_by_code(web, CARLOS)
    await at.open("/app/jobs")
    assert ("De Carlos" in at.page.text, "De nadie" in at.page.text) == (True, False)
    planner = User(id="paula", tenant="plan", name="Paula", role="planner", phone="+5491150000033")
    await web.app.store.directory.enrol(Tenant(id="plan", name="Plan"), [planner])
    other = window(web)
    await other.log_in_by_code(web, "+5491150000033")
    await other.follow()
    assert other.page.headers["location"] == "/app/settings"
    assert (await other.open("/app/jobs")).status_code == 403


def test_every_text_is_there_in_both_languages_with_the_same_places_to_fill() -> None:
    for key, (spanish, english) in TEXTS.items():
        assert spanish, key
        assert english, key
        assert sorted(re.findall(r"\{(\w+)\}", spanish)) == sorted(re.findall(r"\{(\w+)\}", english)), key


def test_every_text_is_used_and_every_text_that_is_used_is_there() -> None:
    here = Path(__file__).parents[3] / "src" / "entrypoints" / "console"
    source = "\n".join(each.read_text() for each in sorted(here.rglob("*")) if each.suffix in {".py", ".html"})
    source = source.replace((here / "texts.py").read_text(), "")
    used = set(re.findall(r"""["']([a-z_-]+(?:\.[a-z_0-9-]+)+)["']""", source))
    families: tuple[str, ...] = (
        "area.",
        "section.",
        "role.",
        "scope.",
        "status.",
        "wait.",
        "failure.",
        "problem.",
        "method.",
    )
    families += (
        "vat.",
        "document.",
        *(f"invoices.{each}." for each in ("asked", "group", "kind", "means", "state", "treatment")),
        *("channel.", "delivery.", "notices.way.", "notices.why."),
    )
    # Chosen by what was asked for, or by what stands in the address.
    used |= {f"deliveries.{each}" for each in ("today", "week", "month")} | {"notices.kept", "notices.forgotten"}
    assert {key for key in TEXTS if "." in key and not key.startswith(families)} <= used
