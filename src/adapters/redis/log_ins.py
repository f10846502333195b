"""Log-ins that count, as all processes know them: one value for each, which expires by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from attrs import frozen

from adapters.redis.connection import RedisConnection
from core.identity.ports import KnownLogIn

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(KnownLogIn).decode
_MILLISECOND: Final = timedelta(milliseconds=1)
_FORGOTTEN: Final = b""
"""Stands where nothing may be remembered for a while."""


@frozen
class RedisKnownLogIns:
    """`core.identity.ports.KnownLogIns`."""

    _connection: RedisConnection

    async def get(self, tenant: str, session_id: str) -> KnownLogIn | None:
        """Return the log-in, or None where the database has to be asked."""
        kept = await self._connection.run("GET", _key(tenant, session_id))
        try:
            return _decode(kept) if kept else None
        except msgspec.MsgspecError:  # another release wrote it; the database knows
            return None

    async def remember(self, tenant: str, session_id: str, known: KnownLogIn, *, life: timedelta) -> None:
        """Know it for as long as `life`, unless it is known, or was to be forgotten a short while ago."""
        await self._connection.run("SET", _key(tenant, session_id), _encode(known), "NX", "PX", life // _MILLISECOND)

    async def forget(self, tenant: str, session_id: str, *, life: timedelta) -> None:
        """Let nobody know it for as long as `life`."""
        await self._connection.run("SET", _key(tenant, session_id), _FORGOTTEN, "PX", life // _MILLISECOND)


def _key(tenant: str, session_id: str) -> str:
    return f"cuadrilla:log-in:{len(tenant)}:{tenant}:{session_id}"
