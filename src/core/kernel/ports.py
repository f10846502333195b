"""Technical needs that two or more contexts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, TypeAlias

from attrs import field, frozen

from core.kernel.actor import Actor
from core.kernel.errors import Conflict, Invalid
from core.kernel.events import Envelope, Fact

NewId: TypeAlias = Callable[[str], str]
"""Make a new identifier from a kind: `new_id("job")` is `job_` and a random UUID (version 4)."""


@frozen
class Overdue:
    """A fact that was sent and is not finished: which reactions are over, and which wait for a later retry."""

    envelope: Envelope
    settled: frozenset[str]
    waiting: frozenset[str]


class Facts(Protocol):
    """The outbox as a transaction sees it."""

    async def add(self, *facts: Fact) -> None:
        """Store facts that belong to no saved aggregate; they commit or vanish with the transaction."""
        ...


class Outbox(Protocol):
    """Stored facts on their way to reactions, of all tenants: the relay's side."""

    def unsent(self, *, limit: int) -> AbstractAsyncContextManager[Sequence[Envelope]]:
        """Hold up to `limit` facts that were never sent, oldest first; no other holder sees them meanwhile.

        Leaving the block well marks them sent; raising leaves them unsent.
        """
        ...

    def overdue(self, *, at: datetime, lease: timedelta, limit: int) -> AbstractAsyncContextManager[Sequence[Overdue]]:
        """Hold facts that are not finished and were sent longer than `lease` ago or have a retry due.

        Leaving the block well starts a new lease.
        """
        ...

    async def finish(self, fact_ids: Sequence[str]) -> None:
        """Note that nothing is left to do about these facts; `overdue` shows them no more."""
        ...


class Settlements(Protocol):
    """Which reactions to which facts are over: the reactor's side of the outbox."""

    async def get(self, fact_id: str) -> Envelope:
        """Return the fact; raise `NotFound`."""
        ...

    async def settle(self, actor: Actor, *, failure: str | None = None) -> None:
        """Note that the actor's reaction to its fact is over: applied, or given up with the reason; twice changes nothing."""
        ...

    async def postpone(self, actor: Actor, *, failure: str, wait: Callable[[int], timedelta | None]) -> datetime | None:
        """Count a failed attempt and return when the next is due; None, and given up, when `wait` names no more pauses."""
        ...


@frozen(kw_only=True)
class RateRule:
    """At most `limit` requests in any `seconds`; the name is what a client is told of it."""

    name: str
    limit: int
    seconds: float = 60.0


@frozen(kw_only=True)
class Allowance:
    """What the strictest of the rules asked says: whether the request may pass, and what is left of the rule.

    `wait` is in seconds: how long until more than `remaining` is free again; for a refused request, until another try makes sense.
    """

    rule: RateRule
    allowed: bool
    remaining: int
    wait: float


class RateLimiter(Protocol):
    """Counts requests over sliding windows, by key, exactly: among all that ask at once no more pass than a rule says."""

    async def take(self, asked: Sequence[tuple[str, RateRule]]) -> Allowance:
        """Count one request under every key by its rule, or under none if one of them has nothing left.

        A request leaves its window up to a twentieth of the window late, never early.
        """
        ...


class KeyReused(Invalid):
    """The idempotency key was used for another request."""

    code: ClassVar[str] = "idempotency.key_reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was sent with another request; use a new key for a new request")


class AnswerLost(Conflict):
    """The request under this key took effect, and how it ended is not known any more."""

    code: ClassVar[str] = "idempotency.answer_lost"

    def __init__(self) -> None:
        super().__init__("this request has taken effect, and its answer was not kept; look before you ask again")


class ClaimLost(Conflict):
    """Whoever works under an idempotency key took longer than its lease, and somebody else may be at it."""

    code: ClassVar[str] = "idempotency.claim_lost"

    def __init__(self) -> None:
        super().__init__("this request took too long and changed nothing; send it again")


@frozen(kw_only=True)
class KeptAnswer:
    """What was answered to the first request under an idempotency key."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class Claim:
    """The right to work on the one request under an idempotency key; `id` is drawn anew for each claim."""

    tenant: str
    scope: str
    key: str
    id: str


class IdempotencyKeys(Protocol):
    """Which requests were made under which key, beside the data that they change.

    A key takes effect at most once: the transactions begun `within` a claim note its effect as they commit, and do not commit
    if the claim is lost. After a crash the lease ends; then the request may run again if it had no effect, and if it had one the
    key answers `AnswerLost` for the rest of its life.
    """

    async def claim(
        self, *, tenant: str, scope: str, key: str, fingerprint: str, lease: timedelta, life: timedelta
    ) -> Claim | KeptAnswer | None:
        """Claim a key, or return what was answered under it, or None while somebody else works on it.

        The `fingerprint` tells one request from another. Raise `KeyReused` or `AnswerLost`.
        """
        ...

    def within(self, claim: Claim) -> AbstractContextManager[None]:
        """Let the transactions that this task begins in the block belong to the claim: they raise `ClaimLost` if it is."""
        ...

    async def keep(self, claim: Claim, answer: KeptAnswer, *, life: timedelta) -> None:
        """Store the answer for the claim's key; a lost claim stores nothing."""
        ...

    async def release(self, claim: Claim, *, wholly: bool = False) -> None:
        """Give the key back without an answer: to be used again, or, if it took effect, with `AnswerLost` from now on.

        `wholly` lets it be used again in any case: for requests that go on where they stopped.
        """
        ...

    async def tidy(self, *, limit: int) -> int:
        """Delete up to `limit` keys, of all tenants, whose life is over, and return how many."""
        ...
