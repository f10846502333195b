"""The promises of `History`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from core.kernel.errors import Invalid
from core.tracking import Fix, Point, Recorded
from tests.contracts.conftest import Store
from tests.contracts.samples import MINE, NOW, OTHER


def recorded(seconds: float = 0.0, **about: Any) -> Recorded:
    at = NOW + timedelta(seconds=seconds)
    fix = Fix(
        point=Point(-34.603722, -58.381592),
        recorded_at=at,
        received_at=at + timedelta(seconds=1.5),
        accuracy=12.5,
        speed=0.1 + 0.2,
        heading=359.9,
    )
    whole: dict[str, Any] = {
        "tenant": MINE,
        "session_id": "trip_1",
        "job_id": "job_1",
        "phone": "p",
        "fix": fix,
        **about,
    }
    return Recorded(**whole)


async def page(store: Store, tenant: str = MINE, job_id: str = "job_1") -> list[Recorded]:
    found, cursor = await store.history.page(tenant, job_id, limit=100, cursor=None)
    assert cursor is None
    return list(found)


async def test_a_fix_comes_back_whole(store: Store) -> None:
    bare = Fix(point=Point(0.0, 180.0), recorded_at=NOW - timedelta(microseconds=1), received_at=NOW)
    kept = [recorded(remarks=("suspect", "old")), recorded(fix=bare, phone="")]
    await store.history.add(kept)
    assert await page(store) == kept


async def test_a_fix_is_kept_once_however_often_it_comes(store: Store) -> None:
    await store.history.add([recorded(0), recorded(30), recorded(0)])
    await store.history.add([recorded(30, remarks=("too_soon",)), recorded(60)])
    assert await page(store) == [recorded(60), recorded(30), recorded(0)]


async def test_two_phones_or_trips_may_measure_at_one_instant(store: Store) -> None:
    both = [recorded(phone="a"), recorded(phone="b"), recorded(session_id="trip_2", phone="a")]
    await store.history.add(both)
    assert await page(store) == both[::-1]


async def test_nothing_to_add_is_no_error(store: Store) -> None:
    await store.history.add([])
    assert await page(store) == []


async def test_fixes_of_several_tenants_are_added_at_once_and_read_apart(store: Store) -> None:
    theirs = recorded(tenant=OTHER)
    await store.history.add([recorded(), theirs, recorded(30, job_id="job_2")])
    assert (await page(store), await page(store, OTHER)) == ([recorded()], [theirs])


async def test_pages_give_every_fix_once_the_newest_first(store: Store) -> None:
    kept = [recorded(30 * (number // 2), phone="ab"[number % 2]) for number in range(7)]
    await store.history.add(kept)
    found: list[Recorded] = []
    cursor = None
    while True:
        some, cursor = await store.history.page(MINE, "job_1", limit=3, cursor=cursor)
        assert len(some) <= 3
        found += some
        if cursor is None:
            break
    assert found == kept[::-1]


async def test_a_strange_cursor_is_refused(store: Store) -> None:
    with pytest.raises(Invalid):
        await store.history.page(MINE, "job_1", limit=3, cursor="bm9uZQ==")


async def test_the_newest_fix_was_measured_when_we_had_received_it_at_the_latest(store: Store) -> None:
    assert await store.history.newest(MINE, "trip_1") is None
    ahead = evolve(recorded(30).fix, recorded_at=NOW + timedelta(hours=1))
    await store.history.add([recorded(0), recorded(fix=ahead), recorded(90, session_id="trip_2")])
    assert await store.history.newest(MINE, "trip_1") == ahead.received_at
    assert await store.history.newest(OTHER, "trip_1") is None


async def test_what_is_old_is_deleted_some_at_a_time(store: Store) -> None:
    await store.history.add([recorded(30 * number) for number in range(5)] + [recorded(tenant=OTHER)])
    before = recorded(60).fix.received_at
    assert [await store.history.prune(before=before, limit=2) for _ in range(3)] == [2, 1, 0]
    assert await page(store) == [recorded(120), recorded(90), recorded(60)]
