"""The feed of phones in memory, and what they brought."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from attrs import define, evolve, field, frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Rows, Staged
from core.customers import Customer
from core.jobs import Job
from core.kernel.actor import Actor
from core.kernel.time import Clock
from core.offline import EVERYTHING, ORIGINS, Change, Item, OperationTaken, Outcome, Page, Stamp

_STAMPED: Final[Mapping[str, Sequence[str]]] = {
    "jobs": (
        "status",
        "customer_id",
        "technician_id",
        "title",
        "wish",
        "place",
        "starts_at",
        "ends_at",
        "lines",
        "notes",
        "photos",
        "signature",
        "invoice_id",
        "currency",
    ),
    "customers": ("name", "phone", "vat_condition", "document_type", "document_number", "address"),
}


@define
class _Feed:
    origin: int = field(factory=lambda: secrets.choice(ORIGINS))
    seq: int = 1


@define
class OfflineRows:
    """What is committed: places by tenant and audience, items by tenant and kind, operations by their owner."""

    feeds: dict[str, _Feed] = field(factory=dict)
    places: dict[tuple[str, str], dict[tuple[str, str], tuple[int, bool]]] = field(factory=dict)
    stamps: dict[tuple[str, str, str], dict[str, Stamp]] = field(factory=dict)
    items: dict[tuple[str, str, str], Item] = field(factory=dict)
    operations: dict[tuple[str, str, str], tuple[str, Outcome]] = field(factory=dict)

    def feed(self, tenant: str) -> _Feed:
        return self.feeds.setdefault(tenant, _Feed())

    def put(self, tenant: str, audience: str, record: tuple[str, str], seq: int, *, gone: bool) -> None:
        self.places.setdefault((tenant, audience), {})[record] = (seq, gone)

    def lose(self, tenant: str, audience: str, record: tuple[str, str], seq: int) -> None:
        places = self.places.get((tenant, audience), {})
        if record in places:
            places[record] = (seq, True)

    def of_job(self, tenant: str, job_id: str) -> tuple[Item, ...]:
        return tuple(each for each in self.items.values() if (each.tenant, each.job_id) == (tenant, job_id))


@define
class StagedOffline:
    """What one transaction brings; it looks at the rows before they change, so it is applied before them."""

    _rows: OfflineRows
    _actor: Actor
    _clock: Clock
    _jobs: Staged[Job]
    _customers: Staged[Customer]
    _items: dict[tuple[str, str, str], Item] = field(factory=dict)
    _touched: list[tuple[str, str, str]] = field(factory=list)
    _buried: list[tuple[str, str, str, str]] = field(factory=list)
    _kept: dict[tuple[str, str, str], tuple[str, Outcome]] = field(factory=dict)

    def seen(self, tenant: str, audience: str, records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Change]:
        places = self._rows.places.get((tenant, audience), {})
        return {
            record: self._change(tenant, record, *places[record])
            for record in dict.fromkeys(records)
            if record in places
        }

    def items(self, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Item]:
        every = {**self._rows.items, **self._items}
        return {id_: every[tenant, kind, id_] for id_ in ids if (tenant, kind, id_) in every}

    def save(self, item: Item) -> None:
        self._items[item.tenant, item.kind, item.id] = item
        self._touched.append((item.tenant, "jobs", item.job_id))

    def touch(self, tenant: str, table: str, record_id: str) -> None:
        self._touched.append((tenant, table, record_id))

    def bury(self, tenant: str, audience: str, records: Sequence[tuple[str, str]]) -> None:
        self._buried += [(tenant, audience, *record) for record in dict.fromkeys(records)]

    def keep(self, tenant: str, owner: str, fingerprint: str, outcome: Outcome) -> None:
        self._kept[tenant, owner, outcome.id] = (fingerprint, outcome)
        self.check()

    def check(self) -> None:
        """Raise `OperationTaken` if somebody else applied an operation of ours in between."""
        for key in self._kept:
            if key in self._rows.operations:
                msg = f"the operation {key[2]} was applied by somebody else"
                raise OperationTaken(msg)

    def apply(self) -> None:
        """Give every change its place; cannot fail after `check`."""
        self._rows.operations.update(self._kept)
        self._rows.items.update(self._items)
        changed = {("jobs", *key) for key, _, _ in self._jobs.changes()}
        changed |= {("customers", *key) for key, _, _ in self._customers.changes()}
        for tenant, table, record_id in dict.fromkeys(self._touched):
            if (table, tenant, record_id) not in changed:
                self._again(tenant, table, record_id)
        for _, was, job in self._jobs.changes():
            self._job(was, job)
        for _, before, customer in self._customers.changes():
            self._customer(before, customer)
        for tenant, audience, table, record_id in self._buried:
            self._rows.put(tenant, audience, (table, record_id), self._place(tenant), gone=True)

    def _again(self, tenant: str, table: str, record_id: str) -> None:
        if table == "jobs":
            job = self._jobs.get(tenant, record_id)
            if job is not None:
                self._job(job, job)
        else:
            customer = self._customers.get(tenant, record_id)
            if customer is not None:
                self._customer(customer, customer)

    def _job(self, was: Job | None, job: Job) -> None:
        rows, tenant, n = self._rows, job.tenant, self._place(job.tenant)
        self._stamp("jobs", was, job)
        rows.put(tenant, EVERYTHING, ("jobs", job.id), n, gone=False)
        if job.technician_id is not None:
            rows.put(tenant, job.technician_id, ("jobs", job.id), n, gone=False)
            if was is None or (was.technician_id, was.customer_id) != (job.technician_id, job.customer_id):
                rows.put(tenant, job.technician_id, ("customers", job.customer_id), n - 2, gone=False)
        if was is not None and was.technician_id not in (None, job.technician_id):
            rows.lose(tenant, was.technician_id or "", ("jobs", was.id), n)
            if was.technician_id not in set(self._technicians(tenant, was.customer_id)):
                rows.lose(tenant, was.technician_id or "", ("customers", was.customer_id), n - 1)

    def _customer(self, was: Customer | None, customer: Customer) -> None:
        tenant, n = customer.tenant, self._place(customer.tenant)
        self._stamp("customers", was, customer)
        for audience in {EVERYTHING, *self._technicians(tenant, customer.id)}:
            self._rows.put(tenant, audience, ("customers", customer.id), n, gone=False)

    def _stamp(self, table: str, was: Job | Customer | None, row: Job | Customer) -> None:
        stamps = self._rows.stamps.setdefault((row.tenant, table, row.id), {})
        if was is None:
            return
        stamp = Stamp(version=row.version, by=self._actor.id, at=self._clock())
        stamps |= {name: stamp for name in _STAMPED[table] if getattr(was, name) != getattr(row, name)}

    def _technicians(self, tenant: str, customer_id: str) -> Iterator[str]:
        for job in self._jobs.of(tenant):
            if job.customer_id == customer_id and job.technician_id is not None:
                yield job.technician_id

    def _place(self, tenant: str) -> int:
        feed = self._rows.feed(tenant)
        feed.seq += 3
        return feed.seq

    def _change(self, tenant: str, record: tuple[str, str], seq: int, gone: bool) -> Change:  # noqa: FBT001 - as it is kept
        table, id_ = record
        row = self._jobs.get(tenant, id_) if table == "jobs" else self._customers.get(tenant, id_)
        change = change_of(table, id_, seq, row, self._rows, tenant=tenant, gone=gone)
        return evolve(change, stamps=dict(self._rows.stamps.get((tenant, table, id_), {})))


def change_of(
    table: str, id_: str, seq: int, row: Job | Customer | None, rows: OfflineRows, *, tenant: str, gone: bool
) -> Change:
    """Return a change with its record as plain data."""
    plain: dict[str, Any] | None = None
    if row is not None and table in _STAMPED:
        plain = msgspec.to_builtins(row, builtin_types=(datetime,))
    items = rows.of_job(tenant, id_) if table == "jobs" else ()
    return Change(table=table, id=id_, seq=seq, gone=gone, row=plain, items=items)


@frozen
class MemoryPhoneRecords:
    """`core.offline.ports.PhoneRecords`."""

    _staged: StagedOffline
    _steps: Steps

    async def seen(
        self, tenant: str, audience: str, records: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Change]:
        """Return the newest change, with its stamps, of those records that the audience ever saw."""
        return await self._steps("offline.seen", lambda: self._staged.seen(tenant, audience, records))

    async def items(self, tenant: str, kind: str, ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the items of a kind by id."""
        return await self._steps("offline.items", lambda: self._staged.items(tenant, kind, ids))

    async def save(self, item: Item) -> None:
        """Store the item and let its job come to all phones again."""
        await self._steps("offline.save", lambda: self._staged.save(item))

    async def touch(self, tenant: str, table: str, record_id: str) -> None:
        """Let a job or customer come to all phones again."""
        await self._steps("offline.touch", lambda: self._staged.touch(tenant, table, record_id))

    async def bury(self, tenant: str, audience: str, records: Sequence[tuple[str, str]]) -> None:
        """Let records come to the audience as deleted."""
        await self._steps("offline.bury", lambda: self._staged.bury(tenant, audience, records))


