"""The Graph API as both of our channels use it: one request, and what an answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from attrs import field, frozen

from adapters.whatsapp.account import WhatsAppAccount
from core.kernel.errors import Unavailable
from core.notifications import AnswerLost, SendRefused

VERSION: Final = "v23.0"
TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)

PASSING: Final = frozenset({1, 2, 4, 131000, 131016, 131056, 131057, 130429, 80007})
"""Error codes that pass by themselves: trouble at Meta and limits of rate."""
BROKEN_CHANNEL: Final = frozenset({0, 3, 10, 190, *range(200, 300)})
"""Codes of a dead token or a missing permission: the messages wait until somebody mends the channel."""
SERVER_ERROR: Final = 500


@frozen
class Graph:
    """The Graph API at an address."""

    base_url: str
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    """Seconds for a whole request: the client's own limits are for each read, and a dripping server has many."""

    async def message(self, account: WhatsAppAccount, body: Mapping[str, Any]) -> str:
        """Send a message and return Meta's id for it; raise `SendRefused`, `Unavailable` if it was not taken, `AnswerLost`."""
        try:
            answer = await self.post(account, "messages", json=body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as failure:
            msg = "WhatsApp does not answer"
            raise Unavailable(msg) from failure
        except (httpx2.HTTPError, TimeoutError) as failure:
            # The request may have left: nobody knows whether it was taken.
            msg = "WhatsApp gave no answer to a message"
            raise AnswerLost(msg) from failure
        data = data_of(answer)
        if answer.is_success:
            return _id_of(data)
        if not data and answer.status_code >= SERVER_ERROR:
            msg = f"WhatsApp answered {answer.status_code} to a message"
            raise AnswerLost(msg)
        raise failure_of(answer.status_code, data)

    async def post(self, account: WhatsAppAccount, edge: str, **content: Any) -> httpx2.Response:
        """Post to an edge of the account's number; the client's errors and `TimeoutError` come as they are."""
        address = f"{self.base_url}/{VERSION}/{account.phone_number_id}/{edge}"
        async with asyncio.timeout(self._patience):
            return await self._client.post(address, headers={"Authorization": f"Bearer {account.token}"}, **content)

    async def ping(self) -> None:
        """Return if the API answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self.base_url}/{VERSION}/")
        except httpx2.HTTPError as failure:
            msg = f"{self.base_url} does not answer"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def data_of(answer: httpx2.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer, empty if it holds none."""
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


def failure_of(status: int, data: Mapping[str, Any]) -> Unavailable | SendRefused:
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
