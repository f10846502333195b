"""Phones that come and go: `python -m tests.soak.offline --phones 200 --operations 10000`.

Technicians work without a connection; a dispatcher changes, cancels and reassigns what they have; pushes are sent twice, also at the same
moment, and answers are lost. When everybody is back, phones and server are held against each other. The seed decides who does what;
in which order the database commits what runs at once is its own affair.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from core.identity import Tenant, User
from core.kernel.actor import Actor
from core.kernel.errors import Conflict
from core.offline import Cursor, Operation, Outcome, Record
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate
from tests import servers

TENANT: Final = "soak"
START: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)
MARTA: Final = Actor(tenant=TENANT, id="user_marta", role="dispatcher", correlation="corr_soak")
NEXT: Final = {"scheduled": "en_camino", "en_camino": "working", "working": "completed"}
AT_ONCE: Final = 12
LOST: Final = 0.15
"""The share of pushes whose answer does not arrive; the phone sends the same again later."""
DOUBLED: Final = 0.1
"""The share of pushes that arrive twice at the same moment."""
MOVES: Final = ("job.en_camino", "job.working", "job.completed", "job.turned_back")


@frozen(kw_only=True)
class Plan:
    """What is to be done."""

    phones: int = 200
    operations: int = 10_000
    seed: int = 0

    @property
    def jobs(self) -> int:
        """So many that a technician has some left to work on."""
        return max(self.phones * 2, self.operations // 6)


@define
class Report:
    """What happened; `violations` must be empty."""

    outcomes: Counter[str] = field(factory=Counter)
    pushes: int = 0
    lost: int = 0
    doubled: int = 0
    office: Counter[str] = field(factory=Counter)
    seconds: float = 0.0
    violations: list[str] = field(factory=list)

    def __str__(self) -> str:
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        office = ", ".join(f"{name} {count}" for name, count in sorted(self.office.items()))
        return (
            f"{sum(self.outcomes.values())} operations ({outcomes}), {self.pushes} pushes, {self.lost} answers lost, "
            f"{self.doubled} sent twice at once, {len(self.violations)} violations, {self.seconds:.0f} s\n  meanwhile: {office}"
        )


@define
class Phone:
    """One technician's phone: what it has, what it has not sent yet, and what became of what it sent."""

    actor: Actor
    rng: random.Random
    app: App
    report: Report
    clock: Iterator[int]
    skew: timedelta
    records: dict[tuple[str, str], Record] = field(factory=dict)
    queue: list[Operation] = field(factory=list)
    outcomes: dict[str, Outcome] = field(factory=dict)
    sent: dict[str, Operation] = field(factory=dict)
    cursor: Cursor | None = None
    _status: dict[str, str] = field(factory=dict)
    _made: int = 0

    def now(self) -> datetime:
        """What the phone's own clock says; it may be a year off."""
        return datetime.now(UTC) + self.skew

    def work(self) -> bool:
        """Do one thing, as far as the phone knows what there is to do."""
        jobs = [each for (table, _), each in self.records.items() if table == "jobs" and self._state(each) in NEXT]
        if not jobs:
            return False
        job = self.rng.choice(jobs)
        self._made += 1
        chance, id_ = self.rng.random(), f"{self.actor.id}-{self._made}"
        state = self._state(job)
        if chance < 0.45:
            to = "scheduled" if state == "en_camino" and chance < 0.04 else NEXT[state]
            lines = [{"description": "Gas", "unit_price": "100"}]
            self._status[job.id] = to
            extra = {"lines": lines} if to == "completed" and self.rng.random() < 0.7 else {}
            self._do(id_, "jobs", job, "update", {"status": to, **extra})
        elif chance < 0.7:
            self._do(id_, "jobs", job, "update", {"report": f"nota {self._made}"})
        else:
            self._line(id_, job, chance)
        return True

    def _line(self, id_: str, job: Record, chance: float) -> None:
        lines = [each for (table, _), each in self.records.items() if table == "line_items"]
        mine = [each for each in lines if each.values["job_id"] == job.id]
        if mine and chance > 0.85:
            fields = {"job_id": job.id, "unit_price": str(self._made)}
            line, kind = self.rng.choice(mine), "delete" if chance > 0.95 else "update"
            self._do(id_, "line_items", line, kind, fields)
            if kind == "delete":
                del self.records["line_items", line.id]
        else:
            fields = {"job_id": job.id, "description": f"ítem {self._made}", "unit_price": "10", "quantity": "abc"}
            self._do(
                id_, "line_items", Record(table="line_items", id=f"li-{id_}", version=0, values={}), "create", fields
            )

    def _state(self, job: Record) -> str:
        return self._status.get(job.id) or str(job.values["status"])

    def _do(self, id_: str, table: str, record: Record, kind: str, fields: dict[str, Any]) -> None:
        self.queue.append(
            Operation(
                id=id_,
                table=table,
                record=record.id,
                kind=kind,
                base_version=record.version,
                created_at=self.now() + timedelta(microseconds=next(self.clock)),
                fields=fields,
            )
        )

    async def come_online(self) -> None:
        """Send what waits, in pushes of at most 50, and pull."""
        while self.queue:
            batch = self.queue[:50]
            self.sent |= {each.id: each for each in batch}
            self.report.pushes += 1
            sending = [self.app.offline.push(actor=self.actor, operations=batch, sent_at=self.now())]
            if self.rng.random() < DOUBLED:
                self.report.doubled += 1
                sending.append(self.app.offline.push(actor=self.actor, operations=batch, sent_at=self.now()))
            answers = await asyncio.gather(*sending)
            if self.rng.random() < LOST:
                self.report.lost += 1
                return  # no pull either: the connection is gone
            if not self._heard(answers[-1]):
                return
        await self.pull()

    def _heard(self, answer: Sequence[tuple[Outcome, Record | None]]) -> bool:
        settled = {outcome.id: outcome for outcome, _ in answer if outcome.result != "retry"}
        self.outcomes |= settled
        self.queue = [each for each in self.queue if each.id not in settled]
        return len(settled) == len(answer)

    async def pull(self) -> None:
        """Take what changed, page by page."""
        more = True
        while more:
            pulled = await self.app.offline.pull(
                actor=self.actor, since=self.cursor, limit=self.rng.choice((3, 50, 500))
            )
            for record in pulled.updated:
                self.records[record.table, record.id] = record
            for key in pulled.deleted:
                self.records.pop(key, None)
            self.cursor, more = pulled.cursor, pulled.more
        self._status.clear()


