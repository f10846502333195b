"""What tests of HTTP ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Write tracebacks without local variables: structlog's own would draw the whole application, for most of a minute."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    """Give the application for which everybody is logged in."""
    async with serving_web(tmp_path) as served:
        yield served
