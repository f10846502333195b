"""State machines as data, and how an aggregate takes a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

from core.kernel.errors import Conflict

Moves: TypeAlias = Mapping[str, frozenset[str]]
"""From a state to the states it may go to; a state that is missing or maps to nothing is final."""

_A = TypeVar("_A")


class IllegalMove(Conflict):
    """The thing cannot go from where it is to where it was asked to go."""

    code: ClassVar[str] = "illegal_move"

    def __init__(self, kind: str, *, state: str, event: str, wanted: str, allowed: frozenset[str]) -> None:
        self.kind, self.state, self.event, self.wanted, self.allowed = kind, state, event, wanted, sorted(allowed)
        may = " or ".join(self.allowed) or "nothing else"
        super().__init__(f"{event}: a {kind} that is {state} cannot become {wanted}; it may become {may}")

    def details(self) -> Mapping[str, object]:
        return {"state": self.state, "event": self.event, "wanted": self.wanted, "allowed": self.allowed}


def check_move(moves: Moves, *, kind: str, state: str, event: str, wanted: str) -> None:
    """Raise `IllegalMove` unless the table allows it."""
    allowed = moves.get(state, frozenset())
    if wanted not in allowed:
        raise IllegalMove(kind, state=state, event=event, wanted=wanted, allowed=allowed)


def evolved(aggregate: _A, changes: dict[str, Any]) -> _A:
    """Return the aggregate with some fields changed, for un-slotted frozen classes without converters.

    `attrs.evolve` runs the whole constructor, which on an aggregate of twenty fields is most of the price of a move.
    """
    after = object.__new__(type(aggregate))
    after.__dict__.update(aggregate.__dict__)
    after.__dict__.update(changes)
    return after
