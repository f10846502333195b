"""One-time codes by SMS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from attrs import frozen

from adapters.twilio.account import TwilioAccount
from adapters.twilio.api import TwilioApi
from core.identity.ports import CodeDoubtful, CodeRefused
from core.kernel.errors import NotFound
from core.notifications import AnswerLost, SendRefused

TEXT: Final = "{} es tu código de acceso. Vence en 5 minutos. No lo compartas."
"""Within the 70 characters of one message: an accent beyond GSM's alphabet makes every character two bytes."""


@frozen
class TwilioSms:
    """`core.identity.ports.CodeChannel` over the Messages API.

    No error carries what Twilio says in words, which may repeat what was sent; its code is told.
    """

    _api: TwilioApi
    _accounts: Callable[[str | None], Awaitable[TwilioAccount]]

    async def send(self, *, tenant: str | None, phone: str, code: str) -> str:
        """Send the code and return Twilio's sid of the message."""
        try:
            account = await self._accounts(tenant)
        except NotFound as missing:
            msg = "there is no SMS channel for it"
            raise CodeRefused(msg) from missing
        try:
            return await self._api.message(account, {"To": phone, "Body": TEXT.format(code)})
        except SendRefused as refused:
            msg = f"Twilio refuses the code ({refused.error_code})"
            raise CodeRefused(msg) from None
        except AnswerLost:
            msg = "Twilio gave no answer to a code"
            raise CodeDoubtful(msg) from None
