"""What phones are to be told, and what they brought, in tables.

Triggers keep the feed (see the migration `0010`); here it is read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from adapters.sql.database import Database
from adapters.sql.rows import either, from_json, replacing
from adapters.sql.tables import (
    customers,
    jobs,
    offline_changes,
    offline_feeds,
    offline_items,
    offline_operations,
)
from adapters.sql.writer import Writer
from core.offline import EVERYTHING, ORIGINS, Change, Item, OperationTaken, Outcome, Page, Stamp

_JOB: Final = (
    "status",
    "title",
    "notes",
    "wish",
    "place",
    "customer_id",
    "technician_id",
    "starts_at",
    "ends_at",
    "lines",
    "photos",
    "signature",
    "currency",
    "invoice_id",
)
_CUSTOMER: Final = ("name", "phone", "address", "vat_condition", "document_type", "document_number")
_ITEM: Final = ("kind", "id", "version", "place", "fields", "stamps", "state")
_TOUCHED: Final[Mapping[str, sa.Table]] = {"jobs": jobs, "customers": customers}


def _joined(places: Any, start: Any) -> Any:
    """Join changes to the records that they are about, and to what phones made for those."""
    ours = places.c
    of_job = sa.and_(ours.kind == "jobs", jobs.c.tenant == ours.tenant, jobs.c.id == ours.record_id)
    of_customer = sa.and_(ours.kind == "customers", customers.c.tenant == ours.tenant, customers.c.id == ours.record_id)
    items = sa.and_(
        ours.kind == "jobs", offline_items.c.tenant == ours.tenant, offline_items.c.job_id == ours.record_id
    )
    return start.outerjoin(jobs, of_job).outerjoin(customers, of_customer).outerjoin(offline_items, items)


_RECORDS: Final = (
    jobs.c.version,
    *(jobs.c[name] for name in _JOB),
    customers.c.version.label("customer_version"),
    *(customers.c[name] for name in _CUSTOMER),
    *(offline_items.c[name].label(f"item_{name}") for name in _ITEM),
)
_AT_RECORDS: Final = 6
"""Where those begin in a row: after the feed's own columns and the place's, in both statements."""


_PLACES: Final = offline_changes.alias("places")


def _pulling() -> sa.Executable:
    since = sa.bindparam("since", type_=sa.BigInteger)
    each = offline_changes.c
    page = (
        sa.select(each.tenant, each.kind, each.record_id, each.seq, each.gone)
        .where(
            each.tenant == sa.bindparam("t"),
            each.audience == sa.bindparam("audience"),
            each.seq > since,
            sa.or_(sa.not_(each.gone), since != 0),
        )
        .order_by(each.seq)
        .limit(sa.bindparam("limit", type_=sa.BigInteger))
        .subquery("page")
    )
    start = offline_feeds.outerjoin(page, page.c.tenant == offline_feeds.c.tenant)
    pulling: sa.Executable = (
        sa.select(
            offline_feeds.c.origin,
            offline_feeds.c.seq.label("newest"),
            page.c.kind,
            page.c.record_id,
            page.c.seq,
            page.c.gone,
            *_RECORDS,
        )
        .select_from(_joined(page, start))
        .where(offline_feeds.c.tenant == sa.bindparam("t"))
        .order_by(page.c.seq)
    )
    return pulling


def _seeing(*, sqlite: bool) -> sa.Executable:
    every = offline_changes.alias("everything")
    ours = _PLACES.c
    stamps = sa.and_(
        every.c.tenant == ours.tenant,
        every.c.audience == EVERYTHING,
        every.c.kind == ours.kind,
        every.c.record_id == ours.record_id,
    )
    wanted = sa.or_(
        *(sa.and_(ours.kind == kind, _named(ours.record_id, kind, sqlite=sqlite)) for kind in _TOUCHED),
    )
    seeing: sa.Executable = (
        sa.select(sa.literal(0), every.c.stamps, ours.kind, ours.record_id, ours.seq, ours.gone, *_RECORDS)
        .select_from(_joined(_PLACES, _PLACES.outerjoin(every, stamps)))
        .where(ours.tenant == sa.bindparam("t"), ours.audience == sa.bindparam("audience"), wanted)
        .order_by(ours.kind, ours.record_id)
    )
    return seeing


def _named(column: Any, parameter: str, *, sqlite: bool) -> sa.ColumnElement[bool]:
    """Return whether the column's value is among those that will be given; the statement is made once."""
    named: sa.ColumnElement[bool]
    if sqlite:
        named = column.in_(sa.bindparam(parameter, expanding=True))
    else:
        named = column == sa.any_(sa.bindparam(parameter, type_=postgresql.ARRAY(sa.Text)))
    return named