async def soak(plan: Plan, *, app: App) -> Report:
    """Do it in an empty store."""
    began = time.monotonic()
    rng, report = random.Random(plan.seed), Report()
    people = [f"tech_{number}" for number in range(plan.phones)]
    await app.store.directory.enrol(
        Tenant(id=TENANT, name="Soak"),
        [
            User(id=MARTA.id, tenant=TENANT, name="Marta", role="dispatcher"),
            *(User(id=id_, tenant=TENANT, name=id_, role="technician") for id_ in people),
        ],
    )
    jobs = await _furnish(plan, app, rng, people)
    ticks = itertools.count()
    phones = [
        Phone(
            Actor(tenant=TENANT, id=id_, role="technician", correlation=f"corr_{id_}"),
            random.Random(rng.random()),
            app,
            report,
            ticks,
            timedelta(days=rng.choice((0, 0, 0, 365, -365))),
        )
        for id_ in people
    ]
    await asyncio.gather(*(each.pull() for each in phones))
    made = idle = 0
    while made < plan.operations and idle < 50 * plan.phones:
        some = rng.sample(phones, min(AT_ONCE, len(phones)))
        online = []
        for phone in some:
            for _ in range(min(rng.randrange(1, 9), plan.operations - made)):
                worked = phone.work()
                made, idle = made + worked, 0 if worked else idle + 1
            if rng.random() < 0.4:
                online.append(phone.come_online())
        await asyncio.gather(*online, *(_meddle(app, rng, jobs, people, report) for _ in range(3)))
    for _ in range(100):
        waiting = [each for each in phones if each.queue]
        if not waiting:
            break
        for batch in _batches(waiting):
            await asyncio.gather(*(each.come_online() for each in batch))
    for batch in _batches(phones):
        await asyncio.gather(*(each.pull() for each in batch))
    await _compare(app, phones, report, made=made)
    report.seconds = time.monotonic() - began
    return report


async def _furnish(plan: Plan, app: App, rng: random.Random, people: Sequence[str]) -> list[str]:
    customers = [(await app.customers.register(actor=MARTA, name=f"Ana {number}")).id for number in range(20)]
    found = []
    for number in range(plan.jobs):
        job = await app.jobs.open(actor=MARTA, customer_id=rng.choice(customers), title=f"Aire {number}")
        await _schedule(app, job.id, people[number % len(people)])
        found.append(job.id)
    return found


async def _schedule(app: App, job_id: str, technician: str) -> None:
    await app.jobs.schedule(
        actor=MARTA, job_id=job_id, technician_id=technician, starts_at=START, ends_at=START + timedelta(hours=2)
    )


