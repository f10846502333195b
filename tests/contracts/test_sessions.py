"""The promises of `SessionRepository`, `SessionReader` and `Visits`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.bridge import DescribedVisits
from core.identity import Tenant, User
from core.kernel.errors import StaleVersion
from core.tracking import TrackingSession, Visit
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, a_job, a_session, acting_for


async def save(store: Store, session: TrackingSession) -> TrackingSession:
    async with store.begin(acting_for(session.tenant)) as tx:
        return await tx.sessions.save(session)


async def test_a_session_comes_back_whole(store: Store) -> None:
    session = await save(store, a_session())
    arrived = await save(store, session.arrive(arrived_at=NOW + timedelta(minutes=9), at=NOW + timedelta(minutes=10)))
    found = await store.sessions.of_job(MINE, "job_1")
    assert found == arrived
    assert found is not None
    assert (found.version, found.facts, found.state) == (2, (), "arrived")
    assert (found.arrived_at, found.expires_at) == (NOW + timedelta(minutes=9), NOW + timedelta(hours=4))


async def test_a_jobs_newest_session_is_found(store: Store) -> None:
    first = await save(store, a_session("trip_2", token_hash="aa"))
    await save(store, first.close("cancelled", at=NOW))
    await save(store, a_session("trip_1", token_hash="bb", at=NOW + timedelta(minutes=1)))
    found = await store.sessions.of_job(MINE, "job_1")
    async with store.begin(ACTOR) as tx:
        inside = await tx.sessions.of_job(MINE, "job_1")
    assert (found and found.id, inside and inside.id) == ("trip_1", "trip_1")


async def test_a_job_without_a_session_has_none(store: Store) -> None:
    await save(store, a_session())
    assert await store.sessions.of_job(OTHER, "job_1") is None
    assert await store.sessions.of_job(MINE, "job_2") is None
    async with store.begin(ACTOR) as tx:
        assert await tx.sessions.of_job(OTHER, "job_1") is None


async def test_a_link_finds_its_session_in_any_tenant(store: Store) -> None:
    await save(store, a_session(tenant=OTHER, token_hash="cafe"))
    found = await store.sessions.by_token("cafe")
    assert (found and found.tenant, await store.sessions.by_token("beef")) == (OTHER, None)


async def test_at_most_one_session_of_a_job_is_not_over(store: Store) -> None:
    await save(store, a_session("trip_1", token_hash="aa"))
    with pytest.raises(StaleVersion):
        await save(store, a_session("trip_2", token_hash="bb"))
    await save(store, a_session("trip_3", job_id="job_2", token_hash="cc"))
    found = await store.sessions.of_job(MINE, "job_1")
    assert found is not None
    assert found.id == "trip_1"


async def test_the_second_of_two_writers_of_a_session_is_told_so(store: Store) -> None:
    read = await save(store, a_session())
    await save(store, read.arrive(arrived_at=NOW, at=NOW))
    with pytest.raises(StaleVersion):
        await save(store, read.close("cancelled", at=NOW))


async def test_a_trip_whose_time_is_over_is_found_in_any_tenant_until_it_ends(store: Store) -> None:
    first = await save(store, a_session("trip_1", token_hash="aa"))
    theirs = await save(store, a_session("trip_2", token_hash="bb", tenant=OTHER, at=NOW + timedelta(minutes=1)))
    await save(store, a_session("trip_3", token_hash="cc", job_id="job_3", at=NOW + timedelta(minutes=2)))
    late = NOW + timedelta(hours=4, minutes=1)
    assert await store.sessions.overdue(at=NOW + timedelta(hours=4, microseconds=-1), limit=9) == []
    assert await store.sessions.overdue(at=late, limit=9) == [first, theirs]
    assert await store.sessions.overdue(at=late, limit=1) == [first]
    arrived = await save(store, first.arrive(arrived_at=NOW, at=NOW))
    assert await store.sessions.overdue(at=late, limit=1) == [arrived]
    await save(store, arrived.close("expired", at=late))
    assert await store.sessions.overdue(at=late, limit=9) == [theirs]


async def test_a_visit_says_who_comes_from_where_and_where_to(store: Store) -> None:
    carlos = User(id="user_carlos", tenant=MINE, name="Carlos Gómez", role="technician")
    await store.directory.enrol(Tenant(id=MINE, name="Palermo", phone="+541150000000"), [carlos])
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job())
        session = await tx.sessions.save(a_session())
    assert await DescribedVisits(store.directory, store.jobs).describe(session) == Visit(
        technician="Carlos Gómez",
        business="Palermo",
        business_phone="+541150000000",
        address="Av. Corrientes 1234",
        zone="America/Argentina/Buenos_Aires",
    )