def _beginning(insert: Any) -> sa.Executable:
    begun: sa.Executable = (
        insert(offline_feeds)
        .values(
            tenant=sa.bindparam("t"),
            origin=sa.bindparam("origin", type_=sa.Integer),
            seq=1,
        )
        .on_conflict_do_nothing()
    )
    return begun


def _advancing(insert: Any) -> sa.Executable:
    new = insert(offline_feeds).values(tenant=sa.bindparam("t"), origin=1024, seq=1)
    placed: sa.Executable = new.on_conflict_do_update(
        index_elements=["tenant"], set_={"seq": offline_feeds.c.seq + sa.bindparam("places", type_=sa.BigInteger)}
    ).returning(offline_feeds.c.seq)
    return placed


def _keeping(insert: Any) -> sa.Executable:
    row: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in offline_operations.columns}
    kept: sa.Executable = (
        insert(offline_operations).values(row).on_conflict_do_nothing().returning(offline_operations.c.id)
    )
    return kept


def _burying(insert: Any) -> sa.Executable:
    row: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in offline_changes.columns}
    new = insert(offline_changes).values(row)
    buried: sa.Executable = new.on_conflict_do_update(
        index_elements=["tenant", "audience", "kind", "record_id"],
        set_={"seq": new.excluded.seq, "gone": new.excluded.gone},
    )
    return buried


_PULL: Final = _pulling()
_SEE: Final = {sqlite: _seeing(sqlite=sqlite) for sqlite in (True, False)}
_ITEMS: Final = {
    sqlite: sa.select(offline_items).where(
        offline_items.c.tenant == sa.bindparam("t"),
        offline_items.c.kind == sa.bindparam("kind"),
        _named(offline_items.c.id, "ids", sqlite=sqlite),
    )
    for sqlite in (True, False)
}
_OUTCOMES: Final = {
    sqlite: sa.select(offline_operations.c.id, offline_operations.c.fingerprint, offline_operations.c.outcome).where(
        offline_operations.c.tenant == sa.bindparam("t"),
        offline_operations.c.owner == sa.bindparam("owner"),
        _named(offline_operations.c.id, "ids", sqlite=sqlite),
    )
    for sqlite in (True, False)
}
_TOUCH: Final = {
    name: sa.update(table)
    .where(table.c.tenant == sa.bindparam("t"), table.c.id == sa.bindparam("i"))
    .values(changed_by=table.c.changed_by)
    for name, table in _TOUCHED.items()
}
"""Changes nothing, and lets the trigger take a new place."""
_BEGIN: Final = either(_beginning)
_ADVANCE: Final = either(_advancing)
_KEEP: Final = either(_keeping)
_BURY: Final = either(_burying)
_SAVE: Final = replacing(offline_items)


