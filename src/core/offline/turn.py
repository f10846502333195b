"""One transaction over a phone's records: what is asked, what is there, and what becomes of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import define, evolve, field, frozen

from core.kernel.actor import Actor
from core.kernel.errors import Conflict, CuadrillaError, Denied, Invalid, NotFound, StaleVersion
from core.offline.columns import TABLES
from core.offline.merging import merged, plain, repaired
from core.offline.model import (
    Change,
    Decision,
    Item,
    LinesClosed,
    NotForPhones,
    Plain,
    RecordGone,
    Stamp,
    Value,
)
from core.offline.ports import Clients, Move, PhoneTransaction, Visits
from core.offline.records import LINE, customer_record, job_record, line_of, report_of

CHAIN: Final = ("scheduled", "en_camino", "working", "completed")
"""The way that a visit takes by itself; a phone that kept only where it ended is taken there step by step."""
CLOSED: Final = frozenset({"completed", "invoiced", "cancelled"})
CORRECTED: Final[tuple[str, ...]] = ("title", "notes", "address", "lat", "lng")
_VISIT: Final = frozenset({"technician_id", "starts_at", "ends_at"})
SIGNATURE: Final = 512 * 1024
"""Bytes of a signature that comes with a push."""
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_LINE_DEFAULTS: Final[Mapping[str, Plain]] = {
    "description": "Sin descripción",
    "quantity": "1",
    "unit_price": "0",
    "discount": "0",
    "vat_rate": "21",
    "treatment": "taxed",
}


@frozen(kw_only=True)
class Asked:
    """What a phone wants of one record; without `base` it says nothing of what it knew."""

    table: str
    id: str
    kind: str = "update"
    fields: Mapping[str, Any] = {}
    base: int | None = None


@define
class Turn:
    """Applies what is asked, inside one transaction.

    A `strict` one lets every refusal out. Otherwise the server's value stands where a wish is refused, and is sent to the phone again.
    """

    tx: PhoneTransaction
    actor: Actor
    audience: str
    visits: Visits
    clients: Clients
    at: datetime
    strict: bool = field(kw_only=True)
    seen: dict[tuple[str, str], Change] = field(factory=dict)
    known: dict[tuple[str, str], Item] = field(factory=dict)
    _again: set[tuple[str, str]] = field(factory=set)
    _buried: list[tuple[str, str]] = field(factory=list)

    def seen_of(self, asked: Asked) -> Change | None:
        """Return the job or customer that it is about, as this audience sees it."""
        if asked.table in {"jobs", "customers"}:
            found = self.seen.get((asked.table, asked.id))
        else:
            found = self.seen.get(("jobs", self.job_of(asked)))
        return None if found is None or found.gone or found.row is None else found

    def job_of(self, asked: Asked) -> str:
        """Return the id of the job that a line or photo belongs to."""
        item = self.known.get((asked.table, asked.id))
        job_id = item.job_id if item is not None else asked.fields.get("job_id")
        return job_id if isinstance(job_id, str) and _ID.match(job_id) else ""

    def send_back(self, asked: Asked, *, gone: bool) -> None:
        """Let the phone have the record as it is, or lose one that it may not have."""
        if gone or self.seen_of(asked) is None:
            if _ID.match(asked.id):
                self._buried.append((asked.table, asked.id))
        else:
            about = asked.table in {"jobs", "customers"}
            self._again.add((asked.table, asked.id) if about else ("jobs", self.job_of(asked)))

    async def finish(self) -> None:
        """Store what comes last: what is sent again, and what is to vanish."""
        tenant = self.actor.tenant
        for table, id_ in sorted(self._again):
            await self.tx.phone_records.touch(tenant, table, id_)
        if self._buried:
            await self.tx.phone_records.bury(tenant, self.audience, self._buried)

    def collisions(self, asked: Sequence[Asked], since: int) -> list[tuple[Asked, list[Decision]]]:
        """Return those whose record changed after `since` and is not as the phone has it, with both values of each field."""
        found = []
        for each in asked:
            owner = ("jobs", self.job_of(each)) if each.table in {"line_items", "photos"} else (each.table, each.id)
            change = self.seen.get(owner)
            if change is None or change.seq <= since:
                continue
            if change.gone or change.row is None:
                found.append((each, [Decision(field=None, rule="gone", kept="server")]))
            elif differences := self._differences(each, change):
                found.append((each, differences))
        return found

    def _differences(self, asked: Asked, change: Change) -> list[Decision]:
        if asked.table == "jobs":
            current, stamps = job_record(change).values, change.stamps
        elif asked.table == "customers":
            current, stamps = customer_record(change.row or {}, audience=self.audience).values, change.stamps
        else:
            item = self.known.get((asked.table, asked.id))
            if item is None:
                return []
            current, stamps = {**item.values, "place": item.place}, item.stamps
        if asked.kind == "delete":
            return [Decision(field=None, rule="ask_user", kept="ask")]
        # What this audience is not shown is not told to it here either.
        columns = {name: column for name, column in TABLES[asked.table].items() if column.writable and name in current}
        fit, _ = repaired(columns, asked.fields, current)
        return [
            _decided(
                name,
                "ask_user",
                "ask",
                stamps.get(columns[name].stamp or name),
                yours=value,
                theirs=current.get(name),
            )
            for name, value in fit.items()
            if value != current.get(name) and (value or current.get(name))
        ]

    async def take(self, asked: Asked) -> list[Decision]:
        """Do what is asked of one record, and return what became otherwise."""
        if not _ID.match(asked.id):
            msg = "an id has letters, digits, '_', '.' and '-', 64 at most"
            if self.strict:
                raise NotForPhones(msg, field="id")
            return [Decision(field=None, rule="refused", kept="server", why="el identificador no sirve")]
        work: Mapping[str, Callable[[Asked, list[Decision]], Awaitable[None]]] = {
            "jobs": self._job,
            "customers": self._customer,
            "line_items": self._line,
            "photos": self._photo,
        }
        decisions: list[Decision] = []
        await self._part(asked, decisions, lambda: work[asked.table](asked, decisions))
        if decisions:
            self.send_back(asked, gone=any(each.rule == "gone" for each in decisions))
        return decisions

    async def _part(
        self, asked: Asked, decisions: list[Decision], work: Callable[[], Awaitable[None]], name: str | None = None
    ) -> None:
        try:
            await work()
        except StaleVersion:
            raise
        except (Invalid, Denied, NotFound, Conflict) as refused:
            if self.strict:
                raise
            decisions.append(refusal(refused, asked, self.seen_of(asked), name=name))

    async def _job(self, asked: Asked, decisions: list[Decision]) -> None:
        if asked.kind == "delete":
            msg = "a job is cancelled, not deleted"
            raise NotForPhones(msg, field="kind")
        change = self.seen_of(asked)
        if change is None or change.row is None:
            if asked.kind != "create" or ("jobs", asked.id) in self.seen:
                raise RecordGone("job")
            fit, wrong = repaired(TABLES["jobs"], asked.fields, {})
            decisions += wrong
            await self.visits.open(self.tx, actor=self.actor, job_id=asked.id, values=fit)
            return
        record = job_record(change)
        fit, wrong = repaired(TABLES["jobs"], asked.fields, record.values)
        decisions += wrong
        if fit.get("status") == "scheduled":  # what that move takes is no change by itself
            fit = {name: value for name, value in fit.items() if name not in _VISIT}
        result = merged(
            TABLES["jobs"],
            fit,
            record.values,
            {**change.stamps, **_report_stamps(change)} if self.strict else {},
            base=asked.base,
            mine=self.actor.id,
            at=self.at,
        )
        # A report is a draft: to write it anew needs no explanation.
        decisions += [each for each in result.decisions if each.field != "report" or each.kept != "phone"]
        decisions += self._critical(asked, change)
        if any(each.kept == "ask" for each in decisions):
            return
        await self._write_job(asked, change, dict(result.write), decisions)

    def _critical(self, asked: Asked, change: Change) -> list[Decision]:
        """Return whether totals or a signature collide with somebody else's, that are no columns of a phone."""
        found = []
        row = change.row or {}
        stamps = {name: stamp for name, stamp in change.stamps.items() if _foreign(stamp, asked, self.actor.id)}
        if "lines" in asked.fields and row["lines"] and "lines" in stamps:
            found.append(
                _decided("total", "ask_user", "ask", stamps["lines"], theirs=job_record(change).values["total"])
            )
        if "signature" in asked.fields and row["signature"] and "signature" in stamps:
            theirs = row["signature"]["signed_by"]
            found.append(_decided("signature", "ask_user", "ask", stamps["signature"], theirs=theirs))
        return found

    async def _write_job(
        self, asked: Asked, change: Change, write: dict[str, Value], decisions: list[Decision]
    ) -> None:
        to = write.pop("status", None)
        report = write.pop("report", None)
        notes = write.pop("notes", None) if to == "completed" else None
        corrected: dict[str, Value] = {name: write[name] for name in CORRECTED if name in write}
        if corrected:
            await self._part(
                asked,
                decisions,
                lambda: self.visits.change(self.tx, actor=self.actor, job_id=change.id, values=corrected),
                next(iter(corrected)),
            )
        if report is not None:
            await self._part(asked, decisions, lambda: self._draft_report(change, str(report)), "report")
        if "signature" in asked.fields:
            await self._part(asked, decisions, lambda: self._sign(asked, change), "signature")
        if to is not None:
            written = str(notes or report or report_of(change) or (change.row or {})["notes"])
            await self._part(asked, decisions, lambda: self._move(asked, change, str(to), written), "status")

    async def _draft_report(self, change: Change, text: str) -> None:
        row = change.row or {}
        if row["status"] in CLOSED:
            msg = f"the job is {row['status']}: its report is written"
            raise LinesClosed(msg)
        self.actor.must("jobs.move", owner=row["technician_id"])
        stamp = Stamp(version=row["version"], by=self.actor.id, at=self.at)
        await self.tx.phone_records.save(
            Item(
                tenant=self.actor.tenant,
                kind="reports",
                id=change.id,
                job_id=change.id,
                place=0,
                values={"report": text},
                stamps={"report": stamp},
            )
        )

    async def _sign(self, asked: Asked, change: Change) -> None:
        given = asked.fields["signature"]
        given = given if isinstance(given, Mapping) else {}
        content, signed_by = given.get("content"), given.get("signed_by")
        if not isinstance(content, str) or not isinstance(signed_by, str) or len(content) > SIGNATURE * 4 // 3 + 4:
            msg = f"a signature is {{content, signedBy}}: base64 of {SIGNATURE} bytes at most, and a name"
            raise Invalid(msg, field="signature")
        try:
            picture = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as broken:
            msg = "the signature's content is not base64"
            raise Invalid(msg, field="signature") from broken
        await self.visits.sign(
            self.tx, actor=self.actor, job_id=change.id, content=picture, signed_by=_told(signed_by)[:120]
        )

    async def _move(self, asked: Asked, change: Change, to: str, notes: str) -> None:
        row = change.row or {}
        drafts = sorted(
            (each for each in self._lines_of(change) if each.state == "draft"), key=lambda each: (each.place, each.id)
        )
        given = asked.fields.get("lines")
        if given is not None and not (isinstance(given, Sequence) and all(isinstance(each, Mapping) for each in given)):
            msg = "lines are a list of objects"
            raise Invalid(msg, field="lines")
        sources: Sequence[Mapping[str, Any]] = given if given is not None else [each.values for each in drafts]
        lines = tuple(line_of(each) for each in sources) if to == "completed" else ()
        extra, _ = repaired(TABLES["jobs"], asked.fields, {})
        reason, technician = _told(asked.fields.get("reason")), extra.get("technician_id")
        starts_at, ends_at = extra.get("starts_at"), extra.get("ends_at")
        for step in self._steps(row["status"], to):
            move = Move(
                to=step,
                at=self.at,
                lines=lines,
                notes=notes,
                reason=reason or None,
                technician_id=str(technician) if technician else None,
                starts_at=starts_at if isinstance(starts_at, datetime) else None,
                ends_at=ends_at if isinstance(ends_at, datetime) else None,
            )
            await self.visits.move(self.tx, actor=self.actor, job_id=change.id, move=move)
        if to == "completed" and given is None:
            for draft in drafts:
                await self.tx.phone_records.save(evolve(draft, state="final", version=draft.version + 1))

    def _steps(self, state: str, to: str) -> Sequence[str]:
        if self.strict or state not in CHAIN or to not in CHAIN or CHAIN.index(to) <= CHAIN.index(state):
            return (to,)
        return CHAIN[CHAIN.index(state) + 1 : CHAIN.index(to) + 1]

    def _lines_of(self, change: Change) -> list[Item]:
        """Return the lines that phones made for a job, those of this transaction included."""
        items = {each.id: each for each in change.items if each.kind == "line_items"}
        items |= {
            id_: each for (kind, id_), each in self.known.items() if kind == "line_items" and each.job_id == change.id
        }
        return list(items.values())

    async def _customer(self, asked: Asked, decisions: list[Decision]) -> None:
        if asked.kind == "delete":
            msg = "a customer is not deleted from a phone"
            raise NotForPhones(msg, field="kind")
        change = self.seen_of(asked)
        if change is None or change.row is None:
            if asked.kind != "create" or ("customers", asked.id) in self.seen:
                raise RecordGone("customer")
            fit, wrong = repaired(TABLES["customers"], asked.fields, {})
            decisions += wrong
            await self.clients.register(self.tx, actor=self.actor, customer_id=asked.id, values=fit)
            return
        record = customer_record(change.row, audience=self.audience)
        fit, wrong = repaired({name: TABLES["customers"][name] for name in record.values}, asked.fields, record.values)
        decisions += wrong
        result = merged(
            TABLES["customers"],
            fit,
            record.values,
            change.stamps if self.strict else {},
            base=asked.base,
            mine=self.actor.id,
            at=self.at,
        )
        decisions += result.decisions
        if result.write:
            await self._part(
                asked,
                decisions,
                lambda: self.clients.change(self.tx, actor=self.actor, customer_id=asked.id, values=result.write),
                next(iter(result.write)),
            )

    async def _line(self, asked: Asked, decisions: list[Decision]) -> None:
        change, item = self._owner(asked)
        if asked.kind == "delete" and (item is None or item.state == "gone"):
            return
        row = change.row or {}
        if row["status"] in CLOSED:
            if item is not None and item.state == "final" and not self._differs(asked, item):
                return
            stamp = change.stamps.get("lines") or change.stamps.get("status")
            if stamp is not None and _foreign(stamp, asked, self.actor.id) and self.strict:
                total = job_record(change).values["total"]
                decisions.append(_decided("total", "ask_user", "ask", stamp, theirs=total))
                return
            msg = f"the job is {row['status']}: what it comes to is not changed any more"
            raise LinesClosed(msg)
        await self._save_item(asked, change, item, decisions, LINE)

    def _differs(self, asked: Asked, item: Item) -> bool:
        fit, _ = repaired(TABLES["line_items"], asked.fields, {})
        return asked.kind == "delete" or any(fit[name] != item.values.get(name) for name in LINE if name in fit)

    async def _photo(self, asked: Asked, decisions: list[Decision]) -> None:
        change, item = self._owner(asked)
        photos = {each["id"] for each in (change.row or {})["photos"]}
        if asked.kind == "delete":
            if asked.id in photos or (item is not None and item.values.get("media_id") in photos):
                msg = "a photo of the work stays"
                raise NotForPhones(msg, field="kind")
            if item is None:
                return
        elif asked.id in photos:
            return  # ours, under our id: there is nothing of it that a phone writes
        await self._save_item(asked, change, item, decisions, ("media_id", "taken_at"))

    def _owner(self, asked: Asked) -> tuple[Change, Item | None]:
        change = self.seen_of(asked)
        if change is None:
            raise RecordGone("job")
        self.actor.must("jobs.move", owner=(change.row or {})["technician_id"])
        return change, self.known.get((asked.table, asked.id))

    async def _save_item(
        self, asked: Asked, change: Change, item: Item | None, decisions: list[Decision], names: Sequence[str]
    ) -> None:
        table = TABLES[asked.table]
        current: dict[str, Value] = {**item.values, "place": item.place} if item is not None else {}
        wanted = {name: value for name, value in asked.fields.items() if name in names or name == "place"}
        fit, wrong = repaired(table, wanted, current)
        decisions += wrong
        result = merged(
            table,
            fit,
            current,
            item.stamps if item is not None and self.strict else {},
            base=asked.base,
            mine=self.actor.id,
            at=self.at,
        )
        decisions += result.decisions
        version = item.version + 1 if item is not None else 1
        stamp = Stamp(version=version, by=self.actor.id, at=self.at)
        place = result.write.get("place", current.get("place", 0))
        values = {name: plain(result.write.get(name, current.get(name))) for name in names}
        if asked.table == "line_items":
            values = _sound(values, decisions)
        saved = Item(
            tenant=self.actor.tenant,
            kind=asked.table,
            id=asked.id,
            job_id=change.id,
            place=place if isinstance(place, int) else 0,
            values=values,
            stamps={**(item.stamps if item is not None else {}), **dict.fromkeys(result.write, stamp)},
            state="gone" if asked.kind == "delete" else "draft",
            version=version,
        )
        self.known[asked.table, asked.id] = saved
        await self.tx.phone_records.save(saved)


