"""Log-in by a one-time code on the phone."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any, Final

from attrs import field, frozen

from core.identity.events import OUTSIDE, CodeSent, CodeWithheld, IdentityFact, Refused
from core.identity.model import (
    Account,
    LoginTaken,
    Origin,
    OtpRules,
    Tenant,
    TooOften,
    User,
    UserNotFound,
    WrongCode,
    WrongSecondFactor,
)
from core.identity.ports import (
    AccountReader,
    Begin,
    CodeChannel,
    CodeDoubtful,
    CodeRefused,
    Delivered,
    Digest,
    Directory,
    IdentityTransaction,
    NewCode,
    NormalisePhone,
    OtpStore,
)
from core.identity.service.limits import each, let_pass
from core.identity.service.second_factors import SecondFactors
from core.identity.service.sessions import Sessions, Tokens
from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion, Unavailable
from core.kernel.ports import NewId, RateLimiter
from core.kernel.time import Clock

_NOBODY: Final = "nobody"


@frozen(kw_only=True)
class Phones:
    """What one-time codes need to reach phones: WhatsApp first, SMS where that fails."""

    normalise: NormalisePhone
    whatsapp: CodeChannel
    sms: CodeChannel
    delivered: Delivered


@frozen(kw_only=True)
class NewlyMade:
    """A code that counts and is not sent yet; for `Otp.send` and for nobody else."""

    phone: str
    tenant: str | None
    code: str = field(repr=False)


@frozen(kw_only=True)
class Sent:
    """A code is on its way. Whoever has `digest` can ask whether it still waits; it tells nothing of the code."""

    phone: str
    tenant: str | None
    channel: str
    reference: str
    digest: str = field(repr=False)


@frozen
class Otp:
    """One-time codes for the phones of all tenants.

    A phone that nobody knows gets a code like any other, and founds a tenant of its own if it proves to be somebody's: so no
    answer tells whether a phone is known.
    """

    _begin: Begin
    _accounts: AccountReader
    _directory: Directory
    _codes: OtpStore
    _limiter: RateLimiter
    _phones: Phones
    _factors: SecondFactors
    _sessions: Sessions
    _digest: Digest
    _new_code: NewCode
    _clock: Clock
    _new_id: NewId
    rules: OtpRules = OtpRules()

    async def request(self, *, phone: str, origin: Origin) -> NewlyMade | None:
        """Make a new code, which cancels the one before. Answer whoever asked, and then `send` it: sending takes its time.

        None if nothing is to be sent and nobody shall know: the tenant has had its share. Raise `Invalid` for what is no phone, and
        `TooOften` when this phone or address asks too often or the phone is in a cool-down.
        """
        number = self._phones.normalise(phone)
        by_ip = each(self.rules.per_ip, origin.ip) if origin.ip else []
        await let_pass(self._limiter, *each(self.rules.per_phone, number), *by_ip)
        tenant = await self._tenant_of(number)
        try:
            await let_pass(self._limiter, *each(self.rules.per_tenant, tenant or OUTSIDE))
        except TooOften:
            await self._withheld(number, tenant, "tenant_limit", origin)
            return None
        code = self._new_code(self.rules.digits)
        wait = await self._put(number, code)
        if wait is not None:
            raise TooOften(wait.total_seconds())
        return NewlyMade(phone=number, tenant=tenant, code=code)

    async def send(self, *, made: NewlyMade, origin: Origin) -> Sent | None:
        """Send the code; what is returned is for `fall_back`. None if no channel took it."""
        return await self._send(made.phone, made.tenant, made.code, origin, first="whatsapp")

    async def fall_back(self, *, sent: Sent, origin: Origin) -> Sent | None:
        """Send a code by SMS if the one on WhatsApp has not arrived; call it when the rules' `in_time` is over.

        The code is a new one, since nobody has kept the old one, which counts no more. None if there is nothing to do: it has
        arrived, was used, was replaced or is over.
        """
        if sent.channel != "whatsapp" or await self._phones.delivered(sent.tenant or "", sent.reference):
            return None
        if not await self._codes.waits(sent.phone, digest=sent.digest, at=self._clock()):
            return None
        code = self._new_code(self.rules.digits)
        if await self._put(sent.phone, code) is not None:
            return None
        return await self._send(sent.phone, sent.tenant, code, origin, first="sms")

    async def verify(
        self, *, phone: str, code: str, origin: Origin, totp: str | None = None, tenant: str | None = None
    ) -> Tokens:
        """Log in whoever has the code; a phone that nobody knows founds a tenant. `tenant` chooses, where several know it.

        Raise `WrongCode`, `TooOften` within a cool-down, and `SecondFactorNeeded` or `WrongSecondFactor` for whom that applies.
        """
        number, at = self._phones.normalise(phone), self._clock()
        attempt = await self._codes.attempt(number, at=at)
        given = self._code_digest(number, code)
        right = hmac.compare_digest(attempt.digest or "-" * len(given), given)
        if attempt.wait is not None:
            raise TooOften(attempt.wait.total_seconds())
        if attempt.digest is None or not right:
            await self._refused(number, "wrong_code" if attempt.digest else "no_code", origin)
            raise WrongCode
        account = await self._accounts.by_login(f"phone:{number}")
        if account is not None:
            await self._factors.ask(
                account, totp
            )  # while the code still counts, so that it need not be asked for again
        if not await self._codes.take(number, digest=given, at=at):
            await self._refused(number, "used", origin)
            raise WrongCode
        try:
            return await self._let_in(number, totp, tenant, origin)
        except (StaleVersion, LoginTaken):  # another log-in of the same person was faster
            return await self._let_in(number, totp, tenant, origin)
        except WrongSecondFactor:
            await self._refused(number, "second_factor", origin, account=account)
            raise

    async def _let_in(self, number: str, totp: str | None, tenant: str | None, origin: Origin) -> Tokens:
        known = await self._accounts.by_login(f"phone:{number}")
        user = await self._person(number, known, tenant)
        if user is not None and not user.active:
            await self._refused(number, "inactive", origin, account=known)
            raise WrongCode
        founded = None
        if user is None:
            if not self.rules.newcomers:
                await self._refused(number, "unknown", origin)
                raise WrongCode
            founded = Tenant(id=self._new_id("tenant"), name=number, phone=number)
            user = User(id=self._new_id("user"), tenant=founded.id, name=number, role="owner", phone=number)
        async with self._begin(_acting(user, origin)) as tx:
            if founded is not None:
                await tx.accounts.found(founded, user)
            means = await self._prove(tx, user, number, totp, origin, founded=founded is not None)
            return await self._sessions.start(tx, user=user, method=f"otp{means}", origin=origin)

    async def _prove(
        self, tx: IdentityTransaction, user: User, number: str, totp: str | None, origin: Origin, *, founded: bool
    ) -> str:
        account = await tx.accounts.get(user.tenant, user.id)
        if account is None:
            at = self._clock()
            new = Account.registered(
                user_id=user.id, tenant=user.tenant, at=at, origin=origin, founded=founded, phone=number
            )
            await tx.accounts.save(new)
            return ""
        spent, means = self._factors.spend(account, totp, origin=origin)
        if spent is not account:
            await tx.accounts.save(spent)
        return means

    async def _person(self, number: str, account: Account | None, tenant: str | None) -> User | None:
        if account is not None:
            try:
                return await self._directory.user(account.tenant, account.id)
            except UserNotFound:
                return None
        people = await self._accounts.enrolled(number)
        chosen = [user for user in people if tenant in (None, user.tenant)]
        return chosen[0] if chosen else None

    async def _tenant_of(self, number: str) -> str | None:
        account = await self._accounts.by_login(f"phone:{number}")
        people = await self._accounts.enrolled(number)
        if account is not None:
            return account.tenant
        return people[0].tenant if people else None

    async def _put(self, number: str, code: str) -> timedelta | None:
        return await self._codes.put(number, digest=self._code_digest(number, code), at=self._clock())

    async def _send(self, number: str, tenant: str | None, code: str, origin: Origin, *, first: str) -> Sent | None:
        ways = {"whatsapp": self._phones.whatsapp, "sms": self._phones.sms}
        for name in ("whatsapp", "sms") if first == "whatsapp" else ("sms",):
            try:
                reference = await ways[name].send(tenant=tenant, phone=number, code=code)
            except CodeDoubtful:  # it may be on its way: whether it arrived is asked later
                reference = ""
            except (CodeRefused, Unavailable):
                continue
            sent = Sent(
                phone=number,
                tenant=tenant,
                channel=name,
                reference=reference,
                digest=self._code_digest(number, code),
            )
            await self._note(
                tenant,
                origin,
                CodeSent(
                    **_about(tenant, None, origin), at=self._clock(), phone=number, channel=name, reference=reference
                ),
            )
            return sent
        await self._withheld(number, tenant, "no_channel", origin)
        return None

    async def _withheld(self, number: str, tenant: str | None, reason: str, origin: Origin) -> None:
        fact = CodeWithheld(**_about(tenant, None, origin), at=self._clock(), phone=number, reason=reason)
        await self._note(tenant, origin, fact)

    async def _refused(self, number: str, reason: str, origin: Origin, *, account: Account | None = None) -> None:
        tenant, user_id = (account.tenant, account.id) if account else (None, None)
        fact = Refused(**_about(tenant, user_id, origin), at=self._clock(), method="otp", reason=reason, subject=number)
        await self._note(tenant, origin, fact)

    async def _note(self, tenant: str | None, origin: Origin, fact: IdentityFact) -> None:
        actor = Actor(tenant=tenant or OUTSIDE, id=_NOBODY, role="service", correlation=origin.correlation)
        async with self._begin(actor) as tx:
            await tx.facts.add(fact)

    def _code_digest(self, number: str, code: str) -> str:
        plain = code.strip()
        sound = len(plain) == self.rules.digits and plain.isascii() and plain.isdigit()
        return self._digest(f"otp:{number}:{plain if sound else ''}")


def _about(tenant: str | None, user_id: str | None, origin: Origin) -> dict[str, Any]:
    return {"tenant": tenant or OUTSIDE, "user_id": user_id, "ip": origin.ip, "agent": origin.agent}


def _acting(user: User, origin: Origin) -> Actor:
    return Actor(tenant=user.tenant, id=user.id, role="service", correlation=origin.correlation)
