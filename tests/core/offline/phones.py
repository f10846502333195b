"""What tests of phones start from: a business on memory adapters, and one way to ask for everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from attrs import define, field

from adapters.bridge.offline import ClientsInside, KnownPeople, TrackedPositions, VisitsInside
from core.jobs import Job
from core.kernel.actor import Actor
from core.offline import Offline, Operation, Outcome, Pulled, Record, Taken
from tests.core.office import CARLOS, MARTA, Office

__all__ = ["CARLOS", "MARTA", "Phones"]


@define
class Phones:
    """Offline sync over an office."""

    office: Office
    offline: Offline = field(init=False)
    _numbers: int = 0

    def __attrs_post_init__(self) -> None:
        office = self.office
        self.offline = Offline(
            office.store.begin,
            office.store.feed,
            VisitsInside(office.jobs),
            ClientsInside(office.customers),
            TrackedPositions(office.tracking),
            KnownPeople(office.store.directory, ZoneInfo),
            office.clock,
        )

    async def pull(self, actor: Actor = CARLOS, **more: Any) -> Pulled:
        return await self.offline.pull(actor=actor, since=more.pop("since", None), **more)

    async def records(self, actor: Actor = CARLOS) -> dict[tuple[str, str], Record]:
        return {(each.table, each.id): each for each in (await self.pull(actor, whole=True)).updated}

    async def push(
        self, table: str, record: str, fields: Mapping[str, Any], *, actor: Actor = CARLOS, **more: Any
    ) -> Outcome:
        """Push one operation of a phone that knows everything, unless `base_version` says otherwise, and return its outcome."""
        more.setdefault("base_version", 99)
        self._numbers += 1
        operation = Operation(id=f"op-{self._numbers}", table=table, record=record, fields=fields, **more)
        ((outcome, _),) = await self.offline.push(actor=actor, operations=[operation])
        return outcome

    async def push_records(self, *, actor: Actor = CARLOS, since: Any = None, **tables: Any) -> Taken:
        """Push records as WatermelonDB does, on top of what was pulled just before unless `since` says otherwise."""
        cursor = since or (await self.pull(actor)).cursor
        return await self.offline.push_records(actor=actor, since=cursor, changes=tables)

    async def job(self, status: str = "scheduled", **wanted: Any) -> Job:
        return await self.office.a_job(status=status, **wanted)

    async def now(self, job: Job) -> Job:
        return await self.office.jobs.show(actor=MARTA, job_id=job.id)
