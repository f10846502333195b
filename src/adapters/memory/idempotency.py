"""Idempotency keys in the memory of one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field

from adapters.memory.pauses import Steps
from core.kernel.ports import AnswerLost, Claim, ClaimLost, KeptAnswer, KeyReused, NewId
from core.kernel.time import Clock

_within: Final[ContextVar[Claim | None]] = ContextVar("within", default=None)


@define
class _Row:
    claim: Claim
    fingerprint: str
    leased_until: datetime
    expires_at: datetime
    effected: bool = False
    answer: KeptAnswer | None = None


@define
class MemoryIdempotencyKeys:
    """`core.kernel.ports.IdempotencyKeys`."""

    _clock: Clock
    _new_id: NewId
    _steps: Steps
    _rows: dict[tuple[str, str, str], _Row] = field(factory=dict, repr=False)

    async def claim(
        self, *, tenant: str, scope: str, key: str, fingerprint: str, lease: timedelta, life: timedelta
    ) -> Claim | KeptAnswer | None:
        """Claim a key, or return what was answered under it, or None while somebody else works on it."""

        def take() -> Claim | KeptAnswer | None:
            now = self._clock()
            row = self._rows.get((tenant, scope, key))
            if row is not None and now < row.expires_at:
                if row.fingerprint != fingerprint:
                    raise KeyReused
                if row.answer is not None:
                    return row.answer
                if now < row.leased_until:
                    return None
                if row.effected:
                    raise AnswerLost
            claim = Claim(tenant=tenant, scope=scope, key=key, id=self._new_id("claim"))
            self._rows[tenant, scope, key] = _Row(claim, fingerprint, now + lease, now + life)
            return claim

        return await self._steps("idempotency.claim", take)

    @contextlib.contextmanager
    def within(self, claim: Claim) -> Iterator[None]:
        """Let the transactions that this task begins in the block belong to the claim."""
        outer = _within.set(claim)
        try:
            yield
        finally:
            _within.reset(outer)

    async def keep(self, claim: Claim, answer: KeptAnswer, *, life: timedelta) -> None:
        """Store the answer for the claim's key; a lost claim stores nothing."""

        def keep() -> None:
            if (row := self._row(claim)) is not None:
                row.answer, row.expires_at = answer, self._clock() + life

        await self._steps("idempotency.keep", keep)

    async def release(self, claim: Claim, *, wholly: bool = False) -> None:
        """Give the key back without an answer."""

        def release() -> None:
            row = self._row(claim)
            if row is not None and row.effected and not wholly:
                row.leased_until = self._clock()
            elif row is not None:
                del self._rows[claim.tenant, claim.scope, claim.key]

        await self._steps("idempotency.release", release)

    async def tidy(self, *, limit: int) -> int:
        """Delete up to `limit` keys, of all tenants, whose life is over, and return how many."""

        def tidy() -> int:
            now = self._clock()
            over = [key for key, row in self._rows.items() if row.expires_at <= now][:limit]
            for key in over:
                del self._rows[key]
            return len(over)

        return await self._steps("idempotency.tidy", tidy)

    def check(self) -> None:
        """Raise `ClaimLost` if the transaction that commits belongs to a claim that is lost."""
        claim = _within.get()
        if claim is not None and self._row(claim) is None:
            raise ClaimLost

    def apply(self) -> None:
        """Note that the claim of the transaction that commits has an effect; cannot fail after `check`."""
        claim = _within.get()
        if claim is not None and (row := self._row(claim)) is not None:
            row.effected = True

    def _row(self, claim: Claim) -> _Row | None:
        row = self._rows.get((claim.tenant, claim.scope, claim.key))
        return row if row is not None and row.claim == claim else None
