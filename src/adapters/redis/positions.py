"""Trips under way and their newest positions in Redis, and a stream of the fixes that the history lacks.

A trip is a hash with its session, and a value with its position that expires by itself. A report is one script: it compares both
with what the reporting process supposed, replaces the position and appends the fixes, or returns what is there instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec
from attrs import evolve, frozen

from adapters.redis.connection import RedisConnection, Script
from core.tracking import Journey, Live, Recorded, TrackingSession

_Position: TypeAlias = tuple[str, tuple[str, ...], Journey | None]
"""Whose trip it is, the phones, and the journey."""
_encode: Final = msgspec.msgpack.Encoder().encode
_sessions: Final = msgspec.msgpack.Decoder(TrackingSession)
_positions: Final = msgspec.msgpack.Decoder(_Position)
_parcels: Final = msgspec.msgpack.Decoder(list[Recorded])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_STREAM: Final = "cuadrilla:fixes"
_WRITING: Final = "cuadrilla:fixes:writing"
"""Held by who writes the history; two who write at once do the work twice, and no harm."""
_AT_MOST: Final = 1_000_000
"""Parcels that wait at most, while nobody writes; the oldest go."""
_LEASE: Final = timedelta(seconds=10)

PUT: Final = Script("""
local known = redis.call('HMGET', KEYS[1], 'trip', 'version')
if known[1] and (known[1] > ARGV[1] or (known[1] == ARGV[1] and tonumber(known[2]) >= tonumber(ARGV[2]))) then
    return 0
end
if known[1] and known[1] ~= ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
redis.call('HSET', KEYS[1], 'trip', ARGV[1], 'version', ARGV[2], 'session', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] == '0' then redis.call('DEL', KEYS[2]) end
if ARGV[6] ~= '' then redis.call('HSETNX', KEYS[1], 'seen', ARGV[6]) end
return 1
""")

ADVANCE: Final = Script("""
local session, position = redis.call('HGET', KEYS[1], 'session'), redis.call('GET', KEYS[2])
if session ~= ARGV[1] or (ARGV[3] ~= '' and (position or '') ~= ARGV[2]) then
    return {session, redis.call('HGET', KEYS[1], 'seen'), position}
end
if ARGV[3] ~= '' then
    redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
    if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'seen', ARGV[5]) end
end
if ARGV[6] ~= '' then redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'fixes', ARGV[6]) end
return 1
""")

UNWRITTEN: Final = Script("""
if redis.call('EXISTS', KEYS[1]) == 0 or not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then return {} end
local found = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
if #found == 0 then redis.call('DEL', KEYS[2]) end
return found
""")


@frozen
class RedisPositions:
    """`core.tracking.ports.Positions`; a life is counted by the server's clock, in whole milliseconds."""

    _connection: RedisConnection

    async def get(self, tenant: str, job_id: str) -> Live | None:
        """Return the job's trip, or None when it is unknown."""
        trip, position = _keys(tenant, job_id)
        (session, seen), kept = await asyncio.gather(
            self._connection.run("HMGET", trip, "session", "seen"), self._connection.run("GET", position)
        )
        return _live(session, seen, kept)

    async def put(self, session: TrackingSession, *, life: timedelta, seen_at: datetime | None = None) -> None:
        """Let everybody know the session, unless a newer one of its job, or a newer version, is known."""
        await self._connection.run_script(
            PUT,
            keys=_keys(session.tenant, session.job_id),
            arguments=(
                f"{(session.opened_at - _EPOCH) // _MICROSECOND:020}:{session.id}",
                session.version,
                _encode(evolve(session, facts=())),
                life // _MILLISECOND,
                int(session.state == "active"),
                _instant(seen_at),
            ),
        )

    async def advance(
        self, before: Live, after: Live, fixes: Sequence[Recorded], *, life: timedelta
    ) -> tuple[bool, Live | None]:
        """Let `after` follow `before`, and keep the fixes, if nothing has changed meanwhile."""
        session, position = before.mark or (b"", b"")
        fresh = b"" if after is before else _encode((before.session.id, after.phones, after.journey))
        answer = await self._connection.run_script(
            ADVANCE,
            keys=(*_keys(before.session.tenant, before.session.job_id), _STREAM),
            arguments=(
                session,
                position,
                fresh,
                life // _MILLISECOND,
                _instant(after.seen_at),
                _encode(fixes) if fixes else b"",
                _AT_MOST,
            ),
        )
        if answer != 1:
            return False, _live(*answer)
        if not fresh:
            return True, after
        marked = Live(
            session=after.session,
            journey=after.journey,
            phones=after.phones,
            seen_at=after.seen_at,
            mark=(session, fresh),
        )
        return True, marked

    async def unwritten(self, *, limit: int) -> Sequence[tuple[str, Sequence[Recorded]]]:
        """Return the oldest fixes that nobody has written, in up to `limit` parcels with their names."""
        found = await self._connection.run_script(
            UNWRITTEN, keys=(_STREAM, _WRITING), arguments=(limit, _LEASE // _MILLISECOND)
        )
        return [(name.decode(), _parcel(packed)) for name, (_, packed) in found]

    async def written(self, parcels: Sequence[str]) -> None:
        """Forget parcels that are in the history."""
        await asyncio.gather(self._connection.run("XDEL", _STREAM, *parcels), self._connection.run("DEL", _WRITING))


def _live(session: bytes | None, seen: bytes | None, position: bytes | None) -> Live | None:
    if session is None:
        return None
    try:
        trip = _sessions.decode(session)
    except msgspec.MsgspecError:  # another release wrote it; the database knows
        return None
    seen_at = None if seen is None else _EPOCH + int(seen) * _MICROSECOND
    live = Live(session=trip, seen_at=seen_at, mark=(session, position or b""))
    try:
        trip_id, phones, journey = ("", (), None) if position is None else _positions.decode(position)
    except msgspec.MsgspecError:  # the next position is due in seconds
        return live
    return evolve(live, phones=phones, journey=journey) if trip_id == trip.id else live


def _parcel(packed: bytes) -> Sequence[Recorded]:
    try:
        return _parcels.decode(packed)
    except msgspec.MsgspecError:  # a release with other fixes is being replaced: these are lost to the history
        return ()


def _instant(at: datetime | None) -> str | int:
    return "" if at is None else (at - _EPOCH) // _MICROSECOND


def _keys(tenant: str, job_id: str) -> tuple[str, str]:
    # The length keeps "a:b" + "c" and "a" + "b:c" apart.
    name = f"{len(tenant)}:{tenant}:{job_id}"
    return f"cuadrilla:trip:{name}", f"cuadrilla:position:{name}"
