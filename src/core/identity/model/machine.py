"""Tokens of machines, which may do what their scopes say and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from attrs import field, frozen

from core.identity.events import IdentityFact, ServiceTokenMade, ServiceTokenRevoked
from core.kernel.actor import EVERYTHING, MAY, Actor
from core.kernel.errors import Invalid, NotFound
from core.kernel.states import evolved

PREFIX: Final = "cst_"
"""What a machine's token begins with, so that scanners of source code find one that was left there."""

SCOPES: Final = frozenset(
    permission
    for granted in MAY.values()
    for permission in granted
    if permission != EVERYTHING and ":" not in permission
)
"""What a machine can be allowed: the permissions that any role has, on anybody's things."""


class ServiceTokenNotFound(NotFound):
    """This tenant has no such token."""

    code: ClassVar[str] = "service_token.not_found"

    def __init__(self, token_id: str) -> None:
        super().__init__(f"there is no service token {token_id}")


@frozen(kw_only=True)
class ScopedActor(Actor):
    """A machine: it may do what its scopes say, whatever its role may."""

    scopes: frozenset[str]

    def may(self, permission: str, *, owner: str | None = None) -> bool:
        """Say whether the permission is one of the scopes."""
        del owner
        return permission in self.scopes


@frozen(kw_only=True, slots=False)
class ServiceToken:
    """A machine's way in; only a digest of the token is kept."""

    id: str
    tenant: str
    label: str
    scopes: tuple[str, ...]
    token_hash: str = field(repr=False)
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    version: int = 0
    facts: tuple[IdentityFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def made(
        cls,
        *,
        id_: str,
        tenant: str,
        label: str,
        scopes: frozenset[str],
        token_hash: str,
        by: str,
        at: datetime,
        expires_at: datetime,
    ) -> ServiceToken:
        """A machine may act from now on; raise `Invalid` for scopes that there are not."""
        unknown = sorted(scopes - SCOPES)
        if unknown or not scopes:
            msg = f"the scopes must be some of {', '.join(sorted(SCOPES))}"
            raise Invalid(msg, field="scopes")
        if not label.strip():
            msg = "a service token needs a label"
            raise Invalid(msg, field="label")
        listed = tuple(sorted(scopes))
        fact = ServiceTokenMade(tenant=tenant, at=at, user_id=by, token_id=id_, scopes=listed)
        return cls(
            id=id_,
            tenant=tenant,
            label=label.strip(),
            scopes=listed,
            token_hash=token_hash,
            made_by=by,
            made_at=at,
            expires_at=expires_at,
            facts=(fact,),
        )

    def live(self, at: datetime) -> bool:
        """Say whether it lets anybody in at an instant."""
        return self.revoked_at is None and at < self.expires_at

    def revoke(self, *, by: str, at: datetime) -> ServiceToken:
        """Let nobody in by it any more."""
        if self.revoked_at is not None:
            return self
        fact = ServiceTokenRevoked(tenant=self.tenant, at=at, user_id=by, token_id=self.id)
        return evolved(self, {"revoked_at": at, "facts": (*self.facts, fact)})

    def actor(self, correlation: str) -> ScopedActor:
        """Return the machine as an actor."""
        return ScopedActor(
            tenant=self.tenant, id=self.id, role="service", correlation=correlation, scopes=frozenset(self.scopes)
        )
