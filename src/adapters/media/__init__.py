"""Bytes of photos and signatures in files."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from attrs import frozen

from core.kernel.errors import NotFound, Unavailable

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


@frozen
class FileMedia:
    """One folder for each tenant, one file for each id; a file appears whole or not at all."""

    _root: Path

    async def put(self, tenant: str, media_id: str, content: bytes) -> None:
        """Keep the bytes; they are durable when this returns."""
        path = self._path(tenant, media_id)
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as failure:
            msg = "the media store does not take files now"
            raise Unavailable(msg) from failure

    async def get(self, tenant: str, media_id: str) -> bytes:
        """Return the bytes; raise `NotFound`."""
        path = self._path(tenant, media_id)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError as missing:
            msg = f"there is no file {media_id}"
            raise NotFound(msg) from missing
        except OSError as failure:
            msg = "the media store does not answer"
            raise Unavailable(msg) from failure

    def _path(self, tenant: str, media_id: str) -> Path:
        if not _NAME.match(tenant) or not _NAME.match(media_id):  # nothing that could lead out of the folder
            msg = f"there is no file {media_id!r}"
            raise NotFound(msg)
        return self._root / tenant / media_id


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each writer: two of one file must not mix their bytes.
    descriptor, half = tempfile.mkstemp(prefix=".", suffix=".half", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(half).replace(path)
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):  # the tenant's folder may be new as well
        _settle(folder)


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
