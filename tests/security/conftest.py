"""What the checks of security ask for: the application, as tests of HTTP have it."""

from __future__ import annotations

from tests.entrypoints.http.conftest import plain_logs, web

__all__ = ["plain_logs", "web"]
