"""Accounts, sessions, service tokens and the audit log in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attrs import define, field, frozen

from adapters.memory.directory import MemoryDirectory
from adapters.memory.outbox import OutboxRows
from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged
from adapters.memory.secrets import MemorySecrets
from core.identity import (
    Account,
    LoginTaken,
    ServiceToken,
    ServiceTokenNotFound,
    Session,
    Tenant,
    User,
    UserNotFound,
)
from core.identity.events import IdentityFact
from core.kernel.errors import Invalid, StaleVersion
from core.kernel.events import Envelope, Fact
from core.kernel.states import evolved

_ALL = ""
"""The tenant of what leads to all of them."""


@frozen(kw_only=True, slots=False)
class Login:
    """A log-in name (`id`) and whose it is; nobody's once it was given back."""

    id: str
    owner: tuple[str, str] | None
    tenant: str = _ALL
    version: int = 0
    facts: tuple[Fact, ...] = ()


@define
class IdentityRows:
    """What is committed."""

    directory: MemoryDirectory
    secrets: MemorySecrets
    accounts: Rows[Account] = field(factory=lambda: Rows("account", {}))
    logins: Rows[Login] = field(
        factory=lambda: Rows("log-in name", {"owner": Index(lambda login: (login.owner,) if login.owner else ())})
    )
    log_ins: Rows[Session] = field(factory=lambda: Rows("session", {"user": Index(lambda session: (session.user_id,))}))
    service_tokens: Rows[ServiceToken] = field(factory=lambda: Rows("service token", {}))


@define
class StagedIdentity:
    """What one transaction sees and changes of it."""

    rows: IdentityRows
    _remember: Callable[[Sequence[Fact]], None]
    people: Staged[User] = field(init=False)
    accounts: Staged[Account] = field(init=False)
    logins: Staged[Login] = field(init=False)
    log_ins: Staged[Session] = field(init=False)
    service_tokens: Staged[ServiceToken] = field(init=False)
    founded: list[tuple[Tenant, User]] = field(factory=list, init=False)
    held: list[User] = field(factory=list, init=False)
    """Who must not have changed when this transaction commits."""
    credentials: dict[tuple[str, str], tuple[str, Mapping[str, str], datetime] | None] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.people = Staged(self.rows.directory.people, self._remember)
        self.accounts = Staged(self.rows.accounts, self._remember)
        self.logins = Staged(self.rows.logins, self._remember)
        self.log_ins = Staged(self.rows.log_ins, self._remember)
        self.service_tokens = Staged(self.rows.service_tokens, self._remember)

    def check(self) -> None:
        """Raise if somebody else committed in between what this transaction may not overwrite."""
        self.people.check()
        for user in self.held:
            committed = self.rows.directory.people.get((user.tenant, user.id))
            if committed is None or committed.version != user.version:
                raise StaleVersion("user", user.id, version=user.version)
        self.accounts.check()
        try:
            self.logins.check()
        except StaleVersion as taken:
            raise LoginTaken from taken
        self.log_ins.check()
        self.service_tokens.check()

    def apply(self) -> None:
        """Make everything everybody's."""
        for tenant, user in self.founded:
            self.rows.directory.put(tenant, [user])
        for part in (self.people, self.accounts, self.logins, self.log_ins, self.service_tokens):
            part.apply()
        self.rows.secrets.apply(self.credentials)

    def credential(self, tenant: str, purpose: str) -> tuple[str, Mapping[str, str], datetime] | None:
        """Return a credential as this transaction sees it."""
        place = (tenant, purpose)
        return self.credentials[place] if place in self.credentials else self.rows.secrets.kept_at(place)


