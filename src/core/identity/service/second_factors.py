"""The second factor: an authenticator app, and recovery codes for the day it is lost."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from core.identity.model import (
    RECOVERY_CODES,
    Account,
    Origin,
    SecondFactorNeeded,
    SecondFactorState,
    WrongSecondFactor,
    digest,
)
from core.identity.ports import Begin, Digest, IdentityTransaction, NewToken, Totp
from core.identity.service.limits import each, let_pass
from core.kernel.actor import Actor
from core.kernel.ports import RateLimiter, RateRule
from core.kernel.time import Clock

_LONGEST: Final = 32
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH: Final = 12
"""Letters of a recovery code: 59 bits."""


@frozen
class Enrolment:
    """What the authenticator app needs, shown once: the secret to type or the address in a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@frozen
class SecondFactors:
    """The second factors of all people."""

    _begin: Begin
    _totp: Totp
    _limiter: RateLimiter
    _digest: Digest
    _new_token: NewToken
    _clock: Clock
    _older: tuple[Digest, ...] = ()
    """Under what recovery codes may have been kept before; a new one never is."""
    _tries: tuple[RateRule, ...] = (RateRule(name="second-factor", limit=5, seconds=300),)

    async def enrol(self, *, actor: Actor, origin: Origin) -> Enrolment:
        """Begin a second factor, which counts once it is confirmed; begun again, the first one is forgotten."""
        secret = self._totp.secret()
        async with self._begin(actor) as tx:
            account = await self._account(tx, actor)
            saved = await tx.accounts.save(account.enrol_totp(secret, at=self._clock(), origin=origin))
        label = saved.email or saved.phone or saved.id
        return Enrolment(secret, self._totp.uri(secret, account=label))

    async def confirm(self, *, actor: Actor, code: str, origin: Origin) -> tuple[str, ...]:
        """Prove that the app has the secret, and return the recovery codes, which are shown this once.

        Raise `WrongSecondFactor`, or `SecondFactorState` if nothing is to be confirmed.
        """
        await self._enter(actor.tenant, actor.id)
        codes = tuple(self._recovery_code() for _ in range(RECOVERY_CODES))
        async with self._begin(actor) as tx:
            account = await self._account(tx, actor)
            if account.totp_secret is None or account.totp_confirmed:
                msg = "there is no second factor to confirm; enrol one first"
                raise SecondFactorState(msg)
            step = self._step(account, code)
            if step is None:
                raise WrongSecondFactor
            kept = tuple(self._kept(account, each, self._digest) for each in codes)
            await tx.accounts.save(account.confirm_totp(step, recovery=kept, at=self._clock(), origin=origin))
        return codes

    async def remove(self, *, actor: Actor, code: str, origin: Origin) -> None:
        """Ask for the second factor no more; it takes a last code of it. Raise `WrongSecondFactor`."""
        await self._enter(actor.tenant, actor.id)
        async with self._begin(actor) as tx:
            account = await self._account(tx, actor)
            if not account.needs_second_factor:
                msg = "there is no second factor to remove"
                raise SecondFactorState(msg)
            spent, _ = self._spend(account, code, origin)
            await tx.accounts.save(spent.remove_totp(at=self._clock(), origin=origin))

    async def ask(self, account: Account, code: str | None) -> None:
        """Raise `SecondFactorNeeded` if the account has one and no code came, `TooOften` if too many came."""
        if account.needs_second_factor:
            if not code:
                raise SecondFactorNeeded
            await self._enter(account.tenant, account.id)

    def spend(self, account: Account, code: str | None, *, origin: Origin) -> tuple[Account, str]:
        """Return the account after the code was used, and what to add to the name of the method.

        Save it in one transaction with what the code permits, so that it counts once. Raise `WrongSecondFactor`.
        """
        if not account.needs_second_factor:
            return account, ""
        if not code:
            raise SecondFactorNeeded
        return self._spend(account, code, origin)

    def _spend(self, account: Account, code: str, origin: Origin) -> tuple[Account, str]:
        step = self._step(account, code)
        if step is not None:
            spent, means = account.use_step(step), "+totp"
        else:
            spent, means = self._recovered(account, code, origin), "+recovery"
        if spent is None:
            raise WrongSecondFactor
        return spent, means

    def _step(self, account: Account, code: str) -> int | None:
        plain = code.replace(" ", "")
        if account.totp_secret is None or len(plain) != 6 or not (plain.isascii() and plain.isdigit()):  # noqa: PLR2004
            return None
        return self._totp.step(account.totp_secret, plain, at=self._clock())

    def _recovered(self, account: Account, code: str, origin: Origin) -> Account | None:
        at, digests = self._clock(), (self._digest, *self._older)
        tried = (account.use_recovery(self._kept(account, code, each), at=at, origin=origin) for each in digests)
        return next((spent for spent in tried if spent is not None), None)

    def _kept(self, account: Account, code: str, digest: Digest) -> str:
        plain = "".join(letter for letter in code[:_LONGEST].lower() if letter in _LETTERS)
        return digest(f"recovery:{account.tenant}:{account.id}:{plain}")

    def _recovery_code(self) -> str:
        number = int(digest(self._new_token()), 16)
        letters = []
        for _ in range(_LENGTH):
            number, place = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[place])
        return "-".join("".join(letters[start : start + 4]) for start in range(0, _LENGTH, 4))

    async def _enter(self, tenant: str, user_id: str) -> None:
        await let_pass(self._limiter, *each(self._tries, f"{tenant}:{user_id}"))

    async def _account(self, tx: IdentityTransaction, actor: Actor) -> Account:
        account = await tx.accounts.get(actor.tenant, actor.id)
        if account is None:
            msg = "log in with a code or a password first"
            raise SecondFactorState(msg)
        return account
