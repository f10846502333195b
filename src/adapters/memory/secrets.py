"""Credentials and access tickets in memory, in the clear: they are gone with the process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, field

from adapters.memory.pauses import Steps
from core.identity import KeptCredential
from core.kernel.time import Clock


@define
class MemorySecrets:
    """Small maps of text by tenant and purpose, and `core.identity.ports.CredentialReader`; transactions write them."""

    _steps: Steps
    _kept: dict[tuple[str, str], tuple[str, Mapping[str, str], datetime]] = field(factory=dict, repr=False)

    async def get(self, tenant: str, purpose: str) -> Mapping[str, str] | None:
        """Return the credentials, or None."""

        def found() -> dict[str, str] | None:
            kept = self._kept.get((tenant, purpose))
            return None if kept is None else dict(kept[1])

        return await self._steps("secrets.get", found)

    async def all(self, purpose_prefix: str) -> Sequence[tuple[str, str, Mapping[str, str]]]:
        """Return (tenant, purpose, values) of every tenant's credentials for purposes that begin so."""

        def found() -> list[tuple[str, str, Mapping[str, str]]]:
            return [
                (tenant, purpose, dict(values))
                for (tenant, purpose), (_, values, _) in sorted(self._kept.items())
                if purpose.startswith(purpose_prefix)
            ]

        return await self._steps("secrets.all", found)

    async def kept(self, tenant: str) -> Sequence[KeptCredential]:
        """Return which credentials the tenant has, by purpose; they are under no key."""

        def found() -> list[KeptCredential]:
            return [
                KeptCredential(tenant=owner, purpose=purpose, label=label, key_id="", updated_at=at)
                for (owner, purpose), (label, _, at) in sorted(self._kept.items())
                if owner == tenant
            ]

        return await self._steps("secrets.kept", found)

    def kept_at(self, place: tuple[str, str]) -> tuple[str, Mapping[str, str], datetime] | None:
        """Return label, values and instant, for a transaction."""
        return self._kept.get(place)

    def apply(self, changes: Mapping[tuple[str, str], tuple[str, Mapping[str, str], datetime] | None]) -> None:
        """Make a transaction's changes everybody's; None removes."""
        for place, kept in changes.items():
            if kept is None:
                self._kept.pop(place, None)
            else:
                self._kept[place] = kept


@define
class MemoryTickets:
    """Texts under keys, and the right to renew one."""

    _steps: Steps
    _clock: Clock
    _texts: dict[str, str] = field(factory=dict, repr=False)
    _leases: dict[str, tuple[object, datetime]] = field(factory=dict)

    async def load(self, key: str) -> str | None:
        """Return the text kept under the key, or None."""
        return await self._steps("tickets.load", lambda: self._texts.get(key))

    async def save(self, key: str, text: str) -> None:
        """Keep the text under the key."""
        await self._steps("tickets.save", lambda: self._texts.update({key: text}))

    @contextlib.asynccontextmanager
    async def renewing(self, key: str, *, seconds: float) -> AsyncIterator[bool]:
        """Hold the right to renew, for at most so long: True for one holder at a time."""
        owner = object()

        def take() -> bool:
            now = self._clock()
            held = self._leases.get(key)
            if held is not None and now < held[1]:
                return False
            self._leases[key] = (owner, now + timedelta(seconds=seconds))
            return True

        ours = await self._steps("tickets.renewing", take)
        try:
            yield ours
        finally:
            if self._leases.get(key, (None, None))[0] is owner:
                del self._leases[key]
