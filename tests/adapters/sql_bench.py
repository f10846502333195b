"""Stores over real databases, more than one on the same."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from adapters.crypto import Vault, new_id
from adapters.sql import SqlStore, upgrade
from core.kernel.ports import NewId
from tests.contracts.samples import Hands

VAULT: Final = Vault.from_setting("test:" + base64.b64encode(bytes(32)).decode())


def sqlite_url(folder: Path) -> str:
    """Return the URL of a migrated SQLite file."""
    url = f"sqlite+aiosqlite:///{folder / 'store.db'}"
    upgrade(url)
    return url


@contextlib.asynccontextmanager
async def stores(url: str, count: int = 1, *, ids: NewId = new_id) -> AsyncIterator[list[SqlStore]]:
    """Open so many stores on one database, as so many processes would."""
    made = [SqlStore(url, clock=Hands(), new_id=ids, seal=VAULT.seal, unseal=VAULT.unseal) for _ in range(count)]
    try:
        yield made
    finally:
        for store in made:
            await store.close()
