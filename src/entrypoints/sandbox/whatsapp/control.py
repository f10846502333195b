"""The door for developers, tests and the phone page: JSON, without log-in, for a machine's own loopback only."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from entrypoints.sandbox.whatsapp.bodies import message_body, new_media_id, new_wamid, status_body
from entrypoints.sandbox.whatsapp.graph import MEDIA_LIFE, media_url
from entrypoints.sandbox.whatsapp.model import Account, Media, Message
from entrypoints.sandbox.whatsapp.sending import MEDIA
from entrypoints.sandbox.whatsapp.state import WhatsAppState, met
from entrypoints.sandbox.whatsapp.webhooks import Webhooks
from entrypoints.sandbox.whatsapp.wire import Unreadable, json_object

KINDS: Final = ("text", "location", *MEDIA, "contacts", "interactive", "button", "reaction", "order", "unsupported")
"""What a contact can send."""
FAULTS: Final = frozenset({"phone_number_id", "code", "http_status", "delay", "cut", "http500", "failed", "times"})
_SHOWN_INLINE: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
_LONGEST_DELAY, _MOST_TIMES, _LONGEST_TEXT = 120, 100, 4096

_Endpoint = Callable[[Request], Awaitable[Response]]


class NotUnderstood(ValueError):
    """The control request is not one of ours; the text says why."""


@frozen
class Control:
    """What people and tests can do to the sandbox and see of it."""

    _state: WhatsAppState
    _webhooks: Webhooks
    _clock: Callable[[], datetime]

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/whatsapp/control`."""
        chat = "/whatsapp/control/chats/{phone_number_id}/{wa_id}"
        wanted: list[tuple[str, _Endpoint, str]] = [
            ("/whatsapp/control/accounts/{phone_number_id}", self._open_account, "PUT"),
            ("/whatsapp/control/accounts", self._list_accounts, "GET"),
            ("/whatsapp/control/contacts/{phone_number_id}/{wa_id}", self._name_contact, "PUT"),
            ("/whatsapp/control/contacts/{phone_number_id}", self._list_contacts, "GET"),
            ("/whatsapp/control/inbound", self._write, "POST"),
            (chat, self._chat, "GET"),
            (chat + "/read", self._read, "POST"),
            ("/whatsapp/control/faults", self._order_fault, "POST"),
            ("/whatsapp/control/faults", self._clear_faults, "DELETE"),
            ("/whatsapp/control/log", self._log, "GET"),
            ("/whatsapp/control/media/{media_id}", self._media, "GET"),
        ]
        return [Route(path, _explaining(endpoint), methods=[method]) for path, endpoint, method in wanted]

    async def _open_account(self, request: Request) -> Response:
        body = await json_object(request)
        number = request.path_params["phone_number_id"]
        if not re.fullmatch(r"[0-9]{1,32}", number):
            msg = "phone_number_id must be digits"
            raise NotUnderstood(msg)
        account = Account(
            phone_number_id=number,
            waba_id=_text(body, "waba_id"),
            display_phone_number=_text(body, "display_phone_number"),
            token=_text(body, "token"),
            app_secret=_text(body, "app_secret"),
            verify_token=_text(body, "verify_token"),
            webhook_url=_text(body, "webhook_url"),
        )
        if not re.fullmatch(r"https?://\S+", account.webhook_url):
            msg = "webhook_url must be an http(s) address"
            raise NotUnderstood(msg)
        # Stored before the address is asked: an address that does not answer yet is asked again before each delivery.
        self._state.put_account(account)
        return JSONResponse(_shown_account(await self._webhooks.verify(account)))

    async def _list_accounts(self, _: Request) -> Response:
        return JSONResponse({"items": [_shown_account(each) for each in self._state.accounts()]})

    async def _name_contact(self, request: Request) -> Response:
        account, wa_id = self._chat_of(request)
        body = await json_object(request)
        contact = met(self._state, account.phone_number_id, wa_id, name=_text(body, "name"))
        if isinstance(body.get("hidden"), bool):
            contact = evolve(contact, hidden=body["hidden"])
            self._state.put_contact(contact)
        return JSONResponse({"waId": wa_id, "name": contact.name, "userId": contact.user_id, "hidden": contact.hidden})

    async def _list_contacts(self, request: Request) -> Response:
        found = self._state.contacts(request.path_params["phone_number_id"])
        items = [{"waId": each.wa_id, "name": each.name, "userId": each.user_id} for each in found]
        return JSONResponse({"items": items})

    async def _write(self, request: Request) -> Response:
        """Let a contact write: store the message, open the window, post the webhook."""
        body = await json_object(request)
        account = self._account(_text(body, "phone_number_id"))
        wa_id = digits(_text(body, "from"))
        kind = str(body.get("type") or next((each for each in KINDS if each in body), ""))
        if kind not in KINDS or kind not in body:
            msg = f"one of {', '.join(KINDS)} is required"
            raise NotUnderstood(msg)
        content = self._content(request, account, kind, body[kind])
        contact = met(self._state, account.phone_number_id, wa_id, name=str(body.get("name") or "")[:120])
        now = self._now()
        contact = evolve(contact, last_inbound_at=now)
        self._state.put_contact(contact)
        message_id = new_wamid(wa_id, inbound=True)
        message: dict[str, Any] = {} if contact.hidden else {"from": wa_id}
        message |= {"from_user_id": contact.user_id, "id": message_id, "timestamp": str(int(now)), "type": kind}
        shown = _shown(kind, content)
        quoted = body.get("context")
        if isinstance(quoted, dict) and isinstance(quoted.get("message_id"), str):
            ours = account.display_phone_number.removeprefix("+")
            message = {"context": {"from": ours, "id": quoted["message_id"]}, **message}
            shown["quotes"] = quoted["message_id"]
        message[kind] = content
        self._state.add_message(
            Message(
                id=message_id,
                phone_number_id=account.phone_number_id,
                wa_id=wa_id,
                direction="in",
                type=kind,
                at=now,
                body=message,
                shown=shown,
                status="pending",
            )
        )
        self._webhooks.post(
            message_body(account, contact, message),
            phone_number_id=account.phone_number_id,
            wa_id=wa_id,
            message_id=message_id,
        )
        return JSONResponse({"id": message_id}, 201)

    def _content(self, request: Request, account: Account, kind: str, given: Any) -> Any:
        if kind == "text" and isinstance(given, str):
            given = {"body": given}
        if kind == "contacts":
            if not isinstance(given, list):
                msg = "contacts must be a list"
                raise NotUnderstood(msg)
            return given
        if not isinstance(given, dict):
            msg = f"{kind} must be an object"
            raise NotUnderstood(msg)
        words = given.get("body", "")
        if kind == "text" and not (isinstance(words, str) and 0 < len(words) <= _LONGEST_TEXT):
            msg = f"text.body must have 1 to {_LONGEST_TEXT} characters"
            raise NotUnderstood(msg)
        if kind not in MEDIA:
            return given
        try:
            file = base64.b64decode(str(given.get("data") or ""), validate=True)
        except binascii.Error as failure:
            msg = f"{kind}.data must be base64"
            raise NotUnderstood(msg) from failure
        media = Media(
            id=new_media_id(),
            phone_number_id=account.phone_number_id,
            mime_type=_text(given, "mime_type"),
            filename=str(given["filename"])[:200] if given.get("filename") else None,
            content=file,
        )
        self._state.add_media(media)
        until = int(self._now()) + MEDIA_LIFE
        content = {
            "mime_type": media.mime_type,
            "sha256": base64.b64encode(media.digest).decode(),
            "id": media.id,
            "url": media_url(request, media.id, until=until),
        }
        return {**{name: each for name, each in given.items() if name != "data"}, **content}

    async def _chat(self, request: Request) -> Response:
        version = str(self._state.version)
        if request.query_params.get("after") == version:
            return Response(status_code=204)
        account, wa_id = self._chat_of(request)
        contact = self._state.contact(account.phone_number_id, wa_id)
        until = contact.writable_until() if contact else None
        return JSONResponse(
            {
                "version": version,
                "phoneNumberId": account.phone_number_id,
                "waId": wa_id,
                "name": contact.name if contact else "",
                "userId": contact.user_id if contact else None,
                "windowClosesAt": _iso(until),
                "messages": [_shown_message(each) for each in self._state.chat(account.phone_number_id, wa_id)],
            }
        )

    async def _read(self, request: Request) -> Response:
        """Note that the contact looked at the chat: every delivered message is read."""
        account, wa_id = self._chat_of(request)
        contact = self._state.contact(account.phone_number_id, wa_id)
        unread = [
            each
            for each in self._state.chat(account.phone_number_id, wa_id)
            if each.direction == "out" and each.status == "delivered"
        ]
        for message in unread if contact else ():
            self._state.mark(message.id, "read")
            self._webhooks.post(
                status_body(account, met(self._state, account.phone_number_id, wa_id), message, "read", at=self._now()),
                phone_number_id=account.phone_number_id,
                wa_id=wa_id,
            )
        return JSONResponse({"read": len(unread)})

    async def _order_fault(self, request: Request) -> Response:
        body = await json_object(request)
        unknown = body.keys() - FAULTS
        if unknown or not body.keys() - {"phone_number_id", "http_status", "times"}:
            msg = f"a fault has one or more of {', '.join(sorted(FAULTS))}"
            raise NotUnderstood(msg)
        numbers = {"code": 10**7, "http_status": 599, "delay": _LONGEST_DELAY, "failed": 10**7, "times": _MOST_TIMES}
        for name, limit in numbers.items():
            value = body.get(name, 0)
            whole = isinstance(value, int) or (name == "delay" and isinstance(value, float))
            if not whole or isinstance(value, bool) or not 0 <= value <= limit:
                msg = f"{name} must be a number up to {limit}"
                raise NotUnderstood(msg)
        times = int(body.pop("times", 1))
        self._state.faults.extend([body] * times)
        return JSONResponse({"waiting": len(self._state.faults)}, 201)

    async def _clear_faults(self, _: Request) -> Response:
        self._state.faults.clear()
        return JSONResponse({"waiting": 0})

    async def _log(self, request: Request) -> Response:
        asked = request.query_params
        after, limit = asked.get("after", "0"), asked.get("limit", "100")
        if not (after.isdecimal() and limit.isdecimal()):
            msg = "after and limit must be numbers"
            raise NotUnderstood(msg)
        found = self._state.log(
            phone_number_id=asked.get("account"),
            wa_id=asked.get("wa_id"),
            after=int(after),
            limit=min(int(limit), 1000),
        )
        items = [{**each, "at": _iso(each["at"])} for each in found]
        return JSONResponse({"items": items})

    async def _media(self, request: Request) -> Response:
        """Give a file to the phone page, which has no token."""
        media = self._state.media(request.path_params["media_id"])
        if media is None:
            return JSONResponse({"error": "no such file"}, 404)
        inline = media.mime_type in _SHOWN_INLINE
        name = quote(request.query_params.get("filename") or media.filename or media.id, safe="")
        return Response(
            media.content,
            media_type=media.mime_type if inline else "application/octet-stream",
            headers={
                "content-disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{name}",
                "x-content-type-options": "nosniff",
                "content-security-policy": "default-src 'none'; sandbox",
            },
        )

    def _chat_of(self, request: Request) -> tuple[Account, str]:
        return self._account(request.path_params["phone_number_id"]), digits(request.path_params["wa_id"])

    def _account(self, phone_number_id: str) -> Account:
        account = self._state.account(phone_number_id)
        if account is None:
            msg = f"no account {phone_number_id}"
            raise NotUnderstood(msg)
        return account

    def _now(self) -> float:
        return self._clock().timestamp()


