"""One-time codes by SMS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2
from attrs import field, frozen

from adapters.twilio.account import TwilioAccount
from core.identity.ports import CodeDoubtful, CodeRefused
from core.kernel.errors import NotFound, Unavailable

TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)
TEXT: Final = "{} es tu código de acceso. Vence en 5 minutos. No lo compartas."
"""Within the 70 characters of one message: an accent beyond GSM's alphabet makes every character two bytes."""
_BROKEN: Final = frozenset({20003, 20005, 20006})
"""A wrong token, a suspended account: somebody has to mend the channel."""
_SERVER_ERROR, _TOO_MANY, _UNAUTHORIZED, _UNREADY = 500, 429, 401, 503
_DEAD: Final = frozenset({"failed", "undelivered", "canceled"})


@frozen
class TwilioSms:
    """`core.identity.ports.CodeChannel` over the Messages API.

    No error carries what Twilio says in words, which may repeat what was sent; its code is told.
    """

    _base_url: str
    _accounts: Callable[[str | None], Awaitable[TwilioAccount]]
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    """Seconds for a whole request."""

    async def send(self, *, tenant: str | None, phone: str, code: str) -> str:
        """Send the code and return Twilio's sid of the message."""
        try:
            account = await self._accounts(tenant)
        except NotFound as missing:
            msg = "there is no SMS channel for it"
            raise CodeRefused(msg) from missing
        try:
            answer = await self._post(account, {"To": phone, "Body": TEXT.format(code)})
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as failure:
            msg = "Twilio does not answer"
            raise Unavailable(msg) from failure
        except (httpx2.HTTPError, TimeoutError) as failure:
            # The request may have left: nobody knows whether it was taken.
            msg = "Twilio gave no answer to a code"
            raise CodeDoubtful(msg) from failure
        data = _data(answer)
        if answer.is_success:
            return _sid(data)
        raise _failure(answer.status_code, data)

    async def _post(self, account: TwilioAccount, form: Mapping[str, str]) -> httpx2.Response:
        sender = "MessagingServiceSid" if account.sender.startswith("MG") else "From"
        address = f"{self._base_url}/2010-04-01/Accounts/{quote(account.account_sid, safe='')}/Messages.json"
        async with asyncio.timeout(self._patience):
            return await self._client.post(
                address, data={**form, sender: account.sender}, auth=(account.account_sid, account.auth_token)
            )

    async def ping(self) -> None:
        """Return if the API answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self._base_url}/2010-04-01")
        except httpx2.HTTPError as failure:
            msg = f"{self._base_url} does not answer"
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
        msg = f"Twilio gave the code up ({_number(data.get('error_code'))})"
        raise CodeRefused(msg)
    sid = data.get("sid")
    if not isinstance(sid, str):
        msg = "Twilio took a code and named no sid for it"
        raise CodeDoubtful(msg)
    return sid


def _failure(status: int, data: Mapping[str, Any]) -> Unavailable | CodeRefused:
    number = _number(data.get("code"))
    if status == _UNAUTHORIZED or number in _BROKEN:
        return Unavailable(f"Twilio does not accept this account's credentials ({number or status})")
    if status in {_TOO_MANY, _UNREADY}:
        return Unavailable(f"Twilio asks to wait ({number or status})")
    if status >= _SERVER_ERROR:
        return CodeDoubtful(f"Twilio answered {status} to a code")
    return CodeRefused(f"Twilio refuses the code ({number or status})")


def _number(code: object) -> int | None:
    return code if isinstance(code, int) else None
