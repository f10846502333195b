"""Technicians are reminded of a visit a day, an hour and half an hour before it, once each."""

from __future__ import annotations

import asyncio
from datetime import datetime, time, timedelta
from typing import Final

import pytest

from core.identity import Tenant, User
from core.jobs import Job
from core.kernel.actor import Actor
from core.notifications import QuietHours, Wanted
from core.reactions import Reminders
from tests.contracts.samples import MINE, NOW
from tests.core.office import CARLOS, MARTA, Office, elsewhere

START: Final = NOW + timedelta(days=3)
DAY, HOUR, HALF = "job_reminder_tech_24h", "job_reminder_tech_1h", "job_reminder_tech_30m"


async def a_visit(office: Office, *, starts_at: datetime = START, technician_id: str = "user_carlos") -> Job:
    return await give_to(office, await office.a_job(), starts_at=starts_at, technician_id=technician_id)


async def give_to(office: Office, job: Job, *, starts_at: datetime = START, technician_id: str = "user_carlos") -> Job:
    return await office.jobs.schedule(
        actor=MARTA,
        job_id=job.id,
        technician_id=technician_id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
    )


async def pass_by(reminders: Reminders) -> None:
    """Do what a worker does each half minute."""
    for reminder in await reminders.due():
        await reminders.give(reminder)


async def live(office: Office, *, until: datetime, step: timedelta = timedelta(seconds=30)) -> None:
    """Let the clock run, with a worker that looks at each step."""
    while office.clock.at < until:
        await pass_by(office.reminders)
        office.clock.at += step


async def reminded(office: Office) -> list[tuple[str, str, timedelta]]:
    """Return (template, recipient, how long before `START`) of all reminders, in their order."""
    log, _ = await office.store.deliveries.page(MINE, wanted=Wanted(), limit=100, cursor=None)
    found = [(each.created_at, each.template, each.recipient.id) for each in log if each.event == "job_reminder"]
    return [(template, recipient, START - at) for at, template, recipient in sorted(found)]


async def test_a_day_an_hour_and_half_an_hour_before_once_each(office: Office) -> None:
    await a_visit(office)
    await live(office, until=START + timedelta(hours=1))
    assert await reminded(office) == [
        (DAY, "user_carlos", timedelta(hours=24)),
        (HOUR, "user_carlos", timedelta(hours=1)),
        (HALF, "user_carlos", timedelta(minutes=30)),
    ]


async def test_it_says_what_when_for_whom_and_where(office: Office) -> None:
    job = await office.a_job(customer_id=await office.a_customer(address="Corrientes 1234"))
    await give_to(office, job)
    office.clock.at = START - timedelta(hours=1)
    await pass_by(office.reminders)
    delivery = (await office.deliveries())[f"{HOUR}/user_carlos"]
    assert delivery.text == (
        "Se acerca tu visita: Aire acondicionado. lun 23 nov, de 9:00 a 11:00. Cliente: Ana Ruiz, +5491155550001. "
        "Dirección: Corrientes 1234."
    )
    assert delivery.job_id == job.id


@pytest.mark.parametrize(("away", "given"), [(8, [HOUR]), (11, [])])
async def test_a_worker_that_was_away_for_a_while_reminds_late_and_after_ten_minutes_no_more(
    office: Office, away: int, given: list[str]
) -> None:
    await a_visit(office)
    office.clock.at = START - timedelta(hours=1) + timedelta(minutes=away)
    await live(office, until=START - timedelta(minutes=31))
    assert await reminded(office) == [(each, "user_carlos", timedelta(minutes=60 - away)) for each in given]


async def test_several_workers_at_once_and_again_remind_once(office: Office) -> None:
    await a_visit(office)
    office.clock.at = START - timedelta(minutes=30)
    workers = [office.reminders, *(Reminders(office.jobs, office.telling, office.clock) for _ in range(2))]
    await asyncio.gather(*(elsewhere(pass_by(each)) for each in workers))
    await pass_by(Reminders(office.jobs, office.telling, office.clock))
    assert await reminded(office) == [(HALF, "user_carlos", timedelta(minutes=30))]


