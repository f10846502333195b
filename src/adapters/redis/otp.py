"""One-time codes in Redis, shared by all web processes; each operation is one script, and so one step.

The scripts have only the arithmetic of `core.identity.model.Guesses`, and a property test holds them equal to it. Instants are
microseconds since 1970 by the caller's clock; 0 stands for none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import field, frozen

from adapters.redis.connection import Argument, RedisConnection, Script
from core.identity import OtpRules
from core.identity.model import Attempt

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_KNOWN: Final = """
local at, forgiven, limit, life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local digest, expires, tries, strikes, blocked = '', 0, 0, 0, 0
local kept = redis.call('GET', KEYS[1])
if kept then
    local known = cmsgpack.unpack(kept)
    digest, expires, tries, strikes, blocked = known[1], known[2], known[3], known[4], known[5]
    if blocked > 0 and at >= blocked + forgiven then strikes, blocked = 0, 0 end
end
local function keep()
    local until_then = expires
    if blocked > 0 and blocked + forgiven > until_then then until_then = blocked + forgiven end
    -- What is over is decided by the callers' clocks above; the server forgets it a minute later.
    local milliseconds = string.format('%.0f', math.ceil((until_then - at) / 1000) + 60000)
    redis.call('SET', KEYS[1], cmsgpack.pack({digest, expires, tries, strikes, blocked}), 'PX', milliseconds)
end
"""

PUT: Final = Script(
    _KNOWN
    + """
if blocked > at then return blocked - at end
if expires <= at or tries >= limit then tries = 0 end
digest, expires = ARGV[5], at + life
keep()
return 0
"""
)

ATTEMPT: Final = Script(
    _KNOWN
    + """
if blocked > at then return {blocked - at, ''} end
if expires <= at or tries >= limit then return {0, ''} end
tries = tries + 1
if tries == limit then
    local longest = #ARGV - 4
    local place = strikes + 1
    if place > longest then place = longest end
    blocked, strikes = at + tonumber(ARGV[4 + place]), strikes + 1
end
keep()
return {0, digest}
"""
)

TAKE: Final = Script(
    _KNOWN
    + """
if digest == '' or digest ~= ARGV[5] or expires <= at then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""
)

WAITS: Final = Script(
    _KNOWN
    + """
if digest == '' or digest ~= ARGV[5] or expires <= at or tries >= limit then return 0 end
return 1
"""
)


@frozen
class RedisOtpStore:
    """`core.identity.ports.OtpStore`."""

    _connection: RedisConnection
    _rules: OtpRules = OtpRules()
    _numbers: tuple[int, ...] = field(init=False)
    _cool_downs: tuple[int, ...] = field(init=False)

    @_numbers.default
    def _in_the_order_of_the_scripts(self) -> tuple[int, ...]:
        return self._rules.forgiven // _MICROSECOND, self._rules.tries, self._rules.life // _MICROSECOND

    @_cool_downs.default
    def _in_microseconds(self) -> tuple[int, ...]:
        return tuple(wait // _MICROSECOND for wait in self._rules.cool_downs)

    async def put(self, key: str, *, digest: str, at: datetime) -> timedelta | None:
        """Let this code count, unless there is a cool-down: then return what is left of it."""
        wait = await self._run(PUT, key, at, digest)
        return timedelta(microseconds=wait) if wait else None

    async def attempt(self, key: str, *, at: datetime) -> Attempt:
        """Count a guess and hand out the digest to compare with."""
        wait, digest = await self._run(ATTEMPT, key, at, *self._cool_downs)
        return Attempt(digest.decode() or None, timedelta(microseconds=wait) if wait else None)

    async def take(self, key: str, *, digest: str, at: datetime) -> bool:
        """Remove the code with this digest, for one caller."""
        return bool(await self._run(TAKE, key, at, digest))

    async def waits(self, key: str, *, digest: str, at: datetime) -> bool:
        """Say whether the code with this digest still counts, unused."""
        return bool(await self._run(WAITS, key, at, digest))

    async def _run(self, script: Script, key: str, at: datetime, *arguments: Argument) -> Any:
        return await self._connection.run_script(
            script, keys=(f"cuadrilla:otp:{key}",), arguments=(_microseconds(at), *self._numbers, *arguments)
        )


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
