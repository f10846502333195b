"""The product survives what a seed can do to it; planted bugs do not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.world import BUGS, World

SEEDS = 200
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_everything_holds_whatever_the_seed_does(first: int) -> None:
    happened: Counter[str] = Counter()
    for seed in range(first, first + 25):
        outcome = World(seed=seed).play()
        assert not outcome.violations, (
            f"seed {seed}: python -m tests.faults --seed {seed} --steps: {outcome.violations}"
        )
        happened += outcome.happened
    # A storm in which nothing happened would prove nothing.
    for kind in (
        "killed",
        "delivered again",
        "message lost",
        "buffer lost",
        "broker lost",
        "reported",
        "invoice",
        "correct",
    ):
        assert happened[kind] > 0, kind


def test_a_seed_replays_step_by_step() -> None:
    runs = []
    for _ in range(2):
        world = World(seed=42)
        world.scheduler.log = []
        outcome = world.play()
        runs.append((outcome, world.scheduler.log))
    assert runs[0] == runs[1]
    assert len(runs[0][1]) > 1000
    assert World(seed=43).play().digest != runs[0][0].digest


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    assert any(World(seed=seed, bug=bug).play().violations for seed in range(SEEDS))


def test_a_failing_seed_is_printed_with_the_command_that_replays_it() -> None:
    found = _command("--seeds", "4", "--bug", "settles_first")
    assert found.returncode == 1
    seed, digest = re.findall(r"seed (\d+) \(([0-9a-f]{16})\): ", found.stdout)[0]
    assert f"again: python -m tests.faults --seed {seed} --bug settles_first --steps" in found.stdout
    replayed = _command("--seed", seed, "--bug", "settles_first", "--steps")
    assert f"seed {seed} ({digest}): " in replayed.stdout
    assert "X " in replayed.stdout


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
