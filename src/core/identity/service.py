"""Who is asking, and who works here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from attrs import frozen

from core.identity.model import Tenant, Unauthenticated, User
from core.identity.ports import Directory
from core.kernel.actor import Actor


def token_hash(token: str) -> str:
    """Return what is stored of a bearer token.

    A plain digest is enough: the token is 256 random bits, there is nothing to guess.
    """
    return hashlib.sha256(token.encode()).hexdigest()


@frozen
class Identity:
    """The people of all tenants."""

    _directory: Directory

    async def who(self, *, token: str, correlation: str) -> Actor:
        """Return the actor behind a bearer token; raise `Unauthenticated`."""
        user = await self._directory.bearer(token_hash(token))
        if user is None or not user.active:
            raise Unauthenticated
        return Actor(tenant=user.tenant, id=user.id, role=user.role, correlation=correlation)

    async def tenant(self, *, actor: Actor) -> Tenant:
        """Return the actor's tenant."""
        return await self._directory.tenant(actor.tenant)

    async def person(self, *, actor: Actor, user_id: str) -> User:
        """Return a colleague of the actor."""
        actor.must("users.read")
        return await self._directory.user(actor.tenant, user_id)

    async def people(self, *, actor: Actor, role: str | None = None) -> Sequence[User]:
        """Return the actor's colleagues by name."""
        actor.must("users.read")
        return await self._directory.users(actor.tenant, role=role)
