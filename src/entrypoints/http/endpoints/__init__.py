"""The API as data: what each route takes, which one use case it calls, and what it answers."""

from __future__ import annotations

from typing import Final

from entrypoints.http.endpoints.auth import AUTH
from entrypoints.http.endpoints.endpoint import UPLOAD, Call, Endpoint, bearer_token
from entrypoints.http.endpoints.invoices import INVOICES
from entrypoints.http.endpoints.jobs import JOBS
from entrypoints.http.endpoints.notifications import NOTIFICATIONS
from entrypoints.http.endpoints.people import PEOPLE
from entrypoints.http.endpoints.sync import SYNC
from entrypoints.http.endpoints.tracking import TRACKING

__all__ = ["ENDPOINTS", "UPLOAD", "Call", "Endpoint", "bearer_token"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*JOBS, *PEOPLE, *TRACKING, *INVOICES, *NOTIFICATIONS, *SYNC, *AUTH)
