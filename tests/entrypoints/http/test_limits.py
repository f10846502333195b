"""How often somebody may ask, and who somebody is."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.memory import MemoryLimiter
from core.kernel.ports import RateRule
from entrypoints.http.app import http_app
from entrypoints.http.endpoints import ENDPOINTS
from entrypoints.http.guards import Addresses, EndpointRule, RateRules
from entrypoints.serving import serving
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web, delivery, text
from tests.entrypoints.http.web import web as serving_web
from tests.full import so_many

SPOOFED = so_many(10_000, usually=1000)
"""Requests that name an address of their own (S14)."""

FEW = RateRules(
    user=RateRule(name="user", limit=3),
    stranger=RateRule(name="stranger", limit=5),
    webhooks=RateRule(name="webhooks", limit=4),
    pages=RateRule(name="pages", limit=2),
    endpoints=(
        EndpointRule(
            endpoint="POST /api/v1/tracking/update", rule=RateRule(name="tracking.update", limit=6), instead=True
        ),
        EndpointRule(endpoint="POST /api/v1/jobs/{id}/photos", rule=RateRule(name="jobs.photos", limit=2)),
    ),
)


async def statuses(web: Web, times: int, method: str, path: str, who: str | None = "marta", **more: Any) -> list[int]:
    return [(await web.ask(method, path, who, **more)).status_code for _ in range(times)]


async def test_a_user_is_told_how_much_is_left_and_then_when_to_come_back(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        answers = [await narrow.get("/api/v1/jobs") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"user";q=3;w=60'}
    left = [each.headers["ratelimit"].split(";") for each in answers]
    assert [each[:2] for each in left] == [['"user"', f"r={n}"] for n in (2, 1, 0, 0)]
    refused = answers[-1]
    assert refused.json()["code"] == "limited"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 57 <= int(refused.headers["retry-after"]) <= 63
    assert left[-1][2] == f"t={refused.headers['retry-after']}"


async def test_one_user_s_limit_is_nobody_else_s(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        assert await statuses(narrow, 4, "GET", "/api/v1/jobs") == [200, 200, 200, 429]
        assert await statuses(narrow, 4, "GET", "/api/v1/jobs", "owen") == [200, 200, 200, 429]
        assert await statuses(narrow, 1, "GET", "/api/v1/jobs", "carlos") == [200]


async def test_a_refusal_for_another_reason_says_how_much_is_left_too(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        answer = await narrow.get("/api/v1/jobs/job_nobody")
    assert (answer.status_code, answer.headers["ratelimit"][:10]) == (404, '"user";r=2')


async def test_among_many_at_once_no_more_pass_than_the_rule_says(web: Web) -> None:
    async with door(web, rules=RateRules()) as real:
        answers = await asyncio.gather(*(real.get("/api/v1/users") for _ in range(150)))
    assert Counter(each.status_code for each in answers) == {200: 100, 429: 50}


async def test_in_two_processes_with_one_redis_exactly_as_many_pass(redis_url: str, tmp_path: Path) -> None:
    environ = {"CUADRILLA_REDIS_URL": redis_url, "CUADRILLA_SECRET_KEY": "the key of both of these processes"}
    async with (
        serving_web(tmp_path / "a", **environ) as one,
        serving_web(tmp_path / "b", **environ) as two,
        door(one, rules=RateRules()) as here,
        door(two, rules=RateRules()) as there,
    ):
        for web in (here, there):
            await web.token("marta")
        answers = await asyncio.gather(*(web.get("/api/v1/users") for _ in range(100) for web in (here, there)))
    assert Counter(each.status_code for each in answers) == {200: 100, 429: 100}


async def test_positions_count_by_themselves(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        assert await statuses(narrow, 7, "POST", "/api/v1/tracking/update", "carlos", json={}) == [400] * 6 + [429]
        assert await statuses(narrow, 4, "GET", "/api/v1/jobs", "carlos") == [200, 200, 200, 429]


async def test_of_two_rules_the_strictest_wins(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        answers = [await narrow.ask("POST", "/api/v1/jobs/x/photos", content=b"x") for _ in range(3)]
        assert [each.status_code for each in answers][-1] == 429
        assert answers[0].headers["ratelimit-policy"] == '"user";q=3;w=60, "jobs.photos";q=2;w=60'
        assert answers[0].headers["ratelimit"].startswith('"jobs.photos";r=1')
        assert await statuses(narrow, 2, "GET", "/api/v1/jobs") == [200, 429]


async def test_unknown_tokens_are_limited_by_address(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        assert await statuses(narrow, 6, "GET", "/api/v1/jobs", "nobody") == [401] * 5 + [429]
    async with door(web, rules=FEW, address="203.0.113.8") as elsewhere:
        assert await statuses(elsewhere, 1, "GET", "/api/v1/jobs", "nobody") == [401]


async def test_who_is_known_already_does_not_count_as_a_stranger(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        assert await statuses(narrow, 1, "GET", "/api/v1/jobs") == [200]
        assert await statuses(narrow, 5, "GET", "/api/v1/jobs", "nobody") == [401] * 5
        assert await statuses(narrow, 1, "GET", "/api/v1/jobs", "nobody") == [429]
        assert await statuses(narrow, 1, "GET", "/api/v1/jobs") == [200]


async def test_an_invented_address_changes_nothing(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        seen = Counter[int]()
        for n in range(SPOOFED):
            forged = {"x-forwarded-for": f"198.51.{n // 256}.{n % 256}", "x-real-ip": f"198.51.100.{n % 256}"}
            forged["forwarded"] = f"for=198.51.100.{n % 256}"
            seen[(await narrow.ask("GET", "/api/v1/jobs", "nobody", headers=forged)).status_code] += 1
    assert seen == {401: 5, 429: SPOOFED - 5}


async def test_the_server_believes_nobody_on_its_own_machine_either(web: Web) -> None:
    async with (
        serving(http_app(web.app, rules=FEW)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        forged = [{"x-forwarded-for": f"198.51.100.{n}", "authorization": f"Bearer {n}"} for n in range(7)]
        answers = [await client.get("/api/v1/jobs", headers=each) for each in forged]
    assert [each.status_code for each in answers] == [401] * 5 + [429] * 2


async def test_what_a_trusted_proxy_says_counts(web: Web) -> None:
    async with door(web, rules=FEW, address="10.0.0.1", settings={"trusted_proxies": ("10.0.0.0/8",)}) as behind:
        for last in ("203.0.113.7", "203.0.113.8"):
            headers = {"x-forwarded-for": f"198.51.100.1, {last}"}
            assert await statuses(behind, 6, "GET", "/api/v1/jobs", "nobody", headers=headers) == [401] * 5 + [429]


async def test_webhooks_and_pages_have_rules_of_their_own(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        answers = [await narrow.webhook(delivery(text(n))) for n in range(5)]
        assert [each.status_code for each in answers] == [200] * 4 + [429]
        assert await statuses(narrow, 3, "GET", "/track/nobody-knows-it", None) == [404, 404, 429]
        assert (await narrow.get("/api/v1/jobs")).status_code == 200


async def test_whether_the_process_lives_may_be_asked_without_end(web: Web) -> None:
    async with door(web, rules=FEW) as narrow:
        assert set(await statuses(narrow, 50, "GET", "/health", None)) == {200}
        assert set(await statuses(narrow, 50, "GET", "/health/ready", None)) == {200}


async def test_a_limiter_forgets_nobody_because_others_ask(web: Web) -> None:
    async with door(web, rules=FEW, limiter=MemoryLimiter(at_most=100)) as narrow:
        assert await statuses(narrow, 4, "GET", "/api/v1/jobs") == [200, 200, 200, 429]
        for n in range(50):
            await narrow.ask("GET", "/api/v1/jobs", f"nobody{n}")
        assert await statuses(narrow, 1, "GET", "/api/v1/jobs") == [429]


def test_the_rules_of_production_are_the_published_ones() -> None:
    rules = RateRules.for_environment("production")
    assert rules == RateRules()
    general = RateRule(name="user", limit=100, seconds=60.0)
    assert rules.of("GET /api/v1/jobs") == (general,)
    assert rules.of("POST /api/v1/tracking/update") == (RateRule(name="tracking.update", limit=600),)
    assert rules.of("POST /api/v1/jobs/{id}/photos") == (general, RateRule(name="jobs.photos", limit=30))
    assert RateRules.for_environment("development").of("GET /api/v1/jobs")[0].limit == 1000


def test_each_rule_belongs_to_a_route_that_exists() -> None:
    routes = {f"{each.method} {each.path}" for each in ENDPOINTS}
    assert {each.endpoint for each in RateRules().endpoints} <= routes


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("10.0.0.1", "ñandú", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1," * 5000 + "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("10.0.0.1", "[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2::1", "198.51.100.1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", None, "2001:db8:1:2::/64"),
        ("testclient", "198.51.100.1", "unknown"),
    ],
)
def test_the_client_is_whom_the_last_untrusted_hop_was_seen_as(peer: str, forwarded: str | None, client: str) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode("latin-1"))]
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    assert Addresses(("10.0.0.0/8", "::1")).client(scope) == client


def test_several_lines_of_one_header_are_one_list() -> None:
    headers = [
        (b"x-forwarded-for", b"1.1.1.1"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-forwarded-for", b"10.0.0.9"),
    ]
    scope = {"type": "http", "client": ("10.0.0.1", 1), "headers": headers}
    assert Addresses(("10.0.0.0/8",)).client(scope) == "198.51.100.1"


def test_somebody_without_an_address_is_unknown() -> None:
    assert Addresses(()).client({"type": "http", "client": None, "headers": []}) == "unknown"
