"""What travels between a phone and us: records, operations, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, TypeAlias

from attrs import field, frozen

from core.kernel.errors import Conflict, Invalid, NotFound

PUSH_AT_MOST: Final = 50
"""Operations of one push; a phone with more sends several."""
TAKEN_AT_ONCE: Final = 1000
"""Records of one push of WatermelonDB, which cannot send several; what is above comes with the next."""
PRIORITIES: Final[Mapping[str, int]] = {"high": 0, "medium": 1, "low": 2}
"""In which order operations are applied: job status, updates, reads."""
KINDS: Final = ("create", "update", "delete", "read")
EVERYTHING: Final = ""
"""The audience of those who may see every record; anybody else's is their own id."""

Plain: TypeAlias = str | float | int | bool | None
Value: TypeAlias = str | float | int | bool | datetime | None

_SEQ_BITS: Final = 36
"""A cursor is a number below 2**52, so that JavaScript keeps it exactly."""
ORIGINS: Final = range(1024, 1 << 16)
"""No feed's number is so small that a time in milliseconds could pass for a cursor."""


class TooManyOperations(Invalid):
    """A push carries more than it may; nothing of it was applied."""

    code: ClassVar[str] = "sync.too_many_operations"

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"a push carries {PUSH_AT_MOST} operations at most, this one {count}; send several")

    def details(self) -> Mapping[str, object]:
        return {"limit": PUSH_AT_MOST, "count": self.count}


class ForeignCursor(Conflict):
    """The cursor is not one of this server's for this tenant: the phone has to start again without one."""

    code: ClassVar[str] = "sync.foreign_cursor"

    def __init__(self) -> None:
        super().__init__("this cursor is not ours; send what is queued, then pull again without a cursor")


class RecordGone(NotFound):
    """The record is deleted, or not this person's any more."""

    code: ClassVar[str] = "sync.gone"

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what} for you any more")


class NotForPhones(Invalid):
    """No phone may do this to a record of this table."""

    code: ClassVar[str] = "sync.not_for_phones"


class LinesClosed(Conflict):
    """The job is completed: what it comes to is not changed from a phone any more."""

    code: ClassVar[str] = "sync.lines_closed"


class OperationReused(Invalid):
    """An operation's id was used for another operation."""

    code: ClassVar[str] = "sync.operation_reused"


class OperationTaken(Conflict):
    """The operation was applied by somebody else at the same moment."""

    code: ClassVar[str] = "sync.operation_taken"


@frozen
class Cursor:
    """A place in the feed of one tenant: `origin` is the feed's own number, so that no other server's cursor passes for it."""

    origin: int
    seq: int

    @property
    def number(self) -> int:
        """Return it as one positive whole number."""
        return (self.origin << _SEQ_BITS) | self.seq

    @classmethod
    def of(cls, number: int) -> Cursor:
        """Return what a number stands for; raise `ForeignCursor` for what can be no cursor."""
        made = cls(number >> _SEQ_BITS, number & ((1 << _SEQ_BITS) - 1))
        if made.origin not in ORIGINS or made.seq < 1:
            raise ForeignCursor
        return made


@frozen(kw_only=True)
class Stamp:
    """When a field was changed last: at which version of its record, by whom."""

    version: int
    by: str
    at: datetime


@frozen(kw_only=True)
class Item:
    """A record that phones make and only they need: a line before the job is completed, a photo's name on the phone, a draft.

    `place` orders the lines of a job. One that became part of the completed job is `final`, a deleted one `gone`.
    """

    tenant: str
    kind: str
    id: str
    job_id: str
    place: int
    values: Mapping[str, Plain]
    stamps: Mapping[str, Stamp] = {}
    state: str = "draft"
    version: int = 1


