"""What both push services have in common: one request with an end to its patience, and answers that may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2

TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)
NOT_REACHED: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""The request never left."""
TOO_MANY, SERVER_ERROR, UNAUTHORIZED, FORBIDDEN = 429, 500, 401, 403
TEXT_AT_MOST: Final = 1000
"""Characters of a body: the whole note may have 4096 bytes, and a letter up to four of them."""


def data_of(answer: httpx2.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer, empty if it holds none."""
    try:
        data = answer.json()
    except ValueError:  # error bodies may be HTML
        return {}
    return data if isinstance(data, dict) else {}


def retry_after(answer: httpx2.Response) -> float:
    """Return for how many seconds the service asks to be left alone; 0 if it names none."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), 86_400.0) if text.isascii() and text.isdigit() else 0.0


def words(value: object) -> str:
    """Return what a service said, as far as it is a text."""
    return value[:500] if isinstance(value, str) else ""
