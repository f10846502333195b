"""What happens on the way to a customer."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class TrackingFact(Fact):
    """A fact about one tracking session; `job_id` is always set."""

    session_id: str
    technician_id: str
    customer_id: str


@frozen(kw_only=True, slots=False)
class TrackingOpened(TrackingFact):
    name: ClassVar[str] = "tracking.opened"
    expires_at: datetime


@frozen(kw_only=True, slots=False)
class ArrivalDetected(TrackingFact):
    """The technician stayed within the radius; `arrived_at` is the first fix inside it."""

    name: ClassVar[str] = "tracking.arrived"
    arrived_at: datetime


@frozen(kw_only=True, slots=False)
class TrackingClosed(TrackingFact):
    name: ClassVar[str] = "tracking.closed"
    state: str


FACTS: tuple[type[TrackingFact], ...] = (TrackingOpened, ArrivalDetected, TrackingClosed)
