"""Failures that somebody ordered: for the next calls of an operation, for a share of them, or until they are taken back."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from typing import Any, Final

from attrs import asdict, define, field, frozen

KINDS: Final = ("cut", "http500", "slow", "malformed", "error", "expired_token", "refuse", "duplicate")
EXPIRED: Final = "600"


@frozen(kw_only=True)
class Fault:
    """One failure, of one operation or, with `*`, of any.

    cut: the connection ends without an answer. http500: an answer that is no SOAP, with `status`. slow: the answer takes
    `seconds`. malformed: an answer of broken XML. error: `code` in `Errors`, for WSAA a fault of that code. expired_token: error
    600, as if the ticket had run out. refuse: the voucher is refused with `code`. duplicate: the request is processed twice, as if
    it had been delivered twice, and the caller hears the second answer.

    With `after_effect` the operation is done all the same, and only its answer fails (not for refuse and expired_token).
    It is in force for the next `calls` of the operation, None: until taken back; each of them fails with `probability`, the dice
    being thrown from `seed`.
    """

    kind: str
    operation: str = "*"
    after_effect: bool = False
    code: str = ""
    text: str = "Falla pedida en el sandbox"
    seconds: float = 0.0
    status: int = 500
    calls: int | None = 1
    probability: float = 1.0
    seed: int = 0


@define
class _Order:
    number: int
    fault: Fault
    left: int | None
    dice: random.Random
    fired: int = 0


@define
class Faults:
    """The orders in force, the oldest first; a restart forgets them."""

    _orders: list[_Order] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _number: int = 0

    def order(self, fault: Fault) -> int:
        """Put a failure in force and return its number."""
        with self._lock:
            self._number += 1
            # A dice of its own, so that the same calls fail whatever else is ordered.
            self._orders.append(_Order(self._number, fault, fault.calls, random.Random(fault.seed)))  # noqa: S311 - no secret
            return self._number

    def next(self, operation: str) -> Fault | None:
        """Return what befalls this call of an operation, or None."""
        with self._lock:
            for order in list(self._orders):
                if order.fault.operation not in {operation, "*"}:
                    continue
                if order.left is not None:
                    order.left -= 1
                    if order.left <= 0:
                        self._orders.remove(order)
                if order.dice.random() < order.fault.probability:
                    order.fired += 1
                    return order.fault
            return None

    def clear(self, number: int | None = None) -> int:
        """Take back one order, or all; return how many were in force."""
        with self._lock:
            kept = [each for each in self._orders if number is not None and each.number != number]
            count = len(self._orders) - len(kept)
            self._orders = kept
            return count

    def listed(self) -> list[Mapping[str, Any]]:
        """Return the orders in force, each with its number, the calls left and how often it has struck."""
        with self._lock:
            return [
                {**asdict(each.fault), "number": each.number, "left": each.left, "fired": each.fired}
                for each in self._orders
            ]
