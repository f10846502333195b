"""Facts and the envelope they travel in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from attrs import fields, frozen


# Not slotted: a frozen class with slots pays `object.__setattr__` for each field, three times the price (bench/transitions).
@frozen(kw_only=True, slots=False)
class Fact:
    """Something that happened to a tenant at an instant; plain fields and ids only.

    Fields are added, never changed or removed: tomorrow's reader must understand yesterday's fact.
    """

    name: ClassVar[str]

    tenant: str
    at: datetime
    job_id: str | None = None
    """The job whose timeline shows this fact, if it belongs to one."""


@frozen(kw_only=True)
class Envelope:
    """A stored fact: who caused it and what it follows from.

    `correlation` is shared by everything that one outside event set going; `causation` is the id of the fact that led
    directly to this one, if any.
    """

    id: str
    fact: Fact
    actor: str
    correlation: str
    causation: str | None = None

    @property
    def event_type(self) -> str:
        return self.fact.name

    @property
    def timestamp(self) -> datetime:
        return self.fact.at

    @property
    def tenant_id(self) -> str:
        return self.fact.tenant

    @property
    def user_id(self) -> str | None:
        """The person who did it, None for machines and reactions."""
        return self.actor if self.actor.startswith("user_") else None

    @property
    def payload(self) -> Mapping[str, object]:
        """The fact's own fields."""
        return {
            each.name: getattr(self.fact, each.name) for each in fields(type(self.fact)) if each.name not in _COMMON
        }


_COMMON: Final = frozenset({"tenant", "at"})
