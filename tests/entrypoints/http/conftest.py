"""What tests of HTTP ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    """Give the application with everybody's tokens."""
    async with serving_web(tmp_path) as served:
        yield served
