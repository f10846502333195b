"""Twilio's Messages API as far as text messages go, the control door, and the page that shows them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from attrs import frozen
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from entrypoints.sandbox.twilio.state import Account, Refusal, Text, TwilioState
from entrypoints.sandbox.twilio.texts import TEXTS
from entrypoints.sandbox.whatsapp.graph import Cut
from entrypoints.sandbox.whatsapp.pages import language_of, written
from entrypoints.sandbox.whatsapp.wire import Unreadable, json_object

_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_BODY_AT_MOST: Final = 1600
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_PAGES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.twilio"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)
_PAGES.filters["written"] = written
_MEANINGS: Final[Mapping[int, str]] = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    21211: "The 'To' number is not a valid phone number.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number provided is not a valid message-capable phone number for this account.",
    21610: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number",
    21602: "Message body is required.",
    21617: "The concatenated message body exceeds the 1600 character limit",
}

_Endpoint = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """The API will not do it."""

    def __init__(self, status: int, code: int) -> None:
        self.status, self.code = status, code
        super().__init__(f"{status}: {code}")

    @property
    def response(self) -> Response:
        """The answer in Twilio's form."""
        body = {
            "code": self.code,
            "message": _MEANINGS.get(self.code, "Refusal ordered at the sandbox"),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {"www-authenticate": 'Basic realm="Twilio API"'} if self.status == 401 else {}  # noqa: PLR2004
        return JSONResponse(body, self.status, headers)


class NotUnderstood(ValueError):
    """The control request is not one of ours; the text says why."""


def twilio_routes(*, state: TwilioState, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """Return the API, the control door under `/twilio/control`, and the page `/sms`."""
    twilio = _Twilio(state, clock)
    wanted: list[tuple[str, _Endpoint, str]] = [
        ("/twilio/control/accounts/{sid}", twilio.open_account, "PUT"),
        ("/twilio/control/messages", twilio.list_texts, "GET"),
        ("/twilio/control/refusals", twilio.order_refusal, "POST"),
        ("/twilio/control/refusals", twilio.clear_refusals, "DELETE"),
        ("/twilio/control/outcomes", twilio.order_outcome, "POST"),
        ("/twilio/control/opted-out/{phone}", twilio.opt_out, "PUT"),
        ("/twilio/control/opted-out/{phone}", twilio.opt_in, "DELETE"),
    ]
    return [
        Route("/2010-04-01/Accounts/{sid}/Messages.json", twilio.send, methods=["POST"]),
        Route("/2010-04-01/{rest:path}", _unknown),
        *(Route(path, _explaining(endpoint), methods=[method]) for path, endpoint, method in wanted),
        Route("/sms", twilio.page, methods=["GET"]),
    ]


@frozen
class _Twilio:
    _state: TwilioState
    _clock: Callable[[], datetime]

    async def send(self, request: Request) -> Response:
        try:
            return await self._sent(request)
        except Refused as refused:
            return refused.response

    async def _sent(self, request: Request) -> Response:
        account = self._account(request)
        async with request.form(max_fields=50) as form:
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        ordered = self._state.refusals.popleft() if self._state.refusals else None
        if ordered is not None and ordered.code is not None:
            raise Refused(ordered.status, ordered.code)
        if ordered is not None and not ordered.cut:
            return Response("<html><body>Internal Server Error</body></html>", ordered.status, media_type="text/html")
        to, body = given.get("To", ""), given.get("Body", "")
        sender = given.get("From") or given.get("MessagingServiceSid") or ""
        self._judge(account, to, sender, body)
        at = self._clock()
        text = Text(
            sid="SM" + secrets.token_hex(16),
            account=account.sid,
            sender=sender,
            recipient=to,
            body=body,
            at=at.timestamp(),
        )
        self._state.add(text)
        reports = BackgroundTask(self._report, text, account, given.get("StatusCallback", ""))
        if ordered is not None:
            return Cut(background=reports)
        return JSONResponse(_resource(text, at), 201, background=reports)

    async def _report(self, text: Text, account: Account, address: str) -> None:
        """Tell whoever asked for it what became of a message: that it was sent, and how it ended."""
        if urlsplit(address).hostname not in {"127.0.0.1", "localhost"}:
            return
        status, code = self._state.outcomes.popleft() if self._state.outcomes else ("delivered", None)
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            for each in ("sent", status):
                form = {
                    "AccountSid": account.sid,
                    "ApiVersion": "2010-04-01",
                    "From": text.sender,
                    "MessageSid": text.sid,
                    "MessageStatus": each,
                    "SmsSid": text.sid,
                    "SmsStatus": each,
                    "To": text.recipient,
                    **({"ErrorCode": str(code)} if code is not None and each == status else {}),
                }
                headers = {"x-twilio-signature": _signature(address, form, account.token)}
                with contextlib.suppress(httpx2.HTTPError):
                    await client.post(address, data=form, headers=headers)

    def _judge(self, account: Account, to: str, sender: str, body: str) -> None:
        if not to:
            raise Refused(400, 21604)
        if not sender:
            raise Refused(400, 21603)
        if not body:
            raise Refused(400, 21602)
        if len(body) > _BODY_AT_MOST:
            raise Refused(400, 21617)
        if not _PHONE.fullmatch(to):
            raise Refused(400, 21211)
        if sender != account.sender:
            raise Refused(400, 21606)
        if self._state.opted_out(to):
            raise Refused(400, 21610)

    def _account(self, request: Request) -> Account:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, token = "", ""
        account = self._state.account(user)
        right = account is not None and hmac.compare_digest(account.token.encode(), token.encode())
        if scheme.lower() != "basic" or account is None or not right:
            raise Refused(401, 20003)
        if request.path_params["sid"] != account.sid:
            raise Refused(404, 20404)
        return account

    async def open_account(self, request: Request) -> Response:
        body, sid = await json_object(request), request.path_params["sid"]
        if not _SID.fullmatch(sid):
            msg = "an account's sid is AC and 32 hexadecimal digits"
            raise NotUnderstood(msg)
        token, sender = body.get("auth_token"), body.get("sender")
        if not (isinstance(token, str) and token and isinstance(sender, str) and sender):
            msg = "auth_token and sender must be texts"
            raise NotUnderstood(msg)
        self._state.put_account(Account(sid=sid, token=token, sender=sender))
        return JSONResponse({"sid": sid, "sender": sender})

    async def list_texts(self, request: Request) -> Response:
        found = self._state.texts(to=request.query_params.get("to"))
        items = [{"sid": each.sid, "from": each.sender, "to": each.recipient, "body": each.body} for each in found]
        return JSONResponse({"items": items})

    async def order_refusal(self, request: Request) -> Response:
        """Order what the next messages meet: `status` and `code`, a `status` alone (an HTML page), or `cut`; `times` of it."""
        body = await json_object(request)
        numbers = {"status": 599, "code": 10**6, "times": 100}
        for name, limit in numbers.items():
            value = body.get(name, 1)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
                msg = f"{name} must be a number from 1 to {limit}"
                raise NotUnderstood(msg)
        if not body.keys() & {"status", "cut"} or body.keys() - {*numbers, "cut"}:
            msg = "a refusal has a status (and a code), or cut, and perhaps times"
            raise NotUnderstood(msg)
        refusal = Refusal(status=body.get("status", 500), code=body.get("code"), cut=body.get("cut") is True)
        self._state.refusals.extend([refusal] * body.get("times", 1))
        return JSONResponse({"waiting": len(self._state.refusals)}, 201)

    async def order_outcome(self, request: Request) -> Response:
        """Order what becomes of the next message that asks for a report: `undelivered`, `failed` or `delivered`, and a `code`."""
        body = await json_object(request)
        status, code = body.get("status"), body.get("code")
        if status not in {"delivered", "undelivered", "failed"} or not isinstance(code, int | None):
            msg = "an outcome has a status of delivered, undelivered or failed, and perhaps a code"
            raise NotUnderstood(msg)
        self._state.outcomes.append((status, code))
        return JSONResponse({"waiting": len(self._state.outcomes)}, 201)

    async def clear_refusals(self, _: Request) -> Response:
        self._state.refusals.clear()
        return JSONResponse({"waiting": 0})

    async def opt_out(self, request: Request) -> Response:
        self._state.opt(request.path_params["phone"], out=True)
        return JSONResponse({})

    async def opt_in(self, request: Request) -> Response:
        self._state.opt(request.path_params["phone"], out=False)
        return JSONResponse({})

    async def page(self, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        texts = [(each, datetime.fromtimestamp(each.at, UTC)) for each in reversed(self._state.texts())]
        page = _PAGES.get_template("sms.html").render(t=TEXTS[language], language=language, texts=texts)
        headers = {
            "content-security-policy": _POLICY,
            "content-language": language,
            "vary": "accept-language",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return HTMLResponse(page, headers=headers)


def _resource(text: Text, at: datetime) -> dict[str, Any]:
    path = f"/2010-04-01/Accounts/{text.account}/Messages/{text.sid}"
    when = format_datetime(at.astimezone(UTC))
    service = text.sender if text.sender.startswith("MG") else None
    return {
        "account_sid": text.account,
        "api_version": "2010-04-01",
        "body": text.body,
        "date_created": when,
        "date_sent": None,
        "date_updated": when,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": None if service else text.sender,
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": str(_segments(text.body)),
        "price": None,
        "price_unit": "USD",
        "sid": text.sid,
        "status": "accepted" if service else "queued",
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": text.recipient,
        "uri": f"{path}.json",
    }


def _segments(body: str) -> int:
    """Count what is paid for: 160 characters of GSM's alphabet or 70 others in one message, less in each of several."""
    alone, of_many = (160, 153) if set(body) <= _GSM else (70, 67)
    return 1 if len(body) <= alone else -(-len(body) // of_many)


def _signature(url: str, form: Mapping[str, str], token: str) -> str:
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


async def _unknown(_: Request) -> Response:
    return Refused(404, 20404).response


def _explaining(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (NotUnderstood, Unreadable) as problem:
            return JSONResponse({"error": str(problem)}, 422)

    return answer
