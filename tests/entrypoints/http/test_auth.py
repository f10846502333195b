"""Logging in and out over HTTP: each way in, each way to be refused, and what a stranger learns from it, which is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
import pyotp
import pytest

from adapters.sql import upgrade
from core.identity import Tenant, User, token_hash
from core.kernel.ports import RateRule
from entrypoints.http.endpoints import ENDPOINTS
from entrypoints.http.guards import RateRules
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.test_hostile_requests import NAMES
from tests.entrypoints.http.web import Sending, Web, living
from tests.entrypoints.http.web import web as serving_web

AUTH: Final = "/api/v1/auth"
MARTA: Final = "+5491150000001"
STRANGER: Final = "+5491155559999"
EMAIL: Final = "ana.ruiz@example.com"
PASSWORD: Final = "tres tristes tigres 9"
ALIKE: Final = (
    "\N{CYRILLIC SMALL LETTER A}na.ruiz@example.com",
    "ana.ruiz@ex\N{CYRILLIC SMALL LETTER A}mple.com",
    "ana.ru\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}z@example.com",
    "ana.ruiz@example\N{ONE DOT LEADER}co\N{GREEK SMALL LETTER MU}",
    "\N{ZERO WIDTH SPACE}ana.ruiz@example.com",
    "ana.ruiz@example.com\N{RIGHT-TO-LEFT OVERRIDE}",
    "ana.ruiz@examp1e",
    "ana ruiz@example.com",
    "<a@b>",
    "a@b",
    "",
    "@",
    "a" * 300 + "@example.com",
    "ana@example.com\r\nbcc: x@example.com",
)
"""Addresses that look like somebody's, or like one at all, and are none."""
OPEN: Final = [each for each in ENDPOINTS if each.open]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def any_web(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Web]:
    """Give the application over each kind of database."""
    url = "memory:"
    if request.param != "memory":
        made = f"sqlite+aiosqlite:///{tmp_path / 'web.db'}"
        url = made if request.param == "sqlite" else request.getfixturevalue("postgres_url")
        upgrade(url)
    async with serving_web(tmp_path, CUADRILLA_DATABASE_URL=url) as served:
        yield served


async def knock(web: Web, way: str, body: object, **headers: str) -> httpx2.Response:
    return await web.ask("POST", f"{AUTH}/{way}", None, json=body, headers=headers)


async def ok(web: Web, way: str, body: object) -> Any:
    answer = await knock(web, way, body)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


async def by_code(web: Web, phone: str = MARTA, **more: str) -> httpx2.Response:
    await ok(web, "otp", {"phone": phone})
    return await knock(web, "verify", {"phone": phone, "otp": web.whatsapp.sent[-1].code, **more})


async def registered(web: Web, email: str = EMAIL, name: str = "Ana Ruiz") -> Any:
    return await ok(web, "register", {"email": email, "password": PASSWORD, "name": name, "business": "Ruiz"})


async def log_in(web: Web, **changes: str) -> httpx2.Response:
    return await knock(web, "login", {"email": EMAIL, "password": PASSWORD, **changes})


async def as_(web: Web, token: str, method: str, path: str, **more: Any) -> httpx2.Response:
    return await web.ask(method, path, None, headers={"authorization": f"Bearer {token}"}, **more)


async def refresh(web: Web, tokens: Any) -> httpx2.Response:
    return await knock(web, "refresh", {"refreshToken": tokens["refreshToken"]})


