"""`python -m tests.faults --seeds 1000`, or `--seed 42 --steps` to see one of them in full."""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.world import BUGS, World


def main() -> int:
    """Play the seeds; print those that fail, and how to see them again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many, from --seed on (200; only that one if --seed is given)")
    parser.add_argument("--seed", type=int, help="the first (0)")
    parser.add_argument("--steps", action="store_true", help="print every step")
    parser.add_argument("--bug", choices=BUGS, help="plant a bug")
    asked = parser.parse_args()
    first = asked.seed or 0
    seeds = range(first, first + (asked.seeds or (200 if asked.seed is None else 1)))
    began, failed, steps = time.monotonic(), 0, 0
    for number, seed in enumerate(seeds, start=1):
        world = World(seed=seed, bug=asked.bug)
        world.scheduler.log = [] if asked.steps else None
        outcome = world.play()
        steps += outcome.steps
        for line in world.scheduler.log or ():
            print(line)
        if outcome.violations:
            failed += 1
            again = f"python -m tests.faults --seed {seed}" + (f" --bug {asked.bug}" if asked.bug else "") + " --steps"
            print(f"seed {seed} ({outcome.digest}): " + "; ".join(outcome.violations[:5]) + f"\n  again: {again}")
        if sys.stderr.isatty():
            print(f"\r{number}/{len(seeds)} seeds, {failed} failed", end="", file=sys.stderr)
    print(f"{len(seeds)} seeds, {steps} steps, {failed} failed, {time.monotonic() - began:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
