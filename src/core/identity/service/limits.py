"""How often somebody may try."""

from __future__ import annotations

from collections.abc import Sequence

from core.identity.model import TooOften
from core.kernel.ports import RateLimiter, RateRule


def each(rules: Sequence[RateRule], whose: str) -> list[tuple[str, RateRule]]:
    """Return what to ask the limiter about one person, address or tenant."""
    return [(f"{rule.name}:{whose}", rule) for rule in rules]


async def let_pass(limiter: RateLimiter, *asked: tuple[str, RateRule]) -> None:
    """Count one use under every key; raise `TooOften`, and count nothing, if one of them has nothing left."""
    if asked:
        allowance = await limiter.take(asked)
        if not allowance.allowed:
            raise TooOften(allowance.wait)
