"""The real WatermelonDB, in Node, synchronises with the running server over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

from adapters.sql import upgrade
from entrypoints.http.app import http_app
from entrypoints.serving import serving
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = ROOT / "tests" / "watermelon" / "client.js"
ANSWERS_WITHIN: Final = 60.0
LINE: Final = {"description": "Carga de gas", "quantity": "2", "unit_price": "10000", "vat_rate": "21", "place": 0}


@frozen
class Phone:
    """WatermelonDB in a process of its own."""

    _process: Process

    async def __call__(self, do: str, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWERS_WITHIN)
        answer = json.loads(line)
        assert "failed" not in answer, answer["failed"]
        return answer["ok"]

    async def sync(self, **order: Any) -> dict[str, Any]:
        """Synchronise, once more if the server said 409, and return the last answers and what was refused."""
        found: dict[str, Any] = await self("sync", **order)
        return found


@frozen
class Field:
    """A server that listens, and phones that know where."""

    web: Web
    url: str
    modules: Path

    @contextlib.asynccontextmanager
    async def phone(self, who: str = "carlos") -> AsyncIterator[Phone]:
        process = await asyncio.create_subprocess_exec(
            shutil.which("node") or "node",
            CLIENT,
            self.url,
            await self.web.token(who),
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 24,
            env={**os.environ, "NODE_PATH": str(self.modules)},
        )
        try:
            yield Phone(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def job(self, **wanted: Any) -> dict[str, Any]:
        return await self.web.scheduled(await self.web.a_job(**wanted))

    async def shown(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await self.web.get(f"/api/v1/jobs/{job['id']}")).json()
        return found

    async def kinds(self, job: dict[str, Any]) -> list[str]:
        timeline = (await self.web.get(f"/api/v1/jobs/{job['id']}/timeline")).json()
        return [each["kind"] for each in timeline["items"]]

    async def agrees(self, phone: Phone) -> None:
        """Hold the phone's tables against what the server gives a new phone."""
        await phone.sync()
        await phone.sync()  # what followed from what it has just sent, as a total
        async with self.phone() as fresh:
            await fresh.sync()
            for table in ("jobs", "customers", "line_items", "photos"):
                theirs, ours = await phone("show", table=table), await fresh("show", table=table)
                assert theirs == ours, table


@pytest.fixture(scope="session")
def modules() -> Path:
    """Give the folder with the real WatermelonDB; `make servers` has put it there, or it is done now."""
    fetched = subprocess.run(
        ["sh", ROOT / "tools" / "fetch_watermelon.sh"], capture_output=True, text=True, check=False, timeout=300
    )
    assert fetched.returncode == 0, f"WatermelonDB cannot be had: {fetched.stderr}"
    return ROOT / "var" / "watermelon" / "node_modules"


@pytest.fixture
async def field(tmp_path: Path, modules: Path) -> AsyncIterator[Field]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    upgrade(url)
    async with (
        serving_web(tmp_path, CUADRILLA_DATABASE_URL=url) as web,
        serving(http_app(web.app)) as address,
    ):
        yield Field(web, address, modules)


pytestmark = pytest.mark.xdist_group("watermelon")


async def test_a_day_of_work_without_a_connection_arrives_whole(field: Field) -> None:
    job = await field.job(title="Aire", request="no enfría")
    async with field.phone() as phone:
        await phone.sync()
        (mine,) = (await phone("show", table="jobs")).values()
        assert (mine["id"], mine["status"], mine["address"], mine["_status"]) == (
            job["id"],
            "scheduled",
            "Mitre 450",
            "synced",
        )
        await phone("create", table="line_items", id="li-gas", values={**LINE, "job_id": job["id"]})
        await phone("create", table="photos", id="ph-1", values={"job_id": job["id"], "taken_at": 1795093920000})
        await phone("create", table="positions", id="po-1", values={"job_id": job["id"], "lat": -34.6, "lng": -58.4})
        await phone("update", table="jobs", id=job["id"], values={"status": "completed", "report": "capacitor"})
        synced = await phone.sync()
        assert (synced["refused"], synced["pushed"]["experimentalRejectedIds"]) == (None, {})
        shown = await field.shown(job)
        assert (shown["status"], shown["notes"], shown["totals"]["total"]) == ("completed", "capacitor", "24200.00")
        assert (await field.kinds(job))[-3:] == ["job.en_camino", "job.working", "job.completed"]
        again = await phone.sync()
        assert [each["id"] for each in again["pulled"]["changes"]["line_items"]["updated"]] == ["li-gas"]
        assert (await phone("show", table="jobs"))[job["id"]]["total"] == "24200.00"
        await field.agrees(phone)


