"""Tenants and the people who work for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.identity.events import Deactivated, Enrolled, IdentityFact, PhoneChanged, Reactivated, RoleChanged
from core.identity.model.origin import Origin
from core.kernel.errors import Conflict, Denied, Invalid, NotFound
from core.kernel.states import evolved

ROLES: Final = ("owner", "admin", "dispatcher", "technician", "agent", "planner", "bot", "service")
RANK: Final[Mapping[str, int]] = {
    "owner": 6,
    "admin": 5,
    "dispatcher": 4,
    "agent": 4,
    "planner": 4,
    "technician": 3,
    "bot": 2,
    "service": 1,
}
"""The order of roles: nobody gives a role above their own, nor changes who has one."""
FOR_PEOPLE: Final = ROLES[:6]
"""The roles that a person can be given; the others are for programs."""
LONGEST_NAME: Final = 120


class UserNotFound(NotFound):
    """This tenant has no such person."""

    code: ClassVar[str] = "user.not_found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"there is no user {user_id}")


class AboveOneself(Denied):
    """Nobody gives a role above their own, nor changes who has one."""

    code: ClassVar[str] = "user.above_oneself"

    def __init__(self, role: str, other: str) -> None:
        self.role, self.other = role, other
        article = "an" if role[0] in "aeiou" else "a"
        super().__init__(f"{article} {role} gives or changes no role above their own: {other}")

    def details(self) -> Mapping[str, object]:
        return {"role": self.role, "other": self.other}


class LastOwner(Conflict):
    """A tenant keeps one active owner."""

    code: ClassVar[str] = "user.last_owner"

    def __init__(self) -> None:
        super().__init__("a business keeps one active owner; make somebody else an owner first")


class PhoneTaken(Conflict):
    """An active colleague has this phone."""

    code: ClassVar[str] = "user.phone_taken"

    def __init__(self) -> None:
        super().__init__("an active colleague has this phone")


class Unauthenticated(Denied):
    """Nobody is known by these credentials."""

    code: ClassVar[str] = "unauthenticated"
    says: ClassVar[str] = "send a valid bearer token"

    def __init__(self) -> None:
        super().__init__(self.says)


class WrongCode(Unauthenticated):
    """The code is not the one that was sent, or it is over; which of them is not said."""

    code: ClassVar[str] = "wrong_code"
    says: ClassVar[str] = "the code is wrong or no longer counts; ask for a new one"


class WrongCredentials(Unauthenticated):
    """The address and the password do not belong together; whether there is such an address is not said."""

    code: ClassVar[str] = "wrong_credentials"
    says: ClassVar[str] = "the address or the password is wrong"


class SecondFactorNeeded(Unauthenticated):
    """Everything was right so far; send it again with a code of the second factor."""

    code: ClassVar[str] = "second_factor_needed"
    says: ClassVar[str] = "send the code of your second factor as well"


class WrongSecondFactor(Unauthenticated):
    """The code of the second factor is wrong, or was used before."""

    code: ClassVar[str] = "wrong_second_factor"
    says: ClassVar[str] = "the code of the second factor is wrong or was used before"


@frozen(kw_only=True)
class Tenant:
    """A business that works with Cuadrilla; `zone` is the IANA time zone its people live in."""

    id: str
    name: str
    phone: str | None = None
    zone: str = "America/Argentina/Buenos_Aires"


@frozen(kw_only=True, slots=False)
class User:
    """Somebody who works for a tenant. `token_hash` is the SHA-256 of a bearer token, in hexadecimal, never the token."""

    id: str
    tenant: str
    name: str
    role: str
    phone: str | None = None
    active: bool = True
    token_hash: str | None = field(default=None, repr=False)
    version: int = field(default=1, eq=False)
    """0 only between `enrolled` and the first save."""
    facts: tuple[IdentityFact, ...] = field(default=(), eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.role not in ROLES:
            msg = f"the role must be one of {', '.join(ROLES)}"
            raise Invalid(msg, field="role")

    @classmethod
    def enrolled(cls, *, id_: str, tenant: str, name: str, role: str, phone: str, at: datetime, origin: Origin) -> User:
        """Somebody works here from now on; raise `Invalid` for a name or a role that a person cannot have."""
        fact = Enrolled(tenant=tenant, at=at, user_id=id_, role=role, phone=phone, ip=origin.ip, agent=origin.agent)
        return cls(id=id_, tenant=tenant, name=_name(name), role=_role(role), phone=phone, version=0, facts=(fact,))

    @property
    def owns(self) -> bool:
        """Whether they are an active owner."""
        return self.active and self.role == "owner"

    def renamed(self, name: str) -> User:
        """Call them otherwise; nothing happened that the audit log has to know of."""
        return evolved(self, {"name": _name(name)})

    def given(self, role: str, *, at: datetime, origin: Origin) -> User:
        """Give them another role."""
        if role == self.role:
            return self
        fact = RoleChanged(**self._about(at, origin), was=self.role, role=_role(role))
        return evolved(self, {"role": role, "facts": (*self.facts, fact)})

    def reached_by(self, phone: str, *, at: datetime, origin: Origin) -> User:
        """Note their new phone, by which they log in."""
        if phone == self.phone:
            return self
        fact = PhoneChanged(**self._about(at, origin), was=self.phone, phone=phone)
        return evolved(self, {"phone": phone, "facts": (*self.facts, fact)})

    def deactivated(self, *, at: datetime, origin: Origin) -> User:
        """They work here no more; what they did stays theirs."""
        if not self.active:
            return self
        return evolved(self, {"active": False, "facts": (*self.facts, Deactivated(**self._about(at, origin)))})

    def reactivated(self, *, at: datetime, origin: Origin) -> User:
        """They are back."""
        if self.active:
            return self
        return evolved(self, {"active": True, "facts": (*self.facts, Reactivated(**self._about(at, origin)))})

    def _about(self, at: datetime, origin: Origin) -> dict[str, Any]:
        return {"tenant": self.tenant, "at": at, "user_id": self.id, "ip": origin.ip, "agent": origin.agent}


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        msg = f"a name has one to {LONGEST_NAME} characters"
        raise Invalid(msg, field="name")
    return name


def _role(role: str) -> str:
    if role not in FOR_PEOPLE:
        msg = f"the role must be one of {', '.join(FOR_PEOPLE)}"
        raise Invalid(msg, field="role")
    return role