async def test_one_that_loses_the_race_leaves_it_at_that(office: Office) -> None:
    await a_visit(office)
    office.clock.at = START - timedelta(minutes=30)
    faster = Reminders(office.jobs, office.telling, office.clock)
    office.weather.plan("deliveries.save:before", lambda: elsewhere(pass_by(faster)))
    await pass_by(office.reminders)
    assert office.weather.calm
    assert len(await reminded(office)) == 1


async def test_a_visit_that_is_put_off_is_reminded_of_at_its_new_time(office: Office) -> None:
    job = await a_visit(office)
    await live(office, until=START - timedelta(hours=2), step=timedelta(minutes=5))
    await office.jobs.unschedule(actor=MARTA, job_id=job.id)
    await give_to(office, job, starts_at=START + timedelta(days=2), technician_id="user_carlos")
    await live(office, until=START + timedelta(days=3), step=timedelta(minutes=5))
    assert await reminded(office) == [
        (DAY, "user_carlos", timedelta(days=1)),
        (DAY, "user_carlos", -timedelta(days=1)),
        (HOUR, "user_carlos", -timedelta(days=2) + timedelta(hours=1)),
        (HALF, "user_carlos", -timedelta(days=2) + timedelta(minutes=30)),
    ]


@pytest.mark.parametrize(
    ("minutes", "given"),
    [(20, []), (29, []), (30, []), (31, [HALF]), (55, [HALF]), (60, [HALF]), (70, [HOUR, HALF]), (1435, [HOUR, HALF])],
)
async def test_nobody_is_reminded_of_what_they_were_told_later_than_that(
    office: Office, minutes: int, given: list[str]
) -> None:
    office.clock.at = START - timedelta(minutes=minutes)
    await a_visit(office)
    await live(office, until=START, step=timedelta(minutes=1))
    assert [template for template, _, _ in await reminded(office)] == given


@pytest.mark.parametrize("change", ["cancel", "unschedule", "depart"])
async def test_a_visit_that_nobody_waits_for_any_more_is_not_reminded_of(office: Office, change: str) -> None:
    job = await a_visit(office)
    office.clock.at = START - timedelta(hours=1)
    due = await office.reminders.due()
    match change:
        case "cancel":
            await office.jobs.cancel(actor=MARTA, job_id=job.id, reason="llueve")
        case "unschedule":
            await office.jobs.unschedule(actor=MARTA, job_id=job.id)
        case _:
            await office.jobs.depart(actor=CARLOS, job_id=job.id)
    for late in due:  # it was found before it changed
        await office.reminders.give(late)
    await live(office, until=START, step=timedelta(minutes=1))
    assert (len(due), await reminded(office)) == (1, [])


async def test_what_is_short_before_the_visit_does_not_wait_for_the_morning(office: Office) -> None:
    await office.choices.choose(
        actor=CARLOS, recipient_id="user_carlos", quiet=True, hours=QuietHours(time(0), time(23, 30))
    )
    await a_visit(office)
    await live(office, until=START, step=timedelta(minutes=1))
    log = await office.deliveries()
    waits = {name: log[f"{name}/user_carlos"].waiting for name in (DAY, HOUR, HALF)}
    assert waits == {DAY: True, HOUR: False, HALF: False}


async def test_visits_of_every_business_are_reminded_of(office: Office) -> None:
    theirs = Actor(tenant="tenant_other", id="user_zoe", role="owner", correlation="corr_zoe")
    tomas = User(id="user_tomas", tenant=theirs.tenant, name="Tomás", role="technician", phone="+5491150000009")
    await office.store.directory.enrol(Tenant(id=theirs.tenant, name="Otra", phone="+541150000001"), [tomas])
    customer = await office.customers.register(actor=theirs, name="Eva", phone="+5491155550099")
    job = await office.jobs.open(actor=theirs, customer_id=customer.id, title="Luz")
    ends_at = START + timedelta(hours=1)
    await office.jobs.schedule(actor=theirs, job_id=job.id, technician_id=tomas.id, starts_at=START, ends_at=ends_at)
    office.clock.at = START - timedelta(minutes=30)
    await pass_by(office.reminders)
    log, _ = await office.store.deliveries.page(theirs.tenant, wanted=Wanted(), limit=10, cursor=None)
    assert [(each.template, each.recipient.id) for each in log] == [(HALF, "user_tomas")]
    assert await reminded(office) == []
