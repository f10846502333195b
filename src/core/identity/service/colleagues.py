"""Who works here, changed."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from core.identity.model import RANK, AboveOneself, Account, LastOwner, LoginTaken, Origin, User, canonical_email
from core.identity.ports import Begin, IdentityTransaction, NormalisePhone
from core.identity.service.sessions import Sessions
from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion
from core.kernel.ports import NewId
from core.kernel.time import Clock

_TRIES: Final = 5


@frozen(kw_only=True)
class _Wanted:
    name: str | None
    phone: str | None
    role: str | None
    active: bool | None


@frozen
class Colleagues:
    """The people of all tenants, as their owners and admins enrol and change them.

    Nobody gives a role above their own, nor changes somebody who has one, and a tenant keeps one active owner.
    """

    _begin: Begin
    _sessions: Sessions
    _normalise: NormalisePhone
    _clock: Clock
    _new_id: NewId

    async def enrol(
        self, *, actor: Actor, name: str, role: str, phone: str, origin: Origin, email: str | None = None
    ) -> User:
        """Let somebody work here, who logs in by a code on their phone.

        An address lets them log in by a password as well, once they have logged in and set one. Raise `Invalid`, `AboveOneself`,
        `PhoneTaken`, and `LoginTaken` if the address is given and it or the phone has an account elsewhere.
        """
        actor.must("users.write")
        number, at = self._normalise(phone), self._clock()
        address = None if email is None else canonical_email(email)
        user = User.enrolled(
            id_=self._new_id("user"), tenant=actor.tenant, name=name, role=role, phone=number, at=at, origin=origin
        )
        _reach(actor, user.role)
        async with self._begin(actor) as tx:
            saved = await tx.people.save(user)
            await self._free(tx, saved)
            if address is not None:
                await self._open(tx, saved, address, origin)
        return saved

    async def change(
        self,
        *,
        actor: Actor,
        user_id: str,
        origin: Origin,
        version: int | None = None,
        name: str | None = None,
        phone: str | None = None,
        role: str | None = None,
        active: bool | None = None,
    ) -> User:
        """Change what is given. Whoever leaves, or gets another role or phone, is logged out everywhere.

        Raise `UserNotFound`, `StaleVersion` if the version is given and is another, `Invalid`, `AboveOneself`, `LastOwner`,
        `PhoneTaken`, and `LoginTaken` if somebody elsewhere logs in by the new phone.
        """
        actor.must("users.write")
        number = None if phone is None else self._normalise(phone)
        wanted = _Wanted(name=name, phone=number, role=role, active=active)
        for last in range(_TRIES):
            try:
                async with self._begin(actor) as tx:
                    user = await tx.people.get(actor.tenant, user_id)
                    if version not in (None, user.version):
                        raise StaleVersion("user", user_id, version=version or 0)
                    changed = self._changed(user, wanted, origin)
                    return await self._save(tx, actor, user, changed, origin)
            except StaleVersion as stale:  # a session was refreshed, or an account changed, meanwhile
                if last == _TRIES - 1 or (stale.kind == "user" and version is not None):
                    raise
        raise AssertionError  # the last try returned or raised

    def _changed(self, user: User, wanted: _Wanted, origin: Origin) -> User:
        at = self._clock()
        changed = user if wanted.name is None else user.renamed(wanted.name)
        if wanted.phone is not None:
            changed = changed.reached_by(wanted.phone, at=at, origin=origin)
        if wanted.role is not None:
            changed = changed.given(wanted.role, at=at, origin=origin)
        if wanted.active is not None:
            step = changed.reactivated if wanted.active else changed.deactivated
            changed = step(at=at, origin=origin)
        return changed

    async def _save(self, tx: IdentityTransaction, actor: Actor, user: User, changed: User, origin: Origin) -> User:
        _reach(actor, user.role)
        _reach(actor, changed.role)
        if changed == user:
            return user
        if user.owns and not changed.owns:
            owners = await tx.people.owners(actor.tenant)
            if all(owner.id == user.id for owner in owners):
                raise LastOwner
        saved = await tx.people.save(changed)
        if saved.active and saved.phone is not None and (saved.phone != user.phone or not user.active):
            await self._free(tx, saved)
            account = await tx.accounts.get(saved.tenant, saved.id)
            if account is not None and account.phone != saved.phone:
                await tx.accounts.save(account.reached_by(saved.phone))
        reason = _why_out(user, saved)
        if reason is not None:
            await self._sessions.revoke_all(
                tx, tenant=saved.tenant, user_id=saved.id, reason=reason, keep=None, origin=origin
            )
        return saved

    async def _free(self, tx: IdentityTransaction, user: User) -> None:
        """Take the phone from the account of a colleague who has left, or was reached by it once."""
        account = await tx.accounts.by_login(f"phone:{user.phone}")
        if account is not None and account.tenant == user.tenant and account.id != user.id:
            await tx.accounts.save(account.reached_by(None))

    async def _open(self, tx: IdentityTransaction, user: User, address: str, origin: Origin) -> None:
        account = Account.registered(
            user_id=user.id,
            tenant=user.tenant,
            at=self._clock(),
            origin=origin,
            founded=False,
            email=address,
            phone=user.phone,
        )
        try:
            await tx.accounts.save(account)
        except StaleVersion as taken:
            raise LoginTaken from taken


def _reach(actor: Actor, role: str) -> None:
    if RANK.get(actor.role, 0) < RANK[role]:
        raise AboveOneself(actor.role, role)


def _why_out(before: User, after: User) -> str | None:
    if before.active and not after.active:
        return "left"
    if before.role != after.role:
        return "role_changed"
    return "phone_changed" if before.phone != after.phone else None
