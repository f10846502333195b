"""Facts and the envelope they travel in."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import frozen


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
