"""What identity needs from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, TypeAlias

from attrs import frozen

from core.identity.model import Account, Attempt, Claims, KeptCredential, ServiceToken, Session, Tenant, User
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Unavailable
from core.kernel.events import Envelope
from core.kernel.ports import Facts


class Directory(Protocol):
    """Tenants and their people."""

    async def tenant(self, tenant: str) -> Tenant:
        """Return the tenant; raise `NotFound`."""
        ...

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants by name."""
        ...

    async def user(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound` if this tenant has none by that id."""
        ...

    async def users(self, tenant: str, *, role: str | None = None) -> Sequence[User]:
        """Return the tenant's people by name."""
        ...

    async def bearer(self, token_hash: str) -> User | None:
        """Return who has this token, of whichever tenant, or None."""
        ...

    async def enrol(self, tenant: Tenant, users: Sequence[User]) -> None:
        """Store the tenant and these people; what exists by the same id is replaced."""
        ...


class PeopleRepository(Protocol):
    """People inside a transaction."""

    async def get(self, tenant: str, user_id: str) -> User:
        """Return the user; raise `UserNotFound` if this tenant has none by that id."""
        ...

    async def owners(self, tenant: str) -> Sequence[User]:
        """Return the tenant's active owners, who stay what they are until this transaction ends.

        Of two transactions that ask at once, the second waits for the first, or raises `StaleVersion` at its end.
        """
        ...

    async def save(self, user: User) -> User:
        """Store the user and its facts and return it as the next version.

        Raise `StaleVersion`, and `PhoneTaken` if both are active and a colleague has the phone.
        """
        ...


class CredentialStore(Protocol):
    """Credentials for services outside, inside a transaction; what is kept of them is sealed."""

    async def put(self, tenant: str, purpose: str, values: Mapping[str, str], *, label: str, at: datetime) -> None:
        """Store the credential in place of what was there."""
        ...

    async def remove(self, tenant: str, purpose: str) -> str | None:
        """Remove the credential and return its label, or None if there is none."""
        ...


class CredentialReader(Protocol):
    """Which credentials there are, as it was last committed."""

    async def kept(self, tenant: str) -> Sequence[KeptCredential]:
        """Return the tenant's, by purpose; nothing is unsealed for that."""
        ...


class AccountRepository(Protocol):
    """Accounts inside a transaction. Whoever logs in says no tenant, so a log-in name is looked for in all of them."""

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None if they have no way to log in."""
        ...

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name (`email:...`, `phone:...`) leads to, of whichever tenant, or None."""
        ...

    async def save(self, account: Account) -> Account:
        """Store the account, its log-in names and its facts and return it as the next version; names that it had are free.

        Raise `StaleVersion` if the stored version is another, `LoginTaken` if a name leads to another account.
        """
        ...

    async def found(self, tenant: Tenant, user: User) -> None:
        """Store a new tenant and its first person; they commit or vanish with the transaction."""
        ...


class AccountReader(Protocol):
    """Accounts as they were last committed."""

    async def get(self, tenant: str, user_id: str) -> Account | None:
        """Return the person's account, or None if they have no way to log in."""
        ...

    async def by_login(self, login: str) -> Account | None:
        """Return the account that a log-in name leads to, of whichever tenant, or None."""
        ...

    async def enrolled(self, phone: str) -> Sequence[User]:
        """Return the people of all tenants who are enrolled with this phone and active, by tenant and id."""
        ...


class SessionRepository(Protocol):
    """Sessions inside a transaction."""

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        ...

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended, the one used last first."""
        ...

    async def save(self, session: Session) -> Session:
        """Store the session and its facts and return it as the next version; raise `StaleVersion`."""
        ...


@frozen(kw_only=True)
class KnownLogIn:
    """Who is logged in by a session, with which role, and until when it counts if nobody ends it."""

    user_id: str
    role: str
    until: datetime


class KnownLogIns(Protocol):
    """Sessions that count, shared by all processes so that none has to ask the database each time; may raise `Unavailable`.

    It may forget at any time, which costs a question to the database.
    """

    async def get(self, tenant: str, session_id: str) -> KnownLogIn | None:
        """Return the log-in, or None where the database has to be asked."""
        ...

    async def remember(self, tenant: str, session_id: str, known: KnownLogIn, *, life: timedelta) -> None:
        """Know it for as long as `life`, unless it is known, or was to be forgotten a short while ago."""
        ...

    async def forget(self, tenant: str, session_id: str, *, life: timedelta) -> None:
        """Let nobody know it for as long as `life`, however old what somebody wants to remember then."""
        ...


class SessionReader(Protocol):
    """Sessions as they were last committed."""

    async def get(self, tenant: str, session_id: str) -> Session | None:
        """Return the session, or None."""
        ...

    async def of(self, tenant: str, user_id: str) -> Sequence[Session]:
        """Return the person's sessions that nobody has ended, the one used last first."""
        ...


class ServiceTokenRepository(Protocol):
    """Tokens of machines inside a transaction."""

    async def get(self, tenant: str, token_id: str) -> ServiceToken:
        """Return the token; raise `ServiceTokenNotFound`."""
        ...

    async def save(self, token: ServiceToken) -> ServiceToken:
        """Store the token and its facts and return it as the next version; raise `StaleVersion`."""
        ...


class ServiceTokenReader(Protocol):
    """Tokens of machines as they were last committed."""

    async def by_hash(self, token_hash: str) -> ServiceToken | None:
        """Return the token that has this digest, of whichever tenant, or None."""
        ...

    async def of(self, tenant: str) -> Sequence[ServiceToken]:
        """Return the tenant's tokens, the newest first."""
        ...


class IdentityTransaction(Protocol):
    """A transaction over people, accounts, sessions, machines and credentials."""

    @property
    def people(self) -> PeopleRepository: ...

    @property
    def credentials(self) -> CredentialStore: ...

    @property
    def accounts(self) -> AccountRepository: ...

    @property
    def log_ins(self) -> SessionRepository: ...

    @property
    def service_tokens(self) -> ServiceTokenRepository: ...

    @property
    def facts(self) -> Facts: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[IdentityTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class AuditLog(Protocol):
    """The facts about people and their ways in, as they were stored; nobody changes or removes one."""

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Envelope], str | None]:
        """Return up to `limit` facts, the newest first, and the cursor of the next page, or None after the last."""
        ...


class OtpStore(Protocol):
    """One-time codes by phone, each operation one step for everybody. May forget everything at any time.

    What is kept is `core.identity.model.Guesses`; the store was made with the rules.
    """

    async def put(self, key: str, *, digest: str, at: datetime) -> timedelta | None:
        """Let this code count and the one before no more; within a cool-down do nothing and return what is left of it."""
        ...

    async def attempt(self, key: str, *, at: datetime) -> Attempt:
        """Count a guess and hand out the digest to compare with: for no code more often than the rules say, however many ask."""
        ...

    async def take(self, key: str, *, digest: str, at: datetime) -> bool:
        """Remove the code with this digest, its guesses and its cool-downs; True for one caller only, and not after its life."""
        ...

    async def waits(self, key: str, *, digest: str, at: datetime) -> bool:
        """Say whether the code with this digest still counts, unused."""
        ...


class CodeRefused(CuadrillaError):
    """The channel will never take this message, or not to this phone."""

    code: ClassVar[str] = "code_refused"


class CodeDoubtful(Unavailable):
    """Nobody knows whether the channel took the message."""

    code: ClassVar[str] = "code_doubtful"


class CodeChannel(Protocol):
    """A way for codes to phones: WhatsApp with the template `otp_login`, or SMS. What it sends is written down nowhere."""

    async def send(self, *, tenant: str | None, phone: str, code: str) -> str:
        """Hand the code to the provider, from the tenant's own number or (None) the house's, and return its name for the message.

        Raise `CodeRefused`, `Unavailable` if it was not taken, `CodeDoubtful` if nobody knows.
        """
        ...


Delivered: TypeAlias = Callable[[str, str], Awaitable[bool]]
"""Say whether the message of this tenant (or the house, an empty text) that the provider calls so has reached the phone."""


@frozen
class Verdict:
    """Whether a password is right, and whether its hash is to be made anew."""

    right: bool
    outdated: bool = False


class PasswordHasher(Protocol):
    """Slow digests of passwords, made off the event loop. Raises `Unavailable` while too many are asked for at once."""

    async def hash(self, password: str) -> str:
        """Return what is kept of a password; another text each time."""
        ...

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Compare; with None, for nobody, work as long as for somebody and say no. What is no hash at all is never right."""
        ...


class AccessTokens(Protocol):
    """Signs and reads access tokens; never waits for anything."""

    def issue(self, claims: Claims) -> str:
        """Return the token that says so."""
        ...

    def read(self, token: str, *, at: datetime) -> Claims:
        """Return what a token of ours says that counts at the instant; raise `Unauthenticated` for anything else, and only that."""
        ...


class Totp(Protocol):
    """Time-based one-time passwords (RFC 6238) of authenticator apps; never waits for anything."""

    def secret(self) -> str:
        """Return a new secret, in the letters that people type."""
        ...

    def uri(self, secret: str, *, account: str) -> str:
        """Return what the QR code for an authenticator app says."""
        ...

    def step(self, secret: str, code: str, *, at: datetime) -> int | None:
        """Return the time step whose code it is, the present one or a neighbour, or None."""
        ...


NormalisePhone: TypeAlias = Callable[[str], str]
"""Return what somebody wrote as E.164; raise `Invalid` unless it is a phone that can be written to."""

NewCode: TypeAlias = Callable[[int], str]
"""Return so many random digits, from the operating system's source."""

NewToken: TypeAlias = Callable[[], str]
"""Return 256 random bits as text without dots."""

Digest: TypeAlias = Callable[[str], str]
"""Return a digest under a key that is not in the database: what is kept of things short enough to be guessed."""
