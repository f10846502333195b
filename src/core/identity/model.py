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

    def __init__(self) -> None:
        super().__init__("send a valid bearer token")


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