async def test_two_people_s_changes_of_different_columns_both_stand(field: Field) -> None:
    job = await field.job(title="Aire")
    token = await field.web.token("marta")
    patch = {"method": "PATCH", "path": f"/api/v1/jobs/{job['id']}", "body": {"title": "Heladera"}, "token": token}
    async with field.phone() as phone:
        await phone.sync()
        await phone("update", table="jobs", id=job["id"], values={"report": "capacitor"})
        synced = await phone.sync(meanwhile=patch)
        assert (synced["refused"]["status"], synced["refused"]["code"]) == (409, "sync.conflict")
        (conflict,) = synced["refused"]["conflicts"]
        differing = {each["field"]: (each["yours"], each["theirs"]) for each in conflict["decisions"]}
        assert differing == {"title": ("Aire", "Heladera"), "report": ("capacitor", "")}
        assert "Marta puso «Heladera»" in conflict["explanation"]
        assert synced["pushed"]["conflicts"] == []
        mine = (await phone("show", table="jobs"))[job["id"]]
        assert (mine["title"], mine["report"], mine["_status"]) == ("Heladera", "capacitor", "synced")
        await field.agrees(phone)


async def test_a_status_that_may_not_be_is_corrected_on_the_phone_and_blocks_nothing(field: Field) -> None:
    job, other = await field.job(title="Aire"), await field.job(title="Luz")
    async with field.phone() as phone:
        await phone.sync()
        await phone("update", table="jobs", id=job["id"], values={"status": "working"})
        await phone("update", table="jobs", id=other["id"], values={"status": "en_camino", "title": "no me toca"})
        assert (await field.web.move(job, to="cancelled", reason="lluvia")).status_code == 200
        synced = await phone.sync()
        explained = {each["record"]: each["explanation"] for each in synced["pushed"]["conflicts"]}
        assert "Marta puso «cancelado»" in explained[job["id"]]
        assert "Quedó lo de Marta: «cancelado»" in explained[job["id"]]
        assert "tu rol no puede cambiar este dato" in explained[other["id"]]
        assert (await field.shown(other))["status"] == "en_camino"
        assert "offline.conflict" in await field.kinds(job)
        await phone.sync()
        jobs = await phone("show", table="jobs")
        assert (jobs[job["id"]]["status"], jobs[other["id"]]["title"]) == ("cancelled", "Luz")
        await field.agrees(phone)


async def test_a_job_that_went_to_somebody_else_leaves_the_phone_with_all_that_belongs_to_it(field: Field) -> None:
    job = await field.job()
    async with field.phone() as phone, field.phone("lucia") as other:
        await phone.sync()
        await phone("create", table="line_items", id="li-gas", values={**LINE, "job_id": job["id"]})
        await phone.sync()
        await phone("update", table="jobs", id=job["id"], values={"report": "tarde"})
        moved = await field.web.move(job, to="pending")
        assert moved.status_code == 200, moved.text
        await field.web.scheduled(job, "lucia")
        synced = await phone.sync()
        assert synced["refused"] is None
        for table in ("jobs", "customers", "line_items"):
            assert await phone("show", table=table) == {}
        await other.sync()
        assert list(await other("show", table="jobs")) == [job["id"]]
        assert list(await other("show", table="line_items")) == ["li-gas"]


async def test_a_push_whose_answer_was_lost_happens_once(field: Field) -> None:
    job = await field.job()
    async with field.phone() as phone:
        await phone.sync()
        await phone("create", table="line_items", id="li-gas", values={**LINE, "job_id": job["id"]})
        await phone("update", table="jobs", id=job["id"], values={"status": "en_camino"})
        assert (await phone.sync(loseTheAnswer=True))["refused"]["message"] == "the answer was lost"
        synced = await phone.sync()
        assert synced["refused"] is None
        assert (await field.kinds(job)).count("job.en_camino") == 1
        assert (await phone("show", table="jobs"))[job["id"]]["_status"] == "synced"
        await field.agrees(phone)


async def test_what_a_phone_may_not_make_vanishes_and_what_it_deleted_stays_deleted(field: Field) -> None:
    job = await field.job()
    async with field.phone() as phone:
        await phone.sync()
        await phone("create", table="jobs", id="job-of-mine", values={"title": "inventado", "status": "scheduled"})
        await phone("create", table="line_items", id="li-gas", values={**LINE, "job_id": job["id"], "vat_rate": "33"})
        await phone.sync()
        await phone("remove", table="line_items", id="li-gas")
        await phone.sync()
        await phone.sync()
        assert list(await phone("show", table="jobs")) == [job["id"]]
        assert await phone("show", table="line_items") == {}
        await field.agrees(phone)


async def test_a_phone_of_another_server_starts_again_and_keeps_what_it_has_not_sent(field: Field) -> None:
    job = await field.job()
    async with field.phone() as phone:
        await phone.sync()
        await phone("create", table="line_items", id="li-gas", values={**LINE, "job_id": job["id"]})
        answer = await field.web.get("/api/v1/sync/watermelon?last_pulled_at=281474976710656000", "carlos")
        assert answer.json()["experimentalStrategy"] == "replacement"
        assert [each["id"] for each in answer.json()["changes"]["jobs"]["updated"]] == [job["id"]]
        await field.agrees(phone)
