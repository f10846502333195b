"""Tenants, as an operator of the system begins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from core.identity.model import LONGEST_NAME, Account, Origin, PasswordRules, Tenant, User, canonical_email
from core.identity.ports import Begin, Directory, NormalisePhone, PasswordHasher
from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from core.kernel.ports import NewId
from core.kernel.time import Clock

OPERATOR: Final = "operator"
"""The actor of what is done at the command line; belongs to no tenant."""


@frozen
class Tenants:
    """All tenants. Whoever calls this has the database's keys: there is no actor to ask for permissions."""

    _begin: Begin
    _directory: Directory
    _hasher: PasswordHasher
    _normalise: NormalisePhone
    _clock: Clock
    _new_id: NewId
    _rules: PasswordRules = PasswordRules()

    async def create(
        self,
        *,
        name: str,
        owner_name: str,
        owner_phone: str,
        origin: Origin,
        zone: str = "America/Argentina/Buenos_Aires",
        email: str | None = None,
        password: str | None = None,
    ) -> tuple[Tenant, User]:
        """Begin a tenant with its owner, who logs in by a code on the phone, or with the address and password if they are given.

        Raise `Invalid`, and `LoginTaken` if the phone or the address has an account already.
        """
        called, at = name.strip(), self._clock()
        if not 0 < len(called) <= LONGEST_NAME:
            msg = f"a name has one to {LONGEST_NAME} characters"
            raise Invalid(msg, field="name")
        phone = self._normalise(owner_phone)
        tenant = Tenant(id=self._new_id("tenant"), name=called, phone=phone, zone=zone)
        owner = User.enrolled(
            id_=self._new_id("user"), tenant=tenant.id, name=owner_name, role="owner", phone=phone, at=at, origin=origin
        )
        address = hashed = None
        if email is not None:
            address = canonical_email(email)
            hashed = await self._hasher.hash(
                self._rules.accept(password or "", about=(address, owner.name, tenant.name))
            )
        account = Account.registered(
            user_id=owner.id,
            tenant=tenant.id,
            at=at,
            origin=origin,
            founded=True,
            phone=phone,
            email=address,
            password_hash=hashed,
        )
        actor = Actor(tenant=tenant.id, id=OPERATOR, role="service", correlation=origin.correlation)
        async with self._begin(actor) as tx:
            await tx.accounts.found(tenant, owner)
            await tx.facts.add(*owner.facts)
            await tx.accounts.save(account)
        return tenant, await self._directory.user(tenant.id, owner.id)

    async def list(self) -> Sequence[Tenant]:
        """Return all tenants by name."""
        return await self._directory.tenants()
