"""How each configured service does: asked by `cuadrilla doctor` and by `/health/services`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

from attrs import frozen

from core.kernel.errors import CuadrillaError

PATIENCE: Final = 15.0
"""Seconds that a service has to answer."""
Status = Literal["ok", "warning", "failed"]
Check = Callable[[], Awaitable[str]]
"""Return a line about a service, a `Warned` one if somebody has to act before long; raise if it does not work."""


class Warned(str):
    """A line about something that works, but not for much longer."""

    __slots__ = ()


@frozen
class Finding:
    """What was found of one service."""

    service: str
    status: Status
    says: str


async def examined(checks: Mapping[str, Check]) -> Sequence[Finding]:
    """Make all the checks at the same time; whatever goes wrong with one of them is its finding."""

    async def one(service: str, check: Check) -> Finding:
        try:
            async with asyncio.timeout(PATIENCE):
                said = await check()
        except TimeoutError:
            return Finding(service, "failed", f"no answer within {PATIENCE:.0f} s")
        except CuadrillaError as failure:
            return Finding(service, "failed", str(failure))
        except Exception as failure:
            return Finding(service, "failed", f"{type(failure).__name__}: {failure}")
        return Finding(service, "warning" if isinstance(said, Warned) else "ok", str(said))

    return await asyncio.gather(*(one(service, check) for service, check in checks.items()))


def overall(findings: Sequence[Finding]) -> Status:
    """Return the worst of them."""
    found = {each.status for each in findings}
    return "failed" if "failed" in found else "warning" if "warning" in found else "ok"
