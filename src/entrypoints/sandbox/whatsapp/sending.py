"""Reading what the business wants to send: the form of each message type, as strict as the API is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from entrypoints.sandbox.whatsapp.model import Media, Template
from entrypoints.sandbox.whatsapp.refusals import Refused
from entrypoints.sandbox.whatsapp.templates import filled

MEDIA: Final = ("image", "video", "audio", "document", "sticker")
_PHONE: Final = re.compile(r"\+?[1-9][0-9]{6,14}")
_USER_ID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}")
_TEXT_AT_MOST, _BODY_AT_MOST, _CAPTION_AT_MOST = 4096, 1024, 1024
_CALLBACK_AT_MOST: Final = 512
_REPLIES, _ROWS = 3, 10


@frozen(kw_only=True)
class Recipient:
    """Who it goes to: digits of a phone, or a business-scoped id; `input` as the client wrote it."""

    input: str
    wa_id: str | None
    user_id: str | None


@frozen(kw_only=True)
class Outgoing:
    """A message in good form. A template may go out at any time, the rest only in the window."""

    type: str
    shown: Mapping[str, Any]
    category: str
    callback: str | None

    @property
    def free_form(self) -> bool:
        """Whether it needs an open window."""
        return self.type != "template"


@frozen(kw_only=True)
class Shelf:
    """What a message may refer to: the account's templates, its files, and the messages of this chat."""

    template: Callable[[str, str], Template | None]
    media: Callable[[str], Media | None]
    in_chat: Callable[[str], bool]


