"""S3: however many guess at a phone's code at once, three are compared at most and one gets in at most."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from attrs import define, evolve

from adapters.memory import MemoryOtpStore
from adapters.redis import RedisConnection, RedisOtpStore
from core.identity.model import Attempt
from core.identity.ports import OtpStore
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web
from tests.full import so_many

GUESSES = so_many(10_000, usually=600)
AT_ONCE = 100
PHONE = "+5491150000001"


@define
class Counted:
    """A store of codes that counts how often it gave one to be compared with."""

    inner: OtpStore
    compared: int = 0

    async def put(self, key: str, *, digest: str, at: datetime) -> timedelta | None:
        return await self.inner.put(key, digest=digest, at=at)

    async def attempt(self, key: str, *, at: datetime) -> Attempt:
        attempt = await self.inner.attempt(key, at=at)
        self.compared += attempt.digest is not None
        return attempt

    async def take(self, key: str, *, digest: str, at: datetime) -> bool:
        return await self.inner.take(key, digest=digest, at=at)

    async def waits(self, key: str, *, digest: str, at: datetime) -> bool:
        return await self.inner.waits(key, digest=digest, at=at)


@pytest.fixture(params=["memory", "redis"])
async def counted(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Web, Counted]]:
    """Give the application over each kind of store of codes, counted."""
    async with serving_web(tmp_path) as web:
        kept: OtpStore = MemoryOtpStore()
        if request.param == "redis":
            # With more patience than in service: what is shown is who gets in, not how fast this machine is.
            connection = RedisConnection(request.getfixturevalue("redis_url"), within=60.0)
            kept = RedisOtpStore(connection)
        codes = Counted(kept)
        async with door(web, otp=evolve(web.app.otp, codes=codes)) as counted_web:
            yield counted_web, codes
        if request.param == "redis":
            await connection.close()


@pytest.mark.parametrize("right_of_ten", [0, 1, 10])
async def test_of_many_guesses_three_are_compared_and_one_gets_in(
    counted: tuple[Web, Counted], right_of_ten: int
) -> None:
    web, codes = counted
    sent = await web.ask("POST", "/api/v1/auth/otp", None, json={"phone": PHONE})
    assert sent.status_code == 202
    right = web.whatsapp.sent[-1].code
    chance = random.Random(right_of_ten)
    wrong = [code for code in (f"{chance.randrange(10**6):06}" for _ in range(GUESSES)) if code != right]
    guesses = [right if chance.randrange(10) < right_of_ten else code for code in wrong]
    together = asyncio.Semaphore(AT_ONCE)

    async def guess(code: str) -> httpx2.Response:
        async with together:
            return await web.ask("POST", "/api/v1/auth/verify", None, json={"phone": PHONE, "otp": code})

    answers = await asyncio.gather(*map(guess, guesses))
    seen = Counter(each.status_code for each in answers)
    assert seen.keys() <= {200, 401, 429}
    assert seen[200] <= 1
    assert codes.compared <= 3
    if right_of_ten == 0:
        assert seen == {401: 3, 429: len(guesses) - 3}
    if right_of_ten == 10:
        assert seen[200] == 1
    assert {each.headers["retry-after"] for each in answers if each.status_code == 429} <= {"60"}
