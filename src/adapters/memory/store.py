"""The store: transactions, and readers beside them."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncIterator
from functools import cached_property

from adapters.memory.customers import MemoryCustomerReader, MemoryCustomers, customer_rows
from adapters.memory.deliveries import (
    MemoryDeliveries,
    MemoryDeliveryReader,
    MemoryDevices,
    MemoryPreferences,
    delivery_rows,
    device_rows,
    preference_rows,
)
from adapters.memory.directory import MemoryDirectory
from adapters.memory.history import MemoryHistory
from adapters.memory.idempotency import MemoryIdempotencyKeys
from adapters.memory.identity import (
    IdentityRows,
    MemoryAccountReader,
    MemoryAccounts,
    MemoryAuditLog,
    MemoryCredentials,
    MemoryLogInReader,
    MemoryLogIns,
    MemoryPeople,
    MemoryServiceTokenReader,
    MemoryServiceTokens,
    StagedIdentity,
)
from adapters.memory.invoices import MemoryInvoiceReader, MemoryInvoices, MemoryIssuers, MemoryTrail, invoice_rows
from adapters.memory.jobs import MemoryJobReader, MemoryJobs, job_rows
from adapters.memory.messages import InboxRows, MemoryInbox, MemoryMessages, StagedInbox, batch_rows
from adapters.memory.offline import MemoryFeed, MemoryOperations, MemoryPhoneRecords, OfflineRows, StagedOffline
from adapters.memory.outbox import MemoryFacts, MemoryOutbox, OutboxRows, StagedOutbox
from adapters.memory.pauses import Pause, Steps, at_once
from adapters.memory.rows import Staged
from adapters.memory.secrets import MemorySecrets, MemoryTickets
from adapters.memory.sessions import MemorySessionReader, MemorySessions, session_rows
from core.kernel.actor import Actor
from core.kernel.ports import NewId
from core.kernel.time import Clock


class _Tables:
    """All that is committed."""

    def __init__(self, directory: MemoryDirectory, secrets: MemorySecrets) -> None:
        self.identity = IdentityRows(directory, secrets)
        self.jobs = job_rows()
        self.customers = customer_rows()
        self.batches = batch_rows()
        self.sessions = session_rows()
        self.invoices = invoice_rows()
        self.deliveries = delivery_rows()
        self.preferences = preference_rows()
        self.devices = device_rows()
        self.inbox = InboxRows()
        self.offline = OfflineRows()
        self.outbox = OutboxRows()


class MemoryTransaction:
    """One transaction; satisfies every context's transaction protocol."""

    def __init__(
        self,
        tables: _Tables,
        actor: Actor,
        steps: Steps,
        *,
        clock: Clock,
        new_id: NewId,
        idempotency: MemoryIdempotencyKeys,
    ) -> None:
        self._steps, self._idempotency = steps, idempotency
        self._outbox = StagedOutbox(tables.outbox, actor, new_id)
        self._outbox.settle()
        remember = self._outbox.remember
        self._inbox = StagedInbox(tables.inbox)
        self._jobs = Staged(tables.jobs, remember)
        self._customers = Staged(tables.customers, remember)
        self._batches = Staged(tables.batches, remember)
        self._sessions = Staged(tables.sessions, remember)
        self._invoices = Staged(tables.invoices, remember)
        self._deliveries = Staged(tables.deliveries, remember)
        self._preferences = Staged(tables.preferences, remember)
        self._devices = Staged(tables.devices, remember)
        self._identity = StagedIdentity(tables.identity, remember)
        self._offline = StagedOffline(tables.offline, actor, clock, self._jobs, self._customers)

    @cached_property
    def jobs(self) -> MemoryJobs:
        return MemoryJobs(self._jobs, self._steps)

    @cached_property
    def customers(self) -> MemoryCustomers:
        return MemoryCustomers(self._customers, self._steps)

    @cached_property
    def messages(self) -> MemoryMessages:
        return MemoryMessages(self._inbox, self._batches, self._steps)

    @cached_property
    def sessions(self) -> MemorySessions:
        return MemorySessions(self._sessions, self._steps)

    @cached_property
    def invoices(self) -> MemoryInvoices:
        return MemoryInvoices(self._invoices, self._steps)

    @cached_property
    def deliveries(self) -> MemoryDeliveries:
        return MemoryDeliveries(self._deliveries, self._steps)

    @cached_property
    def preferences(self) -> MemoryPreferences:
        return MemoryPreferences(self._preferences, self._steps)

    @cached_property
    def devices(self) -> MemoryDevices:
        return MemoryDevices(self._devices, self._steps)

    @cached_property
    def phone_records(self) -> MemoryPhoneRecords:
        return MemoryPhoneRecords(self._offline, self._steps)

    @cached_property
    def operations(self) -> MemoryOperations:
        return MemoryOperations(self._offline, self._steps)

    @cached_property
    def people(self) -> MemoryPeople:
        return MemoryPeople(self._identity, self._steps)

    @cached_property
    def credentials(self) -> MemoryCredentials:
        return MemoryCredentials(self._identity, self._steps)

    @cached_property
    def accounts(self) -> MemoryAccounts:
        return MemoryAccounts(self._identity, self._steps)

    @cached_property
    def log_ins(self) -> MemoryLogIns:
        return MemoryLogIns(self._identity, self._steps)

    @cached_property
    def service_tokens(self) -> MemoryServiceTokens:
        return MemoryServiceTokens(self._identity, self._steps)

    @cached_property
    def facts(self) -> MemoryFacts:
        return MemoryFacts(self._outbox, self._steps)

    def commit(self) -> None:
        """Make everything everybody's, or raise and change nothing."""
        parts = (
            self._outbox,
            self._inbox,
            self._offline,
            self._jobs,
            self._customers,
            self._batches,
            self._sessions,
            self._invoices,
            self._deliveries,
            self._preferences,
            self._devices,
            self._identity,
            self._idempotency,
        )
        for part in parts:
            part.check()
        for part in parts:
            part.apply()

    def release(self) -> None:
        """Let go of what only an open transaction may hold."""
        self._inbox.release()


