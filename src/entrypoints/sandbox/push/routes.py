"""Expo's and Google's push services as far as we use them, the control door, and the page that shows the notes."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import asdict, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from entrypoints.sandbox.push.state import STATES, Fault, Note, PushState
from entrypoints.sandbox.push.texts import TEXTS
from entrypoints.sandbox.whatsapp.graph import Cut
from entrypoints.sandbox.whatsapp.pages import language_of
from entrypoints.sandbox.whatsapp.wire import Unreadable, json_object

_NOTES_AT_MOST, _TICKETS_AT_MOST, _BYTES_AT_MOST = 100, 1000, 4096
_FIELDS: Final = frozenset(
    {
        *("to", "title", "subtitle", "body", "data", "sound", "badge", "ttl", "expiration", "priority"),
        *("channelId", "categoryId", "mutableContent"),
    }
)
_RESERVED: Final = ("from", "gcm", "google")
_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_PAGES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.push"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)
_STATUS: Final[Mapping[str, tuple[int, str]]] = {
    "UNREGISTERED": (404, "NOT_FOUND"),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED"),
    "UNAVAILABLE": (503, "UNAVAILABLE"),
    "INTERNAL": (500, "INTERNAL"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED"),
}

_Endpoint = Callable[[Request], Awaitable[Response]]


def push_routes(*, state: PushState, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """Return both services, the control door under `/push/control`, and the page `/push`."""
    push = _Push(state, clock)
    wanted: list[tuple[str, _Endpoint, str]] = [
        ("/push/control/notes", push.list_notes, "GET"),
        ("/push/control/tokens", push.put_token, "PUT"),
        ("/push/control/faults", push.order_fault, "POST"),
        ("/push/control/access-token", push.set_access_token, "PUT"),
        ("/push/control/service-accounts", push.open_account, "POST"),
        ("/push/control/bearers", push.revoke_bearers, "DELETE"),
    ]
    return [
        Route("/--/api/v2/push/send", push.send, methods=["POST"]),
        Route("/--/api/v2/push/getReceipts", push.receipts, methods=["POST"]),
        Route("/token", push.token, methods=["POST"]),
        Route("/v1/projects/{project}/messages:send", push.send_one, methods=["POST"]),
        *(Route(path, _explaining(endpoint), methods=[method]) for path, endpoint, method in wanted),
        Route("/push", push.page, methods=["GET"]),
    ]


@frozen
class _Push:
    _state: PushState
    _clock: Callable[[], datetime]

    # --- Expo

    async def send(self, request: Request) -> Response:
        refusal = self._stopped(request)
        if refusal is not None:
            return refusal
        try:
            body = json.loads(await request.body())
        except ValueError:
            return _expo_refusal(400, "VALIDATION_ERROR", "the body is not JSON")
        notes = body if isinstance(body, list) else [body]
        if not notes or not all(isinstance(note, dict) and not note.keys() - _FIELDS for note in notes):
            return _expo_refusal(400, "VALIDATION_ERROR", "a list of notes with the fields that are documented")
        if len(notes) > _NOTES_AT_MOST:
            return _expo_refusal(400, "PUSH_TOO_MANY_NOTIFICATIONS", f"{_NOTES_AT_MOST} notes at most")
        by_project: dict[str, list[str]] = {}
        for note in notes:
            if not isinstance(note.get("to"), str):
                return _expo_refusal(400, "VALIDATION_ERROR", "to must be a token")
            by_project.setdefault(self._state.token(note["to"])[1], []).append(note["to"])
        if len(by_project) > 1:
            return _expo_refusal(
                400, "PUSH_TOO_MANY_EXPERIENCE_IDS", "all notes must be for one project", details=by_project
            )
        self._state.requests.append(len(notes))
        tickets = [self._ticket(note) for note in notes]
        fault = self._state.faults.popleft() if self._state.faults else None
        return Cut() if fault is not None and fault.cut else JSONResponse({"data": tickets})

    def _ticket(self, note: Mapping[str, Any]) -> dict[str, Any]:
        token = note["to"]
        if not token.startswith(("ExponentPushToken[", "ExpoPushToken[")) or self._state.token(token)[0] == "gone":
            return {
                "status": "error",
                "message": f'"{token}" is not a registered push notification recipient',
                "details": {"error": "DeviceNotRegistered", "expoPushToken": token},
            }
        if len(json.dumps(note, ensure_ascii=False).encode()) > _BYTES_AT_MOST:
            return {"status": "error", "message": "too big", "details": {"error": "MessageTooBig"}}
        kept = self._keep("expo", token, note)
        return {"status": "ok", "id": kept.ticket}

    async def receipts(self, request: Request) -> Response:
        refusal = self._stopped(request)
        if refusal is not None:
            return refusal
        ids = (await json_object(request)).get("ids")
        if not isinstance(ids, list) or len(ids) > _TICKETS_AT_MOST:
            return _expo_refusal(400, "PUSH_TOO_MANY_RECEIPTS", f"{_TICKETS_AT_MOST} ids at most")
        known = {note.ticket: note for note in self._state.notes() if note.service == "expo"}
        told = {}
        for each in ids:
            if each not in known:
                continue
            fades = self._state.token(known[each].token)[0] != "live"
            gone = {"status": "error", "message": "not registered", "details": {"error": "DeviceNotRegistered"}}
            told[each] = gone if fades else {"status": "ok"}
        return JSONResponse({"data": told})

    def _stopped(self, request: Request) -> Response | None:
        wanted = self._state.access_token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if wanted and not hmac.compare_digest(wanted.encode(), given.encode()):
            return _expo_refusal(401, "UNAUTHORIZED", "the access token is not the project's")
        if not self._state.faults or self._state.faults[0].cut:
            return None
        fault = self._state.faults.popleft()
        if not fault.code:
            return HTMLResponse("<html><body>Bad Gateway</body></html>", fault.status)
        return _expo_refusal(fault.status, fault.code, "ordered at the sandbox", retry_after=fault.retry_after)

    # --- Google

    async def token(self, request: Request) -> Response:
        async with request.form(max_fields=10) as form:
            grant, assertion = form.get("grant_type"), form.get("assertion")
        now = self._clock().timestamp()
        email = self._vouched(assertion, str(request.url), now) if isinstance(assertion, str) else None
        account = None if email is None else self._state.account(email)
        if grant != _GRANT or account is None:
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        bearer = "ya29." + secrets.token_urlsafe(24)
        self._state.put_bearer(bearer, project=account[0], until=now + 3600)
        return JSONResponse({"access_token": bearer, "expires_in": 3599, "token_type": "Bearer"})

    def _vouched(self, assertion: str, audience: str, now: float) -> str | None:
        """Return whose service account signed an assertion, or None if it proves nothing."""
        try:
            head, claims, signature = assertion.split(".")
            said = json.loads(_decoded(claims))
            account = self._state.account(said["iss"])
            if account is None or json.loads(_decoded(head))["alg"] != "RS256":
                return None
            key = serialization.load_pem_public_key(account[1].encode())
            if not isinstance(key, rsa.RSAPublicKey):
                return None
            key.verify(_decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            fresh = said["iat"] - 300 <= now < said["exp"] <= said["iat"] + 3600
            good = fresh and said["aud"] == audience and said["scope"] == _SCOPE
        except (ValueError, LookupError, TypeError, InvalidSignature):
            return None
        return str(said["iss"]) if good else None

    async def send_one(self, request: Request) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        project = self._state.project_of(bearer, now=self._clock().timestamp())
        if project is None:
            return _fcm_refusal("THIRD_PARTY_AUTH_ERROR", named=False)
        if project != request.path_params["project"]:
            return _fcm_refusal("SENDER_ID_MISMATCH", named=False)
        fault = self._state.faults.popleft() if self._state.faults else None
        if fault is not None and not fault.cut:
            if not fault.code:
                return HTMLResponse("<html><body>Bad Gateway</body></html>", fault.status)
            return _fcm_refusal(fault.code, retry_after=fault.retry_after)
        message = (await json_object(request)).get("message")
        if not isinstance(message, dict) or not isinstance(message.get("token"), str):
            return _fcm_refusal("INVALID_ARGUMENT", field="message.token")
        data, shown = message.get("data", {}), message.get("notification", {})
        texts = isinstance(data, dict) and all(isinstance(each, str) for each in data.values())
        if not texts or any(name.startswith(_RESERVED) for name in data):
            return _fcm_refusal("INVALID_ARGUMENT", field="message.data")
        if len(json.dumps(message, ensure_ascii=False).encode()) > _BYTES_AT_MOST:
            return _fcm_refusal("INVALID_ARGUMENT", field="message")
        token = message["token"]
        if " " in token:
            return _fcm_refusal("INVALID_ARGUMENT", field="message.token")
        if self._state.token(token)[0] != "live":
            return _fcm_refusal("UNREGISTERED")
        note = self._keep("fcm", token, {**shown, "data": data}, project=project)
        return Cut() if fault is not None else JSONResponse({"name": note.ticket})

    def _keep(self, service: str, token: str, said: Mapping[str, Any], *, project: str = "") -> Note:
        number = secrets.token_hex(12)
        note = Note(
            ticket=f"projects/{project}/messages/{number}" if project else number,
            service=service,
            project=project,
            token=token,
            title=str(said.get("title") or ""),
            body=str(said.get("body") or ""),
            data=dict(said.get("data") or {}),
            at=self._clock().timestamp(),
        )
        self._state.add(note)
        return note

    # --- the control door

    async def list_notes(self, _: Request) -> Response:
        return JSONResponse({"items": [asdict(note) for note in self._state.notes()], "requests": self._state.requests})

    async def put_token(self, request: Request) -> Response:
        body = await json_object(request)
        token, state = body.get("token"), body.get("state", "live")
        if not isinstance(token, str) or state not in STATES:
            msg = f"a token, and a state that is one of {', '.join(STATES)}"
            raise Unreadable(msg)
        self._state.put_token(token, state=state, project=str(body.get("project") or "@cuadrilla/app"))
        return JSONResponse({})

    async def order_fault(self, request: Request) -> Response:
        """Order what the next requests meet: `status` and `code`, a `status` alone (an HTML page), or `cut`; `times` of it."""
        body = await json_object(request)
        times = body.pop("times", 1)
        try:
            fault = Fault(**{**body, "retry_after": body.get("retry_after")})
        except TypeError as wrong:
            raise Unreadable(str(wrong)) from wrong
        if not isinstance(times, int) or not 1 <= times <= 100:  # noqa: PLR2004 - enough for any test
            msg = "times must be a number from 1 to 100"
            raise Unreadable(msg)
        self._state.faults.extend([fault] * times)
        return JSONResponse({"waiting": len(self._state.faults)}, 201)

    async def set_access_token(self, request: Request) -> Response:
        self._state.set_access_token(str((await json_object(request)).get("access_token") or ""))
        return JSONResponse({})

    async def open_account(self, request: Request) -> Response:
        """Make a service account for a project and return the file that Google would give out."""
        project = str((await json_object(request)).get("project_id") or "cuadrilla-sandbox")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        email = f"push-{secrets.token_hex(4)}@{project}.iam.gserviceaccount.com"
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._state.put_account(email, project=project, public_key=public.decode())
        return JSONResponse(
            {
                "type": "service_account",
                "project_id": project,
                "private_key_id": secrets.token_hex(20),
                "private_key": private.decode(),
                "client_email": email,
                "token_uri": "https://oauth2.googleapis.com/token",
            },
            201,
        )

    async def revoke_bearers(self, _: Request) -> Response:
        self._state.revoke_bearers()
        return JSONResponse({})

    async def page(self, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        notes = [(each, datetime.fromtimestamp(each.at, UTC)) for each in reversed(self._state.notes())]
        page = _PAGES.get_template("push.html").render(t=TEXTS[language], language=language, notes=notes[:200])
        headers = {
            "content-security-policy": _POLICY,
            "content-language": language,
            "vary": "accept-language",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return HTMLResponse(page, headers=headers)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _expo_refusal(
    status: int,
    code: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    retry_after: int | None = None,
) -> Response:
    error = {"code": code, "message": message, **({} if details is None else {"details": details})}
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"errors": [error]}, status, headers)


def _fcm_refusal(
    code: str, *, field: str | None = None, named: bool = True, retry_after: int | None = None
) -> Response:
    status, word = _STATUS.get(code, (400, "INVALID_ARGUMENT"))
    details: list[dict[str, Any]] = []
    if named:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if field is not None:
        violations = [{"field": field, "description": "refused by the sandbox"}]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    error = {"code": status, "message": "refused by the sandbox", "status": word, "details": details}
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"error": error}, status, headers)


def _explaining(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Unreadable as problem:
            return JSONResponse({"error": str(problem)}, 422)

    return answer
