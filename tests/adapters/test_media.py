"""Photos and signatures in files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.media import FileMedia
from core.jobs.ports import MediaStore
from core.kernel.errors import NotFound, Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return FileMedia(tmp_path / "media")


async def test_what_was_put_is_got(media: MediaStore) -> None:
    await media.put("tenant_1", "media_1", b"\x89PNG")
    assert await media.get("tenant_1", "media_1") == b"\x89PNG"


async def test_no_bytes_are_bytes_too(media: MediaStore) -> None:
    await media.put("tenant_1", "media_1", b"")
    assert await media.get("tenant_1", "media_1") == b""


async def test_a_second_put_replaces_the_first(media: MediaStore) -> None:
    await media.put("tenant_1", "media_1", b"a long first version")
    await media.put("tenant_1", "media_1", b"second")
    assert await media.get("tenant_1", "media_1") == b"second"


async def test_what_is_not_there_is_not_found(media: MediaStore) -> None:
    with pytest.raises(NotFound, match="there is no file media_1"):
        await media.get("tenant_1", "media_1")


async def test_another_tenant_finds_nothing(media: MediaStore) -> None:
    await media.put("tenant_1", "media_1", b"private")
    with pytest.raises(NotFound):
        await media.get("tenant_2", "media_1")


async def test_a_new_store_over_the_same_folder_knows_the_files(tmp_path: Path) -> None:
    await FileMedia(tmp_path).put("tenant_1", "media_1", b"kept")
    assert await FileMedia(tmp_path).get("tenant_1", "media_1") == b"kept"


HOSTILE = ("..", ".", "", "../tenant_2", "a/b", "a\\b", "/etc/passwd", "a\0b", "media_1\n", "ñ", ".media_1", "x" * 81)


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_that_leads_elsewhere_names_nothing(tmp_path: Path, name: str) -> None:
    media = FileMedia(tmp_path / "media")
    for tenant, media_id in ((name, "media_1"), ("tenant_1", name)):
        with pytest.raises(NotFound):
            await media.put(tenant, media_id, b"evil")
        with pytest.raises(NotFound):
            await media.get(tenant, media_id)
    assert list(tmp_path.rglob("*")) == []


NAMES = st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True)


@given(NAMES, NAMES)
def test_no_name_reaches_a_file_outside_its_folder(
    tmp_path_factory: pytest.TempPathFactory, tenant: str, media_id: str
) -> None:
    root = tmp_path_factory.mktemp("media", numbered=True)
    outside = root / "outside"
    outside.write_bytes(b"untouched")

    async def attempt() -> None:
        await FileMedia(root / "store").put(tenant, media_id, b"new")
        assert await FileMedia(root / "store").get(tenant, media_id) == b"new"

    try:
        asyncio.run(attempt())
    except NotFound:
        assert not (root / "store").exists()
    else:
        assert [each for each in root.rglob("*") if each.is_file()] == [outside, root / "store" / tenant / media_id]
    assert outside.read_bytes() == b"untouched"


async def test_many_writers_of_one_file_leave_one_whole_version_and_nothing_else(tmp_path: Path) -> None:
    media = FileMedia(tmp_path)
    versions = [bytes([number]) * 200_000 for number in range(20)]
    await asyncio.gather(*(media.put("tenant_1", "media_1", version) for version in versions))
    assert await media.get("tenant_1", "media_1") in versions
    assert [each.name for each in (tmp_path / "tenant_1").iterdir()] == ["media_1"]


async def test_readers_see_a_whole_version_while_it_is_replaced(tmp_path: Path) -> None:
    media = FileMedia(tmp_path)
    versions = [bytes([number]) * 200_000 for number in range(10)]
    await media.put("tenant_1", "media_1", versions[0])
    found: list[bytes] = []

    async def read() -> None:
        found.extend([await media.get("tenant_1", "media_1") for _ in range(20)])

    await asyncio.gather(read(), *(media.put("tenant_1", "media_1", version) for version in versions))
    assert set(found) <= set(versions)


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"a file where the folder should be")
    with pytest.raises(Unavailable, match="does not take files now"):
        await FileMedia(tmp_path / "media").put("tenant_1", "media_1", b"photo")


async def test_a_file_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "tenant_1" / "media_1").mkdir(parents=True)
    with pytest.raises(Unavailable, match="does not answer"):
        await FileMedia(tmp_path).get("tenant_1", "media_1")


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tenant_1" / "media_1").mkdir(parents=True)  # a folder cannot be replaced by a file
    with pytest.raises(Unavailable):
        await FileMedia(tmp_path).put("tenant_1", "media_1", b"photo")
    assert [each.name for each in (tmp_path / "tenant_1").iterdir()] == ["media_1"]