@frozen
class MemoryOperations:
    """`core.offline.ports.Operations`."""

    _staged: StagedOffline
    _steps: Steps

    async def keep(self, tenant: str, owner: str, fingerprint: str, outcome: Outcome, *, at: datetime) -> None:  # noqa: ARG002
        """Store what became of an operation; raise `OperationTaken`."""
        await self._steps("operations.keep", lambda: self._staged.keep(tenant, owner, fingerprint, outcome))


@frozen
class MemoryFeed:
    """`core.offline.ports.Feed`."""

    _rows: OfflineRows
    _jobs: Rows[Job]
    _customers: Rows[Customer]
    _steps: Steps

    async def changes(self, tenant: str, audience: str, *, since: int, limit: int) -> Page:
        """Return up to `limit` changes after a place, in one view."""
        return await self._steps("offline.changes", lambda: self._page(tenant, audience, since, limit))

    async def outcomes(
        self, tenant: str, owner: str, operation_ids: Sequence[str]
    ) -> Mapping[str, tuple[str, Outcome]]:
        """Return the fingerprint and outcome of those operations that were applied."""
        known = self._rows.operations

        def found() -> dict[str, tuple[str, Outcome]]:
            return {id_: known[tenant, owner, id_] for id_ in operation_ids if (tenant, owner, id_) in known}

        return await self._steps("offline.outcomes", found)

    def _page(self, tenant: str, audience: str, since: int, limit: int) -> Page:
        places = self._rows.places.get((tenant, audience), {})
        after = sorted(
            (seq, record, gone) for record, (seq, gone) in places.items() if seq > since and (since != 0 or not gone)
        )
        changes = []
        for seq, (table, id_), gone in after[:limit]:
            key = (tenant, id_)
            row = self._jobs.get(key) if table == "jobs" else self._customers.get(key)
            changes.append(change_of(table, id_, seq, row, self._rows, tenant=tenant, gone=gone))
        feed = self._rows.feed(tenant)
        return Page(origin=feed.origin, newest=feed.seq, changes=changes, more=len(after) > limit)
