"""Reading JSON that may hold anything."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.requests import Request


class Unreadable(ValueError):
    """The body is not a JSON object that can be stored and written again."""


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body of a request; raise `Unreadable` for what is no object, or holds NaN or half a character."""
    try:
        body = json.loads(await request.body(), parse_constant=_refuse)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as failure:
        msg = "the body is not JSON"
        raise Unreadable(msg) from failure
    if not isinstance(body, dict):
        msg = "the body must be a JSON object"
        raise Unreadable(msg)
    return body


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
