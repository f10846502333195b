"""State tables and steps."""

from __future__ import annotations

import pytest
from attrs import frozen

from core.kernel.errors import Conflict
from core.kernel.states import IllegalMove, Moves, check_move, evolved

DOOR: Moves = {"open": frozenset({"shut"}), "shut": frozenset({"open", "locked"}), "locked": frozenset()}


@pytest.mark.parametrize(("state", "wanted"), [("open", "shut"), ("shut", "open"), ("shut", "locked")])
def test_what_the_table_allows_passes(state: str, wanted: str) -> None:
    check_move(DOOR, kind="door", state=state, event="push", wanted=wanted)


@pytest.mark.parametrize(
    ("state", "wanted", "allowed", "words"),
    [
        ("open", "locked", ["shut"], "push: a door that is open cannot become locked; it may become shut"),
        (
            "shut",
            "shut",
            ["locked", "open"],
            "push: a door that is shut cannot become shut; it may become locked or open",
        ),
        ("locked", "open", [], "push: a door that is locked cannot become open; it may become nothing else"),
        ("burnt", "open", [], "push: a door that is burnt cannot become open; it may become nothing else"),
    ],
)
def test_a_refusal_names_state_event_and_what_would_be_allowed(
    state: str, wanted: str, allowed: list[str], words: str
) -> None:
    with pytest.raises(IllegalMove) as refusal:
        check_move(DOOR, kind="door", state=state, event="push", wanted=wanted)
    assert refusal.value.details() == {"state": state, "event": "push", "wanted": wanted, "allowed": allowed}
    assert str(refusal.value) == words
    assert isinstance(refusal.value, Conflict)
    assert refusal.value.code == "illegal_move"


@frozen(slots=False)
class Lamp:
    lit: bool
    colour: str


def test_a_step_leaves_what_was_as_it_was() -> None:
    before = Lamp(lit=False, colour="red")
    after = evolved(before, {"lit": True})
    assert (before, after) == (Lamp(lit=False, colour="red"), Lamp(lit=True, colour="red"))
    assert type(after) is Lamp
