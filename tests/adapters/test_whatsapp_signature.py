"""Who signed a delivery."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.whatsapp import signed_by

BODY = b'{"object":"whatsapp_business_account","entry":[{"text":"t\\u00e9cnico"}]}'
# printf '%s' "$BODY" | openssl dgst -sha256 -hmac app-secret
GOOD = "sha256=2c9da347ec8414df78ac58a84d98d08069e75f3d9d9d57471f36fe7121034d80"


def test_the_secret_that_signed_the_body_is_named() -> None:
    assert signed_by(BODY, GOOD, ["another", "app-secret"]) == "app-secret"


def test_a_secret_that_is_not_ours_is_nobody() -> None:
    assert signed_by(BODY, GOOD, ["another", "App-secret"]) is None
    assert signed_by(BODY, GOOD, []) is None


def test_one_changed_byte_is_not_signed() -> None:
    assert signed_by(BODY.replace(b"entry", b"Entry"), GOOD, ["app-secret"]) is None
    assert signed_by(BODY + b"\n", GOOD, ["app-secret"]) is None
    assert signed_by(b"", GOOD, ["app-secret"]) is None


def test_a_body_that_was_parsed_and_written_again_is_not_signed() -> None:
    written_again = json.dumps(json.loads(BODY), ensure_ascii=False, separators=(",", ":")).encode()
    assert written_again != BODY
    assert signed_by(written_again, GOOD, ["app-secret"]) is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256",
        GOOD.removeprefix("sha256="),
        GOOD.replace("sha256=", "sha1="),
        GOOD[:-1],
        GOOD + "0",
        GOOD.upper(),
        GOOD.replace("sha256=", "sha256=ñ"),
        "sha256=\ud800",
        "sha256=" + "0" * 64,
        "sha256=" + "0" * 100_000,
    ],
)
def test_a_header_that_is_missing_or_wrong_is_nobodys(header: str | None) -> None:
    assert signed_by(BODY, header, ["app-secret"]) is None


def test_an_empty_body_has_its_own_signature() -> None:
    # HMAC-SHA256 of nothing under the key "key", RFC 4231's construction
    empty = "sha256=5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0"
    assert signed_by(b"", empty, ["key"]) == "key"


@given(st.binary(max_size=200), st.text(max_size=100))
def test_no_header_that_was_made_up_is_taken(body: bytes, header: str) -> None:
    assert signed_by(body, header, ["app-secret", "clave con ñ"]) is None
    assert signed_by(body, "sha256=" + header, ["app-secret", "clave con ñ"]) is None