class MemoryStore:
    """Everything that the product keeps, in the memory of one process and gone with it.

    `pause` is awaited before and after the effect of every operation, and around opening and committing a transaction.
    """

    def __init__(self, *, clock: Clock, new_id: NewId, pause: Pause = at_once) -> None:
        self._clock, self._new_id, self._pause = clock, new_id, pause
        self._steps = steps = Steps(pause)
        self.directory = MemoryDirectory(steps)
        self.secrets = MemorySecrets(steps)
        self._tables = tables = _Tables(self.directory, self.secrets)
        self._inside: contextvars.ContextVar[bool] = contextvars.ContextVar("inside", default=False)
        self.jobs = MemoryJobReader(tables.jobs, tables.inbox, tables.outbox, steps)
        self.customers = MemoryCustomerReader(tables.customers, steps)
        self.inbox = MemoryInbox(tables.inbox, steps)
        self.sessions = MemorySessionReader(tables.sessions, steps)
        self.history = MemoryHistory(steps)
        self.feed = MemoryFeed(tables.offline, tables.jobs, tables.customers, steps)
        self.invoices = MemoryInvoiceReader(tables.invoices, steps)
        self.issuers = MemoryIssuers(steps)
        self.trail = MemoryTrail(steps)
        self.deliveries = MemoryDeliveryReader(tables.deliveries, steps)
        self.accounts = MemoryAccountReader(tables.identity, steps)
        self.log_ins = MemoryLogInReader(tables.identity, steps)
        self.service_tokens = MemoryServiceTokenReader(tables.identity, steps)
        self.audit = MemoryAuditLog(tables.outbox, steps)
        self.tickets = MemoryTickets(steps, clock)
        self.outbox = MemoryOutbox(tables.outbox, clock, pause, steps)
        self.idempotency = MemoryIdempotencyKeys(clock, new_id, steps)

    @contextlib.asynccontextmanager
    async def begin(self, actor: Actor) -> AsyncIterator[MemoryTransaction]:
        """Open the actor's transaction; commits when the block ends well, rolls back when it raises, never nests."""
        if self._inside.get():
            msg = "transactions do not nest"
            raise RuntimeError(msg)
        token = self._inside.set(True)
        try:
            await self._pause("begin:before")
            transaction = MemoryTransaction(
                self._tables,
                actor,
                self._steps,
                clock=self._clock,
                new_id=self._new_id,
                idempotency=self.idempotency,
            )
            try:
                yield transaction
                await self._pause("commit:before")
                transaction.commit()
                self.outbox.changed()
                await self._pause("commit:after")
            finally:
                transaction.release()
        finally:
            self._inside.reset(token)

    async def ping(self) -> None:
        """Return: memory answers."""

    async def close(self) -> None:
        """Nothing is open."""
