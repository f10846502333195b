"""The JSON bodies that Meta posts, and the ids in them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

from entrypoints.sandbox.whatsapp.model import Account, Contact, Message
from entrypoints.sandbox.whatsapp.refusals import MEANINGS


def new_wamid(wa_id: str, *, inbound: bool) -> str:
    """Return a new message id in Meta's form: base64 around the contact's number and a random part."""
    head, mark, size = (b"\x1d\x14", b"\x12\x18", 10) if inbound else (b"\x1c\x18", b"\x11\x18", 9)
    unique = secrets.token_hex(size).upper().encode()
    raw = head + bytes([len(wa_id)]) + wa_id.encode() + b"\x15\x02\x00" + mark + bytes([len(unique)]) + unique + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def new_media_id() -> str:
    """Return a new media id: sixteen digits."""
    return str(10**15 + secrets.randbelow(9 * 10**15))


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the bytes as Meta writes them: everything outside ASCII and every slash escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def message_body(account: Account, contact: Contact, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the webhook of a message that a contact sent."""
    return _envelope(account, contact, {"messages": [message]})


def status_body(account: Account, contact: Contact, message: Message, status: str, *, at: float) -> dict[str, Any]:
    """Return the webhook of a sent message's status; a failed one carries the message's error code."""
    report: dict[str, Any] = {"id": message.id, "status": status, "timestamp": str(int(at))}
    if not contact.hidden:
        report["recipient_id"] = contact.wa_id
    report["recipient_user_id"] = contact.user_id
    if status == "failed":
        code = int(message.error or 131000)
        title = MEANINGS.get(code, (400, "Message failed to send"))[1]
        error = {"code": code, "title": title, "message": title, "error_data": {"details": title}}
        report["errors"] = [error]
    else:
        free = message.category == "service"
        if status == "sent":
            report["conversation"] = {
                "id": secrets.token_hex(16),
                "expiration_timestamp": str(int(at) + 86_400),
                "origin": {"type": message.category},
            }
        report["pricing"] = {
            "billable": not free,
            "pricing_model": "PMP",
            "category": message.category,
            "type": "free_customer_service" if free else "regular",
        }
    if message.callback is not None:
        report["biz_opaque_callback_data"] = message.callback
    return _envelope(account, contact, {"statuses": [report]})


def _envelope(account: Account, contact: Contact, content: Mapping[str, Any]) -> dict[str, Any]:
    person: dict[str, Any] = {"profile": {"name": contact.name or contact.wa_id}}
    if not contact.hidden:
        person["wa_id"] = contact.wa_id
    person["user_id"] = contact.user_id
    metadata = {
        "display_phone_number": account.display_phone_number.removeprefix("+"),
        "phone_number_id": account.phone_number_id,
    }
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [person], **content}
    changes = [{"value": value, "field": "messages"}]
    return {"object": "whatsapp_business_account", "entry": [{"id": account.waba_id, "changes": changes}]}
