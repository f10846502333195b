"""A tenant's account at Twilio."""

from __future__ import annotations

from attrs import field, frozen


@frozen(kw_only=True)
class TwilioAccount:
    """The account's id, its token, never shown, and whom messages come from: a phone in E.164, or a messaging service (`MG...`)."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