async def look(turn: Turn, asked: Sequence[Asked]) -> None:
    """Read everything that is asked about, in two statements for any number of records."""
    tenant, records = turn.actor.tenant, turn.tx.phone_records
    for kind in ("line_items", "photos"):
        ids = [each.id for each in asked if each.table == kind]
        if ids:
            turn.known |= {(kind, id_): item for id_, item in (await records.items(tenant, kind, ids)).items()}
    wanted = {
        (each.table, each.id) if each.table in {"jobs", "customers"} else ("jobs", turn.job_of(each)) for each in asked
    }
    turn.seen |= await records.seen(tenant, turn.audience, sorted(wanted))


def refusal(refused: CuadrillaError, asked: Asked, seen: Change | None, *, name: str | None = None) -> Decision:
    """Return an error of a use case as the decision that it is."""
    name = name or ("status" if asked.table == "jobs" and "status" in asked.fields else None)
    if isinstance(refused, NotFound):
        return Decision(field=None, rule="gone", kept="server")
    rule = "refused"
    if isinstance(refused, Denied):
        rule = "not_allowed"
    elif name == "status" and isinstance(refused, Conflict | Invalid):
        rule = "state_machine"
    if seen is None or name is None or asked.table != "jobs":
        return Decision(field=name, rule=rule, kept="server")
    current = job_record(seen).values.get(name)
    stamp = seen.stamps.get((TABLES["jobs"][name].stamp if name in TABLES["jobs"] else name) or name)
    return _decided(name, rule, "server", stamp, yours=_told(asked.fields.get(name)) or None, theirs=current)


