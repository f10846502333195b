"""The Graph API as a business's program sees it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from entrypoints.sandbox.whatsapp.bodies import new_media_id, new_wamid, status_body
from entrypoints.sandbox.whatsapp.model import Account, Contact, Exchange, Media, Message, Template
from entrypoints.sandbox.whatsapp.refusals import Refused, bad_token, unknown_object
from entrypoints.sandbox.whatsapp.sending import Recipient, Shelf, outgoing, recipient
from entrypoints.sandbox.whatsapp.state import WhatsAppState, met
from entrypoints.sandbox.whatsapp.templates import declared
from entrypoints.sandbox.whatsapp.webhooks import Webhooks
from entrypoints.sandbox.whatsapp.wire import Unreadable, json_object

MEDIA_PATH: Final = "/whatsapp/media/"
MEDIA_LIFE: Final = 300
"""Seconds that a file's address is good for."""
_MEGABYTE: Final = 1024 * 1024
_TYPES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5),
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16),
    "image/webp": 1,
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        100,
    ),
}
"""The file types that can be sent, with the megabytes that each may have."""
_PAGE: Final = 25
_KEY: Final = secrets.token_bytes(32)

_Endpoint = Callable[[Request], Awaitable[Response]]


class Cut(Response):
    """Breaks the connection off in the middle of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's
        """Promise more than is sent."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        if self.background is not None:
            await self.background()
        # Returning without the rest makes the server close the connection.


