"""Staying logged in."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from core.identity.model import (
    Claims,
    Origin,
    RefreshToken,
    Session,
    SessionNotFound,
    SessionRules,
    Unauthenticated,
    User,
    UserNotFound,
)
from core.identity.ports import (
    AccessTokens,
    Begin,
    Directory,
    IdentityTransaction,
    KnownLogIn,
    KnownLogIns,
    NewToken,
    SessionReader,
)
from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock

_TRIES: Final = 5
_REMEMBERED: Final = 10_000
"""Sessions that a process remembers at most."""
FORGOTTEN_FOR: Final = timedelta(minutes=5)
"""For how long after its end no process may let all others know a session: what it read is surely newer then."""


@frozen(kw_only=True)
class Tokens:
    """What somebody gets who has logged in: `expires_in` is the life of the access token in seconds."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in: int
    user: User
    session_id: str


@frozen(kw_only=True)
class Visit:
    """Whose browser it is, and which of their sessions."""

    actor: Actor
    session_id: str


@frozen
class Sessions:
    """The sessions of all people.

    An access token is signed and lives for minutes; a refresh token is kept as a digest, counts once, and buys the next pair.
    Which tokens count is decided by one row of the database and nothing else: whatever is lost, nobody is logged in who was
    logged out. What `known` says spares that question for access tokens, and is told of every end, at once and by a reaction.
    """

    _begin: Begin
    _sessions: SessionReader
    _directory: Directory
    _access: AccessTokens
    _new_token: NewToken
    _clock: Clock
    _new_id: NewId
    _rules: SessionRules = SessionRules()
    _known: KnownLogIns | None = None
    _remembered: dict[tuple[str, str], tuple[datetime, User, Session]] = field(factory=dict, repr=False)
    _recalled: dict[tuple[str, str], tuple[datetime, KnownLogIn]] = field(factory=dict, repr=False)

    async def who(self, *, token: str, correlation: str) -> Actor:
        """Return the person behind an access token, with the role they have now; raise `Unauthenticated`.

        A session that was ended elsewhere, or a person who has left, is noticed within the rules' `remembered`.
        """
        claims = self._access.read(token, at=self._clock())
        known = await self._recall(claims)
        if known.user_id != claims.user_id:
            raise Unauthenticated
        return Actor(tenant=claims.tenant, id=known.user_id, role=known.role, correlation=correlation)

    async def session_of(self, *, token: str) -> str:
        """Return the id of the session that an access token belongs to; raise `Unauthenticated`."""
        _, session = await self._claimed(self._access.read(token, at=self._clock()))
        return session.id

    def named(self, *, token: str) -> str:
        """Return the id of the session that an access token of ours names, ended or not; raise `Unauthenticated`."""
        return self._access.read(token, at=self._clock()).session_id

    async def keep_in_browser(self, *, tokens: Tokens, origin: Origin) -> str:
        """Return the cookie that stands for a session just begun; its tokens count no more. Raise `Unauthenticated`.

        Tabs of a browser ask at once, and would spend each other's refresh tokens; so the cookie is one secret that stays, and
        only such a session is entered by it.
        """
        token = RefreshToken.read(tokens.refresh)
        known = await self._sessions.get(token.tenant, token.session_id)
        if known is None:
            raise Unauthenticated
        async with self._begin(_actor(known, origin)) as tx:
            session = await tx.log_ins.get(token.tenant, token.session_id)
            if session is None or not session.live(self._clock()) or not session.counts(token):
                raise Unauthenticated
            await tx.log_ins.save(session.keep_in_browser())
        self._remembered.pop((token.tenant, token.session_id), None)
        return token.cookie

    async def visit(self, *, cookie: str, correlation: str, origin: Origin) -> Visit:
        """Return the person behind a browser's cookie, with the role they have now; raise `Unauthenticated`.

        A session lives on for the rules' `refresh` after a visit, which is noted once in `noted`. One that was ended elsewhere
        is noticed within `remembered`.
        """
        shown = RefreshToken.read_cookie(cookie)
        user, session = await self._behind(shown.tenant, shown.session_id)
        if not session.welcomes(shown):
            raise Unauthenticated
        if session.visit(at=self._clock(), origin=origin, rules=self._rules) is not session:
            await self._note_visit(session, origin)
        actor = Actor(tenant=user.tenant, id=user.id, role=user.role, correlation=correlation)
        return Visit(actor=actor, session_id=session.id)

    async def leave(self, *, cookie: str, origin: Origin) -> None:
        """End the session of a browser; a cookie that is nobody's is let pass."""
        try:
            shown = RefreshToken.read_cookie(cookie)
        except Unauthenticated:
            return
        await self._log_out(shown, origin)

    async def start(self, tx: IdentityTransaction, *, user: User, method: str, origin: Origin) -> Tokens:
        """Log somebody in who has proved who they are, inside the transaction of the proof."""
        at = self._clock()
        token = RefreshToken(user.tenant, self._new_id("session"), self._new_token(), self._new_token())
        session = Session.opened(token=token, user=user, method=method, at=at, origin=origin, rules=self._rules)
        return self._tokens(user, await tx.log_ins.save(session), token)

    async def refresh(self, *, token: str, origin: Origin) -> Tokens:
        """Return the next pair of tokens for a refresh token, which counts no more; raise `Unauthenticated`.

        A token that was spent before ends its session: two have it, and we cannot tell who of them stole it. Of several who
        use one token at once, one is first; the session ends for all of them.
        """
        shown = RefreshToken.read(token)
        for _ in range(_TRIES):
            try:
                tokens = await self._refresh(shown, origin)
            except StaleVersion:  # somebody was faster: what the token is worth now, another look tells
                continue
            if tokens is None:
                break
            return tokens
        raise Unauthenticated

    async def log_out(self, *, token: str, origin: Origin) -> None:
        """End the session that a refresh token belongs to; a token that is nobody's is let pass."""
        try:
            shown = RefreshToken.read(token)
        except Unauthenticated:
            return
        await self._log_out(shown, origin)

    async def list(self, *, actor: Actor, user_id: str | None = None) -> Sequence[Session]:
        """Return the live sessions of the actor or, for who may, of a colleague; the one used last first."""
        wanted = user_id or actor.id
        if wanted != actor.id:
            actor.must("sessions.read")
        at = self._clock()
        return [each for each in await self._sessions.of(actor.tenant, wanted) if each.live(at)]

    async def revoke(self, *, actor: Actor, session_id: str, origin: Origin) -> None:
        """End a session of the actor or, for who may, of a colleague; raise `SessionNotFound`."""
        session = await self._sessions.get(actor.tenant, session_id)
        if session is None or (session.user_id != actor.id and not actor.may("sessions.revoke")):
            raise SessionNotFound(session_id)
        await self._end(actor, session.user_id, session_id, reason="revoked", origin=origin)

    async def revoke_all(
        self, tx: IdentityTransaction, *, tenant: str, user_id: str, reason: str, keep: str | None, origin: Origin
    ) -> None:
        """End every session of a person but one, inside a transaction."""
        at = self._clock()
        for session in await tx.log_ins.of(tenant, user_id):
            if session.id != keep:
                await tx.log_ins.save(session.end(reason, at=at, origin=origin))
                await self._forget(tenant, session.id)

    async def _log_out(self, shown: RefreshToken, origin: Origin) -> None:
        session = await self._sessions.get(shown.tenant, shown.session_id)
        if session is not None and session.knows(shown):
            actor = _actor(session, origin)
            await self._end(actor, session.user_id, session.id, reason="logged_out", origin=origin)

    async def _note_visit(self, session: Session, origin: Origin) -> None:
        try:
            async with self._begin(_actor(session, origin)) as tx:
                current = await tx.log_ins.get(session.tenant, session.id)
                if current is None or not current.live(self._clock()):
                    raise Unauthenticated
                visited = current.visit(at=self._clock(), origin=origin, rules=self._rules)
                if visited is not current:
                    await tx.log_ins.save(visited)
        except StaleVersion:  # another tab was faster
            pass
        finally:
            self._remembered.pop((session.tenant, session.id), None)

    async def _refresh(self, shown: RefreshToken, origin: Origin) -> Tokens | None:
        at = self._clock()
        known = await self._sessions.get(shown.tenant, shown.session_id)
        if known is None or not known.knows(shown):
            return None
        try:
            user = await self._directory.user(known.tenant, known.user_id)
        except UserNotFound:
            user = None
        async with self._begin(_actor(known, origin)) as tx:
            session = await tx.log_ins.get(shown.tenant, shown.session_id)
            if session is None or not session.live(at):
                return None
            if not session.counts(shown):
                await tx.log_ins.save(session.reused(at=at, origin=origin))
                tokens = None
            elif user is None or not user.active:
                await tx.log_ins.save(session.end("left", at=at, origin=origin))
                tokens = None
            else:
                fresh = RefreshToken(shown.tenant, shown.session_id, shown.family, self._new_token())
                rotated = session.rotate(fresh, at=at, origin=origin, rules=self._rules)
                tokens = self._tokens(user, await tx.log_ins.save(rotated), fresh)
        if tokens is None:
            await self._forget(shown.tenant, shown.session_id)
        return tokens

    async def _end(self, actor: Actor, user_id: str, session_id: str, *, reason: str, origin: Origin) -> None:
        for last in range(_TRIES):
            try:
                async with self._begin(actor) as tx:
                    session = await tx.log_ins.get(actor.tenant, session_id)
                    if session is not None and session.ended_at is None and session.user_id == user_id:
                        await tx.log_ins.save(session.end(reason, at=self._clock(), origin=origin))
            except StaleVersion:  # it was refreshed meanwhile, and has to end all the same
                if last == _TRIES - 1:
                    raise
            else:
                break
        await self._forget(actor.tenant, session_id)

    async def _recall(self, claims: Claims) -> KnownLogIn:
        """Return the log-in that an access token belongs to, which counts; raise `Unauthenticated`."""
        at, key = self._clock(), (claims.tenant, claims.session_id)
        if self._known is None:
            user, session = await self._behind(*key)
            return KnownLogIn(user_id=user.id, role=user.role, until=session.expires_at)
        until, known = self._recalled.get(key, (at, None))
        if known is not None and at < min(until, known.until):
            return known
        try:
            known = await self._known.get(*key)
        except Unavailable:
            known = None
        if known is None or known.until <= at:
            self._remembered.pop(key, None)
            user, session = await self._behind(*key)
            known = KnownLogIn(user_id=user.id, role=user.role, until=session.expires_at)
            with contextlib.suppress(Unavailable):
                await self._known.remember(*key, known, life=self._rules.access)
        if len(self._recalled) >= _REMEMBERED:
            self._recalled.clear()
        self._recalled[key] = (at + self._rules.remembered, known)
        return known

    async def _forget(self, tenant: str, session_id: str) -> None:
        self._remembered.pop((tenant, session_id), None)
        self._recalled.pop((tenant, session_id), None)
        if self._known is not None:
            with contextlib.suppress(Unavailable):  # the reaction to its end sees to it
                await self._known.forget(tenant, session_id, life=FORGOTTEN_FOR)

    async def _claimed(self, claims: Claims) -> tuple[User, Session]:
        user, session = await self._behind(claims.tenant, claims.session_id)
        if user.id != claims.user_id:
            raise Unauthenticated
        return user, session

    async def _behind(self, tenant: str, session_id: str) -> tuple[User, Session]:
        """Return the session, which is live, and its active person; raise `Unauthenticated`."""
        at, key = self._clock(), (tenant, session_id)
        until, user, session = self._remembered.get(key, (at, None, None))
        if user is None or session is None or at >= until:
            session = await self._sessions.get(*key)
            if session is None:
                raise Unauthenticated
            try:
                user = await self._directory.user(session.tenant, session.user_id)
            except UserNotFound:
                raise Unauthenticated from None
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (at + self._rules.remembered, user, session)
        if not session.live(at) or not user.active:
            raise Unauthenticated
        return user, session

    def _tokens(self, user: User, session: Session, refresh: RefreshToken) -> Tokens:
        at = self._clock()
        claims = Claims(
            tenant=user.tenant,
            user_id=user.id,
            session_id=session.id,
            issued_at=at,
            expires_at=at + self._rules.access,
        )
        self._remembered.pop((user.tenant, session.id), None)
        return Tokens(
            access=self._access.issue(claims),
            refresh=str(refresh),
            expires_in=int(self._rules.access.total_seconds()),
            user=user,
            session_id=session.id,
        )


def _actor(session: Session, origin: Origin) -> Actor:
    return Actor(tenant=session.tenant, id=session.user_id, role="service", correlation=origin.correlation)
