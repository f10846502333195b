"""Phones that were without a connection: our own protocol, and WatermelonDB's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
from attrs import field, frozen
from starlette.responses import Response

from core.kernel.actor import NotAllowed
from core.kernel.errors import Invalid
from core.offline import (
    ORIGINS,
    PAGE_AT_MOST,
    PUSH_AT_MOST,
    TABLES,
    Collided,
    Cursor,
    Decision,
    ForeignCursor,
    Operation,
    Outcome,
    Record,
    TooManyOperations,
)
from entrypoints.http.endpoints.endpoint import UPLOAD, Call, Endpoint
from entrypoints.http.problems import Malformed, problem
from entrypoints.http.wire import Attempt, camel

PAGE: Final = 1000
_NOTHING: Final = frozenset({"", "0", "null", "undefined"})
"""What client code writes for an absent value."""
_ID: Final = 100
_DEEPEST: Final = 16
"""How deep lists and objects may nest in `fields`; what a record takes needs three."""
_DIGITS: Final = 16
_OLDEST_CURSOR: Final = Cursor(ORIGINS.start, 0).number
"""Smaller numbers are times, in seconds or milliseconds."""
STATUS: Final[Mapping[str, int]] = {
    "applied": 200,
    "merged": 200,
    "conflict": 409,
    "refused": 422,
    "gone": 410,
    "retry": 503,
}
_COLUMNS: Final = {table: {name: camel(name) for name in columns} for table, columns in TABLES.items()}
_FIELDS: Final = {
    **{camel(name): name for columns in TABLES.values() for name in columns},
    "signedBy": "signed_by",
}


@frozen(kw_only=True)
class SyncOperation:
    """Something that was done on a phone: `fields` as the record's, and with a status what its transition takes.

    `priority` is high, medium or low, `kind` create, update, delete or read; `createdAt` is by the phone's clock.
    """

    id: str
    table: str
    record: str
    kind: str = "update"
    priority: str | None = None
    base_version: int | None = None
    created_at: datetime | None = None
    fields: dict[str, Any] = field(factory=dict)

    def operation(self) -> Operation:
        for name, text in (("id", self.id), ("record", self.record), ("table", self.table)):
            if not 1 <= len(text) <= _ID or not text.isprintable():
                msg = f"{name} has 1 to {_ID} characters"
                raise Invalid(msg, field=name)
        return Operation(
            id=self.id,
            table=self.table,
            record=self.record,
            kind=self.kind,
            priority=self.priority,
            base_version=self.base_version,
            created_at=self.created_at,
            fields=_inwards(self.fields),
        )


@frozen(kw_only=True)
class SyncPush:
    """At most 50 operations; `sentAt` is what the phone's clock says as it sends them."""

    FORGIVING: ClassVar[bool] = True

    operations: tuple[Attempt[SyncOperation], ...]
    sent_at: datetime | None = None


class Changes(dict[str, Any]):
    """WatermelonDB's changes: for each table what was created, updated and deleted."""

    FORGIVING: ClassVar[bool] = True


@frozen(kw_only=True)
class SyncDecision:
    """What became of one field (or record) and by which rule; `kept` is phone, server or ask."""

    field: str | None
    rule: str
    kept: str
    yours: str | float | bool | None
    theirs: str | float | bool | None
    by: str | None
    at: datetime | None
    why: str


@frozen(kw_only=True)
class SyncResult:
    """What became of one operation; `outcome` is applied, merged, conflict, refused, gone or retry, `current` the record now."""

    id: str
    table: str
    record: str
    outcome: str
    status: int
    repeated: bool
    code: str | None
    detail: str
    explanation: str
    decisions: tuple[SyncDecision, ...]
    current: dict[str, Any] | None


@frozen(kw_only=True)
class SyncResults:
    """One result for each operation, in the order in which they were sent."""

    results: tuple[SyncResult, ...]


@frozen(kw_only=True)
class SyncChanges:
    """For each table `updated` records and `deleted` ids; with `more`, pull again at once with the cursor."""

    changes: dict[str, Any]
    cursor: str
    more: bool


@frozen(kw_only=True)
class WatermelonChanges:
    """WatermelonDB's answer to a pull; all live records are in `updated` (pass `sendCreatedAsUpdated`)."""

    changes: dict[str, Any]
    timestamp: int
    experimental_strategy: str | None = None


