"""Tracking: a technician on the way, as the customer sees it.

A *session* lasts from setting out to arriving, and its link four hours. A *fix* is one measured position, a *journey* what is
remembered between fixes, kept only in the key-value store. The *mode* is what people call the movement, the *ETA* an interval.

    active → arrived → completed
       └────────┴────→ cancelled
"""

from core.tracking.eta import Eta, EtaRules, Fix, Journey, Step, estimate, mode_of, step
from core.tracking.geo import NotAPosition, Point, haversine
from core.tracking.model import MOVES, LinkExpired, SessionNotFound, TrackingSession
from core.tracking.ports import Visit
from core.tracking.service import Progress, Tracking, Watched

__all__ = [
    "MOVES",
    "Eta",
    "EtaRules",
    "Fix",
    "Journey",
    "LinkExpired",
    "NotAPosition",
    "Point",
    "Progress",
    "SessionNotFound",
    "Step",
    "Tracking",
    "TrackingSession",
    "Visit",
    "Watched",
    "estimate",
    "haversine",
    "mode_of",
    "step",
]
