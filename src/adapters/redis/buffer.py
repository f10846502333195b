"""Open windows in Redis, shared by all web and worker processes.

One script adds a message: it reads the window, applies `core.messaging.aggregation` to it and files it under the instant at which it
closes. What a text means (`AggregationRules.read`) is decided before; the script has only the arithmetic, and a property test
holds it equal to the rules. Instants are microseconds since 1970, which a double holds exactly until the year 2255.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec
from attrs import field, frozen

from adapters.redis.connection import RedisConnection, Script
from core.messaging import AggregationRules, Signal, Window

LIFE: Final = timedelta(hours=1)
"""How long a window that nobody takes is kept after its last message; the sweeper gathers its messages long before."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DUE: Final = "cuadrilla:windows"
"""The names of open windows, by the instant at which each closes."""

_Kept: TypeAlias = tuple[str, str, int, int, bool, str, tuple[str, ...]]
_decoder: Final = msgspec.msgpack.Decoder(_Kept)

ADD: Final = Script("""
local tenant, thread, id, kind, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local at, window, grace, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local kept = redis.call('GET', KEYS[1])
local opened, requested, because, ids, closed = at, false, 'timeout', {}, nil
if kept then
    local before = cmsgpack.unpack(kept)
    opened, requested, because, ids = before[3], before[5], before[6], before[7]
    for i = 1, #ids do
        if ids[i] == id then return kept end
    end
    if before[4] <= at then closed = before[4] end
end
ids[#ids + 1] = id
requested = requested or kind == 'request' or kind == 'dangling'
if reason ~= 'timeout' then because = reason end
local latest = opened + window
local closes = latest
if closed then
    closes = closed
elseif kind == 'now' then
    closes = at
elseif #ids >= limit then
    closes, because = at, 'max_buffer'
elseif requested and kind ~= 'dangling' then
    closes = at + grace
end
if closes > latest then closes = latest end
kept = cmsgpack.pack({tenant, thread, opened, closes, requested, because, ids})
redis.call('SET', KEYS[1], kept, 'PX', ARGV[10])
redis.call('ZADD', KEYS[2], string.format('%.0f', closes), KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[10])
return kept
""")

TAKE_DUE: Final = Script("""
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local taken = {}
for i = 1, #names do
    local kept = redis.call('GET', names[i])
    if kept then
        taken[#taken + 1] = kept
        redis.call('DEL', names[i])
    end
    redis.call('ZREM', KEYS[1], names[i])
end
return taken
""")


@frozen
class RedisBuffer:
    """`core.messaging.ports.MessageBuffer`."""

    _connection: RedisConnection
    _rules: AggregationRules
    _numbers: tuple[int, ...] = field(init=False)

    @_numbers.default
    def _in_the_order_of_the_script(self) -> tuple[int, ...]:
        rules = self._rules
        return rules.window // _MICROSECOND, rules.grace // _MICROSECOND, rules.limit, LIFE // _MILLISECOND

    async def add(self, *, tenant: str, thread: str, message_id: str, signal: Signal, at: datetime) -> Window:
        """Add a fragment to its thread's window, opening one if none is open, and return it as it is now."""
        kept = await self._connection.run_script(
            ADD,
            # The length keeps "a:b" + "c" and "a" + "b:c" apart.
            keys=(f"cuadrilla:window:{len(tenant)}:{tenant}:{thread}", _DUE),
            arguments=(
                tenant,
                thread,
                message_id,
                signal.kind,
                signal.reason,
                (at - _EPOCH) // _MICROSECOND,
                *self._numbers,
            ),
        )
        return _window(kept)

    async def take_due(self, *, at: datetime, limit: int) -> Sequence[Window]:
        """Remove and return windows that close at or before the instant, the first to close first."""
        taken = await self._connection.run_script(
            TAKE_DUE, keys=(_DUE,), arguments=((at - _EPOCH) // _MICROSECOND, limit)
        )
        return [_window(kept) for kept in taken]


def _window(kept: bytes) -> Window:
    tenant, thread, opened, closes, requested, reason, message_ids = _decoder.decode(kept)
    return Window(
        tenant=tenant,
        thread=thread,
        message_ids=message_ids,
        opened_at=_EPOCH + timedelta(microseconds=opened),
        closes_at=_EPOCH + timedelta(microseconds=closes),
        requested=requested,
        reason=reason,
    )
