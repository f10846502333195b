"""A job with all that belongs to it, as the records of a phone's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from core.kernel.errors import Invalid
from core.kernel.money import Line, totals
from core.offline.columns import PRIVATE, TABLES, Unfit
from core.offline.model import EVERYTHING, Change, Item, Record, Value

LINE: Final = ("description", "quantity", "unit_price", "discount", "vat_rate", "treatment")


def line_of(values: Mapping[str, Any]) -> Line:
    """Return a line as a job takes it; raise `Invalid`."""
    treatment = str(values.get("treatment") or "taxed")
    usual = "21" if treatment == "taxed" else "0"
    given = {name: _number(name, values.get(name), default) for name, default in _NUMBERS.items()}
    rate = _number("vat_rate", values.get("vat_rate"), usual)
    try:
        description = str(TABLES["line_items"]["description"].fits(values.get("description")))
    except Unfit as unfit:
        msg = f"description: {unfit}"
        raise Invalid(msg, field="description") from unfit
    return Line(description=description, treatment=treatment, vat_rate=rate, **given)


_NUMBERS: Final = {"quantity": "1", "unit_price": "0", "discount": "0"}


def _number(name: str, value: object, default: str) -> Decimal:
    try:
        return Decimal(str(TABLES["line_items"][name].fits(default if value is None else value)))
    except Unfit as unfit:
        msg = f"{name}: {unfit}"
        raise Invalid(msg, field=name) from unfit


def records_of(change: Change, *, audience: str) -> tuple[list[Record], list[tuple[str, str]]]:
    """Return what a phone has to write and to remove for a change; with a job go its lines and photos."""
    row = change.row
    if change.table not in {"jobs", "customers"}:  # a phone's own record that we did not take
        return [], [(change.table, change.id)]
    if change.table == "customers":
        if change.gone or row is None:
            return [], [("customers", change.id)]
        return [customer_record(row, audience=audience)], []
    lines, left = line_records(change)
    photos = photo_records(change)
    if change.gone or row is None:
        children = [(each.table, each.id) for each in (*lines, *photos)]
        return [], [("jobs", change.id), *children, *(("line_items", each) for each in left)]
    return [job_record(change, lines), *lines, *photos], [("line_items", each) for each in left]


def customer_record(row: Mapping[str, Any], *, audience: str) -> Record:
    """Return a customer: whole for those who may read customers, and as much as a visit needs for the others."""
    private = PRIVATE if audience != EVERYTHING else frozenset()
    values: dict[str, Value] = {name: row[name] for name in TABLES["customers"] if name not in private}
    return Record(table="customers", id=row["id"], version=row["version"], values=values)


def job_record(change: Change, lines: Sequence[Record] | None = None) -> Record:
    """Return the job itself; its total is that of the lines that a phone shows with it."""
    row = change.row or {}
    place, wish, signature = row["place"], row["wish"], row["signature"] or {}
    if lines is None:
        lines, _ = line_records(change)
    return Record(
        table="jobs",
        id=change.id,
        version=row["version"],
        values={
            "status": row["status"],
            "title": row["title"],
            "notes": row["notes"],
            "report": report_of(change),
            "address": place.get("address") or "",
            "lat": place.get("lat"),
            "lng": place.get("lng"),
            "request": wish.get("text") or "",
            "urgency": wish.get("urgency") or "",
            "customer_id": row["customer_id"],
            "technician_id": row["technician_id"],
            "starts_at": row["starts_at"],
            "ends_at": row["ends_at"],
            "total": _total(row["lines"], lines, row["currency"]),
            "currency": row["currency"],
            "signed_by": signature.get("signed_by"),
            "signature_id": signature.get("media_id"),
            "invoice_id": row["invoice_id"],
        },
    )


def report_of(change: Change) -> str:
    """Return what the technician has written so far for the end of the visit."""
    return next((str(each.values["report"]) for each in change.items if each.kind == "reports"), "")


def _total(done: Sequence[Mapping[str, Any]], lines: Sequence[Record], currency: str) -> str | None:
    """Return what the completed job comes to, or what the drafts would come to so far."""
    try:
        if done:
            return str(totals((_stored(each) for each in done), currency=currency).total)
        return str(totals((line_of(each.values) for each in lines), currency=currency).total) if lines else None
    except Invalid:  # a draft that is not finished
        return None


def _stored(line: Mapping[str, Any]) -> Line:
    """Return a line of a completed job without checking it again, which is most of the price of a pull."""
    made = object.__new__(Line)
    for name, kind in _KINDS:
        object.__setattr__(made, name, kind(line[name]))
    return made


_KINDS: Final[tuple[tuple[str, Callable[[str], object]], ...]] = (
    ("description", str),
    ("quantity", Decimal),
    ("unit_price", Decimal),
    ("discount", Decimal),
    ("vat_rate", Decimal),
    ("treatment", str),
)


def line_records(change: Change) -> tuple[list[Record], list[str]]:
    """Return the job's lines, and the ids under which a phone may know lines that are none any more.

    Before the job is completed they are the phones' drafts. Afterwards they are the job's, under the ids of the drafts that they
    were made from, or under ids of ours if it was completed elsewhere.
    """
    if not change.items and not (change.row and change.row["lines"]):
        return [], []
    drafts = sorted(
        (each for each in change.items if each.kind == "line_items"), key=lambda each: (each.place, each.id)
    )
    done = change.row["lines"] if change.row else []
    if not done:
        live = [each for each in drafts if each.state != "gone"]
        return [_drafted(each) for each in live], [each.id for each in drafts if each.state == "gone"]
    final = [each for each in drafts if each.state == "final"]
    ids = [each.id for each in final] if len(final) == len(done) else [f"{change.id}.{n}" for n in range(len(done))]
    records = [
        Record(
            table="line_items",
            id=id_,
            version=1,
            values={"job_id": change.id, "place": place, **{name: line.get(name) for name in LINE}},
        )
        for place, (id_, line) in enumerate(zip(ids, done, strict=True))
    ]
    return records, [each.id for each in drafts if each.id not in ids]


def _drafted(item: Item) -> Record:
    values: dict[str, Value] = {"job_id": item.job_id, "place": item.place}
    values |= {name: item.values.get(name) for name in LINE}
    return Record(table="line_items", id=item.id, version=item.version, values=values)


def photo_records(change: Change) -> list[Record]:
    """Return the job's photos: under the phone's id where a phone has named one, else under ours."""
    stored: dict[str, Mapping[str, Any]] = {each["id"]: each for each in (change.row or {}).get("photos", ())}
    records = []
    for item in change.items:
        if item.kind != "photos" or item.state == "gone":
            continue
        media = item.values.get("media_id")
        records.append(_photo(change.id, item.id, stored.pop(str(media), None), item))
    return records + [_photo(change.id, id_, photo, None) for id_, photo in stored.items()]


def _photo(job_id: str, id_: str, stored: Mapping[str, Any] | None, item: Item | None) -> Record:
    named: Mapping[str, Any] = item.values if item is not None else {}
    kept: Mapping[str, Any] = stored or {}
    values: dict[str, Value] = {
        "job_id": job_id,
        "media_id": kept.get("id") or named.get("media_id") or "",
        "taken_at": TABLES["photos"]["taken_at"].fits(named.get("taken_at") or kept.get("at")),
        "content_type": kept.get("content_type") or "",
        "size": kept.get("size"),
    }
    return Record(table="photos", id=id_, version=item.version if item is not None else 1, values=values)