def recipient(body: Mapping[str, Any]) -> Recipient:
    """Return who a request is for; raise `Refused` when it names nobody."""
    if body.get("messaging_product") != "whatsapp":
        raise Refused(100, "The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise Refused(131009, "recipient_type must be individual")
    to, user_id = body.get("to"), body.get("recipient")
    if to is None and user_id is None:
        raise Refused(100, "The parameter to is required.")
    if to is not None:
        digits = re.sub(r"[ ()-]", "", to) if isinstance(to, str) else ""
        if not _PHONE.fullmatch(digits):
            raise Refused(131009, "to: not a phone number with its country code")
        return Recipient(input=str(to), wa_id=digits.removeprefix("+"), user_id=None)
    if not isinstance(user_id, str) or not _USER_ID.fullmatch(user_id):
        raise Refused(131009, "recipient: not a business-scoped user id")
    return Recipient(input=user_id, wa_id=None, user_id=user_id)


def outgoing(body: Mapping[str, Any], shelf: Shelf) -> Outgoing:
    """Return the message of a request; raise `Refused` with the API's own code when its form is wrong."""
    kind = body.get("type", "text")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise Refused(100, f"Param type must be one of {{{', '.join(sorted(_READERS)).upper()}}}")
    content = body.get(kind)
    if kind != "contacts" and not isinstance(content, dict):
        raise Refused(131008, f"Required parameter is missing: {kind}")
    callback = body.get("biz_opaque_callback_data")
    if callback is not None and not (isinstance(callback, str) and len(callback) <= _CALLBACK_AT_MOST):
        raise Refused(100, f"biz_opaque_callback_data: a text of at most {_CALLBACK_AT_MOST} characters")
    shown, category = reader(content, shelf)
    context = body.get("context")
    if context is not None:
        quoted = context.get("message_id") if isinstance(context, dict) else None
        if not isinstance(quoted, str) or not shelf.in_chat(quoted):
            raise Refused(131009, "context.message_id: no such message in this chat")
        shown = {**shown, "quotes": quoted}
    return Outgoing(type=kind, shown=shown, category=category, callback=callback)


_Read = tuple[dict[str, Any], str]


def _text(content: Any, _: Shelf) -> _Read:
    return {"text": _string(content, "body", "text.body", at_most=_TEXT_AT_MOST)}, "service"


def _template(content: Any, shelf: Shelf) -> _Read:
    name = _string(content, "name", "template.name", at_most=512)
    language = content.get("language")
    code = _string(language if isinstance(language, dict) else {}, "code", "template.language.code", at_most=20)
    template = shelf.template(name, code)
    if template is None:
        raise Refused(132001, f"template name ({name}) does not exist in {code}")
    shown = filled(template, content.get("components"))
    attached = shown.pop("attached", None)
    if attached is not None:
        kind, value = attached["kind"], attached["content"]
        value = value if isinstance(value, dict) else {}
        shown |= _location(value, shelf)[0] if kind == "location" else _file(kind, value, shelf)
    return shown, template.category.lower()


def _media(kind: str) -> Callable[[Any, Shelf], _Read]:
    def read(content: Any, shelf: Shelf) -> _Read:
        shown = _file(kind, content, shelf)
        caption = content.get("caption")
        if caption is not None:
            shown["text"] = _string(content, "caption", f"{kind}.caption", at_most=_CAPTION_AT_MOST)
        return shown, "service"

    return read


def _file(kind: str, content: Mapping[str, Any], shelf: Shelf) -> dict[str, Any]:
    media_id, link = content.get("id"), content.get("link")
    if (media_id is None) == (link is None):
        raise Refused(100, f"Param {kind} must have either id or link")
    named = content.get("filename")
    shown: dict[str, Any] = {"kind": kind, "filename": named if isinstance(named, str) else None}
    if link is not None:
        if not isinstance(link, str) or not re.fullmatch(r"https?://\S+", link):
            raise Refused(100, f'Param {kind}["link"] is not a valid URI')
        return {"media": {**shown, "link": link}}
    media = shelf.media(str(media_id))
    if media is None:
        raise Refused(100, f'Param {kind}["id"] is not a valid whatsapp business account media attachment ID')
    found = {"id": media.id, "mime_type": media.mime_type, "size": len(media.content)}
    return {"media": {**shown, **found, "filename": shown["filename"] or media.filename}}


def _location(content: Any, _: Shelf) -> _Read:
    place: dict[str, Any] = {}
    for name, limit in (("latitude", 90), ("longitude", 180)):
        try:
            degrees = float(content.get(name))
        except (TypeError, ValueError) as failure:
            raise Refused(131009, f"location.{name}: a number of degrees") from failure
        if not -limit <= degrees <= limit:
            raise Refused(131009, f"location.{name}: from -{limit} to {limit}")
        place[name] = degrees
    for name in ("name", "address"):
        if isinstance(content.get(name), str):
            place[name] = content[name]
    return {"location": place}, "service"


def _reaction(content: Any, shelf: Shelf) -> _Read:
    message_id = _string(content, "message_id", "reaction.message_id", at_most=512)
    emoji = content.get("emoji", "")
    if not shelf.in_chat(message_id) or not isinstance(emoji, str):
        raise Refused(131009, "reaction.message_id: no such message in this chat")
    return {"reaction": {"message_id": message_id, "emoji": emoji}}, "service"


def _contacts(content: Any, _: Shelf) -> _Read:
    cards = content if isinstance(content, list) else []
    names = [each.get("name", {}) for each in cards if isinstance(each, dict)]
    written = [each.get("formatted_name") for each in names if isinstance(each, dict)]
    if not cards or len(written) != len(cards) or not all(isinstance(each, str) and each for each in written):
        raise Refused(131008, "Required parameter is missing: contacts.name.formatted_name")
    return {"text": "\n".join(str(each) for each in written)}, "service"


def _interactive(content: Any, _: Shelf) -> _Read:
    kind, action = content.get("type"), content.get("action")
    reader = _ACTIONS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise Refused(131009, f"interactive.type must be one of {', '.join(sorted(_ACTIONS))}")
    if not isinstance(action, dict):
        raise Refused(131008, "Required parameter is missing: interactive.action")
    words = {part: content[part].get("text") for part in ("header", "footer") if isinstance(content.get(part), dict)}
    shown = {part: text for part, text in words.items() if isinstance(text, str)}
    body = content.get("body")
    text = _string(body if isinstance(body, dict) else {}, "text", "interactive.body.text", at_most=_BODY_AT_MOST)
    return {**shown, "text": text, "buttons": reader(action)}, "service"


def _replies(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    buttons = _objects(action.get("buttons"), "interactive.action.buttons", at_most=_REPLIES)
    found = []
    for button in buttons:
        reply = button.get("reply")
        reply = reply if isinstance(reply, dict) else {}
        title = _string(reply, "title", "Button title", at_most=20)
        found.append({"kind": "reply", "title": title, "id": _string(reply, "id", "Button id", at_most=256)})
    return _distinct(found)


def _rows(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    _string(action, "button", "interactive.action.button", at_most=20)
    sections = _objects(action.get("sections"), "interactive.action.sections", at_most=_ROWS)
    rows = [row for each in sections for row in _objects(each.get("rows"), "rows", at_most=_ROWS)]
    found = []
    for row in _objects(rows, "rows", at_most=_ROWS):
        title = _string(row, "title", "Row title", at_most=24)
        entry = {"kind": "list_row", "title": title, "id": _string(row, "id", "Row id", at_most=200)}
        if row.get("description"):
            entry["description"] = _string(row, "description", "Row description", at_most=72)
        found.append(entry)
    return _distinct(found)


def _url_button(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = action.get("parameters")
    given = given if isinstance(given, dict) else {}
    url = _string(given, "url", "interactive.action.parameters.url", at_most=2000)
    if not re.fullmatch(r"https?://\S+", url):
        raise Refused(131009, "interactive.action.parameters.url: an http(s) address")
    return [{"kind": "url", "title": _string(given, "display_text", "display_text", at_most=20), "url": url}]


def _ask_location(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    if action.get("name") != "send_location":
        raise Refused(131009, "interactive.action.name must be send_location")
    return [{"kind": "send_location", "title": "Enviar ubicación"}]


def _distinct(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len({each["id"] for each in found}) != len(found):
        raise Refused(131009, "Duplicated id")
    return found


def _objects(value: Any, name: str, *, at_most: int) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise Refused(131008, f"Required parameter is missing: {name}")
    if len(value) > at_most:
        raise Refused(131009, f"{name}: at most {at_most}")
    return value


def _string(content: Mapping[str, Any], key: str, name: str, *, at_most: int) -> str:
    value = content.get(key)
    if value is None or value == "":
        raise Refused(131008, f"Required parameter is missing: {name}")
    if not isinstance(value, str) or len(value) > at_most:
        raise Refused(131009, f"{name}: a text of at most {at_most} characters")
    return value


_ACTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], list[dict[str, Any]]]]] = {
    "button": _replies,
    "list": _rows,
    "cta_url": _url_button,
    "location_request_message": _ask_location,
}
_READERS: Final[Mapping[str, Callable[[Any, Shelf], _Read]]] = {
    "text": _text,
    "template": _template,
    "location": _location,
    "reaction": _reaction,
    "contacts": _contacts,
    "interactive": _interactive,
    **{kind: _media(kind) for kind in MEDIA},
}
