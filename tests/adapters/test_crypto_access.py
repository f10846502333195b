"""Access tokens: what we sign is read, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.crypto import SignedTokens, derived_key
from core.identity import Unauthenticated
from core.identity.model import Claims
from tests.contracts.samples import NOW

OLD, NEW, FOREIGN = b"old secret" * 4, b"new secret" * 4, b"another house's secret" * 2
TOKENS: Final = SignedTokens.from_secrets([NEW, OLD])
CLAIMS: Final = Claims(
    tenant="tenant_1",
    user_id="user_1",
    session_id="session_1",
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
GOOD: Final = TOKENS.issue(CLAIMS)
KEY: Final = derived_key(NEW, "access-token")
HEAD: Final[dict[str, Any]] = jwt.get_unverified_header(GOOD)
BODY: Final[dict[str, Any]] = jwt.decode(GOOD, options={"verify_signature": False})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(head: object, body: object, key: bytes = KEY, digest: Callable[..., Any] = hashlib.sha256) -> str:
    text = ".".join(b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (head, body))
    return f"{text}.{b64(hmac.new(key, text.encode(), digest).digest())}"


def said(**changes: Any) -> str:
    return signed(HEAD, {name: value for name, value in {**BODY, **changes}.items() if value is not ...})


def headed(**changes: Any) -> str:
    return signed({name: value for name, value in {**HEAD, **changes}.items() if value is not ...}, BODY)


def flipped(token: str, part: int) -> str:
    parts = token.split(".")
    middle = len(parts[part]) // 2
    letter = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + letter + parts[part][middle + 1 :]
    return ".".join(parts)


def respelt(token: str) -> str:
    """Change the bits of the last letter that no byte needs."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + letters[letters.index(token[-1]) ^ 1]


HEAD_64, BODY_64, SIGNATURE = GOOD.split(".")
EDWARDS: Final = Ed25519PrivateKey.generate()

FORGERIES: Final[dict[str, str]] = {
    "nothing": "",
    "a word": "token",
    "two dots": "..",
    "without a signature": f"{HEAD_64}.{BODY_64}.",
    "without the last part": f"{HEAD_64}.{BODY_64}",
    "with a fourth part": GOOD + ".x",
    "truncated": GOOD[:-1],
    "with a space": GOOD + " ",
    "with a line after it": GOOD + "\n",
    "with padding": GOOD + "=",
    "with another spelling of the signature": respelt(GOOD),
    "with another header": flipped(GOOD, 0),
    "with another payload": flipped(GOOD, 1),
    "with another signature": flipped(GOOD, 2),
    "alg none, unsigned": f"{b64(json.dumps({**HEAD, 'alg': 'none'}).encode())}.{BODY_64}.",
    "alg none, signed": headed(alg="none"),
    "alg None": headed(alg="None"),
    "alg missing": headed(alg=...),
    "alg null": headed(alg=None),
    "alg a list": headed(alg=["HS256"]),
    "alg HS512 under the same key": signed({**HEAD, "alg": "HS512"}, BODY, digest=hashlib.sha512),
    "alg in small letters": headed(alg="hs256"),
    "alg EdDSA": jwt.encode(BODY, EDWARDS, algorithm="EdDSA", headers={"kid": HEAD["kid"], "typ": "at+jwt"}),
    "alg RS256 with our bytes": headed(alg="RS256"),
    "kid missing": headed(kid=...),
    "kid unknown": headed(kid="nobody"),
    "kid a path": headed(kid="../../dev/null"),
    "kid SQL": headed(kid="' OR 1=1 --"),
    "kid a list": headed(kid=[HEAD["kid"]]),
    "kid null": headed(kid=None),
    "typ missing": headed(typ=...),
    "typ JWT": headed(typ="JWT"),
    "typ of a refresh token": headed(typ="rt+jwt"),
    "with a key of its own": headed(jwk={"kty": "oct", "k": b64(KEY)}),
    "with an address of a key": headed(jku="https://example.com/keys"),
    "with a chain of certificates": headed(x5c=["MII"]),
    "crit": headed(crit=["exp"]),
    "b64 false": headed(b64=False),
    "zip": headed(zip="DEF"),
    "header a list": signed([HEAD], BODY),
    "header no JSON": signed(b"{", BODY),
    "header of a thousand brackets": signed(b"[" * 190, BODY),
    "signed by another house": SignedTokens.from_secrets([FOREIGN]).issue(CLAIMS),
    "signed with no key": signed(HEAD, BODY, key=b""),
    "signed with the secret itself": signed(HEAD, BODY, key=NEW),
    "signed with the public name of the key": signed(HEAD, BODY, key=HEAD["kid"].encode()),
    "signed with the old key in the new one's name": signed(HEAD, BODY, key=derived_key(OLD, "access-token")),
    "signed with the key of another purpose": signed(HEAD, BODY, key=derived_key(NEW, "codes")),
    "over": said(exp=int(NOW.timestamp())),
    "without an end": said(exp=...),
    "end null": said(exp=None),
    "end a text": said(exp=str(BODY["exp"])),
    "end a fraction": said(exp=BODY["exp"] + 0.5),
    "end true": said(exp=True),
    "end beyond all time": said(exp=10**30),
    "end infinite": signed(HEAD, json.dumps({**BODY, "exp": float("inf")}).encode()),
    "end no number": signed(HEAD, json.dumps({**BODY, "exp": float("nan")}).encode()),
    "end a list": said(exp=[BODY["exp"]]),
    "without a beginning": said(iat=...),
    "of tomorrow": said(iat=BODY["iat"] + 86_400),
    "for another audience": said(aud="another-api"),
    "for a list of audiences": said(aud=["cuadrilla-api", "another"]),
    "without an audience": said(aud=...),
    "of another issuer": said(iss="https://example.com"),
    "of a list of issuers": said(iss=["cuadrilla"]),
    "without an issuer": said(iss=...),
    "without a person": said(sub=...),
    "person a number": said(sub=1),
    "person empty": said(sub=""),
    "without a tenant": said(tid=...),
    "tenant a map": said(tid={"id": "tenant_1"}),
    "without a session": said(sid=...),
    "session null": said(sid=None),
    "with a role": said(role="owner"),
    "not before tomorrow": said(nbf=BODY["iat"] + 86_400),
    "payload a text": signed(HEAD, "owner"),
    "payload a list": signed(HEAD, [BODY]),
    "payload no JSON": signed(HEAD, b"\xff\xfe"),
    "payload of a thousand brackets": signed(HEAD, b"[" * 1000),
    "a megabyte": "A" * 1_000_000 + "." + "A" * 43 + "." + "A" * 43,
    "other alphabets": "é.ñ.ü",
    "half a character": "\ud800" + GOOD,
    "NUL": GOOD + "\x00",
    "as JSON": json.dumps({"protected": HEAD_64, "payload": BODY_64, "signature": SIGNATURE}),
    "encrypted, they say": f"{HEAD_64}...{BODY_64}.{SIGNATURE}",
    "with its scheme": f"Bearer {GOOD}",
}


