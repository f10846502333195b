"""The newest positions in Redis, one value for each trip."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from attrs import frozen

from adapters.redis.connection import RedisConnection
from core.tracking import Journey

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Journey)
_MILLISECOND: Final = timedelta(milliseconds=1)


@frozen
class RedisPositions:
    """`core.tracking.ports.Positions`; a life is counted by the server's clock, in whole milliseconds."""

    _connection: RedisConnection

    async def put(self, tenant: str, session_id: str, journey: Journey, *, life: timedelta) -> None:
        """Keep the journey for as long as `life`."""
        milliseconds = life // _MILLISECOND
        if milliseconds > 0:
            await self._connection.run("SET", _key(tenant, session_id), _encoder.encode(journey), "PX", milliseconds)
        else:
            await self._connection.run("DEL", _key(tenant, session_id))

    async def get(self, tenant: str, session_id: str) -> Journey | None:
        """Return the journey, or None when it is unknown or its life is over."""
        kept = await self._connection.run("GET", _key(tenant, session_id))
        try:
            return None if kept is None else _decoder.decode(kept)
        except msgspec.MsgspecError:  # another release wrote it; the next position is due in seconds
            return None


def _key(tenant: str, session_id: str) -> str:
    return f"cuadrilla:position:{len(tenant)}:{tenant}:{session_id}"
