"""Tenants and the people who work for them."""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import field, frozen

from core.kernel.errors import Denied, Invalid, NotFound

ROLES: Final = ("owner", "admin", "dispatcher", "technician", "agent", "planner", "bot", "service")


class UserNotFound(NotFound):
    """This tenant has no such person."""

    code: ClassVar[str] = "user.not_found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"there is no user {user_id}")


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


@frozen(kw_only=True)
class User:
    """Somebody who works for a tenant. `token_hash` is the SHA-256 of a bearer token, in hexadecimal, never the token."""

    id: str
    tenant: str
    name: str
    role: str
    phone: str | None = None
    active: bool = True
    token_hash: str | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.role not in ROLES:
            msg = f"the role must be one of {', '.join(ROLES)}"
            raise Invalid(msg, field="role")
