"""What the sandbox WhatsApp remembers, in one SQLite file that survives a restart."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve

from entrypoints.sandbox.whatsapp.model import Account, Contact, Exchange, Media, Message, Template, Webhook

_SCHEMA: Final = """
create table if not exists accounts (
    phone_number_id text primary key, waba_id text not null, display_phone_number text not null, token text not null,
    app_secret text not null, verify_token text not null, webhook_url text not null, verified integer not null,
    problem text
);
create table if not exists contacts (
    phone_number_id text, wa_id text, name text not null, hidden integer not null, last_inbound_at real,
    primary key (phone_number_id, wa_id)
);
create table if not exists templates (
    id integer primary key autoincrement, waba_id text, name text, language text, category text not null,
    components text not null, unique (waba_id, name, language)
);
create table if not exists media (
    id text primary key, phone_number_id text not null, mime_type text not null, filename text, content blob not null
);
create table if not exists messages (
    position integer primary key, id text not null unique, phone_number_id text not null, wa_id text not null,
    direction text not null, type text not null, at real not null, body text not null, shown text not null,
    status text not null, category text not null, callback text, error text
);
create index if not exists messages_by_chat on messages (phone_number_id, wa_id, position);
create table if not exists webhooks (
    id integer primary key autoincrement, phone_number_id text not null, wa_id text not null, message_id text,
    body blob not null, created_at real not null, due_at real not null, attempts integer not null
);
create table if not exists log (
    id integer primary key autoincrement, at real not null, phone_number_id text, wa_id text, direction text not null,
    title text not null, status integer, body text not null, answer text not null
);
"""
_MESSAGE: Final = "id, phone_number_id, wa_id, direction, type, at, body, shown, status, category, callback, error"
_WEBHOOK: Final = "id, phone_number_id, wa_id, message_id, body, created_at, attempts"
_LOG_KEEPS: Final = 1000
_FIRST_TEMPLATE: Final = 1_000_000_000


class WhatsAppState:
    """One SQLite file, used from one event loop; `version` changes with every write, so pages can ask cheaply for news.

    Faults to come are kept in memory only: they belong to the test that ordered them.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.version = secrets.randbits(40)  # another number after a restart, so that an open page asks again
        self.faults: deque[Mapping[str, Any]] = deque()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put_account(self, account: Account) -> None:
        """Create or replace an account."""
        self._put("accounts", asdict(account))

    def account(self, phone_number_id: str) -> Account | None:
        """Return an account, or None."""
        return next(self._accounts("where phone_number_id = ?", phone_number_id), None)

    def accounts(self) -> list[Account]:
        """Return all accounts in the order they were opened."""
        return list(self._accounts("order by rowid"))

    def _accounts(self, clause: str, *values: object) -> Iterator[Account]:
        rows = self._read(f"select * from accounts {clause}", *values)  # noqa: S608 - the clause is ours
        return (Account(**{**row, "verified": bool(row["verified"])}) for row in rows)

    def put_contact(self, contact: Contact) -> None:
        """Create or replace a contact."""
        self._put("contacts", asdict(contact))

    def contact(self, phone_number_id: str, wa_id: str) -> Contact | None:
        """Return a contact, or None when nobody of this number was ever met."""
        rows = self._read("select * from contacts where phone_number_id = ? and wa_id = ?", phone_number_id, wa_id)
        return next((_contact(row) for row in rows), None)

    def contacts(self, phone_number_id: str) -> list[Contact]:
        """Return everybody this number met, the latest first."""
        rows = self._read(
            "select contacts.* from contacts left join messages using (phone_number_id, wa_id)"
            " where phone_number_id = ? group by wa_id order by max(coalesce(position, 0)) desc, contacts.rowid desc",
            phone_number_id,
        )
        return [_contact(row) for row in rows]

    def add_template(
        self, *, waba_id: str, name: str, language: str, category: str, components: list[Mapping[str, Any]]
    ) -> Template | None:
        """Return the new template, or None when this name exists in this language."""
        try:
            done = self._write(
                "insert into templates (id, waba_id, name, language, category, components)"
                " values ((select coalesce(max(id), ?) + 1 from templates), ?, ?, ?, ?, ?)",
                (_FIRST_TEMPLATE, waba_id, name, language, category, json.dumps(components)),
            )
        except sqlite3.IntegrityError:
            return None
        return Template(
            id=str(done.lastrowid),
            waba_id=waba_id,
            name=name,
            language=language,
            category=category,
            components=tuple(components),
        )

    def templates(self, waba_id: str) -> list[Template]:
        """Return a business account's templates in the order of creation."""
        rows = self._read("select * from templates where waba_id = ? order by id", waba_id)
        return [
            Template(**{**row, "id": str(row["id"]), "components": tuple(json.loads(row["components"]))})
            for row in rows
        ]

    def add_media(self, media: Media) -> None:
        """Keep a file."""
        self._put("media", asdict(media))

    def media(self, media_id: str) -> Media | None:
        """Return a file, or None."""
        return next((Media(**row) for row in self._read("select * from media where id = ?", media_id)), None)

    def add_message(self, message: Message) -> None:
        """Append a message to its chat."""
        self._put("messages", {**asdict(message), "body": json.dumps(message.body), "shown": json.dumps(message.shown)})

    def message(self, message_id: str) -> Message | None:
        """Return a message by its id, or None."""
        rows = self._read(f"select {_MESSAGE} from messages where id = ?", message_id)  # noqa: S608 - our constant
        return next((_message(row) for row in rows), None)

    def chat(self, phone_number_id: str, wa_id: str) -> list[Message]:
        """Return the messages of both sides in their order."""
        rows = self._read(
            f"select {_MESSAGE} from messages where phone_number_id = ? and wa_id = ? order by position",  # noqa: S608
            phone_number_id,
            wa_id,
        )
        return [_message(row) for row in rows]

    def mark(self, message_id: str, status: str, *, error: str | None = None) -> None:
        """Set what became of a message."""
        self._write("update messages set status = ?, error = ? where id = ?", (status, error, message_id))

    def add_webhook(self, *, phone_number_id: str, wa_id: str, message_id: str | None, body: bytes, at: float) -> None:
        """Put a body on its way to the product, due at once."""
        self._write(
            "insert into webhooks (phone_number_id, wa_id, message_id, body, created_at, due_at, attempts)"
            " values (?, ?, ?, ?, ?, ?, 0)",
            (phone_number_id, wa_id, message_id, body, at, at),
        )

    def due_lanes(self, at: float) -> list[tuple[str, str]]:
        """Return the chats (number, contact) that have a webhook to post."""
        rows = self._read("select distinct phone_number_id, wa_id from webhooks where due_at <= ?", at)
        return [(row["phone_number_id"], row["wa_id"]) for row in rows]

    def due_webhook(self, lane: tuple[str, str], at: float) -> Webhook | None:
        """Return the oldest webhook of a chat that is due, or None."""
        rows = self._read(
            f"select {_WEBHOOK} from webhooks where phone_number_id = ? and wa_id = ? and due_at <= ?"  # noqa: S608
            " order by id limit 1",
            *lane,
            at,
        )
        return next((Webhook(**row) for row in rows), None)

    def has_webhooks(self) -> bool:
        """Say whether any webhook is still on its way."""
        return any(self._read("select 1 as one from webhooks limit 1"))

    def put_off(self, webhook: Webhook, *, until: float) -> None:
        """Count an attempt that failed and try again later."""
        self._write(
            "update webhooks set attempts = ?, due_at = ? where id = ?", (webhook.attempts + 1, until, webhook.id)
        )

    def drop_webhook(self, webhook: Webhook) -> None:
        """Forget a webhook that arrived, or that was given up."""
        self._write("delete from webhooks where id = ?", (webhook.id,))

    def note(self, exchange: Exchange) -> None:
        """Write down one exchange; the newest thousand are kept."""
        values = asdict(exchange)
        columns, gaps = ", ".join(values), ", ".join("?" * len(values))
        done = self._write(
            f"insert into log ({columns}) values ({gaps})",  # noqa: S608 - our names
            tuple(values.values()),
        )
        self._db.execute("delete from log where id <= ?", ((done.lastrowid or 0) - _LOG_KEEPS,))

    def log(self, *, phone_number_id: str | None, wa_id: str | None, after: int, limit: int) -> list[dict[str, Any]]:
        """Return the newest exchanges after a position, oldest first, with those that concern no single contact."""
        rows = self._read(
            "select * from log where id > ? and (? is null or phone_number_id is null or phone_number_id = ?)"
            " and (? is null or wa_id is null or wa_id = ?) order by id desc limit ?",
            *(after, phone_number_id, phone_number_id, wa_id, wa_id, limit),
        )
        return [dict(row) for row in rows][::-1]

    def take_fault(self, phone_number_id: str) -> Mapping[str, Any]:
        """Take the next fault ordered for a number (or for all), or an empty one."""
        for fault in self.faults:
            if fault.get("phone_number_id") in {None, phone_number_id}:
                self.faults.remove(fault)
                return fault
        return {}

    def _put(self, table: str, values: Mapping[str, Any]) -> None:
        columns, gaps = ", ".join(values), ", ".join("?" * len(values))
        keep = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._write(
            f"insert into {table} ({columns}) values ({gaps}) on conflict do update set {keep}",  # noqa: S608 - ours
            tuple(values.values()),
        )

    def _write(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        done = self._db.execute(statement, values)
        self.version += 1
        return done

    def _read(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(statement, values)]


def met(state: WhatsAppState, phone_number_id: str, wa_id: str, *, name: str = "") -> Contact:
    """Return the contact of a number, stored from now on, under the name if one is given."""
    known = state.contact(phone_number_id, wa_id)
    contact = known or Contact(phone_number_id=phone_number_id, wa_id=wa_id, name=name)
    if name and contact.name != name:
        contact = evolve(contact, name=name)
    if contact != known:
        state.put_contact(contact)
    return contact


def _contact(row: Mapping[str, Any]) -> Contact:
    return Contact(**{**row, "hidden": bool(row["hidden"])})


def _message(row: Mapping[str, Any]) -> Message:
    return Message(**{**row, "body": json.loads(row["body"]), "shown": json.loads(row["shown"])})
