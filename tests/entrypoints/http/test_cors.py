"""Which pages of other origins may read our answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoints.settings import BadSettings, Settings, read_settings
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web

ALLOWED = ("https://panel.example", "http://localhost:5173")
OTHERS = (
    "null",
    "*",
    "https://panel.example.evil.example",
    "https://evilpanel.example",
    "https://panel.example:8443",
    "https://panel.example:443",
    "http://panel.example",
    "https://panel.example/",
    "https://panel.example ",
    "https://PANEL.example",
    "HTTPS://panel.example",
    "https://sub.panel.example",
    "https://panel.example.",
    "https://panel.example,https://evil.example",
    "https://panel.example https://evil.example",
    "https://user@panel.example",
    "https://evil.example#panel.example",
    "https://evil.example?https://panel.example",
    "https://panelXexample",
    "https://panel.exampl",
    "https://panel.examplee",
    "panel.example",
    "//panel.example",
    "file://",
    "https://localhost:5173",
    "http://localhost",
    "http://localhost:5174",
    "http://127.0.0.1:5173",
    "http://[::1]:5173",
    "chrome-extension://panel.example",
)


@pytest.mark.parametrize("origin", ALLOWED)
async def test_an_origin_of_the_list_may_ask_and_read(web: Web, origin: str) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,idempotency-key"}
    async with door(web, settings={"cors_origins": ALLOWED}) as shared:
        before = await shared.ask("OPTIONS", "/api/v1/jobs", None, headers={"origin": origin, **asks})
        answer = await shared.ask("GET", "/api/v1/jobs", headers={"origin": origin})
        refused = await shared.ask("GET", "/api/v1/jobs", None, headers={"origin": origin})
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, origin)
    for each in (answer, refused):
        assert each.headers["access-control-allow-origin"] == origin
        assert "Origin" in each.headers["vary"]
        assert "retry-after" in each.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in each.headers
    assert refused.status_code == 401


async def test_no_other_origin_may(web: Web) -> None:
    async with door(web, settings={"cors_origins": ALLOWED}) as shared:
        for origin in OTHERS:
            asks = {"origin": origin, "access-control-request-method": "POST"}
            for answer in (
                await shared.ask("OPTIONS", "/api/v1/jobs", None, headers=asks),
                await shared.ask("GET", "/api/v1/jobs", headers={"origin": origin}),
            ):
                assert "access-control-allow-origin" not in answer.headers, origin


async def test_by_default_there_is_no_list(web: Web) -> None:
    for origin in (*ALLOWED, *OTHERS):
        answer = await web.ask("GET", "/api/v1/jobs", headers={"origin": origin})
        assert [name for name in answer.headers if name.startswith("access-control")] == []
    before = await web.ask("OPTIONS", "/api/v1/jobs", None, headers={"origin": ALLOWED[0]})
    assert before.status_code == 405


def read(folder: Path, **environ: str) -> Settings:
    return read_settings({f"CUADRILLA_{name}": value for name, value in environ.items()}, directory=folder)


def test_origins_and_proxies_are_lists(tmp_path: Path) -> None:
    settings = read(
        tmp_path, CORS_ORIGINS=" https://a.example, http://localhost:5173 ,", TRUSTED_PROXIES="10.0.0.0/8,::1"
    )
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert (read(tmp_path).cors_origins, read(tmp_path).trusted_proxies) == ((), ())


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://*.example", "https://a.example/", "a.example", "https://A.example"]
)
def test_what_no_browser_sends_is_no_origin(origin: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="CUADRILLA_CORS_ORIGINS must be a list of http:// or https://host"):
        read(tmp_path, CORS_ORIGINS=f"https://a.example,{origin}")


def test_production_shares_with_https_only(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="CUADRILLA_CORS_ORIGINS must be a list of https://host"):
        read(tmp_path, ENV="production", CORS_ORIGINS="http://localhost:5173")


@pytest.mark.parametrize("network", ["*", "10.0.0.1/8", "proxy.example", "10.0.0.0/33"])
def test_what_is_no_network_is_not_trusted(network: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="CUADRILLA_TRUSTED_PROXIES must be a list of addresses or networks"):
        read(tmp_path, TRUSTED_PROXIES=f"127.0.0.1,{network}")
