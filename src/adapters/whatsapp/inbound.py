"""Meta's webhook bodies as messages and status reports.

Bodies come from outside: whatever stands where, reading never fails on it. What we do not understand is kept as
`unsupported` if it is a message and counted if it is not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from core.kernel.errors import Invalid
from core.messaging import InboundMessage, Sender, StatusReport

_PHONE: Final = re.compile(r"[1-9][0-9]{6,14}\Z")
_ID: Final = re.compile(r"[!-~]{1,200}\Z")
_STATUSES: Final = frozenset({"sent", "delivered", "read", "played", "failed"})
_ARRIVED: Final = ("delivered", "read", "played")
"""Whoever reads at once never gets to "delivered"."""
_LONGEST: Final = 4096
_DEEPEST: Final = 32
"""Levels of a message that are kept; Meta's have eight."""
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What databases and terminals choke on: NUL and other control characters, halves of characters."""


class NotADelivery(Invalid):
    """The body is JSON, but not what Meta sends."""

    code = "whatsapp.not_a_delivery"


@frozen(kw_only=True)
class Delivery:
    """What one webhook body holds; `ignored` counts what was left aside, by reason."""

    messages: tuple[InboundMessage, ...]
    statuses: tuple[StatusReport, ...]
    ignored: Mapping[str, int]


def decode(
    body: Any,
    *,
    tenant_of: Callable[[str], str | None],
    received_at: datetime,
    new_id: Callable[[str], str],
) -> Delivery:
    """Return every message and status of every change of every entry; `tenant_of` knows our phone number ids.

    Raise `NotADelivery` for a body that is no object.
    """
    if not isinstance(body, dict):
        msg = "the body must be a JSON object"
        raise NotADelivery(msg)
    messages: list[InboundMessage] = []
    statuses: list[StatusReport] = []
    ignored: Counter[str] = Counter()
    for change in _changes(body, ignored):
        value = _object(change.get("value"))
        if change.get("field") != "messages":
            ignored[f"field {_clean(_text(change.get('field')), at_most=40) or '?'}"] += 1
            continue
        tenant = tenant_of(_text(_object(value.get("metadata")).get("phone_number_id")))
        if tenant is None:
            ignored["unknown number"] += 1
            continue
        for raw in _objects(value.get("messages"), ignored):
            message = _message(raw, value, tenant=tenant, received_at=received_at, new_id=new_id)
            if message is None:
                ignored["message without id or sender"] += 1
            else:
                messages.append(message)
        for raw in _objects(value.get("statuses"), ignored):
            report = _status(raw, tenant=tenant, received_at=received_at)
            if report is None:
                ignored["status not understood"] += 1
            else:
                statuses.append(report)
        ignored["error"] += len(list(_objects(value.get("errors"), ignored)))
    return Delivery(messages=tuple(messages), statuses=tuple(statuses), ignored=+ignored)


def _changes(body: Mapping[str, Any], ignored: Counter[str]) -> Iterator[Mapping[str, Any]]:
    if body.get("object") != "whatsapp_business_account":
        ignored["another object"] += 1
        return
    for entry in _objects(body.get("entry"), ignored):
        yield from _objects(entry.get("changes"), ignored)


def _message(
    raw: Mapping[str, Any],
    value: Mapping[str, Any],
    *,
    tenant: str,
    received_at: datetime,
    new_id: Callable[[str], str],
) -> InboundMessage | None:
    event_id = _text(raw.get("id"))
    sender = _sender(raw, value)
    if not _ID.match(event_id) or sender is None:
        return None
    kind = _text(raw.get("type"))
    content = _content(raw, kind)
    reader = _READERS.get(kind) if content is not None else None
    lat, lng = _place(content) if kind == "location" and content is not None else (None, None)
    return InboundMessage(
        id=new_id("msg"),
        tenant=tenant,
        source="whatsapp",
        event_id=event_id,
        sender=sender,
        kind=kind if reader is not None else "unsupported",
        text=_clean(reader(content), at_most=_LONGEST) if reader is not None and content is not None else "",
        sent_at=_instant(raw.get("timestamp"), received_at),
        received_at=received_at,
        lat=lat,
        lng=lng,
        raw=_storable(raw),
    )


def _sender(raw: Mapping[str, Any], value: Mapping[str, Any]) -> Sender | None:
    """Return who wrote: by phone where there is one, and by business-scoped id, which since 2026 may come alone."""
    wa_id, user_id = _text(raw.get("from")), _text(raw.get("from_user_id"))
    contact: Mapping[str, Any] = next(
        (
            each
            for each in _objects(value.get("contacts"), Counter())
            if (wa_id and each.get("wa_id") == wa_id) or (user_id and each.get("user_id") == user_id)
        ),
        {},
    )
    user_id = user_id or _text(contact.get("user_id"))
    known = [each for each in (wa_id, user_id) if _ID.match(each)]
    if not known:
        return None
    name = _clean(_text(_object(contact.get("profile")).get("name")), at_most=120).strip()
    return Sender(
        identities=tuple(f"whatsapp:{each}" for each in known),
        name=name or None,
        phone=f"+{wa_id}" if _PHONE.match(wa_id) else None,
    )


def _status(raw: Mapping[str, Any], *, tenant: str, received_at: datetime) -> StatusReport | None:
    provider_id, status = _text(raw.get("id")), _text(raw.get("status"))
    if not _ID.match(provider_id) or status not in _STATUSES:
        return None
    error: Mapping[str, Any] = next(_objects(raw.get("errors"), Counter()), {})
    code = error.get("code")
    details = _text(_object(error.get("error_data")).get("details"))
    reference = _text(raw.get("biz_opaque_callback_data"))
    return StatusReport(
        tenant=tenant,
        source="whatsapp",
        event_id=_status_id(provider_id, status),
        provider_id=provider_id,
        status=status,
        at=_instant(raw.get("timestamp"), received_at),
        received_at=received_at,
        reference=reference if _ID.match(reference) else None,
        error_code=code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9 else None,
        error_text=_clean(details or _text(error.get("message")) or _text(error.get("title")), at_most=500) or None,
        raw=_storable(raw),
    )


def arrivals(provider_id: str) -> list[str]:
    """Return the ids of the events each of which says that a message of ours has reached its phone."""
    return [_status_id(provider_id, status) for status in _ARRIVED]


def _status_id(provider_id: str, status: str) -> str:
    return f"{provider_id}:{status}"


def _content(raw: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Return what a message of this type holds, or None if it is not there; the cards of `contacts` are a list."""
    content = raw.get(kind)
    if kind == "contacts":
        return {"cards": content} if isinstance(content, list) else None
    return content if isinstance(content, dict) else None