def refused(answer: httpx2.Response, status: int, code: str) -> bool:
    """Say whether it was refused so, and said what to do."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert len(answer.json()["detail"]) > 15
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert ("retry-after" in answer.headers) is (status == 429)
    return True


async def test_a_code_lets_in_and_its_refresh_token_buys_the_next_pair(any_web: Web) -> None:
    asked = await knock(any_web, "otp", {"phone": "011 15-5000-0001"})
    assert (asked.status_code, asked.json()) == (202, {"expiresIn": 300, "resendAfter": 30})
    sent = any_web.whatsapp.sent[-1]
    assert (sent.tenant, sent.phone, len(sent.code)) == ("demo", MARTA, 6)
    first = await ok(any_web, "verify", {"phone": MARTA, "otp": sent.code})
    assert (first["expiresIn"], first["user"]["id"], first["user"]["role"]) == (900, "marta", "dispatcher")
    me = (await as_(any_web, first["accessToken"], "GET", f"{AUTH}/me")).json()
    assert (me["id"], me["name"], me["role"], me["tenant"]["id"]) == ("marta", "Marta", "dispatcher", "demo")
    again = await knock(any_web, "verify", {"phone": MARTA, "otp": sent.code})
    assert refused(again, 401, "wrong_code")

    second = (await refresh(any_web, first)).json()
    assert second["refreshToken"] != first["refreshToken"]
    assert (await as_(any_web, second["accessToken"], "GET", "/api/v1/jobs")).status_code == 200
    any_web.clock.forward(minutes=15)
    assert refused(await as_(any_web, second["accessToken"], "GET", "/api/v1/jobs"), 401, "unauthenticated")
    third = (await refresh(any_web, second)).json()
    assert (await as_(any_web, third["accessToken"], "GET", "/api/v1/jobs")).status_code == 200


async def test_a_spent_refresh_token_ends_the_session_and_is_in_the_audit_log(any_web: Web) -> None:
    first = (await by_code(any_web)).json()
    second = (await refresh(any_web, first)).json()
    assert refused(await refresh(any_web, first), 401, "unauthenticated")
    assert refused(await refresh(any_web, second), 401, "unauthenticated")
    assert refused(await as_(any_web, second["accessToken"], "GET", f"{AUTH}/me"), 401, "unauthenticated")
    log = (await any_web.get("/api/v1/audit", "alba")).json()["items"]
    reused = [each for each in log if each["event"].endswith("refresh_reused")]
    assert [(each["userId"], each["ip"]) for each in reused] == [("marta", "127.0.0.1")], log
    said = str(log)
    assert not any(token in said for pair in (first, second) for token in (pair["accessToken"], pair["refreshToken"]))


async def test_who_logs_out_is_out(any_web: Web) -> None:
    tokens = (await by_code(any_web)).json()
    out = await knock(any_web, "logout", {"refreshToken": tokens["refreshToken"]})
    assert (out.status_code, out.content) == (204, b"")
    assert refused(await refresh(any_web, tokens), 401, "unauthenticated")
    assert refused(await as_(any_web, tokens["accessToken"], "GET", f"{AUTH}/me"), 401, "unauthenticated")
    for nobody_s in (tokens["refreshToken"], "nonsense", "demo.session_1.a.b"):
        assert (await knock(any_web, "logout", {"refreshToken": nobody_s})).status_code == 204


async def test_a_phone_that_nobody_knows_founds_a_tenant_of_its_own(any_web: Web) -> None:
    tokens = (await by_code(any_web, STRANGER)).json()
    me = (await as_(any_web, tokens["accessToken"], "GET", f"{AUTH}/me")).json()
    assert me["role"] == "owner"
    assert me["tenant"]["id"] not in ("demo", "other")
    users = (await as_(any_web, tokens["accessToken"], "GET", "/api/v1/users")).json()["items"]
    assert [each["id"] for each in users] == [me["id"]]


async def test_nobody_learns_from_the_answer_whether_a_phone_is_known(any_web: Web) -> None:
    known, unknown = [await knock(any_web, "otp", {"phone": phone}) for phone in (MARTA, STRANGER)]
    varies = {"x-request-id", "ratelimit", "date"}

    def seen(answer: httpx2.Response) -> Any:
        headers = {name: value for name, value in answer.headers.items() if name not in varies}
        return answer.status_code, answer.content, headers

    assert seen(known) == seen(unknown)
    wrong = [await knock(any_web, "verify", {"phone": phone, "otp": "1"}) for phone in (MARTA, STRANGER)]
    no_code = await knock(any_web, "verify", {"phone": "+5491155558888", "otp": "000000"})
    same = [{**each.json(), "requestId": ""} for each in (*wrong, no_code)]
    assert same[0] == same[1] == same[2]
    await registered(any_web)
    others = [await log_in(any_web, password="not that one"), await log_in(any_web, email="nobody@example.com")]
    assert {**others[0].json(), "requestId": ""} == {**others[1].json(), "requestId": ""}


async def test_a_code_that_does_not_arrive_in_whatsapp_goes_by_sms(web: Web) -> None:
    from attrs import evolve

    from entrypoints.http.app import http_app

    soon = evolve(web.app.otp.rules, in_time=web.app.otp.rules.in_time * 0)
    application = http_app(evolve(web.app, otp=evolve(web.app.otp, rules=soon)))
    transport = Sending(application, web.whatsapp)
    async with living(application), httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        other = Web(web.app, client, web.clock, web.whatsapp)
        await ok(other, "otp", {"phone": MARTA})
        sms: Any = web.app.otp._phones.sms
        async with asyncio.timeout(10):
            while not sms.sent:  # noqa: ASYNC110 - nobody tells when the channel is used
                await asyncio.sleep(0.01)
        assert refused(
            await knock(other, "verify", {"phone": MARTA, "otp": web.whatsapp.sent[-1].code}), 401, "wrong_code"
        )
        assert (await knock(other, "verify", {"phone": MARTA, "otp": sms.sent[-1].code})).status_code == 200


async def test_three_wrong_codes_and_then_one_waits(web: Web) -> None:
    await ok(web, "otp", {"phone": MARTA})
    right = web.whatsapp.sent[-1].code
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(3):
        assert refused(await knock(web, "verify", {"phone": MARTA, "otp": wrong}), 401, "wrong_code")
    late = await knock(web, "verify", {"phone": MARTA, "otp": right})
    assert refused(late, 429, "too_often")
    assert late.headers["retry-after"] == "60"
    web.clock.forward(seconds=61)
    assert (await by_code(web)).status_code == 200


@pytest.mark.parametrize("phone", ["", "x", "+54", "11", "+5411", "0800-333-1234", "+999", "٠١٢٣٤٥٦٧٨٩", "1" * 500])
async def test_what_is_no_phone_is_refused_in_words(web: Web, phone: str) -> None:
    for way, more in (("otp", {}), ("verify", {"otp": "123456"})):
        assert refused(await knock(web, way, {"phone": phone, **more}), 422, "invalid")
    assert web.whatsapp.sent == []


async def test_an_address_and_a_password_let_in(any_web: Web) -> None:
    first = await registered(any_web)
    assert (first["user"]["name"], first["user"]["role"]) == ("Ana Ruiz", "owner")
    second = await log_in(any_web, email=f"  {EMAIL.upper()} ")
    assert second.status_code == 200
    me = (await as_(any_web, second.json()["accessToken"], "GET", f"{AUTH}/me")).json()
    assert (me["id"], me["tenant"]["name"]) == (first["user"]["id"], "Ruiz")
    assert refused(await log_in(any_web, password=PASSWORD + "x"), 401, "wrong_credentials")
    taken = await knock(any_web, "register", {"email": EMAIL, "password": PASSWORD, "name": "Otra"})
    assert refused(taken, 409, "identity.login_taken")


async def test_a_bcrypt_hash_lets_in_and_is_argon2_afterwards(any_web: Web) -> None:
    import bcrypt
    from attrs import evolve

    from core.kernel.actor import Actor

    tokens = await registered(any_web)
    tenant, person = tokens["user"]["id"], ""
    me = (await as_(any_web, tokens["accessToken"], "GET", f"{AUTH}/me")).json()
    tenant, person = me["tenant"]["id"], me["id"]
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    store = any_web.app.store
    async with store.begin(Actor(tenant=tenant, id=person, role="service", correlation="c")) as tx:
        account = await tx.accounts.get(tenant, person)
        assert account is not None
        await tx.accounts.save(evolve(account, password_hash=old))
    for _ in range(2):
        assert (await log_in(any_web)).status_code == 200
        kept = await store.accounts.get(tenant, person)
        assert kept is not None
        assert str(kept.password_hash).startswith("$argon2id$")


@pytest.mark.parametrize("email", ALIKE)
async def test_an_address_that_only_looks_like_one_is_refused_in_words(web: Web, email: str) -> None:
    await registered(web)
    for way, more in (("register", {"name": "Otra"}), ("login", {})):
        answer = await knock(web, way, {"email": email, "password": PASSWORD, **more})
        assert refused(answer, 422, "invalid")
        assert answer.json()["field"] == "email"


async def test_an_address_in_wide_letters_is_the_same_address(web: Web) -> None:
    await registered(web)
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in EMAIL)
    answer = await knock(web, "register", {"email": wide, "password": PASSWORD, "name": "Otra"})
    assert refused(answer, 409, "identity.login_taken")
    assert (await log_in(web, email=wide)).status_code == 200


async def test_a_password_of_a_megabyte_is_refused_unread(web: Web) -> None:
    await registered(web)
    for size, statuses in ((1_000_000, (422, 401)), (2_000_000, (413, 413))):
        long = "é" * (size // 2)
        new = await knock(web, "register", {"email": "b@example.com", "password": long, "name": "B"})
        old = await log_in(web, password=long)
        assert (new.status_code, old.status_code) == statuses
        assert long[:20] not in new.text + old.text


@pytest.mark.parametrize("password", ["short", "12345678", "contraseña1", "ana.ruiz", "x" * 129])
async def test_a_password_that_is_tried_first_is_refused_in_words(web: Web, password: str) -> None:
    answer = await knock(web, "register", {"email": EMAIL, "password": password, "name": "Ana"})
    assert refused(answer, 422, "invalid")
    assert (answer.json()["field"], password in answer.text) == ("password", False)


async def test_a_hostile_name_comes_back_letter_by_letter(web: Web) -> None:
    taken = 0
    for number, name in enumerate(NAMES):
        web.clock.forward(hours=1)
        body = {"email": f"n{number}@example.com", "password": PASSWORD, "name": name, "business": name}
        answer = await knock(web, "register", body)
        if answer.status_code == 422:
            assert answer.json()["field"] in ("name", "business")
            continue
        assert (answer.status_code, answer.json()["user"]["name"]) == (201, name.strip())
        me = (await as_(web, answer.json()["accessToken"], "GET", f"{AUTH}/me")).json()
        assert (me["name"], me["tenant"]["name"]) == (name.strip(), name.strip())
        taken += 1
    assert taken > 5


async def test_any_text_is_refused_and_never_a_failure(any_web: Web) -> None:
    await registered(any_web)
    for text in (*NAMES[::4], "\x00", "🛠" * 50, "%s%n", "a" * 5000, "demo.session_1\x00.a.b", f"x\x00.{'a' * 50}.b.c"):
        any_web.clock.forward(days=2)
        await ok(any_web, "otp", {"phone": MARTA})
        tokens = [
            await knock(any_web, "refresh", {"refreshToken": text}),
            await knock(any_web, "verify", {"phone": MARTA, "otp": text, "tenant": text, "totp": text}),
            await knock(
                any_web, "login", {"email": EMAIL, "password": text, "totp": text}, **{"user-agent": "x\t%00'\""}
            ),
            await as_(any_web, quote(text), "GET", f"{AUTH}/me"),
        ]
        assert {each.status_code for each in tokens} <= {401, 429}, text
        things = [
            await any_web.ask("DELETE", f"{AUTH}/sessions/{quote(text, safe='')}"),
            await any_web.ask("DELETE", f"/api/v1/service-tokens/{quote(text, safe='')}", "alba"),
            await any_web.ask("GET", f"{AUTH}/sessions?userId={quote(text, safe='')}", "alba"),
            await any_web.ask("GET", f"/api/v1/users?role={quote(text, safe='')}", "alba"),
            await any_web.ask("GET", f"/api/v1/audit?cursor={quote(text, safe='')}", "alba"),
            await any_web.post("/api/v1/service-tokens", {"label": text, "scopes": ["jobs.read"]}, "alba"),
        ]
        assert {each.status_code for each in things} <= {200, 201, 404, 405, 422}, [each.text for each in things]


BROKEN: Final = (b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"phone":null}', b'{"phone":1}', b"\xff", b'{"email":"\\ud800"}',
    b'{"phone":{"$ne":1},"otp":{"$ne":1}}', b'{"email":["a@b.c"],"password":["x"]}', b'{"phone":"+5491150000001","otp":123456}',
    b'{"refreshToken":"\\u0000"}', b'{"email":"a@b.co","password":"p","role":"owner","name":"x"}', b"[" * 100_000)  # fmt: skip


@pytest.mark.parametrize("endpoint", OPEN, ids=lambda each: each.path.rpartition("/")[2])
async def test_a_body_that_makes_no_sense_is_said_to(web: Web, endpoint: Any) -> None:
    for body in BROKEN:
        answer = await web.ask(endpoint.method, endpoint.path, None, content=body)
        assert answer.status_code in (400, 401, 204 if endpoint.path.endswith("logout") else 400), (
            body[:50],
            answer.text,
        )
        if answer.status_code == 400:
            assert answer.json()["code"] == "malformed"


@pytest.mark.parametrize("endpoint", OPEN, ids=lambda each: each.path.rpartition("/")[2])
async def test_who_knocks_too_often_is_told_when_to_come_back(web: Web, endpoint: Any) -> None:
    rules = RateRules(doors=RateRule(name="log-in", limit=2))
    async with door(web, rules=rules) as narrow:
        answers = [await narrow.ask(endpoint.method, endpoint.path, None, json={}) for _ in range(3)]
        elsewhere = [await narrow.ask(each.method, each.path, None, json={}) for each in OPEN]
    assert [each.status_code for each in answers] == [400, 400, 429]
    assert {each.status_code for each in elsewhere} == {429}
    assert refused(answers[-1], 429, "limited")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 63


async def test_a_password_is_tried_ten_times_and_then_one_waits(web: Web) -> None:
    await registered(web)
    for _ in range(10):
        assert refused(await log_in(web, password="not that one"), 401, "wrong_credentials")
    late = await log_in(web)
    assert refused(late, 429, "too_often")
    web.clock.forward(seconds=int(late.headers["retry-after"]))
    assert (await log_in(web)).status_code == 200


async def with_factor(web: Web) -> tuple[Any, pyotp.TOTP, list[str]]:
    tokens = await registered(web)
    begun = await as_(web, tokens["accessToken"], "POST", f"{AUTH}/totp")
    assert begun.status_code == 201
    app = pyotp.TOTP(begun.json()["secret"])
    assert begun.json()["uri"].startswith("otpauth://totp/Cuadrilla:ana.ruiz%40example.com?secret=")
    assert (await log_in(web)).status_code == 200  # it counts once it is confirmed
    path = f"{AUTH}/totp/confirm"
    assert refused(
        await as_(web, tokens["accessToken"], "POST", path, json={"code": "000"}), 401, "wrong_second_factor"
    )
    codes = (await as_(web, tokens["accessToken"], "POST", path, json={"code": app.at(web.clock())})).json()
    assert len(set(codes["recoveryCodes"])) == 10
    return tokens, app, codes["recoveryCodes"]


async def test_a_second_factor_is_asked_for_and_each_code_counts_once(any_web: Web) -> None:
    tokens, app, recovery = await with_factor(any_web)
    assert refused(await log_in(any_web), 401, "second_factor_needed")
    assert refused(await log_in(any_web, password="not that one"), 401, "wrong_credentials")
    assert refused(await log_in(any_web, totp=app.at(any_web.clock())), 401, "wrong_second_factor")
    any_web.clock.forward(minutes=10)
    code = app.at(any_web.clock())
    assert (await log_in(any_web, totp=code)).status_code == 200
    assert refused(await log_in(any_web, totp=code), 401, "wrong_second_factor")
    assert (await log_in(any_web, totp=recovery[0])).status_code == 200
    assert refused(await log_in(any_web, totp=recovery[0]), 401, "wrong_second_factor")
    again = await as_(any_web, tokens["accessToken"], "POST", f"{AUTH}/totp")
    assert refused(again, 409, "identity.second_factor")
    any_web.clock.forward(minutes=10)
    tokens, gone = (await refresh(any_web, tokens)).json(), {"code": app.at(any_web.clock())}
    removed = await as_(any_web, tokens["accessToken"], "POST", f"{AUTH}/totp/remove", json=gone)
    assert removed.status_code == 204
    assert (await log_in(any_web)).status_code == 200


async def test_codes_of_the_second_factor_are_tried_five_times(web: Web) -> None:
    await with_factor(web)
    web.clock.forward(minutes=10)
    for _ in range(5):
        assert refused(await log_in(web, totp="000000"), 401, "wrong_second_factor")
    assert refused(await log_in(web, totp="000000"), 429, "too_often")


async def test_another_password_ends_every_other_session(any_web: Web) -> None:
    mine = await registered(any_web)
    other = (await log_in(any_web)).json()
    path, fresh = f"{AUTH}/password", "cuatro caballos cansados"
    wrong = {"password": fresh, "current": "not that one"}
    for body in (wrong, {"password": fresh}):
        assert refused(await as_(any_web, mine["accessToken"], "PUT", path, json=body), 401, "wrong_credentials")
    body = {"password": fresh, "current": PASSWORD}
    assert (await as_(any_web, mine["accessToken"], "PUT", path, json=body)).status_code == 204
    assert (await as_(any_web, mine["accessToken"], "GET", f"{AUTH}/me")).status_code == 200
    assert refused(await as_(any_web, other["accessToken"], "GET", f"{AUTH}/me"), 401, "unauthenticated")
    assert refused(await refresh(any_web, other), 401, "unauthenticated")
    assert refused(await log_in(any_web), 401, "wrong_credentials")
    assert (await log_in(any_web, password=fresh)).status_code == 200


async def test_people_see_and_end_their_own_sessions_and_admins_a_colleague_s(any_web: Web) -> None:
    tokens = (await by_code(any_web)).json()
    listed = await as_(any_web, tokens["accessToken"], "GET", f"{AUTH}/sessions")
    (session,) = listed.json()["items"]
    assert (session["method"], session["ip"]) == ("otp", "127.0.0.1")
    assert "token" not in listed.text.lower()
    assert [each["id"] for each in (await any_web.get(f"{AUTH}/sessions?userId=marta", "alba")).json()["items"]] == [
        session["id"]
    ]
    assert refused(await any_web.get(f"{AUTH}/sessions?userId=marta", "carlos"), 403, "not_allowed")
    path = f"{AUTH}/sessions/{session['id']}"
    for who in ("carlos", "owen"):
        assert refused(await any_web.ask("DELETE", path, who), 404, "session.not_found")
    assert (await any_web.ask("DELETE", path, "alba")).status_code == 204
    assert refused(await as_(any_web, tokens["accessToken"], "GET", f"{AUTH}/me"), 401, "unauthenticated")
    assert refused(await refresh(any_web, tokens), 401, "unauthenticated")
    assert (await any_web.ask("DELETE", path, "alba")).status_code == 204  # it has ended, as was wished


async def test_a_machine_may_do_what_its_scopes_say_until_it_is_revoked(any_web: Web) -> None:
    wanted = {"label": "Panel", "scopes": ["jobs.read", "users.read"], "days": 1}
    made = (await any_web.post("/api/v1/service-tokens", wanted, "alba")).json()
    token, id_ = made["token"], made["serviceToken"]["id"]
    assert token.startswith("cst_")
    assert (await as_(any_web, token, "GET", "/api/v1/jobs")).status_code == 200
    assert (await as_(any_web, token, "GET", "/api/v1/users")).status_code == 200
    for method, path in (("GET", "/api/v1/customers"), ("GET", "/api/v1/audit"), ("GET", "/api/v1/service-tokens")):
        assert refused(await as_(any_web, token, method, path), 403, "not_allowed"), path
    job = {"customerId": "x", "title": "x"}
    assert refused(await as_(any_web, token, "POST", "/api/v1/jobs", json=job), 403, "not_allowed")
    assert (await as_(any_web, token, "GET", f"{AUTH}/me")).json()["id"] == id_
    listed = await any_web.get("/api/v1/service-tokens", "alba")
    assert [each["id"] for each in listed.json()["items"]] == [id_]
    assert token not in listed.text
    assert (await any_web.ask("DELETE", f"/api/v1/service-tokens/{id_}", "alba")).status_code == 204
    any_web.clock.forward(seconds=5)
    assert refused(await as_(any_web, token, "GET", "/api/v1/jobs"), 401, "unauthenticated")


async def test_a_machine_s_token_ends_with_its_days(web: Web) -> None:
    made = (await web.post("/api/v1/service-tokens", {"label": "P", "scopes": ["jobs.read"], "days": 1}, "alba")).json()
    web.clock.forward(hours=23)
    assert (await as_(web, made["token"], "GET", "/api/v1/jobs")).status_code == 200
    web.clock.forward(hours=1)
    assert refused(await as_(web, made["token"], "GET", "/api/v1/jobs"), 401, "unauthenticated")


@pytest.mark.parametrize(
    "change",
    [
        *({"days": days} for days in (0, -1, 367, 10**18)),
        *({"scopes": scopes} for scopes in ([], ["*"], ["jobs.fly"])),
        {"label": " "},
    ],
    ids=str,
)
async def test_a_machine_s_token_that_makes_no_sense_is_refused(web: Web, change: dict[str, Any]) -> None:
    answer = await web.post("/api/v1/service-tokens", {"label": "P", "scopes": ["jobs.read"], **change}, "alba")
    assert refused(answer, 422, "invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/audit"),
        ("GET", "/api/v1/service-tokens"),
        ("DELETE", "/api/v1/service-tokens/x"),
        ("GET", f"{AUTH}/sessions?userId=marta"),
        ("GET", "/api/v1/customers"),
        ("GET", "/api/v1/invoices"),
        ("GET", "/api/v1/notifications"),
    ],
)
async def test_a_technician_may_not(web: Web, method: str, path: str) -> None:
    assert refused(await web.ask(method, path, "carlos"), 403, "not_allowed")


async def test_nobody_s_word_about_who_they_are_counts(web: Web) -> None:
    claims = {
        "x-tenant-id": "other",
        "x-user-id": "owen",
        "x-role": "owner",
        "x-forwarded-user": "owen",
        "x-http-method-override": "DELETE",
        "x-original-url": "/api/v1/audit",
        "cookie": "session=owen; token=x",
    }
    me = (await web.ask("GET", f"{AUTH}/me?tenant=other&userId=owen", headers=claims)).json()
    assert (me["id"], me["tenant"]["id"], me["role"]) == ("marta", "demo", "dispatcher")


async def test_of_two_tokens_in_one_request_neither_counts(web: Web) -> None:
    mine, theirs = await web.token("marta"), await web.token("owen")
    for pair in ((mine, theirs), (theirs, mine), (mine, mine), (mine, "x")):
        headers = [("authorization", f"Bearer {token}") for token in pair]
        assert refused(await web.client.get(f"{AUTH}/me", headers=headers), 401, "unauthenticated")
    folded = {"authorization": f"Bearer {mine}, Bearer {theirs}"}
    assert refused(await web.client.get(f"{AUTH}/me", headers=folded), 401, "unauthenticated")


async def test_a_token_of_the_demo_counts_in_development_only(tmp_path: Path) -> None:
    for env, status in (("test", 401), ("development", 200)):
        async with serving_web(tmp_path, CUADRILLA_ENV=env) as web:
            seeded = User(id="seeded", tenant="demo", name="S", role="owner", token_hash=token_hash("a-demo-token"))
            await web.app.store.directory.enrol(Tenant(id="demo", name="Demo"), [seeded])
            assert (await as_(web, "a-demo-token", "GET", "/api/v1/jobs")).status_code == status


async def test_log_in_is_never_kept_under_an_idempotency_key(web: Web) -> None:
    await registered(web)
    body = {"email": EMAIL, "password": PASSWORD}
    first, second = [await knock(web, "login", body, **{"idempotency-key": "k-1"}) for _ in range(2)]
    assert first.json()["refreshToken"] != second.json()["refreshToken"]
    assert {each.headers["cache-control"] for each in (first, second)} == {"no-store"}


async def test_each_way_in_is_described_with_what_it_answers(web: Web) -> None:
    from tests.entrypoints.http.test_openapi import must_be_promised

    new = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    must_be_promised("POST", f"{AUTH}/otp", await knock(web, "otp", {"phone": MARTA}))
    must_be_promised("POST", f"{AUTH}/otp", await knock(web, "otp", {"phone": MARTA}))
    code = {"phone": MARTA, "otp": web.whatsapp.sent[-1].code}
    tokens = await knock(web, "verify", code)
    must_be_promised("POST", f"{AUTH}/verify", tokens)
    must_be_promised("POST", f"{AUTH}/verify", await knock(web, "verify", code))
    must_be_promised("POST", f"{AUTH}/refresh", await refresh(web, tokens.json()))
    must_be_promised("POST", f"{AUTH}/register", await knock(web, "register", new))
    must_be_promised("POST", f"{AUTH}/register", await knock(web, "register", new))
    must_be_promised("POST", f"{AUTH}/login", await log_in(web))
    made = await web.post("/api/v1/service-tokens", {"label": "P", "scopes": ["jobs.read"]}, "alba")
    must_be_promised("POST", "/api/v1/service-tokens", made)
    must_be_promised("GET", "/api/v1/service-tokens", await web.get("/api/v1/service-tokens", "alba"))
    must_be_promised("GET", "/api/v1/audit", await web.get("/api/v1/audit?limit=3", "alba"))