@frozen(kw_only=True, slots=False)  # made by the ten thousand
class Change:
    """A job or customer that changed, and the record as it is now.

    `row` are its fields as plain data, None if there is no such record any more. One that is `gone` is not for this audience, or
    deleted. `items` belong to a job.
    """

    table: str
    id: str
    seq: int
    gone: bool
    row: Mapping[str, Any] | None
    items: Sequence[Item] = ()
    stamps: Mapping[str, Stamp] = {}


@frozen(kw_only=True)
class Page:
    """What changed after a place in the feed, in the order of the feed, seen in one view with `newest`, its last place."""

    origin: int
    newest: int
    changes: Sequence[Change]
    more: bool


@frozen(kw_only=True, slots=False)  # made by the ten thousand
class Record:
    """One record as phones have it."""

    table: str
    id: str
    version: int
    values: Mapping[str, Value]


@frozen(kw_only=True)
class Pulled:
    """What a phone has to change: write `updated`, remove `deleted` (table and id), and pull again with `cursor`."""

    updated: Sequence[Record]
    deleted: Sequence[tuple[str, str]]
    cursor: Cursor
    more: bool


@frozen(kw_only=True)
class Operation:
    """Something a person did on the phone: `created_at` by the phone's clock, `base_version` as the phone knew the record."""

    id: str
    table: str
    record: str
    kind: str = "update"
    priority: str | None = None
    base_version: int | None = None
    created_at: datetime | None = None
    fields: Mapping[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"kind must be one of {', '.join(KINDS)}"
            raise Invalid(msg, field="kind")
        if self.priority is not None and self.priority not in PRIORITIES:
            msg = f"priority must be one of {', '.join(PRIORITIES)}"
            raise Invalid(msg, field="priority")

    @property
    def rank(self) -> int:
        """Return its place by priority; one that names none is of the priority that its content has."""
        if self.priority is not None:
            return PRIORITIES[self.priority]
        if self.kind == "read":
            return PRIORITIES["low"]
        return PRIORITIES["high" if self.table == "jobs" and "status" in self.fields else "medium"]


@frozen(kw_only=True)
class Decision:
    """What became of one field, or with no field of a whole record, and by which rule.

    `kept` is whose value stands: the `phone`'s, the `server`'s, or nobody's decision yet (`ask`).
    """

    field: str | None
    rule: str
    kept: str
    yours: Plain = None
    theirs: Plain = None
    by: str | None = None
    at: datetime | None = None
    why: str = ""


@frozen(kw_only=True)
class Outcome:
    """What became of an operation, for good: the same whenever it is sent again.

    `applied`; `merged` (not every field as the phone wanted it); `conflict` (a person has to choose); `refused`; `gone`; `retry`
    (nothing happened, and sent again it may succeed). `code` and `detail` are the error's.
    """

    id: str
    table: str
    record: str
    result: str
    decisions: tuple[Decision, ...] = ()
    explanation: str = ""
    code: str | None = None
    detail: str = ""
    repeated: bool = False


class Collided(Conflict):
    """Records of a push changed on the server since the phone pulled: nothing was applied; pull, merge, and push again."""

    code: ClassVar[str] = "sync.conflict"

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)
        super().__init__(
            f"{len(self.outcomes)} records of this push changed here meanwhile; pull, merge and push again"
        )


@frozen(kw_only=True)
class Taken:
    """What became of a push of records: `rejected` ones stay with the phone for the next push, by table."""

    outcomes: Sequence[Outcome]
    rejected: Mapping[str, Sequence[str]]


@frozen(kw_only=True)
class PhoneClock:
    """Reads instants of a phone whose clock may be wrong: by what it says the time is now, if it says so."""

    now: datetime
    sent_at: datetime | None = None
    tolerance: timedelta = timedelta(minutes=2)

    def true(self, told: datetime | None) -> datetime:
        """Return when something happened that the phone dates so; never later than now."""
        if told is None:
            return self.now
        if self.sent_at is not None and abs(self.now - self.sent_at) > self.tolerance:
            told = self.now - max(self.sent_at - told, timedelta())
        return min(told, self.now)
