"""Log-in by address and password."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from core.identity.events import OUTSIDE, Refused
from core.identity.model import (
    Account,
    LoginTaken,
    Origin,
    PasswordRules,
    SecondFactorState,
    Tenant,
    Unauthenticated,
    User,
    UserNotFound,
    WrongCredentials,
    WrongSecondFactor,
    canonical_email,
)
from core.identity.ports import AccountReader, Begin, Directory, PasswordHasher
from core.identity.service.limits import each, let_pass
from core.identity.service.second_factors import SecondFactors
from core.identity.service.sessions import Sessions, Tokens
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, StaleVersion
from core.kernel.ports import NewId, RateLimiter, RateRule
from core.kernel.time import Clock

_NOBODY: Final = "nobody"
_NAME: Final = 120


@frozen
class LogInLimits:
    """How often a password may be tried: for one address (from anywhere), and from one IP (for any address)."""

    per_email: tuple[RateRule, ...] = (
        RateRule(name="password-quarter", limit=10, seconds=900),
        RateRule(name="password-day", limit=50, seconds=86_400),
    )
    per_ip: tuple[RateRule, ...] = (RateRule(name="password-ip", limit=100, seconds=900),)
    registrations: tuple[RateRule, ...] = (RateRule(name="register-ip", limit=10, seconds=3600),)


@frozen
class Passwords:
    """The passwords of all people."""

    _begin: Begin
    _accounts: AccountReader
    _directory: Directory
    _hasher: PasswordHasher
    _limiter: RateLimiter
    _factors: SecondFactors
    _sessions: Sessions
    _clock: Clock
    _new_id: NewId
    _rules: PasswordRules = PasswordRules()
    _limits: LogInLimits = LogInLimits()

    async def register(self, *, email: str, password: str, name: str, business: str, origin: Origin) -> Tokens:
        """Found a tenant with its owner, who is logged in.

        Raise `Invalid`, `LoginTaken` if the address has an account, `TooOften`.
        """
        address, called = canonical_email(email), name.strip()
        if not 0 < len(called) <= _NAME or len(business.strip()) > _NAME:
            msg = f"a name has one to {_NAME} characters"
            raise Invalid(msg, field="name")
        chosen = self._rules.accept(password, about=(address, called, business))
        await let_pass(self._limiter, *each(self._limits.registrations, origin.ip))
        hashed, at = await self._hasher.hash(chosen), self._clock()
        tenant = Tenant(id=self._new_id("tenant"), name=business.strip() or called)
        user = User(id=self._new_id("user"), tenant=tenant.id, name=called, role="owner")
        account = Account.registered(
            user_id=user.id,
            tenant=tenant.id,
            at=at,
            origin=origin,
            founded=True,
            email=address,
            password_hash=hashed,
        )
        async with self._begin(_acting(user.tenant, user.id, origin)) as tx:
            await tx.accounts.found(tenant, user)
            try:
                await tx.accounts.save(account)
            except StaleVersion as taken:
                raise LoginTaken from taken
            return await self._sessions.start(tx, user=user, method="password", origin=origin)

    async def log_in(self, *, email: str, password: str, origin: Origin, totp: str | None = None) -> Tokens:
        """Log in who knows the password, and re-hash it if it was hashed in an older way.

        Raise `WrongCredentials` in the same words and after the same work whoever is or is not known, `SecondFactorNeeded` and
        `WrongSecondFactor` only after the right password, and `TooOften`.
        """
        address = canonical_email(email)
        by_ip = each(self._limits.per_ip, origin.ip) if origin.ip else []
        await let_pass(self._limiter, *each(self._limits.per_email, address), *by_ip)
        given = self._rules.read(password)
        account = await self._accounts.by_login(f"email:{address}")
        verdict = await self._hasher.verify(account.password_hash if account else None, given or "")
        user = await self._person(account)
        if account is None or given is None or not verdict.right or user is None or not user.active:
            reason = "inactive" if verdict.right and user is not None and not user.active else "wrong_password"
            await self._refused(address, reason, account, origin)
            raise WrongCredentials
        await self._factors.ask(account, totp)
        fresh = await self._hasher.hash(given) if verdict.outdated else None
        try:
            return await self._let_in(account, user, fresh, totp, origin)
        except (WrongSecondFactor, StaleVersion) as wrong:
            await self._refused(address, "second_factor", account, origin)
            if isinstance(
                wrong, StaleVersion
            ):  # somebody used the same code, or changed the password, this very moment
                raise Unauthenticated from wrong
            raise

    async def set_password(
        self, *, actor: Actor, new: str, origin: Origin, old: str | None = None, session_id: str | None = None
    ) -> None:
        """Choose another password; whoever has one says it. All sessions end but the one named.

        Raise `WrongCredentials`, `Invalid`, `TooOften`, and `SecondFactorState` for who has no account.
        """
        await let_pass(self._limiter, *each(self._limits.per_email, f"{actor.tenant}:{actor.id}"))
        account = await self._accounts.get(actor.tenant, actor.id)
        if account is None:
            msg = "log in with a code first"
            raise SecondFactorState(msg)
        if account.password_hash is not None:
            given = self._rules.read(old or "")
            verdict = await self._hasher.verify(account.password_hash, given or "")
            if given is None or not verdict.right:
                await self._refused(account.email or "", "wrong_password", account, origin)
                raise WrongCredentials
        chosen = self._rules.accept(new, about=(account.email or "", account.phone or ""))
        hashed = await self._hasher.hash(chosen)
        async with self._begin(actor) as tx:
            await tx.accounts.save(account.set_password(hashed, at=self._clock(), origin=origin))
            await self._sessions.revoke_all(
                tx, tenant=actor.tenant, user_id=actor.id, reason="password_changed", keep=session_id, origin=origin
            )

    async def give_email(self, *, user: User, email: str, password: str, origin: Origin) -> Account:
        """Give a colleague, whom the directory has already, an address and a password; for set-up by an operator.

        Raise `Invalid`, `LoginTaken`.
        """
        address = canonical_email(email)
        hashed = await self._hasher.hash(self._rules.accept(password, about=(address, user.name)))
        account = Account.registered(
            user_id=user.id,
            tenant=user.tenant,
            at=self._clock(),
            origin=origin,
            founded=False,
            email=address,
            password_hash=hashed,
        )
        async with self._begin(_acting(user.tenant, user.id, origin)) as tx:
            try:
                return await tx.accounts.save(account)
            except StaleVersion as taken:
                raise LoginTaken from taken

    async def _let_in(
        self, account: Account, user: User, fresh: str | None, totp: str | None, origin: Origin
    ) -> Tokens:
        spent, means = self._factors.spend(account, totp, origin=origin)
        changed = spent if fresh is None else spent.rehashed(fresh)
        async with self._begin(_acting(user.tenant, user.id, origin)) as tx:
            current = await tx.accounts.get(account.tenant, account.id)
            if current is None or current.version != account.version:  # the password may be another by now
                raise StaleVersion("account", account.id, version=account.version)
            if changed is not account:
                await tx.accounts.save(changed)
            return await self._sessions.start(tx, user=user, method=f"password{means}", origin=origin)

    async def _person(self, account: Account | None) -> User | None:
        try:
            return await self._directory.user(*((account.tenant, account.id) if account else (OUTSIDE, _NOBODY)))
        except UserNotFound:
            return None

    async def _refused(self, address: str, reason: str, account: Account | None, origin: Origin) -> None:
        tenant, user_id = (account.tenant, account.id) if account else (OUTSIDE, None)
        fact = Refused(
            tenant=tenant,
            at=self._clock(),
            user_id=user_id,
            method="password",
            reason=reason,
            subject=address,
            ip=origin.ip,
            agent=origin.agent,
        )
        async with self._begin(_acting(tenant, user_id or _NOBODY, origin)) as tx:
            await tx.facts.add(fact)


def _acting(tenant: str, user_id: str, origin: Origin) -> Actor:
    return Actor(tenant=tenant, id=user_id, role="service", correlation=origin.correlation)
