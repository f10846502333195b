"""`make bench`, or `python -m bench web outbox` for some of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

import uvloop
from rich.console import Console
from rich.table import Table

from bench import buffer, doors, eta, invoices, layers, outbox, sync, tracking, transition, web
from bench.figure import Figure

FIGURES: Final[dict[str, Callable[[], AsyncIterator[Figure]]]] = {
    "transition": transition.figures,
    "eta": eta.figures,
    "buffer": buffer.figures,
    "outbox": outbox.figures,
    "invoices": invoices.figures,
    "sync": sync.figures,
    "web": web.figures,
    "layers": layers.figures,
    "tracking": tracking.figures,
    "doors": doors.figures,
}


async def main(wanted: list[str]) -> None:
    """Take the figures and print them as they come, then as a table."""
    out = Console(highlight=False)
    taken: list[Figure] = []
    for name in wanted or FIGURES:
        async for figure in FIGURES[name]():
            taken.append(figure)
            out.print(f"{figure.name}: {figure.ratio:.2f}", soft_wrap=True)
    table = Table("figure", "floor", "ours", "ratio (median)", "rounds", "goal", "", box=None, padding=(0, 1))
    for each in taken:
        table.add_row(
            each.name,
            _written(each.floor, each.unit),
            _written(each.ours, each.unit),
            f"{each.ratio:.2f}",
            f"{min(each.ratios):.2f}-{max(each.ratios):.2f}",
            f"{'at most' if each.at_most else 'at least'} {each.goal}",
            "met" if each.met else "SHORT",
        )
    out.print(table)
    out.print("Absolute figures are for information: only the ratios compare. Floor and ours alternate in one run.")


def _written(value: float, unit: str) -> str:
    if unit == " s":
        return f"{value * 1000:.2f} ms" if value >= 0.0001 else f"{value * 1e6:.2f} us"
    return f"{value:,.0f}{unit}"


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
