"""What tests of log-in start from."""

from __future__ import annotations

import pytest

from tests.core.identity.house import House


@pytest.fixture
async def house() -> House:
    """Give a tenant whose people have not logged in yet."""
    return await House().move_in()