@frozen
class Graph:
    """The endpoints that a client of the Cloud API uses, each checked as strictly as Meta does."""

    _state: WhatsAppState
    _webhooks: Webhooks
    _clock: Callable[[], datetime]

    def routes(self) -> list[BaseRoute]:
        """Return the routes, good for every version number."""
        base = "/v{version:float}"
        return [
            Route(f"{base}/{{object_id}}/messages", self._answering(self._send), methods=["POST"]),
            Route(f"{base}/{{object_id}}/media", self._answering(self._upload), methods=["POST"]),
            Route(f"{base}/{{object_id}}/message_templates", self._answering(self._declare), methods=["POST"]),
            Route(f"{base}/{{object_id}}/message_templates", self._answering(self._list_templates), methods=["GET"]),
            Route(f"{base}/{{object_id}}", self._answering(self._look_up), methods=["GET"]),
            Route(MEDIA_PATH + "{object_id}", self._answering(self._download), methods=["GET"]),
            Route(base + "/{rest:path}", self._answering(_unknown), methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    def _answering(self, endpoint: _Endpoint) -> _Endpoint:
        """Turn refusals into answers, and write down what went over the wire."""

        async def answer(request: Request) -> Response:
            try:
                response = await endpoint(request)
            except Refused as refusal:
                response = refusal.response
            written = getattr(request.state, "written", None)
            if written is None and request.method == "POST":
                written = (await request.body()).decode("utf-8", "replace")
            self._state.note(
                Exchange(
                    at=self._now(),
                    phone_number_id=getattr(request.state, "phone_number_id", None),
                    wa_id=getattr(request.state, "wa_id", None),
                    direction="from_product",
                    title=f"{request.method} {request.url.path}",
                    status=None if isinstance(response, Cut) else response.status_code,
                    body=written or "",
                    answer=_readable(response),
                )
            )
            return response

        return answer

    async def _send(self, request: Request) -> Response:
        account = self._account(request)
        body = await _json(request)
        if body.get("status") == "read":
            return self._mark_read(request, account, body)
        fault = self._state.take_fault(account.phone_number_id)
        delay = float(fault.get("delay", 0))
        if fault.get("http500") or fault.get("code") is not None:
            await asyncio.sleep(delay)
            if fault.get("http500"):
                return Response("<html><body>Internal Server Error</body></html>", 500, media_type="text/html")
            raise Refused(int(fault["code"]), "Fault ordered at the sandbox", status=fault.get("http_status"))
        to = recipient(body)
        contact = self._addressee(account, to)
        request.state.wa_id = contact.wa_id
        message = self._accept(account, contact, body, by_user_id=to.user_id is not None)
        failed = fault.get("failed")
        answer = _accepted(to, contact, message)
        if fault.get("cut") or delay:
            await self._report(account, message, failed=failed)
            await asyncio.sleep(delay)
            return Cut() if fault.get("cut") else JSONResponse(answer)
        # The statuses leave after the answer, so that a client usually knows the id by then.
        return JSONResponse(answer, background=BackgroundTask(self._report, account, message, failed=failed))

    def _accept(self, account: Account, contact: Contact, body: Mapping[str, Any], *, by_user_id: bool) -> Message:
        templates = {(each.name, each.language): each for each in self._state.templates(account.waba_id)}

        def media(media_id: str) -> Media | None:
            found = self._state.media(media_id)
            return found if found is not None and found.phone_number_id == account.phone_number_id else None

        def in_chat(message_id: str) -> bool:
            found = self._state.message(message_id)
            return found is not None and (found.phone_number_id, found.wa_id) == (
                account.phone_number_id,
                contact.wa_id,
            )

        wanted = outgoing(
            body, Shelf(template=lambda name, code: templates.get((name, code)), media=media, in_chat=in_chat)
        )
        if by_user_id and wanted.category == "authentication":
            raise Refused(131062, "recipient: an authentication template needs a phone number")
        now = self._now()
        if wanted.free_form and (contact.writable_until() or 0) <= now:
            raise Refused(
                131047,
                "Message failed to send because more than 24 hours have passed since the customer last replied to this"
                " number.",
            )
        message = Message(
            id=new_wamid(contact.wa_id, inbound=False),
            phone_number_id=account.phone_number_id,
            wa_id=contact.wa_id,
            direction="out",
            type=wanted.type,
            at=now,
            body=body,
            shown=wanted.shown,
            status="accepted",
            category=wanted.category,
            callback=wanted.callback,
        )
        met(self._state, account.phone_number_id, contact.wa_id)
        self._state.add_message(message)
        return message

    async def _report(self, account: Account, message: Message, *, failed: object) -> None:
        contact = met(self._state, account.phone_number_id, message.wa_id)
        # A coroutine although nothing is awaited: a plain function would run in a thread, and the file is this loop's.
        for status in ("sent", "delivered") if failed is None else ("sent", "failed"):
            error = str(failed) if status == "failed" else None
            self._state.mark(message.id, status, error=error)
            now = self._state.message(message.id) or message
            self._webhooks.post(
                status_body(account, contact, now, status, at=self._now()),
                phone_number_id=account.phone_number_id,
                wa_id=message.wa_id,
            )

    def _addressee(self, account: Account, to: Recipient) -> Contact:
        """Return who gets it: a scoped id must be known; an Argentine mobile written without its 9 is found with it."""
        number = account.phone_number_id
        if to.user_id is not None:
            known = next((each for each in self._state.contacts(number) if each.user_id == to.user_id), None)
            if known is None:
                raise Refused(131026, "Message Undeliverable.")
            return known
        wa_id = str(to.wa_id)
        with_nine = f"549{wa_id[2:]}" if wa_id.startswith("54") and not wa_id.startswith("549") else wa_id
        return (
            self._state.contact(number, wa_id)
            or self._state.contact(number, with_nine)
            or Contact(phone_number_id=number, wa_id=wa_id, name="")
        )

    def _mark_read(self, request: Request, account: Account, body: Mapping[str, Any]) -> Response:
        if body.get("messaging_product") != "whatsapp":
            raise Refused(100, "The parameter messaging_product is required.")
        message_id = body.get("message_id")
        message = self._state.message(message_id) if isinstance(message_id, str) else None
        if message is None or message.phone_number_id != account.phone_number_id or message.direction != "in":
            raise Refused(131009, "message_id: no such message")
        request.state.wa_id = message.wa_id
        for each in self._state.chat(message.phone_number_id, message.wa_id):
            if each.direction == "in" and each.status != "read":
                self._state.mark(each.id, "read")
            if each.id == message.id:
                break
        return JSONResponse({"success": True})

    async def _upload(self, request: Request) -> Response:
        account = self._account(request)
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refused(100, "The parameter file is required.")
        request.state.written = "(multipart)"
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if form.get("messaging_product") != "whatsapp":
                raise Refused(100, "The parameter messaging_product is required.")
            if not isinstance(file, UploadFile):
                raise Refused(100, "The parameter file is required.")
            mime_type = str(file.content_type or form.get("type") or "")
            plain = mime_type.partition(";")[0].strip().lower()
            request.state.written = f"(multipart: {file.filename}, {mime_type}, {file.size} bytes)"
            if plain not in _TYPES:
                raise Refused(
                    100,
                    f"Param file must be a file with one of the following types: {', '.join(_TYPES)}. Received file of"
                    f" type '{mime_type}'.",
                )
            if not file.size or file.size > _TYPES[plain] * _MEGABYTE:
                raise Refused(131053, f"file: from 1 byte to {_TYPES[plain]} MB for {plain}")
            media = Media(
                id=new_media_id(),
                phone_number_id=account.phone_number_id,
                mime_type=mime_type,
                filename=file.filename,
                content=await file.read(),
            )
        self._state.add_media(media)
        return JSONResponse({"id": media.id})

    async def _look_up(self, request: Request) -> Response:
        """Answer for a file, or for a phone number."""
        object_id = request.path_params["object_id"]
        holder = self._holder(request, lambda _: True)
        media = self._state.media(object_id)
        if media is not None and any(each.phone_number_id == media.phone_number_id for each in holder):
            until = int(self._now()) + MEDIA_LIFE
            return JSONResponse(
                {
                    "messaging_product": "whatsapp",
                    "url": media_url(request, media.id, until=until),
                    "mime_type": media.mime_type,
                    "sha256": media.digest.hex(),
                    "file_size": len(media.content),
                    "id": media.id,
                }
            )
        account = next((each for each in holder if each.phone_number_id == object_id), None)
        if account is None:
            raise unknown_object(object_id)
        number = {"display_phone_number": account.display_phone_number, "quality_rating": "GREEN", "id": object_id}
        return JSONResponse({"verified_name": "Cuadrilla sandbox", "platform_type": "CLOUD_API", **number})

    async def _download(self, request: Request) -> Response:
        holder = self._holder(request, lambda _: True)
        media_id = request.path_params["object_id"]
        until, given = request.query_params.get("ext", ""), request.query_params.get("hash", "")
        good = hmac.compare_digest(given.encode(), _seal(media_id, until).encode())
        media = self._state.media(media_id)
        if not good or float(until) < self._now() or media is None:
            raise Refused(100, "The address of this file has expired", status=404)
        if all(each.phone_number_id != media.phone_number_id for each in holder):
            raise bad_token()
        return Response(media.content, headers={"content-type": media.mime_type})

    async def _declare(self, request: Request) -> Response:
        waba_id = self._business(request)
        wanted = declared(await _json(request))
        template = self._state.add_template(
            waba_id=waba_id,
            name=wanted.name,
            language=wanted.language,
            category=wanted.category,
            components=wanted.components,
        )
        if template is None:
            raise Refused(
                100,
                f"Content in this language already exists: {wanted.name} already has {wanted.language} content",
                subcode=2388024,
            )
        return JSONResponse({"id": template.id, "status": "APPROVED", "category": template.category})

    async def _list_templates(self, request: Request) -> Response:
        waba_id = self._business(request)
        asked = request.query_params
        try:
            limit = max(1, min(int(asked.get("limit", _PAGE)), 1000))
            start = int(base64.urlsafe_b64decode(asked["after"])) if asked.get("after") else 0
        except (ValueError, binascii.Error) as failure:
            raise Refused(100, "limit and after must be as we gave them") from failure
        found = [
            each
            for each in self._state.templates(waba_id)
            if asked.get("name", each.name) == each.name
            and asked.get("language", each.language) == each.language
            and asked.get("status", "APPROVED") == "APPROVED"
            and int(each.id) > start
        ]
        answer: dict[str, Any] = {"data": [_declared(each) for each in found[:limit]]}
        if found:
            first, last = found[0].id, found[:limit][-1].id
            cursors = {"before": _cursor(first), "after": _cursor(last)}
            following = str(request.url.include_query_params(after=cursors["after"]))
            answer["paging"] = {"cursors": cursors, **({"next": following} if len(found) > limit else {})}
        return JSONResponse(answer)

    def _account(self, request: Request) -> Account:
        object_id = request.path_params["object_id"]
        account = self._holder(request, lambda each: each.phone_number_id == object_id)[0]
        request.state.phone_number_id = account.phone_number_id
        return account

    def _business(self, request: Request) -> str:
        object_id = request.path_params["object_id"]
        return self._holder(request, lambda each: each.waba_id == object_id)[0].waba_id

    def _holder(self, request: Request, concerns: Callable[[Account], bool]) -> list[Account]:
        """Return the accounts of the token that a request is about; raise `Refused` when there is none."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else request.query_params.get("access_token", "")
        allowed = [each for each in self._state.accounts() if hmac.compare_digest(each.token.encode(), given.encode())]
        if not given or not allowed:
            raise bad_token()
        found = [each for each in allowed if concerns(each)]
        if not found:
            raise unknown_object(request.path_params["object_id"])
        return found

    def _now(self) -> float:
        return self._clock().timestamp()


def media_url(request: Request, media_id: str, *, until: int) -> str:
    """Return the address of a file, good until an instant in seconds since 1970, and only with the account's token."""
    return f"{str(request.base_url).rstrip('/')}{MEDIA_PATH}{media_id}?ext={until}&hash={_seal(media_id, str(until))}"


def _seal(media_id: str, until: str) -> str:
    return hmac.new(_KEY, f"{media_id}:{until}".encode(), hashlib.sha256).hexdigest()


def _accepted(to: Recipient, contact: Contact, message: Message) -> dict[str, Any]:
    person = {"input": to.input, **({} if contact.hidden else {"wa_id": contact.wa_id})}
    if to.user_id is not None or contact.hidden:
        person["user_id"] = contact.user_id
    named = {"id": message.id, **({"message_status": "accepted"} if message.type == "template" else {})}
    return {"messaging_product": "whatsapp", "contacts": [person], "messages": [named]}


def _declared(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "components": list(template.components),
        "language": template.language,
        "status": "APPROVED",
        "category": template.category,
        "id": template.id,
    }


def _cursor(template_id: str) -> str:
    return base64.urlsafe_b64encode(template_id.encode()).decode()


async def _json(request: Request) -> dict[str, Any]:
    try:
        return await json_object(request)
    except Unreadable as failure:
        raise Refused(100, str(failure)) from failure


async def _unknown(request: Request) -> Response:
    raise Refused(2500, request.url.path, title=f"Unknown path components: /{request.path_params['rest']}")


def _readable(response: Response) -> str:
    content = bytes(response.body)
    try:
        return json.dumps(json.loads(content), ensure_ascii=False)
    except ValueError:
        return content.decode() if (response.media_type or "").startswith("text/") else f"({len(content)} bytes)"
