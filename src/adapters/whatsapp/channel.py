"""Sending through the Cloud API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from attrs import frozen

from adapters.whatsapp.account import WhatsAppAccount
from adapters.whatsapp.graph import Graph, data_of, failure_of
from core.kernel.errors import NotFound, Unavailable
from core.notifications import LANGUAGES, Delivery, Document, SendRefused


@frozen
class WhatsAppChannel:
    """`core.notifications.ports.Channel` over the Graph API, as the tenant's own number."""

    _graph: Graph
    accounts: Callable[[str], Awaitable[WhatsAppAccount]]

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Send the template message and return Meta's id for it."""
        try:
            account = await self.accounts(delivery.tenant)
        except NotFound as missing:
            raise SendRefused("no_channel", str(missing)) from missing
        media_id = None if document is None else await self._upload(account, document)
        body = message_body(delivery, media_id=media_id, filename=document.filename if document else None)
        return await self._graph.message(account, body)

    async def _upload(self, account: WhatsAppAccount, document: Document) -> str:
        """Hand over a file; a second copy of it at Meta does no harm, so a lost answer is no doubt here."""
        try:
            answer = await self._graph.post(
                account,
                "media",
                data={"messaging_product": "whatsapp", "type": document.content_type},
                files={"file": (document.filename, document.content, document.content_type)},
            )
        except (httpx2.HTTPError, TimeoutError) as failure:
            msg = "WhatsApp does not take files now"
            raise Unavailable(msg) from failure
        data = data_of(answer)
        if not answer.is_success:
            raise failure_of(answer.status_code, data)
        media_id = data.get("id")
        if not isinstance(media_id, str):
            msg = "WhatsApp named no id for a file"
            raise Unavailable(msg)
        return media_id


def message_body(delivery: Delivery, *, media_id: str | None, filename: str | None) -> dict[str, Any]:
    """Return the request body of a template message; our id for it comes back in every status."""
    components: list[dict[str, Any]] = []
    if media_id is not None:
        attached = {"type": "document", "document": {"id": media_id, "filename": filename}}
        components.append({"type": "header", "parameters": [attached]})
    components.append(
        {"type": "body", "parameters": [{"type": "text", "text": value} for value in delivery.parameters]}
    )
    if delivery.link is not None:
        components.append(
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": delivery.link}],
            }
        )
    address = delivery.recipient.address
    to = {"to": address.removeprefix("+")} if address.removeprefix("+").isdigit() else {"recipient": address}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **to,
        "type": "template",
        "template": {
            "name": delivery.template,
            "language": {"code": LANGUAGES[delivery.language]},
            "components": components,
        },
        "biz_opaque_callback_data": delivery.id,
    }
