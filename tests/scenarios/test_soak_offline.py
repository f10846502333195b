"""The soak of phones (`make soak-offline`) in small."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.soak.offline import Plan, application, soak

SMALL = {
    "memory": Plan(phones=20, operations=600, seed=5),
    "sqlite": Plan(phones=8, operations=100, seed=2),
    "postgres": Plan(phones=8, operations=100, seed=3),
}


@pytest.mark.parametrize("kind", SMALL)
async def test_phones_that_come_and_go_agree_with_the_server_in_the_end(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = {"memory": "memory:", "sqlite": f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"}
    url = urls.get(kind) or request.getfixturevalue("postgres_url")
    app = await asyncio.to_thread(application, url, tmp_path)
    async with app.running():
        report = await soak(SMALL[kind], app=app)
    assert report.violations == []
    assert sum(report.outcomes.values()) == SMALL[kind].operations
    if kind == "memory":  # where nothing but the seed decides
        assert report.outcomes.keys() == {"applied", "merged", "conflict", "refused", "gone"}
        assert min(report.lost, report.doubled) > 0
