"""Who or what acts, for which tenant, and because of what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import evolve, frozen

from core.kernel.errors import Denied
from core.kernel.events import Envelope

EVERYTHING: Final = "*"

MAY: Final[Mapping[str, frozenset[str]]] = {
    "owner": frozenset({EVERYTHING}),
    "admin": frozenset({EVERYTHING}),
    "service": frozenset({EVERYTHING}),
    "dispatcher": frozenset(
        {
            "customers.read",
            "customers.write",
            "invoices.read",
            "invoices.write",
            "jobs.move",
            "jobs.read",
            "jobs.write",
            "notifications.read",
            "tracking.read",
            "tracking.update",
            "users.read",
        }
    ),
    "technician": frozenset({"jobs.move:own", "jobs.read:own", "tracking.update:own", "users.read"}),
    "agent": frozenset(
        {
            "conversations.read",
            "conversations.write",
            "customers.read",
            "customers.write",
            "jobs.read",
            "jobs.write",
            "notifications.read",
            "users.read",
        }
    ),
    "planner": frozenset({"circuits.read", "circuits.write", "users.read"}),
    "bot": frozenset(
        {
            "conversations.read",
            "conversations.write",
            "customers.read",
            "customers.write",
            "jobs.read",
            "jobs.write",
        }
    ),
}
"""Role to permissions; `:own` holds only for what belongs to the actor."""


class NotAllowed(Denied):
    """The actor's role does not include what was asked."""

    code: ClassVar[str] = "not_allowed"

    def __init__(self, role: str, permission: str) -> None:
        self.role, self.permission = role, permission
        super().__init__(f"a {role} may not {permission} here")

    def details(self) -> Mapping[str, object]:
        return {"role": self.role, "permission": self.permission}


@frozen(kw_only=True)
class Actor:
    """A person, a machine or a reaction, acting inside one tenant.

    `correlation` ties everything together that one outside event set going. When the actor is a reaction, `causation` is
    the id of the fact it reacts to and `reaction` its name: the transaction it opens settles that pair.
    """

    tenant: str
    id: str
    role: str
    correlation: str
    causation: str | None = None
    reaction: str | None = None

    @classmethod
    def reacting(cls, envelope: Envelope, *, reaction: str) -> Actor:
        """Return the actor of a reaction to a fact."""
        return cls(
            tenant=envelope.tenant_id,
            id=reaction,
            role="service",
            correlation=envelope.correlation,
            causation=envelope.id,
            reaction=reaction,
        )

    def unsettled(self) -> Actor:
        """Return the same actor for a transaction that is not yet the last of its reaction."""
        return evolve(self, reaction=None)

    def may(self, permission: str, *, owner: str | None = None) -> bool:
        """Say whether the role includes the permission, on a thing that belongs to `owner`."""
        granted = MAY.get(self.role, frozenset())
        return EVERYTHING in granted or permission in granted or (f"{permission}:own" in granted and owner == self.id)

    def must(self, permission: str, *, owner: str | None = None) -> None:
        """Raise `NotAllowed` unless the actor may."""
        if not self.may(permission, owner=owner):
            raise NotAllowed(self.role, permission)