def test_what_we_sign_is_read() -> None:
    assert TOKENS.read(GOOD, at=NOW) == CLAIMS
    assert TOKENS.read(signed(HEAD, BODY), at=NOW) == CLAIMS


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_nobody_and_nothing_else_is_raised(forgery: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(FORGERIES[forgery], at=NOW)


def test_a_token_counts_until_its_end_by_the_clock_that_is_handed_in() -> None:
    assert TOKENS.read(GOOD, at=CLAIMS.expires_at - timedelta(microseconds=1)) == CLAIMS
    with pytest.raises(Unauthenticated):
        TOKENS.read(GOOD, at=CLAIMS.expires_at)


def test_a_clock_may_be_a_minute_behind_and_not_more() -> None:
    assert TOKENS.read(GOOD, at=NOW - timedelta(seconds=60)) == CLAIMS
    with pytest.raises(Unauthenticated):
        TOKENS.read(GOOD, at=NOW - timedelta(seconds=61))


def test_keys_turn_without_logging_anybody_out() -> None:
    before = SignedTokens.from_secrets([OLD]).issue(CLAIMS)
    assert TOKENS.read(before, at=NOW) == CLAIMS
    with pytest.raises(Unauthenticated):
        SignedTokens.from_secrets([NEW]).read(before, at=NOW)
    with pytest.raises(Unauthenticated):
        SignedTokens.from_secrets([OLD]).read(GOOD, at=NOW)


def test_no_key_is_printed() -> None:
    assert repr(KEY)[2:-1] not in repr(TOKENS)


def test_a_token_is_a_jwt_that_says_what_it_is() -> None:
    assert set(HEAD) == {"alg", "kid", "typ"}
    assert (HEAD["alg"], HEAD["typ"]) == ("HS256", "at+jwt")
    said = {
        "iss": "cuadrilla",
        "aud": "cuadrilla-api",
        "sub": "user_1",
        "tid": "tenant_1",
        "sid": "session_1",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 900,
    }
    assert said == BODY


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_any_text_is_nobody(text: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(text, at=NOW)


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_a_token_with_any_letter_changed_is_nobody(place: int, letter: str) -> None:
    changed = GOOD[:place] + letter + GOOD[place + 1 :]
    if changed != GOOD:
        with pytest.raises(Unauthenticated):
            TOKENS.read(changed, at=NOW)
