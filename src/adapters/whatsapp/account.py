"""A tenant's channel: one business phone number at Meta."""

from __future__ import annotations

from attrs import field, frozen


@frozen(kw_only=True)
class WhatsAppAccount:
    """The number's id, its business account, and the credentials; the secrets are never shown."""

    tenant: str
    phone_number_id: str
    waba_id: str
    token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