@frozen(kw_only=True)
class WatermelonTaken:
    """What of a push stays with the phone, and what became otherwise than it wanted."""

    experimental_rejected_ids: dict[str, Any]
    conflicts: tuple[SyncResult, ...]


async def pull_changes(call: Call) -> Response:
    since, removals = _since(call.query("since"))
    pulled = await call.app.offline.pull(
        actor=call.actor, since=since, limit=_limit(call.query("limit")), removals=removals
    )
    changes: dict[str, dict[str, list[Any]]] = {table: {"updated": [], "deleted": []} for table in TABLES}
    for record in pulled.updated:
        changes[record.table]["updated"].append(_outwards(record))
    for table, id_ in pulled.deleted:
        changes[table]["deleted"].append(id_)
    return _json({"changes": changes, "cursor": str(pulled.cursor.number), "more": pulled.more})


async def push_operations(call: Call) -> Response:
    push: SyncPush = call.body
    if len(push.operations) > PUSH_AT_MOST:
        raise TooManyOperations(len(push.operations))
    read: list[tuple[int, Operation]] = []
    results: dict[int, dict[str, Any]] = {}
    for place, attempt in enumerate(push.operations):
        try:
            if attempt.read is None:
                raise attempt.refused or Malformed("must be a JSON object")
            read.append((place, attempt.read.operation()))
        except Invalid as refused:
            named = attempt.read
            outcome = Outcome(
                id=named.id[:_ID] if named else "",
                table=named.table[:_ID] if named else "",
                record=named.record[:_ID] if named else "",
                result="refused",
                code=refused.code,
                detail=str(refused),
            )
            results[place] = _result(outcome, None)
    applied = await call.app.offline.push(
        actor=call.actor, operations=[operation for _, operation in read], sent_at=push.sent_at
    )
    results |= {place: _result(*done) for (place, _), done in zip(read, applied, strict=True)}
    told = [results[place] for place in range(len(push.operations))]
    if any(each["status"] == STATUS["conflict"] for each in told):
        return problem(
            409,
            code=Collided.code,
            detail="some operations need a person's choice; the others are settled, see results",
            request_id=call.request.state.request_id,
            more={"results": told},
        )
    return _json({"results": told})


async def pull_watermelon(call: Call) -> Response:
    text = call.query("last_pulled_at")
    tables = _migrated(call.query("migration"))
    strategy = None
    try:
        since = _watermelon_cursor(text)
        pulled = await call.app.offline.pull(actor=call.actor, since=since, whole=True)
    except ForeignCursor:  # the app starts again, and keeps what it has not pushed
        since, strategy = None, "replacement"
        pulled = await call.app.offline.pull(actor=call.actor, since=None, whole=True)
    changes: dict[str, dict[str, Any]] = {table: {"created": [], "updated": {}, "deleted": []} for table in TABLES}
    if tables and since is not None:
        everything = await call.app.offline.pull(actor=call.actor, since=None, whole=True)
        _add(changes, [each for each in everything.updated if each.table in tables])
    _add(changes, pulled.updated)
    for table, id_ in pulled.deleted:
        changes[table]["updated"].pop(id_, None)
        changes[table]["deleted"].append(id_)
    for part in changes.values():
        part["updated"] = list(part["updated"].values())
    answer: dict[str, Any] = {"changes": changes, "timestamp": pulled.cursor.number}
    if strategy is not None:
        answer["experimentalStrategy"] = strategy
    return _json(answer)


async def push_watermelon(call: Call) -> Response:
    body: dict[str, Any] = call.body
    changes = body["changes"] if isinstance(body.get("changes"), dict) and "created" not in body["changes"] else body
    sent_at = call.query("sent_at")
    try:
        taken = await call.app.offline.push_records(
            actor=call.actor,
            since=_watermelon_cursor(call.query("last_pulled_at")),
            changes=changes,
            sent_at=_instant(sent_at) if sent_at else None,
        )
    except Collided as collided:
        return problem(
            409,
            code=collided.code,
            detail=str(collided),
            request_id=call.request.state.request_id,
            more={"conflicts": [_result(each, None) for each in collided.outcomes]},
        )
    conflicts = [_result(each, None) for each in taken.outcomes]
    return _json({"experimentalRejectedIds": taken.rejected, "conflicts": conflicts})


