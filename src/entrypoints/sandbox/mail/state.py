"""What the sandbox mail server remembers, in one SQLite file that survives a restart."""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path
from typing import Final

from attrs import frozen

_SCHEMA: Final = """
create table if not exists accounts (username text primary key, password text not null, address text not null);
create table if not exists letters (
    position integer primary key, sender text not null, recipient text not null, raw blob not null, at real not null
);
"""
_KEEPS: Final = 500


@frozen(kw_only=True)
class Letter:
    """A letter as it was taken; `at` is in seconds since 1970."""

    sender: str
    recipient: str
    raw: bytes
    at: float


@frozen(kw_only=True)
class Reply:
    """What the next letter meets at one of its steps: `mail`, `rcpt` or `data`; with `cut` it is taken, and no answer comes."""

    step: str
    code: int
    text: str
    cut: bool = False


class MailState:
    """One SQLite file, used from one event loop; replies to come are kept in memory only."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.replies: deque[Reply] = deque()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put_account(self, username: str, password: str, address: str) -> None:
        """Create or replace an account."""
        self._db.execute("insert or replace into accounts values (?, ?, ?)", (username, password, address))

    def account(self, username: str) -> tuple[str, str] | None:
        """Return an account's password and address, or None."""
        row = self._db.execute("select password, address from accounts where username = ?", (username,)).fetchone()
        return None if row is None else (row[0], row[1])

    def add(self, letter: Letter) -> None:
        """Keep a letter; the newest five hundred are kept."""
        done = self._db.execute(
            "insert into letters (sender, recipient, raw, at) values (?, ?, ?, ?)",
            (letter.sender, letter.recipient, letter.raw, letter.at),
        )
        self._db.execute("delete from letters where position <= ?", ((done.lastrowid or 0) - _KEEPS,))

    def letters(self) -> list[Letter]:
        """Return the letters, the oldest first."""
        rows = self._db.execute("select sender, recipient, raw, at from letters order by position")
        return [Letter(sender=row[0], recipient=row[1], raw=row[2], at=row[3]) for row in rows]

    def reply(self, step: str) -> Reply | None:
        """Return what was ordered for this step, once."""
        if self.replies and self.replies[0].step == step:
            return self.replies.popleft()
        return None
