"""What tests of services start from."""

from __future__ import annotations

import pytest

from tests.core.office import Office


@pytest.fixture
async def office() -> Office:
    """Give a business on memory adapters whose people and issuer are known."""
    return await Office().move_in()
