"""The control door of the sandbox mail server, and the page that shows its letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

from attrs import frozen
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from entrypoints.sandbox.mail.state import Letter, MailState, Reply
from entrypoints.sandbox.mail.texts import TEXTS
from entrypoints.sandbox.whatsapp.pages import language_of
from entrypoints.sandbox.whatsapp.wire import Unreadable, json_object

_STEPS: Final = ("mail", "rcpt", "data")
_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_PAGES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("entrypoints.sandbox.mail"), PackageLoader("entrypoints.sandbox.whatsapp")]),
    autoescape=select_autoescape(),
)


def mail_routes(*, state: MailState, address: Callable[[], str]) -> list[BaseRoute]:
    """Return the control door under `/mail/control`, and the page `/mail`; `address` says where letters are taken."""
    mail = _Mail(state, address)
    return [
        Route("/mail/control/server", mail.where, methods=["GET"]),
        Route("/mail/control/accounts/{username}", mail.open_account, methods=["PUT"]),
        Route("/mail/control/letters", mail.list_letters, methods=["GET"]),
        Route("/mail/control/replies", mail.order_reply, methods=["POST"]),
        Route("/mail", mail.page, methods=["GET"]),
    ]


@frozen
class _Mail:
    _state: MailState
    _address: Callable[[], str]

    async def where(self, _: Request) -> Response:
        return JSONResponse({"url": self._address()})

    async def open_account(self, request: Request) -> Response:
        try:
            body = await json_object(request)
        except Unreadable as problem:
            return JSONResponse({"error": str(problem)}, 422)
        password, address = body.get("password"), body.get("address")
        if not (isinstance(password, str) and password and isinstance(address, str) and "@" in address):
            return JSONResponse({"error": "password and address must be texts"}, 422)
        self._state.put_account(request.path_params["username"], password, address)
        return JSONResponse({"url": self._address()})

    async def list_letters(self, _: Request) -> Response:
        return JSONResponse({"items": [_read(each) for each in self._state.letters()]})

    async def order_reply(self, request: Request) -> Response:
        """Order the reply to a step of the next letter: `step`, `code`, `text`, or `cut` after `data`; `times` of it."""
        try:
            body = await json_object(request)
        except Unreadable as problem:
            return JSONResponse({"error": str(problem)}, 422)
        step, code, times = body.get("step"), body.get("code", 451), body.get("times", 1)
        if step not in _STEPS or not isinstance(code, int) or not 400 <= code <= 599 or not isinstance(times, int):  # noqa: PLR2004 - SMTP's refusals
            return JSONResponse({"error": f"a step of {', '.join(_STEPS)} and a code from 400 to 599"}, 422)
        reply = Reply(step=step, code=code, text=str(body.get("text") or "ordered"), cut=body.get("cut") is True)
        self._state.replies.extend([reply] * min(max(times, 1), 100))
        return JSONResponse({"waiting": len(self._state.replies)}, 201)

    async def page(self, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        letters = [(_read(each), datetime.fromtimestamp(each.at, UTC)) for each in reversed(self._state.letters())]
        page = _PAGES.get_template("mail.html").render(t=TEXTS[language], language=language, letters=letters[:100])
        headers = {
            "content-security-policy": _POLICY,
            "content-language": language,
            "vary": "accept-language",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return HTMLResponse(page, headers=headers)


def _read(letter: Letter) -> dict[str, Any]:
    message = message_from_bytes(letter.raw, EmailMessage, policy=default)
    body = message.get_body(("plain",))
    return {
        "from": str(message["From"]),
        "to": str(message["To"]),
        "sender": letter.sender,
        "recipient": letter.recipient,
        "subject": str(message["Subject"]),
        "messageId": str(message["Message-ID"]),
        "text": "" if body is None else body.get_content().strip(),
        "attachments": [
            {
                "filename": part.get_filename(),
                "type": part.get_content_type(),
                "bytes": len(part.get_payload(decode=True) or b""),
            }
            for part in message.iter_attachments()
        ],
    }
