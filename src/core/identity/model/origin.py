"""Where a request came from."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

AGENT: Final = 200
"""Characters that are kept of what a program says it is."""


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:AGENT]


@frozen
class Origin:
    """The address and program of whoever asks, for limits and the audit log; `correlation` ties the facts together."""

    correlation: str
    ip: str = ""
    agent: str = field(default="", converter=_printable)
