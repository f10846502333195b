"""How a figure is taken: floor and ours alternate, at least five rounds, and the median of the rounds' ratios counts."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable

from attrs import frozen

ROUNDS = 5
Measure = Callable[[], Awaitable[float]]
"""Take one measurement: a rate per second, or a time in seconds."""


@frozen(kw_only=True)
class Figure:
    """A ratio with its goal."""

    name: str
    unit: str
    floor: float
    ours: float
    ratios: tuple[float, ...]
    goal: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


async def compare(
    name: str,
    *,
    floor: Measure,
    ours: Measure,
    goal: float,
    unit: str = "/s",
    at_most: bool = False,
    rounds: int = ROUNDS,
) -> Figure:
    """Alternate the two, after one round each that does not count."""
    await floor()
    await ours()
    pairs = [(await floor(), await ours()) for _ in range(rounds)]
    return Figure(
        name=name,
        unit=unit,
        floor=statistics.median(pair[0] for pair in pairs),
        ours=statistics.median(pair[1] for pair in pairs),
        ratios=tuple(pair[1] / pair[0] for pair in pairs),
        goal=goal,
        at_most=at_most,
    )
