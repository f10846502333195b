"""Passwords under Argon2id and bcrypt, codes of authenticator apps, digests and digits."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest

from adapters.crypto import Argon2Passwords, AuthenticatorApp, derived_key, keyed_digest, new_code
from core.identity.ports import Verdict
from core.kernel.errors import Unavailable

WORD = "correct horse"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The secret of RFC 6238, appendix B, in base 32."""


def passwords() -> Argon2Passwords:
    return Argon2Passwords(memory=16)


async def test_a_password_is_right_and_any_other_is_wrong() -> None:
    kept = await passwords().hash(WORD)
    assert await passwords().verify(kept, WORD) == Verdict(right=True)
    for other in ("", "Correct horse", WORD + "\x00", WORD + " "):
        assert await passwords().verify(kept, other) == Verdict(right=False)


async def test_the_numbers_are_those_that_were_decided() -> None:
    kept = await Argon2Passwords().hash(WORD)
    assert kept.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert await Argon2Passwords().verify(kept, WORD) == Verdict(right=True)


async def test_the_same_password_is_never_kept_as_the_same_text() -> None:
    assert len({await passwords().hash(WORD) for _ in range(20)}) == 20


async def test_a_hash_with_other_numbers_is_right_and_outdated() -> None:
    kept = await Argon2Passwords(memory=8).hash(WORD)
    assert await passwords().verify(kept, WORD) == Verdict(right=True, outdated=True)
    assert await passwords().verify(kept, "wrong") == Verdict(right=False)


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
async def test_a_bcrypt_hash_of_any_maker_is_right_and_outdated(prefix: str) -> None:
    made = bcrypt.hashpw(WORD.encode(), bcrypt.gensalt(10)).decode().replace("$2b$", f"${prefix}$")
    assert await passwords().verify(made, WORD) == Verdict(right=True, outdated=True)
    assert await passwords().verify(made, "wrong") == Verdict(right=False)


async def test_a_bcrypt_hash_of_less_than_cost_ten_is_not_believed() -> None:
    made = bcrypt.hashpw(WORD.encode(), bcrypt.gensalt(9)).decode()
    assert await passwords().verify(made, WORD) == Verdict(right=False)


async def test_a_long_password_that_bcrypt_cut_off_is_still_right() -> None:
    long = "ñ" * 60
    made = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(10)).decode()
    assert await passwords().verify(made, long) == Verdict(right=True, outdated=True)


@pytest.mark.parametrize(
    "stored",
    ["", WORD, "$argon2id$", "$argon2id$v=19$m=16,t=1,p=1$x$y", "$2b$10$", "$2b$99$" + "x" * 53, "\x00", "ñ", "$1$a$b"],
)
async def test_what_is_no_hash_is_never_right(stored: str) -> None:
    assert await passwords().verify(stored, WORD) == Verdict(right=False)


async def test_nobody_has_no_password_but_costs_the_same_work() -> None:
    nobody = passwords()
    assert await nobody.verify(None, WORD) == Verdict(right=False)
    assert await nobody.verify(None, "") == Verdict(right=False)


async def test_passwords_are_looked_at_in_threads_and_only_so_many_at_a_time() -> None:
    seen: list[int] = []

    class Watched(Argon2Passwords):
        def _verify(self, stored: str | None, password: str) -> Verdict:
            working.add(threading.get_ident())
            seen.append(len(working))
            verdict = super()._verify(stored, password)
            working.discard(threading.get_ident())
            return verdict

    working: set[int] = set()
    watched = Watched(memory=1024, together=2)
    await asyncio.gather(*(watched.verify(None, WORD) for _ in range(20)))
    assert threading.get_ident() not in working
    assert max(seen) <= 2
    assert len(seen) == 20


async def test_a_flood_of_log_ins_is_told_to_come_back_and_then_all_is_as_before() -> None:
    few = Argon2Passwords(memory=16, together=1, waiting=2)
    kept = await few.hash(WORD)
    asked = await asyncio.gather(*(few.verify(kept, WORD) for _ in range(10)), return_exceptions=True)
    assert [each for each in asked if not isinstance(each, Unavailable)] == [Verdict(right=True)] * 3
    assert await few.verify(kept, WORD) == Verdict(right=True)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert AuthenticatorApp().step(SECRET, code, at=at) == seconds // 30
    assert AuthenticatorApp().step(SECRET, code, at=at + timedelta(seconds=30)) == seconds // 30
    assert AuthenticatorApp().step(SECRET, code, at=at + timedelta(seconds=90)) is None
    assert AuthenticatorApp().step(SECRET, "000001", at=at) is None


def test_each_secret_is_another_of_a_hundred_and_sixty_bits() -> None:
    made = {AuthenticatorApp().secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(each) for each in made} == {32}


def test_a_purpose_has_a_key_of_its_own() -> None:
    keys = {derived_key(secret, purpose) for secret in (b"a", b"b") for purpose in ("codes", "access-token")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_a_keyed_digest_is_an_hmac() -> None:
    assert keyed_digest(b"key")("ñ") == hmac.new(b"key", "ñ".encode(), hashlib.sha256).hexdigest()


def test_codes_are_digits_and_each_is_as_likely() -> None:
    codes = [new_code(6) for _ in range(6000)]
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    counted = Counter(digit for code in codes for digit in code)
    assert all(3300 <= counted[digit] <= 3900 for digit in "0123456789")  # five standard deviations around 3,600
