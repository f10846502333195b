"""Sending through the Cloud API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx2
from attrs import field, frozen

from adapters.whatsapp.account import WhatsAppAccount
from core.kernel.errors import NotFound, Unavailable
from core.notifications import TEMPLATES, AnswerLost, Delivery, Document, SendRefused

VERSION: Final = "v23.0"
TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)

PASSING: Final = frozenset({1, 2, 4, 131000, 131016, 131056, 131057, 130429, 80007})
"""Error codes that pass by themselves: trouble at Meta and limits of rate."""
BROKEN_CHANNEL: Final = frozenset({0, 3, 10, 190, *range(200, 300)})
"""Codes of a dead token or a missing permission: the messages wait until somebody mends the channel."""
SERVER_ERROR: Final = 500


@frozen
class WhatsAppChannel:
    """`core.notifications.ports.Channel` over the Graph API, as the tenant's own number."""

    _base_url: str
    accounts: Callable[[str], Awaitable[WhatsAppAccount]]
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    """Seconds for a whole request: the client's own limits are for each read, and a dripping server has many."""

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Send the template message and return Meta's id for it."""
        try:
            account = await self.accounts(delivery.tenant)
        except NotFound as missing:
            raise SendRefused("no_channel", str(missing)) from missing
        media_id = None if document is None else await self._upload(account, document)
        body = message_body(delivery, media_id=media_id, filename=document.filename if document else None)
        try:
            answer = await self._post(account, "messages", json=body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as failure:
            msg = "WhatsApp does not answer"
            raise Unavailable(msg) from failure
        except (httpx2.HTTPError, TimeoutError) as failure:
            # The request may have left: nobody knows whether it was taken.
            msg = "WhatsApp gave no answer to a message"
            raise AnswerLost(msg) from failure
        data = _data(answer)
        if answer.is_success:
            return _id_of(data)
        if not data and answer.status_code >= SERVER_ERROR:
            msg = f"WhatsApp answered {answer.status_code} to a message"
            raise AnswerLost(msg)
        raise _failure(answer.status_code, data)

    async def _upload(self, account: WhatsAppAccount, document: Document) -> str:
        """Hand over a file; a second copy of it at Meta does no harm, so a lost answer is no doubt here."""
        try:
            answer = await self._post(
                account,
                "media",
                data={"messaging_product": "whatsapp", "type": document.content_type},
                files={"file": (document.filename, document.content, document.content_type)},
            )
        except (httpx2.HTTPError, TimeoutError) as failure:
            msg = "WhatsApp does not take files now"
            raise Unavailable(msg) from failure
        data = _data(answer)
        if not answer.is_success:
            raise _failure(answer.status_code, data)
        media_id = data.get("id")
        if not isinstance(media_id, str):
            msg = "WhatsApp named no id for a file"
            raise Unavailable(msg)
        return media_id

    async def _post(self, account: WhatsAppAccount, edge: str, **content: Any) -> httpx2.Response:
        address = f"{self._base_url}/{VERSION}/{account.phone_number_id}/{edge}"
        async with asyncio.timeout(self._patience):
            return await self._client.post(address, headers={"Authorization": f"Bearer {account.token}"}, **content)

    async def ping(self) -> None:
        """Return if the API answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self._base_url}/{VERSION}/")
        except httpx2.HTTPError as failure:
            msg = f"{self._base_url} does not answer"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def message_body(delivery: Delivery, *, media_id: str | None, filename: str | None) -> dict[str, Any]:
    """Return the request body of a template message; our id for it comes back in every status."""
    template = TEMPLATES[delivery.template]
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
        "template": {"name": template.name, "language": {"code": template.language}, "components": components},
        "biz_opaque_callback_data": delivery.id,
    }


def _data(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        data = answer.json()
    except ValueError:  # error bodies may be HTML
        return {}
    return data if isinstance(data, dict) else {}


def _id_of(data: Mapping[str, Any]) -> str:
    messages = data.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    provider_id = first.get("id") if isinstance(first, dict) else None
    if not isinstance(provider_id, str):
        msg = "WhatsApp took a message and named no id for it"
        raise AnswerLost(msg)
    return provider_id


def _failure(status: int, data: Mapping[str, Any]) -> Unavailable | SendRefused:
    """Decide by the error's code; the same code comes with several HTTP statuses."""
    error = data.get("error")
    error = error if isinstance(error, dict) else {}
    code = error.get("code")
    details = error.get("error_data")
    text = str((details.get("details") if isinstance(details, dict) else None) or error.get("message") or "")[:500]
    if not isinstance(code, int):
        if status in {408, 429} or status >= SERVER_ERROR:
            return Unavailable(f"WhatsApp answered {status}")
        return SendRefused(str(status), text)
    if code in BROKEN_CHANNEL:
        return Unavailable(f"WhatsApp does not accept this channel's credentials ({code}): {text}")
    if code in PASSING or status >= SERVER_ERROR:
        return Unavailable(f"WhatsApp asks to wait ({code}): {text}")
    return SendRefused(str(code), text)
