"""What can go wrong, by what the caller can do about it.

    CuadrillaError
    ├── Invalid        the request makes no sense: change it
    ├── Denied         this actor may not: ask somebody who may
    ├── NotFound       there is no such thing for this tenant
    ├── Conflict       the thing is not in the state that the request supposed: look again
    ├── Limited        too much, too fast: wait
    └── Unavailable    something we need does not answer: the same request may succeed later

A concrete error lives where it is raised, derives from one kind, has a stable `code` and keeps its data in `details()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class CuadrillaError(Exception):
    """An anticipated failure; its message is a statement for a person."""

    code: ClassVar[str] = "error"

    def details(self) -> Mapping[str, object]:
        """Plain data that a program may act on."""
        return {}


class Invalid(CuadrillaError):
    """The request makes no sense as it stands."""

    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)

    def details(self) -> Mapping[str, object]:
        return {"field": self.field} if self.field else {}


class Denied(CuadrillaError):
    """The actor may not do this."""

    code: ClassVar[str] = "denied"


class NotFound(CuadrillaError):
    """The tenant has no such thing."""

    code: ClassVar[str] = "not_found"


class Conflict(CuadrillaError):
    """The thing is not in the state that the request supposed."""

    code: ClassVar[str] = "conflict"


class Limited(CuadrillaError):
    """Too many requests; `retry_after` is in seconds."""

    code: ClassVar[str] = "limited"

    def __init__(self, message: str, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)

    def details(self) -> Mapping[str, object]:
        return {"retryAfter": self.retry_after}


class Unavailable(CuadrillaError):
    """Something outside does not answer; nothing is known to have happened there."""

    code: ClassVar[str] = "unavailable"


class StaleVersion(Conflict):
    """Somebody else changed the thing first."""

    code: ClassVar[str] = "stale_version"

    def __init__(self, kind: str, id_: str, *, version: int) -> None:
        self.kind, self.id, self.version = kind, id_, version
        super().__init__(f"{kind} {id_} is no longer at version {version}; read it again")

    def details(self) -> Mapping[str, object]:
        return {"kind": self.kind, "id": self.id, "version": self.version}


class AlreadySettled(Conflict):
    """This reaction to this fact has been applied before; there is nothing left to do."""

    code: ClassVar[str] = "already_settled"
