"""What tests of programs ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.entrypoints.program import Program, loaded


@pytest.fixture(scope="session")
def program() -> Iterator[Program]:
    """Give a `cuadrilla` that need not be loaded for each command."""
    with loaded() as program:
        yield program
