"""Offline: phones that work without a connection, and agree with us afterwards.

A *feed* orders what changes in a tenant; a *cursor* is a place in it. A *pull* gives what changed after a cursor, as *records* of a
phone's tables, to one *audience*. A *push* brings *operations* (or WatermelonDB's records); each gets an *outcome*, and where two people
changed one thing a *decision* says by which rule it was settled and what was kept.

    applied | merged | conflict (a person chooses) | refused | gone | retry
"""

from core.offline.columns import TABLES
from core.offline.model import (
    EVERYTHING,
    ORIGINS,
    PUSH_AT_MOST,
    TAKEN_AT_ONCE,
    Change,
    Collided,
    Cursor,
    Decision,
    ForeignCursor,
    Item,
    Operation,
    OperationTaken,
    Outcome,
    Page,
    Pulled,
    Record,
    Stamp,
    Taken,
    TooManyOperations,
)
from core.offline.service import PAGE_AT_MOST, Offline

__all__ = [
    "EVERYTHING",
    "ORIGINS",
    "PAGE_AT_MOST",
    "PUSH_AT_MOST",
    "TABLES",
    "TAKEN_AT_ONCE",
    "Change",
    "Collided",
    "Cursor",
    "Decision",
    "ForeignCursor",
    "Item",
    "Offline",
    "Operation",
    "OperationTaken",
    "Outcome",
    "Page",
    "Pulled",
    "Record",
    "Stamp",
    "Taken",
    "TooManyOperations",
]
