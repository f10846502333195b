"""Twilio's Messages API as both of our channels use it: one request, and what an answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2
from attrs import field, frozen

from adapters.twilio.account import TwilioAccount
from core.kernel.errors import Unavailable
from core.notifications import AnswerLost, SendRefused

TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)
_BROKEN: Final = frozenset({20003, 20005, 20006})
"""A wrong token, a suspended account: somebody has to mend the channel."""
_SERVER_ERROR, _TOO_MANY, _UNAUTHORIZED, _UNREADY = 500, 429, 401, 503
_DEAD: Final = frozenset({"failed", "undelivered", "canceled"})


@frozen
class TwilioApi:
    """The Messages API at an address."""

    base_url: str
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    """Seconds for a whole request."""

    async def message(self, account: TwilioAccount, form: Mapping[str, str]) -> str:
        """Send a message and return its sid; raise `SendRefused`, `Unavailable` if it was not taken, `AnswerLost`."""
        try:
            answer = await self._post(account, form)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as failure:
            msg = "Twilio does not answer"
            raise Unavailable(msg) from failure
        except (httpx2.HTTPError, TimeoutError) as failure:
            # The request may have left: nobody knows whether it was taken.
            msg = "Twilio gave no answer to a message"
            raise AnswerLost(msg) from failure
        data = _data(answer)
        if answer.is_success:
            return _sid(data)
        raise _failure(answer.status_code, data)

    async def _post(self, account: TwilioAccount, form: Mapping[str, str]) -> httpx2.Response:
        sender = "MessagingServiceSid" if account.sender.startswith("MG") else "From"
        address = f"{self.base_url}/2010-04-01/Accounts/{quote(account.account_sid, safe='')}/Messages.json"
        async with asyncio.timeout(self._patience):
            return await self._client.post(
                address, data={**form, sender: account.sender}, auth=(account.account_sid, account.auth_token)
            )

    async def ping(self) -> None:
        """Return if the API answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self.base_url}/2010-04-01")
        except httpx2.HTTPError as failure:
            msg = f"{self.base_url} does not answer"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _data(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        data = answer.json()
    except ValueError:  # error bodies may be HTML
        return {}
    return data if isinstance(data, dict) else {}


def _sid(data: Mapping[str, Any]) -> str:
    if data.get("status") in _DEAD:
        raise SendRefused(str(_number(data.get("error_code"))), "Twilio gave the message up")
    sid = data.get("sid")
    if not isinstance(sid, str):
        msg = "Twilio took a message and named no sid for it"
        raise AnswerLost(msg)
    return sid


def _failure(status: int, data: Mapping[str, Any]) -> Unavailable | SendRefused:
    number = _number(data.get("code"))
    if status == _UNAUTHORIZED or number in _BROKEN:
        return Unavailable(f"Twilio does not accept this account's credentials ({number or status})")
    if status in {_TOO_MANY, _UNREADY}:
        return Unavailable(f"Twilio asks to wait ({number or status})")
    if status >= _SERVER_ERROR:
        return AnswerLost(f"Twilio answered {status} to a message")
    text = data.get("message")
    return SendRefused(str(number or status), text[:500] if isinstance(text, str) else "")


def _number(code: object) -> int | None:
    return code if isinstance(code, int) else None
