"""Small values that are built anew with every fix, a hundred thousand times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from attrs import define as value  # a third of the time to build; that nobody changes one, the type checker sees to

__all__ = ["value"]
