"""A tracking session: the time in which a customer may watch a technician come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.kernel.errors import NotFound
from core.kernel.states import Moves, check_move, evolved
from core.tracking.events import ArrivalDetected, TrackingClosed, TrackingFact, TrackingOpened
from core.tracking.geo import Point

MOVES: Final[Moves] = {
    "active": frozenset({"arrived", "completed", "cancelled"}),
    "arrived": frozenset({"completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}

TOKEN_LIFE: Final = timedelta(hours=4)


class SessionNotFound(NotFound):
    """There is no such tracking session."""

    code: ClassVar[str] = "tracking.not_found"


class LinkExpired(NotFound):
    """The tracking link has ended: its four hours are over."""

    code: ClassVar[str] = "tracking.link_expired"


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
        """The fixes prove an arrival."""
        fact = ArrivalDetected(**self._about(at), arrived_at=arrived_at)
        return self._move("arrive", "arrived", fact, arrived_at=arrived_at)

    def close(self, state: str, *, at: datetime) -> TrackingSession:
        """The trip is over: `completed` or `cancelled`."""
        return self._move("close", state, TrackingClosed(**self._about(at), state=state))

    @property
    def over(self) -> bool:
        return self.state in {"completed", "cancelled"}

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
