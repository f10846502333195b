"""Invoicing holds wherever a process dies, in whatever order workers go on, and however late a request arrives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.desk import (
    SCENES,
    Desk,
    Interleavings,
    Wish,
    charge,
    charge_all,
    credit,
    drafts,
    drop_everywhere,
    lost,
    reconcile,
    storm,
)

SEEDS = 60


def _lost_backlog(desk: Desk) -> None:
    drafts(desk, 1, 2, 3)
    lost(desk, charge_all)


DROPS: dict[str, tuple[Callable[[Desk], None], Wish, bool, int]] = {
    "a charge": (lambda _: None, charge(1), True, 100),
    "a backlog": (lambda desk: drafts(desk, 1, 2), charge_all, True, 200),
    "a credit": (lambda desk: desk.now(charge(1)), credit(1), True, 100),
    "the reconciler": (lambda desk: lost(desk, charge(1)), reconcile, True, 100),
    "the reconciler of a backlog": (
        _lost_backlog,
        reconcile,
        False,
        50,
    ),
    "a charge after a lost one": (lambda desk: lost(desk, charge(1)), charge(2), False, 40),
}
"""What somebody does who dies at every await of it; whether the one who comes after dies as well; how many deaths that is at least."""


@pytest.mark.parametrize("name", DROPS)
def test_whoever_dies_at_whichever_await_leaves_nothing_twice_and_nothing_lost(name: str) -> None:
    prepare, wish, twice, least = DROPS[name]
    deaths = 0
    for where, wrong in drop_everywhere(prepare, wish, twice=twice):
        assert not wrong, f"dead at {where}: {wrong}"
        deaths += 1
    assert deaths >= least


@pytest.mark.parametrize("name", SCENES)
def test_workers_may_go_on_in_any_order(name: str) -> None:
    """With one worker left at a time, at every place; `python -m tests.faults.desk --switches 2` goes on."""
    prepare, wishes = SCENES[name]
    orders = Interleavings(prepare, wishes, switches=1)
    for path, wrong in orders.violations():
        assert not wrong, f"in the order {path}: {wrong}"
    assert orders.runs > 30


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_a_request_may_arrive_when_everybody_has_given_it_up(first: int) -> None:
    late = doubted = 0
    for seed in range(first, first + 20):
        outcome = storm(seed)
        assert not outcome.violations, f"seed {seed}: {outcome.violations}"
        late += outcome.late
        doubted += outcome.doubted
    assert late > 0
    assert doubted > 0


def test_a_number_that_is_given_back_while_a_late_request_is_looked_for_loses_nothing() -> None:
    """It was held when the late voucher wanted it, and free when somebody asked who held it: that is no proof of a twin."""
    assert not storm(473).violations


def test_a_storm_replays() -> None:
    assert storm(7) == storm(7)
    assert storm(7).digest != storm(8).digest


def test_who_forgets_late_requests_loses_vouchers() -> None:
    assert any(storm(seed, forgetful=True).violations for seed in range(SEEDS))
