"""What `core.offline` asks of other contexts: their use cases, inside the transaction that a phone's operation has open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, tzinfo
from typing import Any

from attrs import evolve, frozen

from core.customers import CustomerNotFound, Customers, IdentityTaken
from core.customers.service import phone_id
from core.identity.ports import Directory
from core.jobs import Jobs, Place
from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from core.offline.ports import Move
from core.tracking import Point, Tracking


@frozen
class _ClientsInside:
    """Customers as the open transaction sees them: one may have come with the same push."""

    _tx: Any

    async def exists(self, tenant: str, customer_id: str) -> bool:
        try:
            await self._tx.customers.get(tenant, customer_id)
        except CustomerNotFound:
            return False
        return True


@frozen
class VisitsInside:
    """`core.offline` moves jobs as they are moved online."""

    _jobs: Jobs

    async def open(self, tx: Any, *, actor: Actor, job_id: str, values: Mapping[str, Any]) -> None:
        jobs = evolve(self._inside(tx), new_id=lambda _: job_id, clients=_ClientsInside(tx))
        await jobs.open(
            actor=actor,
            customer_id=str(values.get("customer_id") or ""),
            title=str(values.get("title") or ""),
            place=_place(values),
        )

    async def change(self, tx: Any, *, actor: Actor, job_id: str, values: Mapping[str, Any]) -> None:
        jobs = self._inside(tx)
        place = None
        if values.keys() & {"address", "lat", "lng"}:
            actor.must("jobs.write")
            known = (await tx.jobs.get(actor.tenant, job_id)).place
            place = _place({"address": known.address, "lat": known.lat, "lng": known.lng, **values})
        await jobs.change(actor=actor, job_id=job_id, title=values.get("title"), notes=values.get("notes"), place=place)

    async def move(self, tx: Any, *, actor: Actor, job_id: str, move: Move) -> None:
        jobs = self._inside(tx)
        if move.to == "en_camino":
            await jobs.depart(actor=actor, job_id=job_id)
        elif move.to == "working":
            await jobs.arrive(actor=actor, job_id=job_id, at=move.at)
        elif move.to == "completed":
            await jobs.complete(actor=actor, job_id=job_id, lines=move.lines, notes=move.notes)
        elif move.to == "pending":
            await jobs.unschedule(actor=actor, job_id=job_id, reason=move.reason)
        elif move.to == "cancelled":
            await jobs.cancel(actor=actor, job_id=job_id, reason=move.reason or "")
        elif move.to == "scheduled":
            await self._schedule(tx, actor, job_id, move)
        else:
            msg = f"a phone does not make a job {move.to}"
            raise Invalid(msg, field="status")

    async def sign(self, tx: Any, *, actor: Actor, job_id: str, content: bytes, signed_by: str) -> None:
        await self._inside(tx).sign(actor=actor, job_id=job_id, content=content, signed_by=signed_by)

    async def _schedule(self, tx: Any, actor: Actor, job_id: str, move: Move) -> None:
        jobs = self._inside(tx)
        if (await tx.jobs.get(actor.tenant, job_id)).status == "en_camino":
            await jobs.turn_back(actor=actor, job_id=job_id, reason=move.reason)
            return
        if move.technician_id is None or move.starts_at is None or move.ends_at is None:
            msg = "scheduling needs technicianId, startsAt and endsAt"
            raise Invalid(msg, field="technicianId")
        await jobs.schedule(
            actor=actor,
            job_id=job_id,
            technician_id=move.technician_id,
            starts_at=move.starts_at,
            ends_at=move.ends_at,
        )

    def _inside(self, tx: Any) -> Jobs:
        return evolve(self._jobs, begin=lambda _: nullcontext(tx))


@frozen
class ClientsInside:
    """`core.offline` changes customers as they are changed online."""

    _customers: Customers

    async def register(self, tx: Any, *, actor: Actor, customer_id: str, values: Mapping[str, Any]) -> None:
        customers = evolve(self._inside(tx), new_id=lambda _: customer_id)
        known: dict[str, Any] = {name: str(value) for name, value in values.items() if value}
        await self._must_be_free(tx, actor, customer_id, known)
        await customers.register(actor=actor, **{"name": "", **known})

    async def change(self, tx: Any, *, actor: Actor, customer_id: str, values: Mapping[str, Any]) -> None:
        actor.must("customers.write")
        wanted: dict[str, Any] = {name: str(value) for name, value in values.items() if value is not None}
        await self._must_be_free(tx, actor, customer_id, wanted)
        await self._inside(tx).change(actor=actor, customer_id=customer_id, **wanted)

    async def _must_be_free(self, tx: Any, actor: Actor, customer_id: str, wanted: Mapping[str, Any]) -> None:
        """Raise `IdentityTaken` before the database would: a statement that fails ends the whole transaction."""
        if phone := wanted.get("phone"):
            owner = await tx.customers.known_as(actor.tenant, [f"whatsapp:{phone_id(phone)}"])
            if owner is not None and owner.id != customer_id:
                msg = "this phone or WhatsApp user is another customer's"
                raise IdentityTaken(msg)

    def _inside(self, tx: Any) -> Customers:
        return evolve(self._customers, begin=lambda _: nullcontext(tx))


@frozen
class TrackedPositions:
    """`core.offline` hands positions to tracking."""

    _tracking: Tracking

    async def __call__(self, *, actor: Actor, job_id: str, values: Mapping[str, Any], at: datetime) -> None:
        await self._tracking.update(
            actor=actor,
            job_id=job_id,
            point=Point(values["lat"], values["lng"]),
            accuracy=values.get("accuracy"),
            speed=values.get("speed"),
            heading=values.get("heading"),
            recorded_at=at,
        )


@frozen
class KnownPeople:
    """`core.offline` names people in explanations; the directory knows them."""

    _directory: Directory
    _zone_named: Callable[[str], tzinfo]

    async def names(self, tenant: str, user_ids: Sequence[str]) -> Mapping[str, str]:
        wanted = set(user_ids)
        return {each.id: each.name for each in await self._directory.users(tenant) if each.id in wanted}

    async def zone(self, tenant: str) -> tzinfo:
        return self._zone_named((await self._directory.tenant(tenant)).zone)


def _place(values: Mapping[str, Any]) -> Place:
    address = values.get("address")
    return Place(address=str(address) if address else None, lat=values.get("lat"), lng=values.get("lng"))