async def _meddle(app: App, rng: random.Random, jobs: Sequence[str], people: Sequence[str], report: Report) -> None:
    """Do what a dispatcher does meanwhile; what cannot be done is let be."""
    job_id, chance, technician = rng.choice(jobs), rng.random(), rng.choice(people)
    try:
        if chance < 0.1:
            await app.jobs.cancel(actor=MARTA, job_id=job_id, reason="lluvia")
            did = "cancelled"
        elif chance < 0.3:
            await app.jobs.depart(actor=MARTA, job_id=job_id)
            did = "sent off"
        elif chance < 0.5:
            await app.jobs.unschedule(actor=MARTA, job_id=job_id)
            await _schedule(app, job_id, technician)
            did = "reassigned"
        elif chance < 0.8:
            await app.jobs.change(actor=MARTA, job_id=job_id, title=f"Luz {chance}", notes=f"timbre {chance}")
            did = "changed"
        else:
            job = await app.jobs.show(actor=MARTA, job_id=job_id)
            await app.customers.change(actor=MARTA, customer_id=job.customer_id, address=f"Mitre {chance}")
            did = "customers changed"
    except Conflict:
        did = "not possible"
    report.office[did] += 1


def _batches(phones: Sequence[Phone]) -> Iterator[Sequence[Phone]]:
    for start in range(0, len(phones), AT_ONCE):
        yield phones[start : start + AT_ONCE]


async def _compare(app: App, phones: Sequence[Phone], report: Report, *, made: int) -> None:
    """Hold phones, server and what happened to the jobs against each other."""
    wrong = report.violations
    moves: Counter[tuple[str, str, str]] = Counter()
    for phone in phones:
        name = phone.actor.id
        report.outcomes.update(each.result for each in phone.outcomes.values())
        if phone.queue:
            wrong.append(f"{name} still has {len(phone.queue)} operations that nobody answered")
        kept = await app.store.feed.outcomes(TENANT, name, list(phone.sent))
        for id_, operation in phone.sent.items():
            told = phone.outcomes.get(id_)
            if id_ not in kept or told is None or kept[id_][1].result != told.result:
                wrong.append(f"{id_} is {kept.get(id_)} here and {told} on the phone")
            elif told.result in {"applied", "merged"} and "status" in operation.fields:
                moves[name, operation.record, operation.fields["status"]] += 1
        fresh = await app.offline.pull(actor=phone.actor, since=None, whole=True)
        theirs = {(each.table, each.id): each for each in fresh.updated}
        if theirs != phone.records:
            differing = [
                key for key in theirs.keys() | phone.records.keys() if theirs.get(key) != phone.records.get(key)
            ]
            wrong.append(f"{name} and the server do not agree on {differing}")
    if sum(report.outcomes.values()) != made:
        wrong.append(f"of {made} operations {sum(report.outcomes.values())} were answered")
    await _count(app, phones, moves, wrong)


async def _count(app: App, phones: Sequence[Phone], moves: Counter[tuple[str, str, str]], wrong: list[str]) -> None:
    """Count what was applied in what it left behind: a fact for each move, a version for each write of a line."""
    happened: Counter[tuple[str, str, str]] = Counter()
    told = dict(zip(MOVES, ("en_camino", "working", "completed", "scheduled"), strict=True))
    writes: Counter[str] = Counter()
    for phone in phones:
        for id_, operation in phone.sent.items():
            if operation.table == "line_items" and phone.outcomes[id_].result in {"applied", "merged"}:
                writes[operation.record] += 1
    page = await app.store.feed.changes(TENANT, "", since=0, limit=1_000_000)
    for change in page.changes:
        if change.table != "jobs":
            continue
        for entry in await app.store.jobs.timeline(TENANT, change.id):
            if entry.kind in told:
                happened[entry.actor, change.id, told[entry.kind]] += 1
        wrong += [
            f"{item.id} was written {item.version} times, and asked for {writes[item.id]} times"
            for item in change.items
            if item.kind == "line_items" and item.version - (item.state == "final") != writes[item.id]
        ]
    for who, job_id, to in happened | moves:
        # A job that the dispatcher had sent off was where the technician wanted it: that is applied, and moves nothing.
        asked, done = moves[who, job_id, to], happened[who, job_id, to]
        if who != MARTA.id and done != asked and not (done < asked and happened[MARTA.id, job_id, to]):
            wrong.append(f"{who} moved {job_id} to {to} {done} times, and it was applied {asked} times")


def application(database_url: str, folder: Path) -> App:
    """Build the application over a database."""
    environ = {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(folder), "CUADRILLA_DATABASE_URL": database_url}
    settings = read_settings(environ, directory=folder)
    if not database_url.startswith("memory:"):
        migrate(settings)
    return build(settings)


async def main() -> int:
    """Run it against a PostgreSQL server of its own, print what happened, and return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, default in (("phones", 200), ("operations", 10_000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    plan = Plan(**vars(parser.parse_args()))
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.postgres() as server,
        servers.fresh_database(server) as url,
    ):
        app = await asyncio.to_thread(application, url, Path(folder))
        async with app.running():
            report = await soak(plan, app=app)
    print(report)
    for each in report.violations:
        print("VIOLATION", each)
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
