"""How facts reach their reactions: at least once delivered, once applied.

The relay sends one message for each (fact, reaction). Whoever receives it lets the reactor react: the reaction records the pair in its own
transaction, so a second delivery changes nothing. What is not settled when its lease ends is sent again, so a broker that
loses everything loses nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, CuadrillaError, Limited, StaleVersion, Unavailable
from core.kernel.events import Envelope
from core.kernel.ports import Outbox, Settlements
from core.kernel.time import Clock, RetryPolicy

Reaction: TypeAlias = Callable[[Actor, Any], Awaitable[None]]
Reactions: TypeAlias = Mapping[str, Mapping[str, Reaction]]
"""From a fact's name to the reactions to it, each under a stable name."""

Publish: TypeAlias = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]
"""Send (fact id, reaction) messages towards the workers, in order; raise `Unavailable` if that cannot be done now."""


@frozen
class Relay:
    """Sends facts towards their reactions."""

    _outbox: Outbox
    _publish: Publish
    _reactions: Reactions
    _clock: Clock
    _lease: timedelta = timedelta(seconds=30)

    async def send(self, *, limit: int = 100) -> int:
        """Send facts that were never sent and return how many there were."""
        async with self._outbox.unsent(limit=limit) as envelopes:
            wanted = [(e.id, name) for e in envelopes for name in self._reactions_to(e)]
            if wanted:
                await self._publish(wanted)
        await self._finish([e.id for e in envelopes if not self._reactions_to(e)])
        return len(envelopes)

    async def send_again(self, *, limit: int = 100) -> int:
        """Send what was sent before and not settled within the lease, or is due for a retry; return how many messages."""
        async with self._outbox.overdue(at=self._clock(), lease=self._lease, limit=limit) as overdue:
            wanted = [
                (each.envelope.id, name)
                for each in overdue
                for name in self._reactions_to(each.envelope)
                if name not in each.settled and name not in each.waiting
            ]
            if wanted:
                await self._publish(wanted)
        await self._finish([e.envelope.id for e in overdue if e.settled.issuperset(self._reactions_to(e.envelope))])
        return len(wanted)

    def _reactions_to(self, envelope: Envelope) -> Mapping[str, Reaction]:
        return self._reactions.get(envelope.event_type, {})

    async def _finish(self, fact_ids: Sequence[str]) -> None:
        if fact_ids:
            await self._outbox.finish(fact_ids)


@frozen
class Reactor:
    """Lets one reaction react to one fact."""

    _settlements: Settlements
    _reactions: Reactions
    _retry: RetryPolicy = RetryPolicy()

    async def react(self, *, fact_id: str, reaction: str) -> str:
        """Apply the reaction and return `applied`, `again` (a retry is due later) or `failed` (a person has to look).

        What can pass by itself (`Unavailable`, `Limited`, a lost race) is tried again with growing pauses; every other
        anticipated error would only repeat itself. Anything else is a defect: it is retried too, and raised for the log.
        """
        envelope = await self._settlements.get(fact_id)
        handler = self._reactions.get(envelope.event_type, {}).get(reaction)
        actor = Actor.reacting(envelope, reaction=reaction)
        if handler is None:  # an older process sent it; today nobody reacts so
            await self._settlements.settle(actor, failure="no such reaction")
            return "failed"
        try:
            await handler(actor, envelope.fact)
        except AlreadySettled:
            return "applied"
        except (Unavailable, Limited, StaleVersion) as failure:
            return await self._later(actor, f"{failure.code}: {failure}")
        except CuadrillaError as failure:
            await self._settlements.settle(actor, failure=f"{failure.code}: {failure}")
            return "failed"
        except Exception as defect:
            await self._later(actor, f"{type(defect).__name__}: {defect}")
            raise
        await self._settlements.settle(actor)
        return "applied"

    async def _later(self, actor: Actor, failure: str) -> str:
        due = await self._settlements.postpone(actor, failure=failure, wait=self._retry.wait)
        return "failed" if due is None else "again"