class SqlFeed:
    """`core.offline.ports.Feed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changes(self, tenant: str, audience: str, *, since: int, limit: int) -> Page:
        """Return up to `limit` changes after a place, in one statement and so in one view."""
        values = {"t": tenant, "audience": audience, "since": since, "limit": limit + 1}
        rows = await self._database.rows(_PULL, values, tenant=tenant)
        if not rows:  # nothing ever changed
            await self._database.change(_BEGIN(self._database.sqlite), _new_feed(tenant), tenant=tenant)
            rows = await self._database.rows(_PULL, values, tenant=tenant)
        origin, newest, kind = rows[0][:3]
        changes = [] if kind is None else _changes(tenant, rows)
        return Page(origin=origin, newest=newest, changes=changes[:limit], more=len(changes) > limit)

    async def outcomes(
        self, tenant: str, owner: str, operation_ids: Sequence[str]
    ) -> Mapping[str, tuple[str, Outcome]]:
        """Return the fingerprint and outcome of those operations that were applied."""
        if not operation_ids:
            return {}
        values = {"t": tenant, "owner": owner, "ids": list(operation_ids)}
        rows = await self._database.rows(_OUTCOMES[self._database.sqlite], values, tenant=tenant)
        return {row.id: (row.fingerprint, from_json(row.outcome, Outcome)) for row in rows}


class SqlPhoneRecords:
    """`core.offline.ports.PhoneRecords`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def seen(
        self, tenant: str, audience: str, records: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Change]:
        """Return the newest change, with its stamps, of those records that the audience ever saw."""
        if not records:
            return {}
        values: dict[str, Any] = {"t": tenant, "audience": audience}
        values |= {kind: [id_ for table, id_ in records if table == kind] for kind in _TOUCHED}
        rows = await self._writer.run(_SEE[self._writer.sqlite], values)
        return {(each.table, each.id): each for each in _changes(tenant, rows, stamped=True)}

    async def items(self, tenant: str, kind: str, ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the items of a kind by id."""
        rows = await self._writer.run(_ITEMS[self._writer.sqlite], {"t": tenant, "kind": kind, "ids": list(ids)})
        return {
            row.id: _item(
                tenant, row.job_id, (row.kind, row.id, row.version, row.place, row.fields, row.stamps, row.state)
            )
            for row in rows
        }

    async def save(self, item: Item) -> None:
        """Store the item and let its job come to all phones again."""
        row = {
            "tenant": item.tenant,
            "kind": item.kind,
            "id": item.id,
            "version": item.version,
            "job_id": item.job_id,
            "place": item.place,
            "fields": dict(item.values),
            "stamps": {name: [each.version, each.by, each.at] for name, each in item.stamps.items()},
            "state": item.state,
        }
        await self._writer.run(_SAVE(self._writer.sqlite), row)
        await self.touch(item.tenant, "jobs", item.job_id)

    async def touch(self, tenant: str, table: str, record_id: str) -> None:
        """Let a job or customer come to all phones again: its trigger takes a new place for it."""
        await self._writer.run(_TOUCH[table], {"t": tenant, "i": record_id})

    async def bury(self, tenant: str, audience: str, records: Sequence[tuple[str, str]]) -> None:
        """Let records come to the audience as deleted."""
        sqlite = self._writer.sqlite
        await self._writer.run(_BEGIN(sqlite), _new_feed(tenant))
        (last,) = await self._writer.first(_ADVANCE(sqlite), {"t": tenant, "places": len(records)})
        rows = [
            {
                "tenant": tenant,
                "audience": audience,
                "kind": table,
                "record_id": id_,
                "seq": last - place,
                "gone": True,
                "stamps": {},
            }
            for place, (table, id_) in enumerate(dict.fromkeys(records))
        ]
        await self._writer.run(_BURY(sqlite), rows)


class SqlOperations:
    """`core.offline.ports.Operations`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def keep(self, tenant: str, owner: str, fingerprint: str, outcome: Outcome, *, at: datetime) -> None:
        """Store what became of an operation; raise `OperationTaken`."""
        row = {
            "tenant": tenant,
            "owner": owner,
            "id": outcome.id,
            "fingerprint": fingerprint,
            "outcome": msgspec.to_builtins(outcome),
            "at": at,
        }
        if await self._writer.first(_KEEP(self._writer.sqlite), row) is None:
            msg = f"the operation {outcome.id} was applied by somebody else"
            raise OperationTaken(msg)


def _new_feed(tenant: str) -> dict[str, Any]:
    return {"t": tenant, "origin": secrets.choice(ORIGINS)}


def _changes(tenant: str, rows: Sequence[Any], *, stamped: bool = False) -> list[Change]:
    """Return the changes that rows tell of; a job with several items has as many rows, one after the other."""
    found: list[Change] = []
    items: list[Item] = []
    last: tuple[str, str] | None = None
    of_customer = _AT_RECORDS + 1 + len(_JOB)
    of_item = of_customer + 1 + len(_CUSTOMER)
    for each in rows:
        kind, id_ = each[2], each[3]
        if (kind, id_) != last:
            last, items = (kind, id_), []
            start, names = (_AT_RECORDS, _JOB) if kind == "jobs" else (of_customer, _CUSTOMER)
            row: dict[str, Any] | None = None
            if each[start] is not None:
                row = dict(zip(names, each[start + 1 : start + 1 + len(names)], strict=True))
                row["id"], row["version"] = id_, each[start]
            found.append(
                Change(
                    table=kind,
                    id=id_,
                    seq=each[4],
                    gone=each[5],
                    row=row,
                    items=items,
                    stamps=_stamps(each[1]) if stamped else {},
                )
            )
        if each[of_item] is not None:
            items.append(_item(tenant, id_, each[of_item:]))
    return found


def _item(tenant: str, job_id: str, row: Sequence[Any]) -> Item:
    kind, id_, version, place, fields, stamps, state = row
    return Item(
        tenant=tenant,
        kind=kind,
        id=id_,
        version=version,
        job_id=job_id,
        place=place,
        values=fields,
        stamps=_stamps(stamps),
        state=state,
    )


def _stamps(stored: Mapping[str, Any] | None) -> Mapping[str, Stamp]:
    """Return the stamps that a trigger or we wrote; one of a release that did not say who wrote counts for nothing."""
    return {
        name: Stamp(version=version, by=by, at=_instant(at))
        for name, (version, by, at) in (stored or {}).items()
        if by is not None and at is not None
    }


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
