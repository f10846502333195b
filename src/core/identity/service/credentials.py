"""What can be asked of credentials: to keep them, never to show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from core.identity.events import CredentialRemoved, CredentialSet
from core.identity.model import KINDS, CredentialNotFound, KeptCredential, Origin
from core.identity.ports import Begin, CredentialReader
from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from core.kernel.time import Clock


@frozen
class Credentials:
    """The credentials of all tenants for the services outside; every change is in the audit log."""

    _begin: Begin
    _kept: CredentialReader
    _clock: Clock

    async def set(
        self, *, actor: Actor, kind: str, values: Mapping[str, object], origin: Origin, label: str = ""
    ) -> str:
        """Keep the credential in place of what was there, and return its purpose; the label can be read by anybody who may list.

        Raise `Invalid` for a kind or field that there is not, and for a field that is missing.
        """
        actor.must("credentials.write")
        if kind not in KINDS:
            msg = f"the kind must be one of {', '.join(KINDS)}"
            raise Invalid(msg, field="kind")
        sound = KINDS[kind].check(values)
        purpose, at = KINDS[kind].purpose(sound), self._clock()
        said = label.strip() or purpose.partition(":")[2]
        fact = CredentialSet(
            tenant=actor.tenant,
            at=at,
            user_id=actor.id,
            kind=kind,
            label=said,
            ip=origin.ip,
            agent=origin.agent,
        )
        async with self._begin(actor) as tx:
            await tx.credentials.put(actor.tenant, purpose, sound, label=said, at=at)
            await tx.facts.add(fact)
        return purpose

    async def remove(self, *, actor: Actor, purpose: str, origin: Origin) -> None:
        """Forget a credential; raise `CredentialNotFound`."""
        actor.must("credentials.write")
        async with self._begin(actor) as tx:
            label = await tx.credentials.remove(actor.tenant, purpose)
            if label is None:
                raise CredentialNotFound(purpose)
            fact = CredentialRemoved(
                tenant=actor.tenant,
                at=self._clock(),
                user_id=actor.id,
                kind=purpose.partition(":")[0],
                label=label,
                ip=origin.ip,
                agent=origin.agent,
            )
            await tx.facts.add(fact)

    async def list(self, *, actor: Actor) -> Sequence[KeptCredential]:
        """Return which credentials the tenant has, by purpose."""
        actor.must("credentials.read")
        return await self._kept.kept(actor.tenant)
