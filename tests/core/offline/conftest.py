"""What tests of phones ask for."""

from __future__ import annotations

import pytest

from tests.core.office import Office
from tests.core.offline.phones import Phones


@pytest.fixture
def phones(office: Office) -> Phones:
    """Give offline sync over a business whose people are known."""
    return Phones(office)
