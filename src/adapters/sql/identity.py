"""Accounts, sessions, service tokens and the audit log in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from adapters.sql import tables
from adapters.sql.database import Database
from adapters.sql.directory import person, phone_taken, row_of
from adapters.sql.errors import Taken
from adapters.sql.outbox import envelope
from adapters.sql.row_security import ALL
from adapters.sql.rows import replacing
from adapters.sql.sealing import Sealing, place
from adapters.sql.writer import Writer
from core.identity import (
    Account,
    LoginTaken,
    ServiceToken,
    ServiceTokenNotFound,
    Session,
    Tenant,
    User,
    UserNotFound,
)
from core.kernel.errors import Invalid
from core.kernel.events import Envelope
from core.kernel.states import evolved

_ACCOUNTS: Final = tables.accounts
_LOGINS: Final = tables.logins
_LOG_INS: Final = tables.log_ins
_TOKENS: Final = tables.service_tokens
_OUTBOX: Final = tables.outbox
_USERS: Final = tables.users
_CREDENTIALS: Final = tables.credentials


def _one(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.tenant == sa.bindparam("t"), table.c.id == sa.bindparam("i"))


_ACCOUNT: Final = _one(_ACCOUNTS)
_BY_LOGIN: Final = (
    sa.select(_ACCOUNTS)
    .join(_LOGINS, sa.and_(_LOGINS.c.tenant == _ACCOUNTS.c.tenant, _LOGINS.c.user_id == _ACCOUNTS.c.id))
    .where(_LOGINS.c.login == sa.bindparam("l"))
)
_RELEASE: Final = (
    sa.delete(_LOGINS)
    .where(_LOGINS.c.tenant == sa.bindparam("t"), _LOGINS.c.user_id == sa.bindparam("i"))
    .where(_LOGINS.c.login.not_in(sa.bindparam("kept", expanding=True)))
)
_OWNER: Final = sa.select(_LOGINS).where(_LOGINS.c.login == sa.bindparam("l"))
_ENROLLED: Final = (
    sa.select(_USERS).where(_USERS.c.phone == sa.bindparam("p"), _USERS.c.active).order_by(_USERS.c.tenant, _USERS.c.id)
)
_SESSION: Final = _one(_LOG_INS)
_OPEN: Final = (
    sa.select(_LOG_INS)
    .where(
        _LOG_INS.c.tenant == sa.bindparam("t"), _LOG_INS.c.user_id == sa.bindparam("u"), _LOG_INS.c.ended_at.is_(None)
    )
    .order_by(_LOG_INS.c.used_at.desc(), _LOG_INS.c.id.desc())
)
_TOKEN: Final = _one(_TOKENS)
_BY_HASH: Final = sa.select(_TOKENS).where(_TOKENS.c.token_hash == sa.bindparam("h"))
_OF_TENANT: Final = (
    sa.select(_TOKENS)
    .where(_TOKENS.c.tenant == sa.bindparam("t"))
    .order_by(_TOKENS.c.made_at.desc(), _TOKENS.c.id.desc())
)
_AUDITED: Final = sa.text("event_type LIKE 'identity.%'")
_PERSON: Final = _one(_USERS)
_OWNERS: Final = (
    sa.select(_USERS)
    .where(_USERS.c.tenant == sa.bindparam("t"), _USERS.c.role == "owner", _USERS.c.active)
    .order_by(_USERS.c.id)  # everybody locks them in one order
    .with_for_update()
)
_PUT_CREDENTIAL: Final = replacing(_CREDENTIALS)
_REMOVE_CREDENTIAL: Final = (
    sa.delete(_CREDENTIALS)
    .where(_CREDENTIALS.c.tenant == sa.bindparam("t"), _CREDENTIALS.c.purpose == sa.bindparam("p"))
    .returning(_CREDENTIALS.c.label)
)


class SqlPeople:
    """`core.identity.ports.PeopleRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""
        row = await self._writer.first(_PERSON, {"t": tenant, "i": user_id})
        if row is None:
            raise UserNotFound(user_id)
        return person(row)

    async def owners(self, tenant: str) -> Sequence[User]:
        """Return the active owners and lock their rows; SQLite has one writer anyway."""
        return [person(row) for row in await self._writer.run(_OWNERS, {"t": tenant})]

    async def save(self, user: User) -> User:
        """Store the user and its facts; raise `StaleVersion` or `PhoneTaken`."""
        try:
            version = await self._writer.save(_USERS, "user", user, row_of(user))
        except Taken as taken:
            raise phone_taken(taken) from taken
        return evolved(user, {"version": version, "facts": ()})


class SqlCredentials:
    """`core.identity.ports.CredentialStore`; what is kept is sealed for its place."""

    def __init__(self, writer: Writer, sealing: Sealing) -> None:
        self._writer, self._sealing = writer, sealing

    async def put(self, tenant: str, purpose: str, values: Mapping[str, str], *, label: str, at: datetime) -> None:
        """Store the credential in place of what was there."""
        about = place(_CREDENTIALS.c.sealed, tenant, purpose)
        row = {
            "tenant": tenant,
            "purpose": purpose,
            "label": label,
            "sealed": self._sealing.seal(msgspec.json.encode(dict(values)), about),
            "updated_at": at,
        }
        await self._writer.run(_PUT_CREDENTIAL(self._writer.sqlite), row)

    async def remove(self, tenant: str, purpose: str) -> str | None:
        """Remove the credential and return its label, or None."""
        row = await self._writer.first(_REMOVE_CREDENTIAL, {"t": tenant, "p": purpose})
        return None if row is None else str(row.label)


class SqlAccounts:
    """`core.identity.ports.AccountRepository`; the secret of the second factor is sealed for its place."""

    def __init__(self, writer: Writer, sealing: Sealing) -> None:
        self._writer, self._sealing = writer, sealing

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None."""
        return _account(await self._writer.first(_ACCOUNT, {"t": tenant, "i": user_id}), self._sealing)

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name leads to, or None."""
        return _account(await self._writer.first(_BY_LOGIN, {"l": login}), self._sealing)

    async def save(self, account: Account) -> Account:
        """Store the account and its names; raise `StaleVersion` or `LoginTaken`."""
        for login in account.logins:
            owner = await self._writer.first(_OWNER, {"l": login})
            if owner is not None and (owner.tenant, owner.user_id) != (account.tenant, account.id):
                raise LoginTaken
            if owner is None:
                claim = {"login": login, "tenant": account.tenant, "user_id": account.id}
                try:
                    await self._writer.run(sa.insert(_LOGINS), claim)
                except Taken as taken:
                    raise LoginTaken from taken
        if account.version:
            names = {"t": account.tenant, "i": account.id, "kept": account.logins}
            await self._writer.run(_RELEASE, names)
        secret = account.totp_secret
        row = {
            "email": account.email,
            "phone": account.phone,
            "password_hash": account.password_hash,
            "totp_sealed": None if secret is None else self._sealing.seal(secret.encode(), _place(account)),
            "totp_confirmed": account.totp_confirmed,
            "totp_step": account.totp_step,
            "recovery": list(account.recovery),
            "created_at": account.created_at,
        }
        version = await self._writer.save(_ACCOUNTS, "account", account, row)
        return evolved(account, {"version": version, "facts": ()})

    async def found(self, tenant: Tenant, user: User) -> None:
        """Store a new tenant and its first person."""
        row = {column.name: getattr(tenant, column.name) for column in tables.tenants.columns}
        await self._writer.run(sa.insert(tables.tenants), row)
        await self._writer.run(sa.insert(_USERS), {"tenant": user.tenant, "id": user.id, **row_of(user), "version": 1})


class SqlAccountReader:
    """`core.identity.ports.AccountReader`."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._database, self._sealing = database, sealing

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None."""
        return _account(await self._database.first(_ACCOUNT, {"t": tenant, "i": user_id}, tenant=tenant), self._sealing)

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name leads to, or None."""
        return _account(await self._database.first(_BY_LOGIN, {"l": login}, tenant=ALL), self._sealing)

    async def enrolled(self, phone: str) -> Sequence[User]:
        """Return the active people with this phone, by tenant and id."""
        return [person(row) for row in await self._database.rows(_ENROLLED, {"p": phone}, tenant=ALL)]


class SqlLogIns:
    """`core.identity.ports.SessionRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        return _session(await self._writer.first(_SESSION, {"t": tenant, "i": session_id}))

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended."""
        rows = await self._writer.run(_OPEN, {"t": tenant, "u": user_id})
        return [session for row in rows if (session := _session(row)) is not None]

    async def save(self, session: Session) -> Session:
        """Store the session and its facts; raise `StaleVersion`."""
        row = {name: getattr(session, name) for name in _SESSION_FIELDS}
        version = await self._writer.save(_LOG_INS, "session", session, row)
        return evolved(session, {"version": version, "facts": ()})


class SqlLogInReader:
    """`core.identity.ports.SessionReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        return _session(await self._database.first(_SESSION, {"t": tenant, "i": session_id}, tenant=tenant))

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended."""
        rows = await self._database.rows(_OPEN, {"t": tenant, "u": user_id}, tenant=tenant)
        return [session for row in rows if (session := _session(row)) is not None]


class SqlServiceTokens:
    """`core.identity.ports.ServiceTokenRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, token_id: str) -> ServiceToken:
        """Return the token; raise `ServiceTokenNotFound`."""
        row = await self._writer.first(_TOKEN, {"t": tenant, "i": token_id})
        if row is None:
            raise ServiceTokenNotFound(token_id)
        return _service_token(row)

    async def save(self, token: ServiceToken) -> ServiceToken:
        """Store the token and its facts; raise `StaleVersion`."""
        row = {
            "label": token.label,
            "scopes": list(token.scopes),
            "token_hash": token.token_hash,
            "made_by": token.made_by,
            "made_at": token.made_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
        }
        version = await self._writer.save(_TOKENS, "service token", token, row)
        return evolved(token, {"version": version, "facts": ()})


