"""Tracking: a technician on the way, as the customer sees it.

A *session* lasts from setting out to arriving, and its link four hours. A *fix* is one measured position, a *journey* what is
remembered between fixes, kept only in the key-value store. The *mode* is what people call the movement, the *ETA* an interval.

    active → arrived → completed
       └────────┴────→ expired or cancelled
"""

from core.tracking.eta import Eta, Goal, Journey, Step, estimate, guided, step
from core.tracking.fixes import Fix
from core.tracking.geo import NotAPosition, Point, haversine
from core.tracking.model import MOVES, LinkExpired, OtherPhone, SessionNotFound, TooManyFixes, TrackingSession
from core.tracking.modes import mode_of
from core.tracking.ports import Live, Recorded, Visit
from core.tracking.rules import EtaRules, Profile
from core.tracking.service import Outcome, Progress, Report, Tracking, Watched

__all__ = [
    "MOVES",
    "Eta",
    "EtaRules",
    "Fix",
    "Goal",
    "Journey",
    "LinkExpired",
    "Live",
    "NotAPosition",
    "OtherPhone",
    "Outcome",
    "Point",
    "Profile",
    "Progress",
    "Recorded",
    "Report",
    "SessionNotFound",
    "Step",
    "TooManyFixes",
    "Tracking",
    "TrackingSession",
    "Visit",
    "Watched",
    "estimate",
    "guided",
    "haversine",
    "mode_of",
    "step",
]