@frozen
class MemoryPeople:
    """`core.identity.ports.PeopleRepository`."""

    _staged: StagedIdentity
    _steps: Steps

    async def get(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound`."""

        def found() -> User:
            user = self._staged.people.get(tenant, user_id)
            if user is None:
                raise UserNotFound(user_id)
            return user

        return await self._steps("people.get", found)

    async def owners(self, tenant: str) -> Sequence[User]:
        """Return the active owners, and see at the commit that they are what they were."""

        def found() -> list[User]:
            committed = self._staged.rows.directory.people
            self._staged.held.extend(user for user in committed.of(tenant) if user.owns)
            return [user for user in self._staged.people.of(tenant) if user.owns]

        return await self._steps("people.owners", found)

    async def save(self, user: User) -> User:
        """Store the user and its facts; raise `StaleVersion` or `PhoneTaken`."""
        return await self._steps("people.save", lambda: self._staged.people.save(user))


@frozen
class MemoryCredentials:
    """`core.identity.ports.CredentialStore`."""

    _staged: StagedIdentity
    _steps: Steps

    async def put(self, tenant: str, purpose: str, values: Mapping[str, str], *, label: str, at: datetime) -> None:
        """Store the credential in place of what was there."""
        kept = (label, dict(values), at)
        await self._steps("credentials.put", lambda: self._staged.credentials.update({(tenant, purpose): kept}))

    async def remove(self, tenant: str, purpose: str) -> str | None:
        """Remove the credential and return its label, or None."""

        def remove() -> str | None:
            known = self._staged.credential(tenant, purpose)
            self._staged.credentials[tenant, purpose] = None
            return None if known is None else known[0]

        return await self._steps("credentials.remove", remove)


@frozen
class MemoryAccounts:
    """`core.identity.ports.AccountRepository`."""

    _staged: StagedIdentity
    _steps: Steps

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None."""
        return await self._steps("accounts.get", lambda: self._staged.accounts.get(tenant, user_id))

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name leads to, or None."""

        def found() -> Account | None:
            known = self._staged.logins.get(_ALL, login)
            return None if known is None or known.owner is None else self._staged.accounts.get(*known.owner)

        return await self._steps("accounts.by_login", found)

    async def save(self, account: Account) -> Account:
        """Store the account and its names; raise `StaleVersion` or `LoginTaken`."""

        def save() -> Account:
            owner = (account.tenant, account.id)
            for login in account.logins:
                known = self._staged.logins.get(_ALL, login) or Login(id=login, owner=None)
                if known.owner is None:
                    self._staged.logins.save(evolved(known, {"owner": owner}))
                elif known.owner != owner:
                    raise LoginTaken
            for known in self._staged.logins.having("owner", _ALL, owner):
                if known.id not in account.logins:
                    self._staged.logins.save(evolved(known, {"owner": None}))
            return self._staged.accounts.save(account)

        return await self._steps("accounts.save", save)

    async def found(self, tenant: Tenant, user: User) -> None:
        """Store a new tenant and its first person."""
        await self._steps("accounts.found", lambda: self._staged.founded.append((tenant, user)))


@frozen
class MemoryAccountReader:
    """`core.identity.ports.AccountReader`."""

    _rows: IdentityRows
    _steps: Steps

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None."""
        return await self._steps("accounts.get", lambda: self._rows.accounts.get((tenant, user_id)))

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name leads to, or None."""

        def found() -> Account | None:
            known = self._rows.logins.get((_ALL, login))
            return None if known is None or known.owner is None else self._rows.accounts.get(known.owner)

        return await self._steps("accounts.by_login", found)

    async def enrolled(self, phone: str) -> Sequence[User]:
        """Return the active people with this phone, by tenant and id."""
        return await self._steps(
            "accounts.enrolled",
            lambda: sorted(
                (user for user in self._rows.directory.everybody() if user.phone == phone and user.active),
                key=lambda user: (user.tenant, user.id),
            ),
        )


@frozen
class MemoryLogIns:
    """`core.identity.ports.SessionRepository`."""

    _staged: StagedIdentity
    _steps: Steps

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        return await self._steps("log_ins.get", lambda: self._staged.log_ins.get(tenant, session_id))

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended."""
        return await self._steps("log_ins.of", lambda: _open(self._staged.log_ins.having("user", tenant, user_id)))

    async def save(self, session: Session) -> Session:
        """Store the session and its facts; raise `StaleVersion`."""
        return await self._steps("log_ins.save", lambda: self._staged.log_ins.save(session))


@frozen
class MemoryLogInReader:
    """`core.identity.ports.SessionReader`."""

    _rows: IdentityRows
    _steps: Steps

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        return await self._steps("log_ins.get", lambda: self._rows.log_ins.get((tenant, session_id)))

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended."""
        return await self._steps("log_ins.of", lambda: _open(self._rows.log_ins.having("user", tenant, user_id)))


@frozen
class MemoryServiceTokens:
    """`core.identity.ports.ServiceTokenRepository`."""

    _staged: StagedIdentity
    _steps: Steps

    async def get(self, tenant: str, token_id: str) -> ServiceToken:
        """Return the token; raise `ServiceTokenNotFound`."""

        def found() -> ServiceToken:
            token = self._staged.service_tokens.get(tenant, token_id)
            if token is None:
                raise ServiceTokenNotFound(token_id)
            return token

        return await self._steps("service_tokens.get", found)

    async def save(self, token: ServiceToken) -> ServiceToken:
        """Store the token and its facts; raise `StaleVersion`."""
        return await self._steps("service_tokens.save", lambda: self._staged.service_tokens.save(token))


@frozen
class MemoryServiceTokenReader:
    """`core.identity.ports.ServiceTokenReader`."""

    _rows: IdentityRows
    _steps: Steps

    async def by_hash(self, token_hash: str) -> ServiceToken | None:
        """Return the token with this digest, or None."""

        def found() -> ServiceToken | None:
            return next((each for each in self._rows.service_tokens.all() if each.token_hash == token_hash), None)

        return await self._steps("service_tokens.by_hash", found)

    async def of(self, tenant: str) -> Sequence[ServiceToken]:
        """Return the tenant's tokens, the newest first."""
        return await self._steps(
            "service_tokens.of",
            lambda: sorted(
                self._rows.service_tokens.of(tenant), key=lambda token: (token.made_at, token.id), reverse=True
            ),
        )


@frozen
class MemoryAuditLog:
    """`core.identity.ports.AuditLog`, over the outbox."""

    _outbox: OutboxRows
    _steps: Steps

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Envelope], str | None]:
        """Return a page of the tenant's facts of identity, the newest first."""

        def page() -> tuple[list[Envelope], str | None]:
            before = None if cursor is None else place(cursor)
            found = [
                (number, envelope)
                for number, envelope in enumerate(self._outbox.facts.values(), start=1)
                if envelope.tenant_id == tenant and isinstance(envelope.fact, IdentityFact)
            ]
            found = [each for each in reversed(found) if before is None or each[0] < before]
            following = str(found[limit - 1][0]) if len(found) > limit else None
            return [envelope for _, envelope in found[:limit]], following

        return await self._steps("audit.page", page)


def place(cursor: str) -> int:
    """Return where a page begins; raise `Invalid` for a cursor that is not one of ours."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):  # noqa: PLR2004 - fits 64 bits
        msg = "the cursor is not one that we gave out"
        raise Invalid(msg, field="cursor")
    return int(cursor)


def _open(sessions: Sequence[Session]) -> list[Session]:
    found = [session for session in sessions if session.ended_at is None]
    return sorted(found, key=lambda session: (session.used_at, session.id), reverse=True)
