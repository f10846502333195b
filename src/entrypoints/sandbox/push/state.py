"""What the sandbox push services remember, in one SQLite file that survives a restart."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

_SCHEMA: Final = """
create table if not exists notes (
    position integer primary key, ticket text not null unique, service text not null, project text not null,
    token text not null, title text not null, body text not null, data text not null, at real not null
);
create table if not exists tokens (token text primary key, state text not null, project text not null);
create table if not exists accounts (email text primary key, project text not null, public_key text not null);
create table if not exists bearers (bearer text primary key, project text not null, until real not null);
create table if not exists settings (name text primary key, value text not null);
"""
_KEEPS: Final = 2000
STATES: Final = ("live", "gone", "fades")


@frozen(kw_only=True)
class Note:
    """A note as it was taken; `at` is in seconds since 1970."""

    ticket: str
    service: str
    project: str = ""
    token: str
    title: str
    body: str
    data: dict[str, Any] = field(factory=dict)
    at: float


@frozen(kw_only=True)
class Fault:
    """An error to come: an HTTP status, with a service's code and a Retry-After, or a note that is taken and no answer."""

    status: int = 500
    code: str = ""
    retry_after: int | None = None
    cut: bool = False


class PushState:
    """One SQLite file, used from one event loop; faults to come are kept in memory only."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.faults: deque[Fault] = deque()
        self.requests: list[int] = []
        """How many notes each request to Expo held."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, note: Note) -> None:
        """Keep a note; the newest two thousand are kept."""
        done = self._db.execute(
            "insert into notes (ticket, service, project, token, title, body, data, at) values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                note.ticket,
                note.service,
                note.project,
                note.token,
                note.title,
                note.body,
                json.dumps(note.data),
                note.at,
            ),
        )
        self._db.execute("delete from notes where position <= ?", ((done.lastrowid or 0) - _KEEPS,))

    def notes(self) -> list[Note]:
        """Return the notes, the oldest first."""
        rows = self._db.execute(
            "select ticket, service, project, token, title, body, data, at from notes order by position"
        )
        names = ("ticket", "service", "project", "token", "title", "body", "data", "at")
        return [Note(**{**dict(zip(names, row, strict=True)), "data": json.loads(row[6])}) for row in rows]

    def put_token(self, token: str, *, state: str, project: str) -> None:
        """Say what becomes of notes to a token, and whose it is."""
        self._db.execute("insert or replace into tokens values (?, ?, ?)", (token, state, project))

    def token(self, token: str) -> tuple[str, str]:
        """Return a token's state and project; nobody has to make tokens known."""
        row = self._db.execute("select state, project from tokens where token = ?", (token,)).fetchone()
        return ("live", "@cuadrilla/app") if row is None else (row[0], row[1])

    def put_account(self, email: str, *, project: str, public_key: str) -> None:
        """Let a service account in."""
        self._db.execute("insert or replace into accounts values (?, ?, ?)", (email, project, public_key))

    def account(self, email: str) -> tuple[str, str] | None:
        """Return a service account's project and public key, or None."""
        row = self._db.execute("select project, public_key from accounts where email = ?", (email,)).fetchone()
        return None if row is None else (row[0], row[1])

    def put_bearer(self, bearer: str, *, project: str, until: float) -> None:
        """Let in whoever shows this until then."""
        self._db.execute("insert into bearers values (?, ?, ?)", (bearer, project, until))

    def project_of(self, bearer: str, *, now: float) -> str | None:
        """Return which project a bearer may write for, or None."""
        row = self._db.execute("select project from bearers where bearer = ? and until > ?", (bearer, now)).fetchone()
        return None if row is None else str(row[0])

    def revoke_bearers(self) -> None:
        """Let nobody in who was let in before."""
        self._db.execute("delete from bearers")

    def set_access_token(self, token: str) -> None:
        """Ask for this token at Expo's door from now on; an empty one asks for none."""
        self._db.execute("insert or replace into settings values ('access_token', ?)", (token,))

    @property
    def access_token(self) -> str:
        """What Expo's door asks for."""
        row = self._db.execute("select value from settings where name = 'access_token'").fetchone()
        return "" if row is None else str(row[0])
