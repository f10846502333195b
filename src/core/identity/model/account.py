"""How one person proves who they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.identity.events import (
    IdentityFact,
    PasswordSet,
    RecoveryCodeUsed,
    Registered,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
)
from core.identity.model.origin import Origin
from core.kernel.errors import Conflict
from core.kernel.states import evolved

RECOVERY_CODES: Final = 10


class LoginTaken(Conflict):
    """The address or phone already belongs to an account."""

    code: ClassVar[str] = "identity.login_taken"

    def __init__(self) -> None:
        super().__init__("there is an account with this address or phone; log in instead")


class SecondFactorState(Conflict):
    """The second factor is not in the state that the request supposed."""

    code: ClassVar[str] = "identity.second_factor"


@frozen(kw_only=True, slots=False)
class Account:
    """A person's ways to log in; `id` is the person's.

    An address and a phone each lead to one account of one tenant. The TOTP secret is asked for only once it is confirmed, and
    `totp_step` is the newest time step that was used: an older code, or the same one again, is a replay.
    """

    id: str
    tenant: str
    created_at: datetime
    email: str | None = None
    phone: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    totp_confirmed: bool = False
    totp_step: int = -1
    recovery: tuple[str, ...] = field(default=(), repr=False)
    """Digests of the recovery codes that are left."""
    version: int = 0
    facts: tuple[IdentityFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def registered(
        cls, *, user_id: str, tenant: str, at: datetime, origin: Origin, founded: bool, **ways: str | None
    ) -> Account:
        """Somebody can log in from now on; `ways` are `phone`, or `email` and `password_hash`."""
        fact = Registered(
            tenant=tenant,
            at=at,
            user_id=user_id,
            method="otp" if ways.get("phone") else "password",
            founded=founded,
            ip=origin.ip,
            agent=origin.agent,
        )
        made: dict[str, Any] = dict(ways)
        return cls(id=user_id, tenant=tenant, created_at=at, facts=(fact,), **made)

    @property
    def logins(self) -> tuple[str, ...]:
        """By what the account is found."""
        return tuple(
            f"{kind}:{value}" for kind, value in (("email", self.email), ("phone", self.phone)) if value is not None
        )

    @property
    def needs_second_factor(self) -> bool:
        return self.totp_secret is not None and self.totp_confirmed

    def set_password(self, password_hash: str, *, at: datetime, origin: Origin) -> Account:
        """Take another password."""
        return self._after(PasswordSet(**self._about(at, origin)), password_hash=password_hash)

    def rehashed(self, password_hash: str) -> Account:
        """Keep the same password in a better way; nothing happened that anybody needs to know of."""
        return self._after(password_hash=password_hash)

    def reached_by(self, phone: str | None) -> Account:
        """Lead to this account by another phone, or by none; the fact is the person's."""
        return self._after(phone=phone)

    def enrol_totp(self, secret: str, *, at: datetime, origin: Origin) -> Account:
        """Begin a second factor; raise `SecondFactorState` if there is a confirmed one."""
        if self.needs_second_factor:
            msg = "remove the second factor first"
            raise SecondFactorState(msg)
        return self._after(
            TotpEnrolled(**self._about(at, origin)), totp_secret=secret, totp_confirmed=False, totp_step=-1, recovery=()
        )

    def confirm_totp(self, step: int, *, recovery: tuple[str, ...], at: datetime, origin: Origin) -> Account:
        """Ask for the second factor from now on; `step` is that of the code which proved it."""
        if self.totp_secret is None or self.totp_confirmed:
            msg = "there is no second factor to confirm; enrol one first"
            raise SecondFactorState(msg)
        return self._after(
            TotpConfirmed(**self._about(at, origin)), totp_confirmed=True, totp_step=step, recovery=recovery
        )

    def use_step(self, step: int) -> Account | None:
        """Spend a time step; None if it, or a later one, was spent before."""
        return self._after(totp_step=step) if step > self.totp_step else None

    def use_recovery(self, digest: str, *, at: datetime, origin: Origin) -> Account | None:
        """Spend a recovery code; None if it is none of those that are left."""
        if digest not in self.recovery:
            return None
        left = tuple(each for each in self.recovery if each != digest)
        return self._after(RecoveryCodeUsed(**self._about(at, origin), left=len(left)), recovery=left)

    def remove_totp(self, *, at: datetime, origin: Origin) -> Account:
        """Ask for the second factor no more."""
        return self._after(
            TotpRemoved(**self._about(at, origin)), totp_secret=None, totp_confirmed=False, totp_step=-1, recovery=()
        )

    def _about(self, at: datetime, origin: Origin) -> dict[str, Any]:
        return {"tenant": self.tenant, "at": at, "user_id": self.id, "ip": origin.ip, "agent": origin.agent}

    def _after(self, *facts: IdentityFact, **changes: Any) -> Account:
        return evolved(self, {**changes, "facts": (*self.facts, *facts)})
