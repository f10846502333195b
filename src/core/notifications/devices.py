"""The phones that push notifications go to."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from attrs import evolve, field, frozen

from core.kernel.errors import Invalid, NotFound

PROVIDERS: Final = ("expo", "fcm")
DEVICES_AT_MOST: Final = 20
"""How many devices one person is written to on."""
_EXPO: Final = ("ExponentPushToken[", "ExpoPushToken[")
_LONGEST: Final = 4096


class DeviceNotFound(NotFound):
    """This person has no such device."""

    code: ClassVar[str] = "device.not_found"


@frozen(kw_only=True, slots=False)
class Device:
    """An app on somebody's phone, reached by its push token; one that is `retired` is written to no more, and why is kept.

    `session_id` is the log-in that it was registered in and ends with; None is one that no session stands behind.
    """

    id: str
    tenant: str
    user_id: str
    provider: str
    token: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    name: str = ""
    session_id: str | None = None
    retired: str | None = None
    version: int = 0
    facts: tuple[()] = field(default=(), eq=False, repr=False)

    @classmethod
    def registered(
        cls,
        *,
        id_: str,
        tenant: str,
        user_id: str,
        provider: str,
        token: str,
        name: str,
        at: datetime,
        session_id: str | None = None,
    ) -> Device:
        """An app can be written to from now on; raise `Invalid` for a token that the provider would not take."""
        if provider not in PROVIDERS:
            msg = f"the provider must be one of {', '.join(PROVIDERS)}"
            raise Invalid(msg, field="provider")
        sound = token.isascii() and token.isprintable() and 0 < len(token) <= _LONGEST and " " not in token
        if not sound or (provider == "expo") != (token.startswith(_EXPO) and token.endswith("]")):
            msg = f"that is no push token of {provider}"
            raise Invalid(msg, field="token")
        return cls(
            id=id_,
            tenant=tenant,
            user_id=user_id,
            provider=provider,
            token=token,
            name=name.strip()[:120],
            session_id=session_id,
            created_at=at,
            updated_at=at,
        )

    def taken_by(self, user_id: str, *, name: str, at: datetime, session_id: str | None = None) -> Device:
        """The app reports again: it lives, and belongs to whoever is logged in there now."""
        return evolve(
            self, user_id=user_id, name=name.strip()[:120], session_id=session_id, retired=None, updated_at=at
        )

    def retire(self, reason: str, *, at: datetime) -> Device:
        """The provider knows the token no more, or the log-in ended."""
        return evolve(self, retired=reason[:200], updated_at=at)
