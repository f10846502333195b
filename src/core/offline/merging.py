"""Two people changed one record: which value of each field stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from core.offline.columns import Table, Unfit
from core.offline.model import Decision, Plain, Stamp, Value


@frozen(kw_only=True)
class Merged:
    """What of a change is to be written, and what was decided about the rest; `asks` if a person has to choose first."""

    write: Mapping[str, Value]
    decisions: tuple[Decision, ...]

    @property
    def asks(self) -> bool:
        return any(each.kept == "ask" for each in self.decisions)


def repaired(
    table: Table, wanted: Mapping[str, object], current: Mapping[str, Value]
) -> tuple[dict[str, Value], list[Decision]]:
    """Return the values that fit, and for the others that the server's stand. What the table does not have is left out."""
    fit: dict[str, Value] = {}
    decisions = []
    for name, value in wanted.items():
        column = table.get(name)
        if column is None:
            continue
        try:
            fit[name] = column.fits(value)
        except Unfit as unfit:
            theirs = plain(current.get(name))
            decisions.append(Decision(field=name, rule="repaired", kept="server", theirs=theirs, why=str(unfit)))
    return fit, decisions


def merged(
    table: Table,
    wanted: Mapping[str, Value],
    current: Mapping[str, Value],
    stamps: Mapping[str, Stamp],
    *,
    base: int | None,
    mine: str,
    at: datetime,
) -> Merged:
    """Decide field by field: what nobody else touched since `base` is written, elsewhere the last write wins.

    `mine` is who wants this, at the instant `at`: their own earlier changes stand in nobody's way. A critical field that somebody else
    touched is not decided. With no `base` the phone knew nothing, and every change of somebody else's counts as unknown to it.
    """
    write: dict[str, Value] = {}
    decisions = []
    for name, value in wanted.items():
        column, theirs = table[name], current.get(name)
        if value == theirs or (not value and not theirs and value != 0):
            continue
        if not column.writable:
            decisions.append(Decision(field=name, rule="not_writable", kept="server", theirs=plain(theirs)))
            continue
        stamp = stamps.get(column.stamp or name)
        if stamp is None or stamp.by == mine or (base is not None and stamp.version <= base):
            write[name] = value
            continue
        last = at > stamp.at
        kept = "ask" if column.critical else ("phone" if last else "server")
        decisions.append(
            Decision(
                field=name,
                rule="ask_user" if column.critical else "last_write_wins",
                kept=kept,
                yours=plain(value),
                theirs=plain(theirs),
                by=stamp.by,
                at=stamp.at,
            )
        )
        if kept == "phone":
            write[name] = value
    return Merged(write=write, decisions=tuple(decisions))


def plain(value: Value) -> Plain:
    """Return a value as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value
