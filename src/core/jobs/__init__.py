"""Jobs: one visit to one customer, from the request to the invoice.

    pending ⇄ scheduled ⇄ en_camino → working → completed → invoiced
       └──────────┴───────────┴──────────┴→ cancelled (with a reason)

A *wish* is what the customer asked for, a *place* where, a *line* what was done and for how much. Each move stores a fact that
says who, when, from, to and why; whatever else follows from it is in `core.reactions`.
"""

from core.jobs.model import MOVES, STATUSES, Job, JobClosed, JobNotFound, Photo, Place, Signature, Wish
from core.jobs.ports import JobFilter, TimelineEntry
from core.jobs.service import Jobs

__all__ = [
    "MOVES",
    "STATUSES",
    "Job",
    "JobClosed",
    "JobFilter",
    "JobNotFound",
    "Jobs",
    "Photo",
    "Place",
    "Signature",
    "TimelineEntry",
    "Wish",
]
