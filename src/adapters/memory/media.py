"""Bytes of photos and signatures in memory."""

from __future__ import annotations

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.errors import NotFound


@define
class MemoryMedia:
    """`core.jobs.ports.MediaStore`."""

    _pause: Pause = at_once
    _kept: dict[tuple[str, str], bytes] = field(factory=dict, repr=False)

    async def put(self, tenant: str, media_id: str, content: bytes) -> None:
        """Keep the bytes."""
        await Steps(self._pause)("media.put", lambda: self._kept.update({(tenant, media_id): bytes(content)}))

    async def get(self, tenant: str, media_id: str) -> bytes:
        """Return the bytes; raise `NotFound`."""

        def found() -> bytes:
            content = self._kept.get((tenant, media_id))
            if content is None:
                msg = f"there is no file {media_id}"
                raise NotFound(msg)
            return content

        return await Steps(self._pause)("media.get", found)
