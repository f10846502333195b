"""What can be asked of machines' tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from attrs import frozen

from core.identity.model import PREFIX, ServiceToken, Unauthenticated, digest
from core.identity.ports import Begin, NewToken, ServiceTokenReader
from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from core.kernel.ports import NewId
from core.kernel.time import Clock

LONGEST_LIFE: Final = timedelta(days=366)


@frozen
class Machines:
    """Tokens of the machines of all tenants."""

    _begin: Begin
    _tokens: ServiceTokenReader
    _new_token: NewToken
    _clock: Clock
    _new_id: NewId

    async def who(self, *, token: str, correlation: str) -> Actor:
        """Return the machine behind a token; raise `Unauthenticated`."""
        if not token.startswith(PREFIX) or not token.isascii():
            raise Unauthenticated
        found = await self._tokens.by_hash(digest(token))
        if found is None or not found.live(self._clock()):
            raise Unauthenticated
        return found.actor(correlation)

    async def make(
        self, *, actor: Actor, label: str, scopes: frozenset[str], life: timedelta = timedelta(days=90)
    ) -> tuple[str, ServiceToken]:
        """Return a new token, which is shown this once, and what is kept of it.

        Nobody gives what they do not have: raise `NotAllowed` for a scope that the actor lacks, `Invalid` for one that there
        is not and for a life beyond a year.
        """
        actor.must("service_tokens.write")
        if not timedelta(0) < life <= LONGEST_LIFE:
            msg = f"a service token lives for {LONGEST_LIFE.days} days at most"
            raise Invalid(msg, field="life")
        for scope in sorted(scopes):
            actor.must(scope)
        token, at = PREFIX + self._new_token(), self._clock()
        made = ServiceToken.made(
            id_=self._new_id("machine"),
            tenant=actor.tenant,
            label=label,
            scopes=scopes,
            token_hash=digest(token),
            by=actor.id,
            at=at,
            expires_at=at + life,
        )
        async with self._begin(actor) as tx:
            return token, await tx.service_tokens.save(made)

    async def revoke(self, *, actor: Actor, token_id: str) -> ServiceToken:
        """Let nobody in by the token any more; raise `ServiceTokenNotFound`."""
        actor.must("service_tokens.write")
        async with self._begin(actor) as tx:
            token = await tx.service_tokens.get(actor.tenant, token_id)
            revoked = token.revoke(by=actor.id, at=self._clock())
            return token if revoked is token else await tx.service_tokens.save(revoked)

    async def list(self, *, actor: Actor) -> Sequence[ServiceToken]:
        """Return the tenant's tokens, the newest first."""
        actor.must("service_tokens.read")
        return await self._tokens.of(actor.tenant)
