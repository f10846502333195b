"""What offline sync needs from the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, tzinfo
from typing import Any, Protocol, TypeAlias

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.money import Line
from core.kernel.ports import Facts
from core.offline.model import Change, Item, Outcome, Page


class Feed(Protocol):
    """What changed in a tenant, in an order of its own: a place in it is taken under a lock that is held to the commit.

    An audience is a person who sees some records, or `EVERYTHING`. Every record is in it once, at its newest change.
    """

    async def changes(self, tenant: str, audience: str, *, since: int, limit: int) -> Page:
        """Return up to `limit` changes after a place, in one view: nothing that commits later has a place before it.

        Since 0 there are only records that are there, none that are gone.
        """
        ...

    async def outcomes(
        self, tenant: str, owner: str, operation_ids: Sequence[str]
    ) -> Mapping[str, tuple[str, Outcome]]:
        """Return the fingerprint and outcome of those of the person's operations that were applied."""
        ...


class PhoneRecords(Protocol):
    """Records as phones know them, inside a transaction."""

    async def seen(
        self, tenant: str, audience: str, records: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Change]:
        """Return the newest change, with its stamps, of those jobs and customers (table and id) that the audience ever saw."""
        ...

    async def items(self, tenant: str, kind: str, ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the items of a kind by id."""
        ...

    async def save(self, item: Item) -> None:
        """Store the item, in the place of an older one, and let its job come to all phones again."""
        ...

    async def touch(self, tenant: str, table: str, record_id: str) -> None:
        """Let a job or customer come to all phones again, as if it had changed."""
        ...

    async def bury(self, tenant: str, audience: str, records: Sequence[tuple[str, str]]) -> None:
        """Let jobs and customers that the audience does not see come to it as deleted; nothing else follows in the transaction."""
        ...


class Operations(Protocol):
    """Which operations were applied, beside what they changed."""

    async def keep(self, tenant: str, owner: str, fingerprint: str, outcome: Outcome, *, at: datetime) -> None:
        """Store what became of an operation; raise `OperationTaken` if that is stored already."""
        ...


class PhoneTransaction(Protocol):
    """A tenant's transaction over what phones know, and over whatever else the adapter's transactions hold."""

    @property
    def phone_records(self) -> PhoneRecords: ...

    @property
    def operations(self) -> Operations: ...

    @property
    def facts(self) -> Facts: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[PhoneTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


@frozen(kw_only=True)
class Move:
    """A wanted transition of a job and what it takes: `at` is when it happened."""

    to: str
    at: datetime
    lines: tuple[Line, ...] = ()
    notes: str = ""
    reason: str | None = None
    technician_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Visits(Protocol):
    """Jobs as they are moved and changed online, but inside the transaction that is open; every error is that of the online use case."""

    async def open(self, tx: Any, *, actor: Actor, job_id: str, values: Mapping[str, Any]) -> None:
        """Note that a customer wants a visit, under the id that the phone gave it."""
        ...

    async def change(self, tx: Any, *, actor: Actor, job_id: str, values: Mapping[str, Any]) -> None:
        """Correct what is known about the job: title, notes, address, lat, lng."""
        ...

    async def move(self, tx: Any, *, actor: Actor, job_id: str, move: Move) -> None:
        """Move the job to another state."""
        ...

    async def sign(self, tx: Any, *, actor: Actor, job_id: str, content: bytes, signed_by: str) -> None:
        """Keep the customer's signature, a picture."""
        ...


class Clients(Protocol):
    """Customers as they are changed online, but inside the transaction that is open."""

    async def register(self, tx: Any, *, actor: Actor, customer_id: str, values: Mapping[str, Any]) -> None:
        """Note a customer under the id that the phone gave it."""
        ...

    async def change(self, tx: Any, *, actor: Actor, customer_id: str, values: Mapping[str, Any]) -> None:
        """Correct what is known of a customer."""
        ...


class ReportPosition(Protocol):
    """Takes a position that a phone measured, as tracking does online; the same one twice is as once."""

    async def __call__(self, *, actor: Actor, job_id: str, values: Mapping[str, Any], at: datetime) -> None: ...


class People(Protocol):
    """Who is who, for explanations."""

    async def names(self, tenant: str, user_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the names of those of the ids that are people's."""
        ...

    async def zone(self, tenant: str) -> tzinfo:
        """Return the time zone that the tenant lives in."""
        ...
