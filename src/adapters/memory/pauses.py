"""Where an operation may be interrupted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from attrs import frozen

Pause: TypeAlias = Callable[[str], Awaitable[None]]
"""Awaited with `jobs.save:before` and `jobs.save:after`; what it raises comes out of the operation."""

_T = TypeVar("_T")


async def at_once(_: str) -> None:
    """Do not pause."""


@frozen
class Steps:
    """Runs an operation's effect, which cannot be interrupted, between its two pauses."""

    _pause: Pause = at_once

    async def __call__(self, operation: str, effect: Callable[[], _T]) -> _T:
        await self._pause(f"{operation}:before")
        result = effect()
        await self._pause(f"{operation}:after")
        return result
