"""A tracking session: the time in which a customer may watch a technician come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.kernel.errors import Conflict, Invalid, NotFound
from core.kernel.states import Moves, check_move, evolved
from core.tracking.events import ArrivalDetected, TrackingClosed, TrackingFact, TrackingOpened
from core.tracking.geo import Point

MOVES: Final[Moves] = {
    "active": frozenset({"arrived", "completed", "expired", "cancelled"}),
    "arrived": frozenset({"completed", "expired", "cancelled"}),
    "completed": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
}

TOKEN_LIFE: Final = timedelta(hours=4)


class SessionNotFound(NotFound):
    """There is no such tracking session."""

    code: ClassVar[str] = "tracking.not_found"


class LinkExpired(NotFound):
    """The tracking link has ended: its four hours are over."""

    code: ClassVar[str] = "tracking.link_expired"


class OtherPhone(Conflict):
    """A newer phone reports this trip."""

    code: ClassVar[str] = "tracking.other_phone"

    def __init__(self) -> None:
        super().__init__("another phone reports this trip now; stop reporting from this one")


class TooManyFixes(Invalid):
    """More positions in one call than are taken."""

    code: ClassVar[str] = "tracking.too_many_fixes"

    def __init__(self, sent: int, *, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{sent} positions in one call; send {limit} at most, the oldest first", field="fixes")

    def details(self) -> Mapping[str, object]:
        return {**super().details(), "limit": self.limit}


@frozen(kw_only=True, slots=False)
class TrackingSession:
    """One trip of one technician to one job. `token_hash` is the SHA-256 of the link's token in hexadecimal."""

    id: str
    tenant: str
    job_id: str
    technician_id: str
    customer_id: str
    token_hash: str = field(repr=False)
    opened_at: datetime
    expires_at: datetime
    destination: Point | None = None
    state: str = "active"
    arrived_at: datetime | None = None
    version: int = 0
    facts: tuple[TrackingFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def opened(
        cls,
        *,
        id_: str,
        tenant: str,
        job_id: str,
        technician_id: str,
        customer_id: str,
        token_hash: str,
        destination: Point | None,
        at: datetime,
    ) -> TrackingSession:
        """The technician sets out; the link lives four hours."""
        fact = TrackingOpened(
            tenant=tenant,
            at=at,
            job_id=job_id,
            session_id=id_,
            technician_id=technician_id,
            customer_id=customer_id,
            expires_at=at + TOKEN_LIFE,
        )
        return cls(
            id=id_,
            tenant=tenant,
            job_id=job_id,
            technician_id=technician_id,
            customer_id=customer_id,
            token_hash=token_hash,
            opened_at=at,
            expires_at=at + TOKEN_LIFE,
            destination=destination,
            facts=(fact,),
        )

    def arrive(self, *, arrived_at: datetime, at: datetime) -> TrackingSession:
        """The fixes prove an arrival, which was at `arrived_at`."""
        fact = ArrivalDetected(**self._about(at), arrived_at=arrived_at)
        return self._move("arrive", "arrived", fact, arrived_at=arrived_at)

    def close(self, state: str, *, at: datetime) -> TrackingSession:
        """The trip is over: `completed`, `expired` or `cancelled`. One that is completed has arrived, at `at` if nothing proved when."""
        arrived_at = self.arrived_at or at if state == "completed" else self.arrived_at
        return self._move("close", state, TrackingClosed(**self._about(at), state=state), arrived_at=arrived_at)

    @property
    def over(self) -> bool:
        return not MOVES[self.state]

    def _about(self, at: datetime) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "at": at,
            "job_id": self.job_id,
            "session_id": self.id,
            "technician_id": self.technician_id,
            "customer_id": self.customer_id,
        }

    def _move(self, event: str, wanted: str, fact: TrackingFact, **changes: Any) -> TrackingSession:
        check_move(MOVES, kind="tracking session", state=self.state, event=event, wanted=wanted)
        return evolved(self, {**changes, "state": wanted, "facts": (*self.facts, fact)})
