"""Who is asking, and who works here."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from core.identity.model import PREFIX, Tenant, Unauthenticated, User, UserNotFound, digest
from core.identity.ports import Directory
from core.identity.service.machines import Machines
from core.identity.service.sessions import Sessions
from core.kernel.actor import Actor


def token_hash(token: str) -> str:
    """Return what is stored of a bearer token."""
    return digest(token)


@frozen
class Identity:
    """The people of all tenants.

    Without `sessions` and `machines` only the bearer tokens in the directory are known; `seeded` says whether those are. They
    are for development: they have no end.
    """

    _directory: Directory
    _sessions: Sessions | None = None
    _machines: Machines | None = None
    _seeded: bool = True

    async def who(self, *, token: str, correlation: str) -> Actor:
        """Return the actor behind a bearer token, a person's access token or a machine's; raise `Unauthenticated`."""
        if self._machines is not None and token.startswith(PREFIX):
            return await self._machines.who(token=token, correlation=correlation)
        if self._sessions is not None and token.count(".") == 2:  # noqa: PLR2004 - a signed token has three parts
            return await self._sessions.who(token=token, correlation=correlation)
        user = await self._directory.bearer(token_hash(token)) if self._seeded else None
        if user is None or not user.active:
            raise Unauthenticated
        return Actor(tenant=user.tenant, id=user.id, role=user.role, correlation=correlation)

    async def name(self, *, actor: Actor) -> str:
        """Return what the actor is called: a person's name, a machine's id."""
        try:
            return (await self._directory.user(actor.tenant, actor.id)).name
        except UserNotFound:
            return actor.id

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