def _decided(name: str, rule: str, kept: str, stamp: Stamp | None, *, yours: Value = None, theirs: Value) -> Decision:
    return Decision(
        field=name,
        rule=rule,
        kept=kept,
        yours=plain(yours),
        theirs=plain(theirs),
        by=stamp.by if stamp is not None else None,
        at=stamp.at if stamp is not None else None,
    )


def _told(value: object) -> str:
    """Return a text that a phone sends beside a record's columns, or none."""
    fit, _ = repaired({"text": TABLES["jobs"]["notes"]}, {"text": value}, {})
    return str(fit.get("text", ""))


def _foreign(stamp: Stamp, asked: Asked, mine: str) -> bool:
    return stamp.by != mine and (asked.base is None or stamp.version > asked.base)


def _report_stamps(change: Change) -> Mapping[str, Stamp]:
    return next((each.stamps for each in change.items if each.kind == "reports"), {})


def _sound(values: dict[str, Plain], decisions: list[Decision]) -> dict[str, Plain]:
    """Return values that make a line: what cannot be is replaced by the usual."""
    sound = {name: _LINE_DEFAULTS[name] if value in (None, "") else value for name, value in values.items()}
    for _ in LINE:
        try:
            line_of(sound)
        except Invalid as wrong:
            name = wrong.field if wrong.field in sound else "vat_rate"
            usual = _LINE_DEFAULTS[name] if name != "vat_rate" or sound["treatment"] == "taxed" else "0"
            decisions.append(Decision(field=name, rule="repaired", kept="server", theirs=usual, why=str(wrong)))
            sound[name] = usual
        else:
            break
    return sound
