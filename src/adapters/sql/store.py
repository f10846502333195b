"""The store: transactions, and readers beside them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import cached_property
from typing import Final, TypeAlias

import sqlalchemy as sa

from adapters.sql.choices import SqlDevices, SqlPreferences
from adapters.sql.customers import SqlCustomerReader, SqlCustomers
from adapters.sql.database import Database
from adapters.sql.deliveries import SqlDeliveries, SqlDeliveryReader
from adapters.sql.directory import SqlDirectory
from adapters.sql.history import SqlHistory
from adapters.sql.idempotency import SqlIdempotencyKeys, note_effect
from adapters.sql.identity import (
    SqlAccountReader,
    SqlAccounts,
    SqlAuditLog,
    SqlCredentials,
    SqlLogInReader,
    SqlLogIns,
    SqlPeople,
    SqlServiceTokenReader,
    SqlServiceTokens,
)
from adapters.sql.invoices import SqlInvoiceReader, SqlInvoices, SqlIssuers, SqlTrail
from adapters.sql.jobs import SqlJobReader, SqlJobs
from adapters.sql.messages import SqlInbox, SqlMessages
from adapters.sql.offline import SqlFeed, SqlOperations, SqlPhoneRecords
from adapters.sql.outbox import SqlOutbox
from adapters.sql.row_security import EXAMINE, NOBODY, TENANT_COLUMNS
from adapters.sql.sealing import Sealing, SqlSealed
from adapters.sql.secrets import SqlSecrets
from adapters.sql.sessions import SqlSessionReader, SqlSessions
from adapters.sql.tickets import SqlTickets
from adapters.sql.writer import Writer
from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock

Seal: TypeAlias = Callable[[bytes, bytes], bytes]
"""Encrypt or decrypt bytes (first) that belong to one place (second)."""

_ALIVE: Final = sa.select(sa.literal(1))
_inside: Final[ContextVar[SqlStore | None]] = ContextVar("inside", default=None)


class SqlTransaction:
    """One transaction; satisfies every context's transaction protocol."""

    def __init__(self, writer: Writer, sealing: Sealing) -> None:
        self._writer, self._sealing = writer, sealing

    @property
    def facts(self) -> Writer:
        return self._writer

    @cached_property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self._writer)

    @cached_property
    def customers(self) -> SqlCustomers:
        return SqlCustomers(self._writer)

    @cached_property
    def messages(self) -> SqlMessages:
        return SqlMessages(self._writer)

    @cached_property
    def sessions(self) -> SqlSessions:
        return SqlSessions(self._writer)

    @cached_property
    def invoices(self) -> SqlInvoices:
        return SqlInvoices(self._writer)

    @cached_property
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self._writer)

    @cached_property
    def preferences(self) -> SqlPreferences:
        return SqlPreferences(self._writer)

    @cached_property
    def devices(self) -> SqlDevices:
        return SqlDevices(self._writer)

    @cached_property
    def phone_records(self) -> SqlPhoneRecords:
        return SqlPhoneRecords(self._writer)

    @cached_property
    def operations(self) -> SqlOperations:
        return SqlOperations(self._writer)

    @cached_property
    def people(self) -> SqlPeople:
        return SqlPeople(self._writer)

    @cached_property
    def credentials(self) -> SqlCredentials:
        return SqlCredentials(self._writer, self._sealing)

    @cached_property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self._writer, self._sealing)

    @cached_property
    def log_ins(self) -> SqlLogIns:
        return SqlLogIns(self._writer)

    @cached_property
    def service_tokens(self) -> SqlServiceTokens:
        return SqlServiceTokens(self._writer)


class SqlStore:
    """Everything durable, in the database that the SQLAlchemy URL names; `migrate.upgrade` makes its tables.

    Readers run outside transactions, in one round trip each. `outbox` answers the relay's port and the reactor's. What
    `secrets`, `tickets` and `accounts` keep secret goes through `seal` and `unseal`. Every method raises `Unavailable` when the
    database does not answer, and nothing of the drivers.
    """

    def __init__(self, url: str, *, clock: Clock, new_id: NewId, seal: Seal, unseal: Seal, pool_size: int = 10) -> None:
        self._clock, self._new_id = clock, new_id
        self._sealing = Sealing(seal, unseal)
        self._database = Database(url, pool_size=pool_size)
        self.jobs = SqlJobReader(self._database)
        self.customers = SqlCustomerReader(self._database)
        self.inbox = SqlInbox(self._database)
        self.sessions = SqlSessionReader(self._database)
        self.history = SqlHistory(self._database)
        self.invoices = SqlInvoiceReader(self._database)
        self.issuers = SqlIssuers(self._database)
        self.trail = SqlTrail(self._database)
        self.deliveries = SqlDeliveryReader(self._database)
        self.feed = SqlFeed(self._database)
        self.directory = SqlDirectory(self._database)
        self.accounts = SqlAccountReader(self._database, self._sealing)
        self.log_ins = SqlLogInReader(self._database)
        self.service_tokens = SqlServiceTokenReader(self._database)
        self.audit = SqlAuditLog(self._database)
        self.secrets = SqlSecrets(self._database, self._sealing)
        self.sealed = SqlSealed(self._database, self._sealing)
        self.tickets = SqlTickets(self._database, self._sealing, clock=clock, new_id=new_id)
        self.outbox = SqlOutbox(self._database, clock=clock)
        self.idempotency = SqlIdempotencyKeys(self._database, clock=clock, new_id=new_id)

    @contextlib.asynccontextmanager
    async def begin(self, actor: Actor) -> AsyncIterator[SqlTransaction]:
        """Open the actor's transaction; `AlreadySettled` if it acts as a reaction that is over."""
        if _inside.get() is self:
            msg = "transactions do not nest"
            raise RuntimeError(msg)
        outer = _inside.set(self)
        try:
            async with self._database.transaction(tenant=actor.tenant) as connection:
                writer = Writer(connection, actor, clock=self._clock, new_id=self._new_id)
                await writer.settle()
                yield SqlTransaction(writer, self._sealing)
                await note_effect(connection)
        finally:
            _inside.reset(outer)
        if writer.told:
            self.outbox.changed()

    async def ping(self) -> None:
        """Return if the database answers; raise `Unavailable`."""
        await self._database.first(_ALIVE, tenant=NOBODY)

    async def examined(self) -> str:
        """Return how the database answers; raise `Unavailable` if it does not, or not as one that keeps tenants apart."""
        if self._database.sqlite:
            await self.ping()
            return "answers"
        seen = await self._database.first(EXAMINE, tenant=NOBODY)
        if missing := sorted(TENANT_COLUMNS.keys() - set(seen.walled)):
            msg = f"the database lacks a migration: nothing keeps tenants apart in {', '.join(missing)}"
            raise Unavailable(msg)
        if seen.passes or (owned := set(seen.owned) & TENANT_COLUMNS.keys()):
            why = "passes by row-level security" if seen.passes else f"owns {', '.join(sorted(owned))}"
            msg = f"the role {seen.role} {why}: nothing keeps tenants apart"
            raise Unavailable(msg)
        needless = "; its user is a superuser, which it need not be" if seen.superuser else ""
        return f"answers as {seen.role}{needless}"

    async def close(self) -> None:
        """Close all connections."""
        await self.outbox.close()
        await self._database.close()
