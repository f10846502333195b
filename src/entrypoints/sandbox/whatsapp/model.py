"""What the sandbox keeps: accounts, contacts, templates, media, messages and webhooks under way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

WINDOW: Final = 24 * 60 * 60
"""Seconds after a contact's last message in which the business may write freely."""


@frozen(kw_only=True)
class Account:
    """A business phone number, and where its webhooks go; `problem` says why the webhook address is not verified."""

    phone_number_id: str
    waba_id: str
    display_phone_number: str
    token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    webhook_url: str
    verified: bool = False
    problem: str | None = None


@frozen(kw_only=True)
class Contact:
    """A person with a phone. `hidden` means a username was taken: the business sees the scoped id, never the number."""

    phone_number_id: str
    wa_id: str
    name: str
    hidden: bool = False
    last_inbound_at: float | None = None

    @property
    def user_id(self) -> str:
        """The business-scoped id: always the same for this person and this business."""
        digest = hashlib.sha256(f"{self.phone_number_id}:{self.wa_id}".encode()).hexdigest()
        return f"AR.{int(digest, 16) % 10**16:016}"

    def writable_until(self) -> float | None:
        """Return when the window closes, in seconds since 1970, or None when the contact never wrote."""
        return None if self.last_inbound_at is None else self.last_inbound_at + WINDOW


@frozen(kw_only=True)
class Template:
    """A message template as it was created; all are approved at once."""

    id: str
    waba_id: str
    name: str
    language: str
    category: str
    components: tuple[Mapping[str, Any], ...]


@frozen(kw_only=True)
class Media:
    """A file that the business uploaded or a contact sent."""

    id: str
    phone_number_id: str
    mime_type: str
    filename: str | None
    content: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the file, which the API shows in hexadecimal and webhooks in base64."""
        return hashlib.sha256(self.content).digest()


@frozen(kw_only=True)
class Message:
    """One message of a chat: `body` as on the wire, `shown` as the phone draws it, `callback` as statuses echo it."""

    id: str
    phone_number_id: str
    wa_id: str
    direction: str
    type: str
    at: float
    body: Mapping[str, Any]
    shown: Mapping[str, Any]
    status: str
    category: str = "service"
    callback: str | None = None
    error: str | None = None


@frozen(kw_only=True)
class Exchange:
    """One request and its answer as they went over the wire; no `status` when the connection broke."""

    at: float
    phone_number_id: str | None
    wa_id: str | None
    direction: str
    title: str
    status: int | None
    body: str
    answer: str


@frozen(kw_only=True)
class Webhook:
    """One body on its way to the product; times are seconds since 1970."""

    id: int
    phone_number_id: str
    wa_id: str
    message_id: str | None
    body: bytes
    created_at: float
    attempts: int = 0
