"""What happens to people and to the ways they are let in. Together these facts are the audit log.

None holds a password, a code or a token. A fact about somebody whom nobody knows belongs to the tenant `OUTSIDE`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import frozen

from core.kernel.events import Fact

OUTSIDE: Final = "outside"
"""The tenant of facts about strangers; nobody belongs to it."""


@frozen(kw_only=True, slots=False)
class IdentityFact(Fact):
    user_id: str | None
    ip: str = ""
    agent: str = ""


@frozen(kw_only=True, slots=False)
class Registered(IdentityFact):
    """Somebody has a way to log in from now on; `founded` if their tenant began with them."""

    name: ClassVar[str] = "identity.registered"
    method: str
    founded: bool


@frozen(kw_only=True, slots=False)
class CodeSent(IdentityFact):
    """A one-time code went out; `reference` is the provider's name for the message."""

    name: ClassVar[str] = "identity.code_sent"
    phone: str
    channel: str
    reference: str


@frozen(kw_only=True, slots=False)
class CodeWithheld(IdentityFact):
    """Nothing was sent, though the caller was told as always: the tenant has had its share, or no channel took it."""

    name: ClassVar[str] = "identity.code_withheld"
    phone: str
    reason: str


@frozen(kw_only=True, slots=False)
class LoggedIn(IdentityFact):
    name: ClassVar[str] = "identity.logged_in"
    session_id: str
    method: str


@frozen(kw_only=True, slots=False)
class Refused(IdentityFact):
    """Somebody was not let in; `subject` is the phone or address they gave."""

    name: ClassVar[str] = "identity.refused"
    method: str
    reason: str
    subject: str


@frozen(kw_only=True, slots=False)
class RefreshReused(IdentityFact):
    """A spent refresh token came back: two have it, and one of them stole it."""

    name: ClassVar[str] = "identity.refresh_reused"
    session_id: str


@frozen(kw_only=True, slots=False)
class SessionRevoked(IdentityFact):
    """A session ended before its time.

    It was `logged_out`, `revoked` or `reused`, its person has `left`, or their password, role or phone is another
    (`password_changed`, `role_changed`, `phone_changed`).
    """

    name: ClassVar[str] = "identity.session_revoked"
    session_id: str
    reason: str


@frozen(kw_only=True, slots=False)
class PasswordSet(IdentityFact):
    name: ClassVar[str] = "identity.password_set"


@frozen(kw_only=True, slots=False)
class TotpEnrolled(IdentityFact):
    """A second factor was begun; it is not asked for before it is confirmed."""

    name: ClassVar[str] = "identity.totp_enrolled"


@frozen(kw_only=True, slots=False)
class TotpConfirmed(IdentityFact):
    name: ClassVar[str] = "identity.totp_confirmed"


@frozen(kw_only=True, slots=False)
class TotpRemoved(IdentityFact):
    name: ClassVar[str] = "identity.totp_removed"


@frozen(kw_only=True, slots=False)
class RecoveryCodeUsed(IdentityFact):
    name: ClassVar[str] = "identity.recovery_code_used"
    left: int


@frozen(kw_only=True, slots=False)
class ServiceTokenMade(IdentityFact):
    name: ClassVar[str] = "identity.service_token_made"
    token_id: str
    scopes: tuple[str, ...]


@frozen(kw_only=True, slots=False)
class ServiceTokenRevoked(IdentityFact):
    name: ClassVar[str] = "identity.service_token_revoked"
    token_id: str


@frozen(kw_only=True, slots=False)
class Enrolled(IdentityFact):
    """Somebody works here from now on."""

    name: ClassVar[str] = "identity.enrolled"
    role: str
    phone: str


@frozen(kw_only=True, slots=False)
class RoleChanged(IdentityFact):
    name: ClassVar[str] = "identity.role_changed"
    was: str
    role: str


@frozen(kw_only=True, slots=False)
class PhoneChanged(IdentityFact):
    """Somebody is reached, and logs in, by another phone."""

    name: ClassVar[str] = "identity.phone_changed"
    was: str | None
    phone: str


@frozen(kw_only=True, slots=False)
class Deactivated(IdentityFact):
    """Somebody works here no more."""

    name: ClassVar[str] = "identity.deactivated"


@frozen(kw_only=True, slots=False)
class Reactivated(IdentityFact):
    """Somebody is back."""

    name: ClassVar[str] = "identity.reactivated"


@frozen(kw_only=True, slots=False)
class CredentialSet(IdentityFact):
    """The tenant's credentials for a service outside were stored or replaced; `label` says which, and never what they are."""

    name: ClassVar[str] = "identity.credential_set"
    kind: str
    label: str


@frozen(kw_only=True, slots=False)
class CredentialRemoved(IdentityFact):
    """The tenant's credentials for a service outside are gone."""

    name: ClassVar[str] = "identity.credential_removed"
    kind: str
    label: str


FACTS: tuple[type[IdentityFact], ...] = (
    Registered,
    CodeSent,
    CodeWithheld,
    LoggedIn,
    Refused,
    RefreshReused,
    SessionRevoked,
    PasswordSet,
    TotpEnrolled,
    TotpConfirmed,
    TotpRemoved,
    RecoveryCodeUsed,
    ServiceTokenMade,
    ServiceTokenRevoked,
    Enrolled,
    RoleChanged,
    PhoneChanged,
    Deactivated,
    Reactivated,
    CredentialSet,
    CredentialRemoved,
)
