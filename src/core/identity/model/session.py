"""Being logged in: one session on one device, and the line of its refresh tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.identity.events import IdentityFact, LoggedIn, RefreshReused, SessionRevoked
from core.identity.model.origin import Origin
from core.identity.model.people import Unauthenticated, User
from core.kernel.errors import NotFound
from core.kernel.states import evolved

_SHOWN: Final = re.compile(r"[!-~]{1,512}\Z")


class SessionNotFound(NotFound):
    """This person has no such session."""

    code: ClassVar[str] = "session.not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is no session {session_id}")


@frozen
class SessionRules:
    """How long people stay logged in.

    A refresh token lives for `refresh` and is used once; however often it is used, a session ends `absolute` after the log-in.
    A browser's session lives as long after its last visit, which is noted once in `noted`. A process may take a session for
    alive for `remembered` after it has looked.
    """

    access: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(days=7)
    absolute: timedelta = timedelta(days=30)
    remembered: timedelta = timedelta(seconds=5)
    noted: timedelta = timedelta(hours=1)


@frozen
class RefreshToken:
    """A refresh token in its parts. Whoever knows `family` has had a token of this session at some time."""

    tenant: str
    session_id: str
    family: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def read(cls, text: str) -> RefreshToken:
        """Take a token apart; raise `Unauthenticated` for what cannot be one."""
        parts = text.rsplit(".", 3) if _SHOWN.match(text) else []
        if len(parts) != 4 or not all(parts):  # noqa: PLR2004 - its parts
            raise Unauthenticated
        return cls(*parts)

    @classmethod
    def read_cookie(cls, text: str) -> RefreshToken:
        """Take a browser's cookie apart, which is a token without its last part; raise `Unauthenticated`."""
        return cls.read(f"{text}.-")

    @property
    def cookie(self) -> str:
        """What a browser keeps."""
        return f"{self.tenant}.{self.session_id}.{self.family}"

    def __str__(self) -> str:
        return f"{self.cookie}.{self.secret}"


@frozen(kw_only=True)
class Claims:
    """What an access token says: whose session it belongs to, and until when it counts, in whole seconds."""

    tenant: str
    user_id: str
    session_id: str
    issued_at: datetime
    expires_at: datetime


def digest(secret: str) -> str:
    """Return what is stored of 256 random bits: there is nothing to guess, so a plain digest is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@frozen(kw_only=True, slots=False)
class Session:
    """Somebody is logged in on one device. Of its refresh tokens exactly the newest counts; a browser's session has none."""

    id: str
    tenant: str
    user_id: str
    method: str
    ip: str
    agent: str
    opened_at: datetime
    used_at: datetime
    expires_at: datetime
    ends_at: datetime
    family_hash: str = field(repr=False)
    token_hash: str = field(repr=False)
    ended_at: datetime | None = None
    ended_because: str | None = None
    version: int = 0
    facts: tuple[IdentityFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def opened(
        cls, *, token: RefreshToken, user: User, method: str, at: datetime, origin: Origin, rules: SessionRules
    ) -> Session:
        """Somebody proved who they are, by `method`: `otp` or `password`, with `+totp` or `+recovery`."""
        about: dict[str, Any] = {"ip": origin.ip, "agent": origin.agent, "user_id": user.id, "tenant": user.tenant}
        fact = LoggedIn(**about, at=at, session_id=token.session_id, method=method)
        ends_at = at + rules.absolute
        return cls(
            **about,
            id=token.session_id,
            method=method,
            opened_at=at,
            used_at=at,
            expires_at=min(at + rules.refresh, ends_at),
            ends_at=ends_at,
            family_hash=digest(token.family),
            token_hash=digest(token.secret),
            facts=(fact,),
        )

    def live(self, at: datetime) -> bool:
        """Say whether somebody is logged in by it at an instant."""
        return self.ended_at is None and at < self.expires_at

    def knows(self, token: RefreshToken) -> bool:
        """Say whether the token is, or was, one of this session's."""
        return hmac.compare_digest(self.family_hash, digest(token.family))

    def counts(self, token: RefreshToken) -> bool:
        """Say whether it is the newest one."""
        return hmac.compare_digest(self.token_hash, digest(token.secret))

    def rotate(self, token: RefreshToken, *, at: datetime, origin: Origin, rules: SessionRules) -> Session:
        """Let a new token count, and the one before no more."""
        return evolved(
            self,
            {
                "token_hash": digest(token.secret),
                "used_at": at,
                "expires_at": min(at + rules.refresh, self.ends_at),
                "ip": origin.ip,
                "agent": origin.agent,
            },
        )

    def keep_in_browser(self) -> Session:
        """Let no refresh token count from now on: who comes back shows a cookie that stays the same."""
        return evolved(self, {"token_hash": ""})

    def welcomes(self, token: RefreshToken) -> bool:
        """Say whether the cookie is this session's, and the session a browser's.

        Whoever finds a spent refresh token knows the family, and shall not come in by it.
        """
        return self.knows(token) and not self.token_hash

    def visit(self, *, at: datetime, origin: Origin, rules: SessionRules) -> Session:
        """Note that its browser was here, and let it live on; the session itself if that was noted a short while ago."""
        if at < self.used_at + rules.noted:
            return self
        return evolved(
            self,
            {
                "used_at": at,
                "expires_at": min(at + rules.refresh, self.ends_at),
                "ip": origin.ip,
                "agent": origin.agent,
            },
        )

    def reused(self, *, at: datetime, origin: Origin) -> Session:
        """A spent token came back; the session is over for whoever holds any of its tokens."""
        fact = RefreshReused(
            tenant=self.tenant,
            at=at,
            user_id=self.user_id,
            session_id=self.id,
            ip=origin.ip,
            agent=origin.agent,
        )
        return evolved(self, {"facts": (*self.facts, fact)}).end("reused", at=at, origin=origin)

    def end(self, reason: str, *, at: datetime, origin: Origin) -> Session:
        """End it before its time; what is over stays as it is."""
        if self.ended_at is not None:
            return self
        fact = SessionRevoked(
            tenant=self.tenant,
            at=at,
            user_id=self.user_id,
            session_id=self.id,
            reason=reason,
            ip=origin.ip,
            agent=origin.agent,
        )
        return evolved(self, {"ended_at": at, "ended_because": reason, "facts": (*self.facts, fact)})
