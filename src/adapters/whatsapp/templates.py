"""Registering our message templates, without which a business may not write first."""

from __future__ import annotations

from typing import Any, Final

import httpx2

from adapters.whatsapp.account import WhatsAppAccount
from adapters.whatsapp.codes import OTP_TEMPLATE
from adapters.whatsapp.graph import TIMEOUT, VERSION
from core.kernel.errors import Unavailable
from core.notifications import LANGUAGES, TEMPLATES, Template

EXISTS: Final = 2388024
"""The sub-code of "there is a template of this name and language"."""


async def register_templates(base_url: str, account: WhatsAppAccount, *, public_url: str) -> None:
    """Register every template that the account does not have; raise `Unavailable` naming the one that was not taken."""
    address = f"{base_url}/{VERSION}/{account.waba_id}/message_templates"
    headers = {"Authorization": f"Bearer {account.token}"}
    async with httpx2.AsyncClient(timeout=TIMEOUT, headers=headers) as client:
        ours = (
            template_body(each, public_url=public_url, language=language)
            for each in TEMPLATES.values()
            for language in LANGUAGES
        )
        for body in (*ours, OTP_TEMPLATE):
            try:
                answer = await client.post(address, json=body)
            except httpx2.HTTPError as failure:
                msg = f"WhatsApp gave no answer to the message template {body['name']}"
                raise Unavailable(msg) from failure
            # Asked for at once, not looked up before: two processes may start together, and lists come in pages.
            if not answer.is_success and not _exists(answer):
                msg = f"WhatsApp did not take the message template {body['name']}: {answer.text[:300]}"
                raise Unavailable(msg)


def _exists(answer: httpx2.Response) -> bool:
    try:
        return bool(answer.json()["error"]["error_subcode"] == EXISTS)
    except (ValueError, LookupError, TypeError):
        return False


def template_body(template: Template, *, public_url: str, language: str = "es") -> dict[str, Any]:
    """Return a template as Meta wants it declared in a language, with an example for each gap."""
    components: list[dict[str, Any]] = []
    if template.document:
        components.append({"type": "HEADER", "format": "DOCUMENT"})
    example = {"body_text": [list(template.parameters)]}
    components.append({"type": "BODY", "text": template.words(language), "example": example})
    if template.link is not None:
        button = {
            "type": "URL",
            "text": template.button(language),
            "url": f"{public_url}/track/{{{{1}}}}",
            "example": [f"{public_url}/track/abc"],
        }
        components.append({"type": "BUTTONS", "buttons": [button]})
    return {
        "name": template.name,
        "language": LANGUAGES[language],
        "category": template.category,
        "components": components,
    }
