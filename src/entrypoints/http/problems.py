"""Errors as RFC 9457 problem details; one table says which kind is which status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core.identity import Unauthenticated
from core.kernel.errors import Conflict, CuadrillaError, Denied, Invalid, Limited, NotFound, Unavailable
from core.offline import TooManyOperations
from core.tracking import LinkExpired, TooManyFixes


class Malformed(Invalid):
    """The request cannot even be read."""

    code = "malformed"


STATUS: Final[Mapping[type[CuadrillaError], int]] = {
    Malformed: 400,
    Unauthenticated: 401,
    LinkExpired: 410,
    TooManyFixes: 413,
    TooManyOperations: 413,
    Invalid: 422,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Limited: 429,
    Unavailable: 503,
}
"""The first class in an error's ancestry that stands here decides."""

RETRY_AFTER: Final = 5
"""Seconds after which something unavailable is worth another try."""


def status_of(error: CuadrillaError) -> int:
    """Return the HTTP status of an anticipated error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(
    status: int, *, code: str, detail: str, request_id: str, more: Mapping[str, object] | None = None
) -> Response:
    """Return a problem response."""
    body = {
        "type": f"urn:cuadrilla:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "requestId": request_id,
        **(more or {}),
    }
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


def problem_of(error: CuadrillaError, *, request_id: str) -> Response:
    """Return an anticipated error as a problem response, with what its kind asks of the headers."""
    response = problem(
        status_of(error), code=error.code, detail=str(error), request_id=request_id, more=error.details()
    )
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, Limited):
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    elif isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


async def _anticipated(request: Request, error: Exception) -> Response:
    assert isinstance(error, CuadrillaError)  # noqa: S101 - Starlette calls by type
    return problem_of(error, request_id=request.state.request_id)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls by type
    answer = problem(error.status_code, code="http", detail=error.detail, request_id=request.state.request_id)
    answer.headers.update(error.headers or {})
    return answer


async def _defect(request: Request, _: Exception) -> Response:
    detail = "Something broke on our side; it has been noted under the request id."
    return problem(500, code="defect", detail=detail, request_id=request.state.request_id)


HANDLERS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    CuadrillaError: _anticipated,
    HTTPException: _refused,
    Exception: _defect,
}
"""For Starlette: what each kind of exception is answered with."""
