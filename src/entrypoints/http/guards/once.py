"""One effect for one `Idempotency-Key`, and the same answer whenever the request comes again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar, Final

import structlog
from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from core.kernel.actor import Actor
from core.kernel.errors import Conflict, CuadrillaError, Unavailable
from core.kernel.ports import Claim, IdempotencyKeys, KeptAnswer
from entrypoints.http.endpoints import Endpoint
from entrypoints.http.problems import Malformed

_log: Final = structlog.get_logger("idempotency")

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LIFE: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
"""How long a request may be at work before another may take its place; longer than the edge lets any request take."""
AT_MOST: Final = 64 * 1024
"""Bytes of an answer that is kept; after a longer one the key answers `idempotency.answer_lost`."""
PATIENCE: Final = 2.0
"""Seconds for which a duplicate waits for the answer to the first."""
_KEY: Final = re.compile(r"[!-~]{1,255}\Z")
_BOUNDARY: Final = re.compile(r"""boundary="?([^";,\s]+)""", re.IGNORECASE)


def takes_key(endpoint: Endpoint) -> bool:
    """Say whether a key may be sent: with what changes something, log-in apart, whose answers are secrets."""
    return endpoint.method in UNSAFE and endpoint.area != "auth"


class StillRunning(Conflict):
    """The first request under this key is still at work."""

    code: ClassVar[str] = "idempotency.running"

    def __init__(self) -> None:
        super().__init__("the first request with this Idempotency-Key is still at work; ask again in a second")


@frozen
class Once:
    """The guard of unsafe requests that carry an `Idempotency-Key`.

    A key belongs to tenant, user, thing and action. Only success is kept, for 24 hours; a refusal that changed nothing frees the
    key, so that the same request may succeed later, and so does any refusal of a request that resumes. If a request took effect and
    its answer was lost (a crash, a time-out), the key says that with 409 `idempotency.answer_lost` and nothing runs again. Log-in
    routes have no keys: their answers are secrets.
    """

    _keys: IdempotencyKeys

    def concerns(self, request: Request, endpoint: Endpoint) -> bool:
        """Say whether the request asks for this."""
        return takes_key(endpoint) and "idempotency-key" in request.headers

    async def answer(
        self, request: Request, actor: Actor, endpoint: Endpoint, produce: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Return what `produce` answers, or what it answered the first time.

        Raise `KeyReused`, `AnswerLost` or `StillRunning`, and `Malformed` for a key that is none.
        """
        claimed = await self._claim(request, actor, endpoint)
        if isinstance(claimed, KeptAnswer):
            headers = {"content-type": claimed.content_type, "idempotency-replayed": "true"}
            return Response(claimed.body, claimed.status, headers=headers)
        try:
            with self._keys.within(claimed):
                response = await produce()
        except CuadrillaError:
            await self._release(claimed, wholly=endpoint.resumes)
            raise
        except BaseException:
            await self._release(claimed)
            raise
        await self._keep(claimed, response)
        return response

    async def _claim(self, request: Request, actor: Actor, endpoint: Endpoint) -> Claim | KeptAnswer:
        given = request.headers.getlist("idempotency-key")
        if len(given) != 1 or not _KEY.match(given[0]):
            msg = "Idempotency-Key must be one word of 1 to 255 visible ASCII characters"
            raise Malformed(msg, field="Idempotency-Key")
        scope, fingerprint = _scope(request, actor, endpoint), await _fingerprint(request)
        waited, pause = 0.0, 0.025
        while True:
            claimed = await self._keys.claim(
                tenant=actor.tenant, scope=scope, key=given[0], fingerprint=fingerprint, lease=LEASE, life=LIFE
            )
            if claimed is not None:
                return claimed
            if waited >= PATIENCE:
                request.scope["state"].setdefault("told", []).append((b"retry-after", b"1"))
                raise StillRunning
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 0.4)

    async def _keep(self, claim: Claim, response: Response) -> None:
        if response.status_code >= 400 or isinstance(response, StreamingResponse) or len(response.body) > AT_MOST:  # noqa: PLR2004
            await self._release(claim)
            return
        kept = KeptAnswer(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            body=bytes(response.body),
        )
        try:
            await self._keys.keep(claim, kept, life=LIFE)
        except Unavailable as failure:  # the client has its answer; only a repetition will not
            _log.warning("not_kept", reason=str(failure))

    async def _release(self, claim: Claim, *, wholly: bool = False) -> None:
        try:
            await self._keys.release(claim, wholly=wholly)
        except Unavailable as failure:  # the lease ends by itself
            _log.warning("not_released", reason=str(failure))


def _scope(request: Request, actor: Actor, endpoint: Endpoint) -> str:
    """Return `{userId}:{resourceType}:{resourceId}:{action}`."""
    kind, *rest = endpoint.path.removeprefix("/api/v1/").split("/")
    action = ".".join([endpoint.method.lower(), *(part for part in rest if not part.startswith("{"))])
    return f"{actor.id}:{kind}:{request.path_params.get('id', '-')}:{action}"


async def _fingerprint(request: Request) -> str:
    """Return what tells this request from another; the same form sent again has another boundary."""
    body, content_type = await request.body(), request.headers.get("content-type", "")
    if (found := _BOUNDARY.search(content_type)) is not None:
        body, content_type = body.replace(found[1].encode("latin-1", "replace"), b""), "multipart/form-data"
    digest = hashlib.sha256(body)
    for part in (request.method, request.url.path, request.url.query, content_type):
        digest.update(b"\0" + part.encode("utf-8", "replace"))
    return digest.hexdigest()