class SqlServiceTokenReader:
    """`core.identity.ports.ServiceTokenReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_hash(self, token_hash: str) -> ServiceToken | None:
        """Return the token with this digest, or None."""
        row = await self._database.first(_BY_HASH, {"h": token_hash}, tenant=ALL)
        return None if row is None else _service_token(row)

    async def of(self, tenant: str) -> Sequence[ServiceToken]:
        """Return the tenant's tokens, the newest first."""
        return [_service_token(row) for row in await self._database.rows(_OF_TENANT, {"t": tenant}, tenant=tenant)]


class SqlAuditLog:
    """`core.identity.ports.AuditLog`, over the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Envelope], str | None]:
        """Return a page of the tenant's facts of identity, the newest first."""
        query = sa.select(_OUTBOX).where(_OUTBOX.c.tenant == tenant, _AUDITED)
        if cursor is not None:
            query = query.where(_OUTBOX.c.seq < _before(cursor))
        rows = await self._database.rows(query.order_by(_OUTBOX.c.seq.desc()).limit(limit + 1), tenant=tenant)
        following = str(rows[limit - 1].seq) if len(rows) > limit else None
        return [envelope(row) for row in rows[:limit]], following


_SESSION_FIELDS: Final = tuple(
    column.name for column in _LOG_INS.columns if column.name not in {"tenant", "id", "version"}
)


def _before(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):  # noqa: PLR2004 - fits 64 bits
        msg = "the cursor is not one that we gave out"
        raise Invalid(msg, field="cursor")
    return int(cursor)


def _place(account: Any) -> bytes:
    return place(_ACCOUNTS.c.totp_sealed, account.tenant, account.id)


def _account(row: Any, sealing: Sealing) -> Account | None:
    if row is None:
        return None
    sealed = row.totp_sealed
    return Account(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        created_at=row.created_at,
        email=row.email,
        phone=row.phone,
        password_hash=row.password_hash,
        totp_secret=None if sealed is None else sealing.unseal(sealed, _place(row)).decode(),
        totp_confirmed=row.totp_confirmed,
        totp_step=row.totp_step,
        recovery=tuple(row.recovery),
    )


def _session(row: Any) -> Session | None:
    if row is None:
        return None
    known = {name: getattr(row, name) for name in _SESSION_FIELDS}
    return Session(id=row.id, tenant=row.tenant, version=row.version, **known)


def _service_token(row: Any) -> ServiceToken:
    return ServiceToken(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        label=row.label,
        scopes=tuple(row.scopes),
        token_hash=row.token_hash,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
