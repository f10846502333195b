"""Deliveries from providers: checked, kept, answered; worked on afterwards."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from core.identity import Unauthenticated
from core.kernel.actor import Actor
from core.kernel.errors import NotFound, StaleVersion
from entrypoints.http.problems import Malformed
from entrypoints.wiring import App

_log: Final = structlog.get_logger("webhooks")
_OK: Final = b"{}"
_TRIES: Final = 5
_FIELDS_AT_MOST: Final = 200


class BadSignature(Unauthenticated):
    """The body was not signed by anybody we know."""

    code = "bad_signature"

    def __init__(self) -> None:
        Exception.__init__(self, "the body is not signed with the app secret of a known channel")


async def verify_whatsapp(request: Request) -> Response:
    """Answer Meta's handshake: the challenge, if the token is one of ours."""
    app: App = request.app.state.app
    token = request.query_params.get("hub.verify_token", "")
    known = [account.verify_token for account in await app.whatsapp.accounts()]
    matches = [hmac.compare_digest(token.encode(), ours.encode()) for ours in known]
    if request.query_params.get("hub.mode") != "subscribe" or not any(matches):
        return PlainTextResponse("wrong verify token", 403)
    return PlainTextResponse(request.query_params.get("hub.challenge", ""))


async def receive_whatsapp(request: Request) -> Response:
    """Keep what Meta delivers and answer at once.

    The raw bytes must be signed with the app secret of a known channel (401), and be a JSON object (400). A signed body that we do not
    understand is answered 200 all the same, or it would come back for a week.
    """
    app: App = request.app.state.app
    body = await request.body()
    accounts = await app.whatsapp.accounts()
    secret = app.whatsapp.signed_by(
        body, request.headers.get("x-hub-signature-256"), list({account.app_secret for account in accounts})
    )
    if secret is None:
        raise BadSignature
    data = _read(body)
    # A secret opens only the channels it belongs to: one tenant's secret cannot write into another tenant's inbox.
    tenants = {account.phone_number_id: account.tenant for account in accounts if account.app_secret == secret}
    delivery = app.whatsapp.decode(data, tenant_of=tenants.get, received_at=app.clock(), new_id=app.new_id)
    if delivery.messages:
        await app.messaging.receive(delivery.messages)
    if delivery.statuses:
        await app.messaging.note(delivery.statuses)
    if delivery.ignored:
        _log.info("ignored", **{str(reason): count for reason, count in delivery.ignored.items()})
    return Response(_OK, media_type="application/json")


async def receive_twilio(request: Request) -> Response:
    """Take Twilio's word on a text message of ours.

    The form must be signed, together with the address that we gave for the message, with the token of the account that the tenant
    in that address sends from (401). Reports on what is not ours, and words without a meaning for us, are answered as well.
    """
    app: App = request.app.state.app
    form = _form(await request.body())
    given = dict(form)
    tenant = request.query_params.get("tenant", "")
    try:
        account = await app.twilio.account_of(tenant)
    except NotFound:
        raise BadSignature from None
    query = request.scope["query_string"].decode("latin-1")
    address = f"{app.twilio.address}?{query}"
    shown = request.headers.get("x-twilio-signature")
    if given.get("AccountSid") != account.account_sid or not app.twilio.is_signed(
        address, form, account.auth_token, shown
    ):
        raise BadSignature
    status, sid = app.twilio.statuses.get(given.get("MessageStatus", "")), given.get("MessageSid", "")
    if status is not None and sid:
        actor = Actor(tenant=tenant, id="twilio", role="service", correlation=sid)
        report = {
            "provider_id": sid,
            "status": status,
            "reference": request.query_params.get("delivery"),
            "error_code": given.get("ErrorCode") or None,
            "error_text": given.get("ErrorMessage") or None,
        }
        await _recorded(app, actor, report)
    return Response(status_code=204)


async def _recorded(app: App, actor: Actor, report: Mapping[str, Any]) -> None:
    """Note a report. Twilio sends it once, so a race with the answer to our own request is run again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            await app.notifications.record(actor=actor, **report)
        except StaleVersion:
            if not tries_left:
                raise
        else:
            return


def _form(body: bytes) -> list[tuple[str, str]]:
    """Return a form's fields; raise `Malformed`."""
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST)
    except ValueError as broken:
        msg = "the body is not a form"
        raise Malformed(msg) from broken
    if any("\0" in text for field in fields for text in field):
        msg = "the form holds what no text can"
        raise Malformed(msg)
    return fields


def _read(body: bytes) -> dict[str, Any]:
    """Return a signed body as JSON; raise `Malformed`.

    What the fast reader refuses may still be JSON by the letter: half of a surrogate pair, a number beyond every range, NUL. Those
    become replacement characters and texts, so that no message is lost for them.
    """
    try:
        data = msgspec.json.decode(body)
        if b"\\u0000" in body:
            data = _mended(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        try:
            data = _mended(json.loads(body, parse_float=_number, parse_constant=_no_constant))
        except (ValueError, RecursionError) as broken:
            msg = "the body is not JSON"
            raise Malformed(msg) from broken
    if not isinstance(data, dict):
        msg = "the body must be a JSON object"
        raise Malformed(msg)
    return data


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    return value


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _no_constant(text: str) -> None:
    msg = f"{text} is not JSON"
    raise ValueError(msg)