def _interactive(content: Mapping[str, Any]) -> str:
    reply = _object(content.get("button_reply")) or _object(content.get("list_reply"))
    return _text(reply.get("title"))


def _location(content: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (_text(content.get("name")), _text(content.get("address")))))


def _cards(content: Mapping[str, Any]) -> str:
    cards = _objects(content["cards"], Counter())
    return ", ".join(filter(None, (_text(_object(each.get("name")).get("formatted_name")) for each in cards)))


def _place(content: Mapping[str, Any]) -> tuple[float, float] | tuple[None, None]:
    lat, lng = _degrees(content.get("latitude"), 90), _degrees(content.get("longitude"), 180)
    return (None, None) if lat is None or lng is None else (lat, lng)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "text": lambda content: _text(content.get("body")),
    **dict.fromkeys(("button", "order"), lambda content: _text(content.get("text"))),
    "interactive": _interactive,
    "location": _location,
    **dict.fromkeys(("image", "video", "document"), lambda content: _text(content.get("caption"))),
    "contacts": _cards,
    **dict.fromkeys(("audio", "sticker", "reaction", "system", "edit", "revoke"), lambda _: ""),
}
"""How each type that we understand is read; its text is what a person would read in it."""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any, ignored: Counter[str]) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each
        else:
            ignored["not an object"] += 1


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _clean(text: str, *, at_most: int) -> str:
    return _UNFIT.sub("", text[:at_most])


def _storable(value: Any, *, depth: int = 0) -> Any:
    """Return the value as a database takes it as JSON: clean texts, finite numbers, not too deep."""
    if isinstance(value, str):
        return _UNFIT.sub("", value)
    if isinstance(value, dict):
        if depth == _DEEPEST:
            return None
        return {_UNFIT.sub("", key): _storable(each, depth=depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return None if depth == _DEEPEST else [_storable(each, depth=depth + 1) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _degrees(value: Any, limit: int) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and -limit <= value <= limit:
        return float(value)
    return None


def _instant(value: Any, otherwise: datetime) -> datetime:
    """Return the message's own time (seconds since 1970, as text), never after we received it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 11:  # noqa: PLR2004 - till 5138
        return min(datetime.fromtimestamp(int(value), UTC), otherwise)
    return otherwise
