"""What else happens when somebody's log-in ends."""

from __future__ import annotations

from attrs import frozen

from core.identity.events import SessionRevoked
from core.identity.ports import KnownLogIns
from core.identity.service.sessions import FORGOTTEN_FOR
from core.kernel.actor import Actor
from core.notifications import Choices


@frozen
class WhenALogInEnds:
    """It counts nowhere, even if the processes could not be told when it ended, and its apps are written to no more."""

    _known: KnownLogIns
    _choices: Choices

    async def forget(self, actor: Actor, fact: SessionRevoked) -> None:
        """Let every process ask the database about it."""
        await self._known.forget(actor.tenant, fact.session_id, life=FORGOTTEN_FOR)

    async def retire_its_devices(self, actor: Actor, fact: SessionRevoked) -> None:
        """Keep what is told to its person off the lock screens of its phones."""
        if fact.user_id is not None:
            await self._choices.retire(
                actor=actor, user_id=fact.user_id, session_id=fact.session_id, reason=fact.reason
            )