def digits(phone: str) -> str:
    """Return a phone number's digits; raise `NotUnderstood` when it is none with a country code."""
    found = re.sub(r"[ ()+-]", "", phone)
    if not re.fullmatch(r"[1-9][0-9]{6,14}", found):
        msg = f"{phone[:40]!r} is not a phone number with its country code"
        raise NotUnderstood(msg)
    return found


def _explaining(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (NotUnderstood, Unreadable) as problem:
            return JSONResponse({"error": str(problem)}, 422)

    return answer


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        msg = f"{name} must be a text"
        raise NotUnderstood(msg)
    return value


def _shown(kind: str, content: Any) -> dict[str, Any]:
    """Return what the phone page draws of a contact's own message."""
    if kind == "contacts" or not isinstance(content, dict):
        return {}
    if kind in MEDIA:
        media = {"kind": kind, **{name: content.get(name) for name in ("id", "mime_type", "filename")}}
        return {"media": media, "text": content.get("caption")}
    if kind in {"location", "reaction"}:
        return {kind: content}
    reply = content.get("button_reply") or content.get("list_reply") or {}
    return {
        "text": content.get("body") or content.get("text") or (reply.get("title") if isinstance(reply, dict) else None)
    }


def _shown_account(account: Account) -> dict[str, Any]:
    return {
        "phoneNumberId": account.phone_number_id,
        "wabaId": account.waba_id,
        "displayPhoneNumber": account.display_phone_number,
        "webhookUrl": account.webhook_url,
        "verified": account.verified,
        "problem": account.problem,
    }


def _shown_message(message: Message) -> dict[str, Any]:
    shown = {name: each for name, each in message.shown.items() if each is not None}
    media = shown.get("media")
    if isinstance(media, dict) and "id" in media:
        named = f"?filename={quote(media['filename'], safe='')}" if media.get("filename") else ""
        shown["media"] = {**media, "link": f"/whatsapp/control/media/{media['id']}{named}"}
    return {
        "id": message.id,
        "direction": message.direction,
        "type": message.type,
        "at": _iso(message.at),
        "status": message.status,
        "error": message.error,
        **shown,
    }


def _iso(at: float | None) -> str | None:
    return (
        None
        if at is None
        else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
