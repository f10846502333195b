"""Notifications by SMS, and Twilio's word on what became of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import frozen

from adapters.twilio.account import TwilioAccount
from adapters.twilio.api import TwilioApi
from core.kernel.errors import NotFound
from core.notifications import Delivery, Document, SendRefused

BODY_AT_MOST: Final = 1600
STATUSES: Final[Mapping[str, str]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
"""Twilio's words that mean something to the delivery log; before `sent` nothing has happened."""
_PORTS: Final = {"http": 80, "https": 443}


@frozen
class TwilioTexts:
    """`core.notifications.ports.Channel` over the Messages API: the text, and the link as it is.

    `callback` is where Twilio reports to; tenant and delivery stand in its query, which Twilio signs with the rest of the address.
    """

    _api: TwilioApi
    _accounts: Callable[[str], Awaitable[TwilioAccount]]
    _link_to: Callable[[str], str]
    _callback: str

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Send the text and return Twilio's sid of the message; a document has no place in it."""
        del document
        try:
            account = await self._accounts(delivery.tenant)
        except NotFound as missing:
            raise SendRefused("no_channel", str(missing)) from missing
        link = "" if delivery.link is None else f" {self._link_to(delivery.link)}"
        about = urlencode({"tenant": delivery.tenant, "delivery": delivery.id})
        form = {
            "To": delivery.recipient.address,
            "Body": delivery.text[: BODY_AT_MOST - len(link)] + link,
            "StatusCallback": f"{self._callback}?{about}",
        }
        return await self._api.message(account, form)


def signature(url: str, form: Sequence[tuple[str, str]], token: str) -> str:
    """Return Twilio's signature of a form posted to an address: names and values in the order of the names, each value once."""
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(url: str, form: Sequence[tuple[str, str]], token: str, given: str | None) -> bool:
    """Say whether a form was signed with the token, for the address with or without its scheme's usual port."""
    if not given:
        return False
    matches = [
        hmac.compare_digest(signature(each, form, token).encode(), given.encode("utf-8", "surrogatepass"))
        for each in _spellings(url)
    ]
    return any(matches)


def _spellings(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    usual = _PORTS.get(parts.scheme)
    host = parts.netloc.removesuffix(f":{usual}")
    if parts.port not in {None, usual}:
        return (url,)
    return tuple(urlunsplit(parts._replace(netloc=netloc)) for netloc in (host, f"{host}:{usual}"))
