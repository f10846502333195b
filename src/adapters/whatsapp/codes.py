"""One-time codes by WhatsApp."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from attrs import frozen

from adapters.whatsapp.account import WhatsAppAccount
from adapters.whatsapp.graph import Graph
from core.identity.ports import CodeDoubtful, CodeRefused
from core.kernel.errors import NotFound, Unavailable
from core.notifications import AnswerLost, SendRefused

NAME: Final = "otp_login"
LANGUAGE: Final = "es_AR"
OTP_TEMPLATE: Final[Mapping[str, Any]] = {
    "name": NAME,
    "language": LANGUAGE,
    "category": "AUTHENTICATION",
    "components": [
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "FOOTER", "code_expiration_minutes": 5},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copiar código"}]},
    ],
}
"""How the template is declared; Meta writes the words of authentication templates itself."""


@frozen
class WhatsAppCodes:
    """`core.identity.ports.CodeChannel` with the template `otp_login`.

    No error carries what Meta says in words, which may repeat what was sent; its code is told.
    """

    _graph: Graph
    _accounts: Callable[[str | None], Awaitable[WhatsAppAccount]]

    async def send(self, *, tenant: str | None, phone: str, code: str) -> str:
        """Send the code and return Meta's id for the message."""
        try:
            account = await self._accounts(tenant)
        except NotFound as missing:
            msg = "there is no WhatsApp channel for it"
            raise CodeRefused(msg) from missing
        try:
            return await self._graph.message(account, code_body(phone, code))
        except SendRefused as refused:
            msg = f"WhatsApp refuses the code ({refused.error_code})"
            raise CodeRefused(msg) from None
        except AnswerLost:
            msg = "WhatsApp gave no answer to a code"
            raise CodeDoubtful(msg) from None
        except Unavailable:
            msg = "WhatsApp takes no code now"
            raise Unavailable(msg) from None


def code_body(phone: str, code: str) -> dict[str, Any]:
    """Return the request body; the button needs the code once more. The template cannot go to a business-scoped id."""
    given = [{"type": "text", "text": code}]
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone.removeprefix("+"),
        "type": "template",
        "template": {
            "name": NAME,
            "language": {"code": LANGUAGE},
            "components": [
                {"type": "body", "parameters": given},
                {"type": "button", "sub_type": "url", "index": "0", "parameters": given},
            ],
        },
    }
