"""What happens while phones are brought up to date."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class ConflictDecided(Fact):
    """What a phone wanted did not become so, or not all of it: which rule decided, in words for people."""

    name: ClassVar[str] = "offline.conflict"
    table: str
    record_id: str
    user_id: str
    """Whose phone it was."""
    fields: tuple[str, ...]
    rule: str
    explanation: str


FACTS: tuple[type[Fact], ...] = (ConflictDecided,)
