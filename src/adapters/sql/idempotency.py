"""Idempotency keys in a table: its primary key decides who works on a request."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Connection, Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import either
from adapters.sql.tables import Instant, idempotency_keys
from core.kernel.ports import AnswerLost, Claim, ClaimLost, KeptAnswer, KeyReused, NewId
from core.kernel.time import Clock

_keys: Final = idempotency_keys.c
_within: Final[ContextVar[Claim | None]] = ContextVar("within", default=None)
_NOW: Final = sa.bindparam("now", type_=Instant)
_THIS: Final = sa.and_(
    _keys.tenant == sa.bindparam("t"), _keys.scope == sa.bindparam("s"), _keys.key == sa.bindparam("k")
)
_OURS: Final = sa.and_(_THIS, _keys.claim == sa.bindparam("c"))
_COLUMNS: Final = tuple(column.name for column in idempotency_keys.columns)


def _claiming(insert: Any) -> sa.Executable:
    new = insert(idempotency_keys).values({name: sa.bindparam(name) for name in _COLUMNS})
    free = sa.or_(
        _keys.expires_at <= _NOW,
        sa.and_(
            _keys.status.is_(None),
            _keys.effected.is_(False),
            _keys.leased_until <= _NOW,
            _keys.fingerprint == new.excluded.fingerprint,
        ),
    )
    fresh = {name: new.excluded[name] for name in _COLUMNS if name not in {"tenant", "scope", "key"}}
    claimed: sa.Executable = new.on_conflict_do_update(
        index_elements=["tenant", "scope", "key"], set_=fresh, where=free
    ).returning(_keys.claim)
    return claimed


_CLAIM: Final = either(_claiming)
_LOOK: Final = sa.select(idempotency_keys).where(_THIS)
_EFFECTED: Final = sa.update(idempotency_keys).where(_OURS).values(effected=True).returning(_keys.claim)
_KEEP: Final = (
    sa.update(idempotency_keys)
    .where(_OURS)
    .values({name: sa.bindparam(f"new_{name}") for name in ("status", "content_type", "body", "expires_at")})
)
_FREE: Final = sa.delete(idempotency_keys).where(_OURS, _keys.effected.is_(False)).returning(_keys.claim)
_DROP: Final = sa.delete(idempotency_keys).where(_OURS).returning(_keys.claim)
_END: Final = sa.update(idempotency_keys).where(_OURS).values(leased_until=_NOW)
_OVER: Final = (
    sa.select(_keys.tenant, _keys.scope, _keys.key).where(_keys.expires_at <= _NOW).limit(sa.bindparam("limit"))
)
_TIDY: Final = (
    sa.delete(idempotency_keys).where(sa.tuple_(_keys.tenant, _keys.scope, _keys.key).in_(_OVER)).returning(_keys.claim)
)


class SqlIdempotencyKeys:
    """`core.kernel.ports.IdempotencyKeys`."""

    def __init__(self, database: Database, *, clock: Clock, new_id: NewId) -> None:
        self._database, self._clock, self._new_id = database, clock, new_id

    async def claim(
        self, *, tenant: str, scope: str, key: str, fingerprint: str, lease: timedelta, life: timedelta
    ) -> Claim | KeptAnswer | None:
        """Claim a key, or return what was answered under it, or None while somebody else works on it."""
        now = self._clock()
        claim = Claim(tenant=tenant, scope=scope, key=key, id=self._new_id("claim"))
        row = {
            "tenant": tenant,
            "scope": scope,
            "key": key,
            "fingerprint": fingerprint,
            "claim": claim.id,
            "leased_until": now + lease,
            "effected": False,
            "status": None,
            "content_type": None,
            "body": None,
            "expires_at": now + life,
            "now": now,
        }
        if await self._database.change(_CLAIM(self._database.sqlite), row, tenant=tenant):
            return claim
        kept = await self._database.first(_LOOK, _named(claim), tenant=tenant)
        if kept is None:  # given back since
            return None
        if kept.fingerprint != fingerprint:
            raise KeyReused
        if kept.status is not None:
            return KeptAnswer(status=kept.status, content_type=kept.content_type, body=kept.body)
        if kept.effected and kept.leased_until <= now:
            raise AnswerLost
        return None

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
        values = {
            "new_status": answer.status,
            "new_content_type": answer.content_type,
            "new_body": answer.body,
            "new_expires_at": self._clock() + life,
        }
        await self._database.change(_KEEP, _named(claim) | {"c": claim.id} | values, tenant=claim.tenant)

    async def release(self, claim: Claim, *, wholly: bool = False) -> None:
        """Give the key back without an answer."""
        ours = _named(claim) | {"c": claim.id}
        if not await self._database.change(_DROP if wholly else _FREE, ours, tenant=claim.tenant):
            await self._database.change(_END, ours | {"now": self._clock()}, tenant=claim.tenant)

    async def tidy(self, *, limit: int) -> int:
        """Delete up to `limit` keys, of all tenants, whose life is over, and return how many."""
        return len(await self._database.change(_TIDY, {"now": self._clock(), "limit": limit}, tenant=ALL))


async def note_effect(connection: Connection) -> None:
    """Note, in this transaction, that the claim it belongs to has an effect, if it belongs to one; raise `ClaimLost`."""
    claim = _within.get()
    if claim is not None and await connection.first(_EFFECTED, _named(claim) | {"c": claim.id}) is None:
        raise ClaimLost


def _named(claim: Claim) -> dict[str, Any]:
    return {"t": claim.tenant, "s": claim.scope, "k": claim.key}