def _since(text: str | None) -> tuple[Cursor | None, bool]:
    """Return the cursor, and whether removals are wanted though there is none: for a time, which is still understood."""
    if text is None or text in _NOTHING:
        return None, False
    if text.isascii() and text.isdigit():
        number = int(text[: _DIGITS + 1])
        return (None, True) if number < _OLDEST_CURSOR else (Cursor.of(number), False)
    try:
        datetime.fromisoformat(text)
    except ValueError as broken:
        msg = "since is a cursor that a pull answered, or a time"
        raise Malformed(msg, field="since") from broken
    return None, True


def _watermelon_cursor(text: str | None) -> Cursor | None:
    if text is None or text in _NOTHING:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ForeignCursor
    return Cursor.of(int(text[: _DIGITS + 1]))


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= PAGE_AT_MOST:
        msg = f"limit must be a number from 1 to {PAGE_AT_MOST}"
        raise Malformed(msg, field="limit")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        return msgspec.convert(int(text[:_DIGITS]) / 1000, datetime, strict=False)
    except (ValueError, msgspec.ValidationError) as broken:
        msg = "sent_at is milliseconds since 1970"
        raise Malformed(msg, field="sent_at") from broken


def _migrated(text: str | None) -> frozenset[str]:
    """Return which of our tables a phone's migration makes or adds columns to; it has to be given them whole."""
    if text is None or text in _NOTHING:
        return frozenset()
    try:
        told = msgspec.json.decode(text)
        named = [*told.get("tables", ()), *(each["table"] for each in told.get("columns", ()))]
        return frozenset(str(each) for each in named) & TABLES.keys()
    except (msgspec.DecodeError, AttributeError, TypeError, KeyError) as broken:
        msg = "migration is null or {from, tables, columns}"
        raise Malformed(msg, field="migration") from broken


def _add(changes: dict[str, dict[str, Any]], records: Sequence[Record]) -> None:
    for record in records:
        raw: dict[str, Any] = {"id": record.id}
        for name, value in record.values.items():
            raw[name] = int(value.timestamp() * 1000) if isinstance(value, datetime) else value
        changes[record.table]["updated"][record.id] = raw


def _outwards(record: Record) -> dict[str, Any]:
    names = _COLUMNS[record.table]
    told: dict[str, Any] = {"id": record.id, "version": record.version}
    for name, value in record.values.items():
        told[names[name]] = value
    return told


def _inwards(value: Any, *, deep: int = 1) -> Any:
    """Return a body's fields with our names, lines and signatures inside them too; raise `Invalid` for a bottomless body."""
    if not isinstance(value, dict | list):
        return value
    if deep > _DEEPEST:
        msg = f"fields nest at most {_DEEPEST} deep"
        raise Invalid(msg, field="fields")
    if isinstance(value, dict):
        return {_FIELDS.get(name, name): _inwards(each, deep=deep + 1) for name, each in value.items()}
    return [_inwards(each, deep=deep + 1) for each in value]


def _result(outcome: Outcome, current: Record | None) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "table": outcome.table,
        "record": outcome.record,
        "outcome": outcome.result,
        "status": 403 if outcome.code == NotAllowed.code else STATUS[outcome.result],
        "repeated": outcome.repeated,
        "code": outcome.code,
        "detail": outcome.detail,
        "explanation": outcome.explanation,
        "decisions": [_decision(each) for each in outcome.decisions],
        "current": None if current is None else _outwards(current),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "field": camel(decision.field) if decision.field else None,
        "rule": decision.rule,
        "kept": decision.kept,
        "yours": decision.yours,
        "theirs": decision.theirs,
        "by": decision.by,
        "at": decision.at,
        "why": decision.why,
    }


def _json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


SYNC: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/api/v1/sync",
        area="offline sync",
        summary="What changed for this person since a cursor; without one, everything there is",
        handler=pull_changes,
        query=("since", "limit"),
        answers={200: SyncChanges},
        problems=(409,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/sync",
        area="offline sync",
        summary="Apply what was done without a connection, each operation once; 409 where a person has to choose",
        handler=push_operations,
        body=SyncPush,
        answers={200: SyncResults},
        problems=(409, 413),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/sync/watermelon",
        area="offline sync",
        summary="WatermelonDB's pull",
        handler=pull_watermelon,
        query=("last_pulled_at", "schema_version", "migration"),
        answers={200: WatermelonChanges},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/sync/watermelon",
        area="offline sync",
        summary="WatermelonDB's push, all or nothing; 409 if a record changed here since the pull",
        handler=push_watermelon,
        body=Changes,
        largest=UPLOAD,
        query=("last_pulled_at", "sent_at"),
        answers={200: WatermelonTaken},
        problems=(409,),
    ),
)
