"""`MediaStore`: bytes are kept, each tenant's apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.media import FileMedia
from adapters.memory import MemoryMedia
from core.jobs.ports import MediaStore
from core.kernel.errors import NotFound
from tests.contracts.samples import MINE, OTHER


@pytest.fixture(params=["memory", "files"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    """Give a store of each kind."""
    return MemoryMedia() if request.param == "memory" else FileMedia(tmp_path)


async def test_what_is_kept_comes_back(media: MediaStore) -> None:
    await media.put(MINE, "photo_1", b"\x89PNG\0\xff")
    assert await media.get(MINE, "photo_1") == b"\x89PNG\0\xff"


async def test_a_second_time_replaces_the_first(media: MediaStore) -> None:
    await media.put(MINE, "photo_1", b"one")
    await media.put(MINE, "photo_1", b"two")
    assert await media.get(MINE, "photo_1") == b"two"


async def test_what_is_kept_does_not_change_with_the_callers_buffer(media: MediaStore) -> None:
    buffer = bytearray(b"one")
    await media.put(MINE, "photo_1", bytes(buffer))
    buffer[:] = b"two"
    assert await media.get(MINE, "photo_1") == b"one"


async def test_nobody_else_has_it(media: MediaStore) -> None:
    await media.put(MINE, "photo_1", b"mine")
    for tenant, id_ in ((OTHER, "photo_1"), (MINE, "photo_2")):
        with pytest.raises(NotFound):
            await media.get(tenant, id_)
