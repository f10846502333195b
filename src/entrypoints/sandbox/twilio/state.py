"""What the sandbox Twilio remembers, in one SQLite file that survives a restart."""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path
from typing import Final

from attrs import asdict, field, frozen

_SCHEMA: Final = """
create table if not exists accounts (sid text primary key, token text not null, sender text not null);
create table if not exists messages (
    position integer primary key, sid text not null unique, account text not null, sender text not null,
    recipient text not null, body text not null, at real not null
);
create table if not exists opted_out (phone text primary key);
"""
_KEEPS: Final = 1000


@frozen(kw_only=True)
class Account:
    """An account, and the number or messaging service that it may write from."""

    sid: str
    token: str = field(repr=False)
    sender: str


@frozen(kw_only=True)
class Text:
    """A text message as it went out; `at` is in seconds since 1970."""

    sid: str
    account: str
    sender: str
    recipient: str
    body: str
    at: float


@frozen(kw_only=True)
class Refusal:
    """An error to come: an HTTP status with Twilio's code, or, with `cut`, a message that is taken and no answer."""

    status: int = 500
    code: int | None = None
    cut: bool = False


class TwilioState:
    """One SQLite file, used from one event loop; refusals to come are kept in memory only."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.refusals: deque[Refusal] = deque()
        self.outcomes: deque[tuple[str, int | None]] = deque()
        """What becomes of the next messages instead of `delivered`: a status, and Twilio's code."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put_account(self, account: Account) -> None:
        """Create or replace an account."""
        self._db.execute("insert or replace into accounts values (:sid, :token, :sender)", asdict(account))

    def account(self, sid: str) -> Account | None:
        """Return an account, or None."""
        row = self._db.execute("select sid, token, sender from accounts where sid = ?", (sid,)).fetchone()
        return None if row is None else Account(sid=row[0], token=row[1], sender=row[2])

    def add(self, text: Text) -> None:
        """Keep a message; the newest thousand are kept."""
        done = self._db.execute(
            "insert into messages (sid, account, sender, recipient, body, at)"
            " values (:sid, :account, :sender, :recipient, :body, :at)",
            asdict(text),
        )
        self._db.execute("delete from messages where position <= ?", ((done.lastrowid or 0) - _KEEPS,))

    def texts(self, *, to: str | None = None) -> list[Text]:
        """Return what was sent, to one phone or to all, the oldest first."""
        rows = self._db.execute(
            "select sid, account, sender, recipient, body, at from messages where ? is null or recipient = ?"
            " order by position",
            (to, to),
        )
        names = ("sid", "account", "sender", "recipient", "body", "at")
        return [Text(**dict(zip(names, row, strict=True))) for row in rows]

    def opt(self, phone: str, *, out: bool) -> None:
        """Let a phone get no more messages, or get them again."""
        statement = "insert or replace into opted_out values (?)" if out else "delete from opted_out where phone = ?"
        self._db.execute(statement, (phone,))

    def opted_out(self, phone: str) -> bool:
        """Say whether the phone's owner wants no messages."""
        return self._db.execute("select 1 from opted_out where phone = ?", (phone,)).fetchone() is not None
