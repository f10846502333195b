"""Sliding windows in Redis, shared by all processes, by the server's clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from adapters.redis.connection import RedisConnection, Script
from core.kernel.errors import Unavailable
from core.kernel.ports import Allowance, RateLimiter, RateRule

# A window is a list of slot numbers and what each counted, the oldest first: n1, count1, n2, count2, ... A twentieth of the
# window is a slot; its requests leave together, after its last has been there for the whole window. Times are in microseconds.
TAKE: Final = Script("""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local kept, strictest, left, longest = {}, 1, nil, nil
for i = 1, #KEYS do
    local limit, length = tonumber(ARGV[2 * i - 1]), ARGV[2 * i] / 20
    local slot = math.floor(now / length)
    local packed = redis.call('GET', KEYS[i])
    local before = packed and cmsgpack.unpack(packed) or {}
    local window, taken = {}, 0
    for j = 1, #before, 2 do
        if before[j] >= slot - 20 then
            window[#window + 1] = before[j]
            window[#window + 1] = before[j + 1]
            taken = taken + before[j + 1]
        end
    end
    local free, wait = math.max(0, limit - taken), ((window[1] or slot) + 21) * length - now
    if not left or free < left or (free == left and wait > longest) then
        strictest, left, longest = i, free, wait
    end
    kept[i] = {window, slot}
end
if left > 0 then
    for i = 1, #KEYS do
        local window, slot = kept[i][1], kept[i][2]
        if window[#window - 1] == slot then
            window[#window] = window[#window] + 1
        else
            window[#window + 1] = slot
            window[#window + 1] = 1
        end
        redis.call('SET', KEYS[i], cmsgpack.pack(window), 'PX', math.ceil(ARGV[2 * i] * 21 / 20000))
    end
end
return {strictest, left, math.ceil(longest)}
""")


@frozen
class RedisLimiter:
    """`core.kernel.ports.RateLimiter` for all processes; while Redis does not answer, `otherwise` counts for this one."""

    _connection: RedisConnection
    _otherwise: RateLimiter

    async def take(self, asked: Sequence[tuple[str, RateRule]]) -> Allowance:
        """Count one request under every key by its rule, or under none if one of them has nothing left."""
        arguments = [number for _, rule in asked for number in (rule.limit, round(rule.seconds * 1_000_000))]
        try:
            answer = await self._connection.run_script(TAKE, keys=[key for key, _ in asked], arguments=arguments)
        except Unavailable:
            return await self._otherwise.take(asked)
        place, left, wait = answer
        rule = asked[place - 1][1]
        return Allowance(rule=rule, allowed=left > 0, remaining=max(0, left - 1), wait=wait / 1_000_000)
