"""The loops of a worker: they go on whatever happens, and end when they are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.identity import Tenant, User
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, Unavailable
from core.messaging.events import DeliveryReported
from core.notifications import Wanted
from core.reactions import Reactor
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build, migrate
from entrypoints.worker import closing_windows, relaying, tidying, working
from entrypoints.worker.loops import LocalQueue, again_and_again, every, react
from tests.contracts.samples import NOW, a_customer, a_job, a_message

PATIENCE = 90.0
ACTOR = Actor(tenant="demo", id="user_marta", role="dispatcher", correlation="corr_1")
REPORTED = DeliveryReported(tenant="demo", at=NOW, provider_id="wamid.1", status="read")


@contextlib.asynccontextmanager
async def app_for(folder: Path, **environ: str) -> AsyncIterator[App]:
    given = {f"CUADRILLA_{name}": value for name, value in environ.items()}
    given = {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(folder), "CUADRILLA_DATABASE_URL": "memory:"} | given
    async with build(read_settings(given, directory=folder)).running() as app:
        yield app


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def reported(app: App) -> str:
    """Store a fact and return its id."""
    async with app.store.begin(ACTOR) as tx:
        await tx.facts.add(REPORTED)
    async with app.store.outbox.unsent(limit=1) as envelopes:
        return envelopes[0].id


def reactor(app: App, handler: Callable[[Actor, DeliveryReported], Awaitable[None]]) -> Reactor:
    return Reactor(app.store.outbox, {"delivery.reported": {"tell": handler}})


async def test_what_is_published_is_reacted_to_by_several_at_once(tmp_path: Path) -> None:
    async with app_for(tmp_path) as app:
        running: list[str] = []
        go = asyncio.Event()

        async def handler(actor: Actor, _: DeliveryReported) -> None:
            running.append(actor.id)
            await go.wait()
            running.append("done")

        facts = [await reported(app) for _ in range(3)]
        queue = LocalQueue(reactor(app, handler), tasks=2)
        working_on = asyncio.create_task(queue.work())
        await queue.publish([(fact_id, "tell") for fact_id in facts])
        await until(lambda: len(running) == 2)
        await asyncio.sleep(0.05)
        assert running == ["tell", "tell"]
        go.set()
        await until(lambda: running.count("done") == 3)
        working_on.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working_on


@pytest.mark.parametrize(
    ("failure", "logged"),
    [
        (None, []),
        (Unavailable("no answer"), [("warning", "not_applied", "again")]),
        (Invalid("never"), [("warning", "not_applied", "failed")]),
        (ZeroDivisionError(), [("error", "defect", None)]),
    ],
)
async def test_what_goes_wrong_with_a_reaction_is_logged_and_no_more(
    failure: Exception | None, logged: list[tuple[str, str, str | None]], tmp_path: Path
) -> None:
    async def handler(_: Actor, __: DeliveryReported) -> None:
        if failure is not None:
            raise failure

    async with app_for(tmp_path) as app:
        fact_id = await reported(app)
        with capture_logs() as logs:
            await react(reactor(app, handler), fact_id, "tell")
    assert [(each["log_level"], each["event"], each.get("outcome")) for each in logs] == logged
    assert all((each["fact_id"], each["reaction"]) == (fact_id, "tell") for each in logs)


async def test_a_database_that_does_not_answer_is_logged_too(tmp_path: Path) -> None:
    async with app_for(tmp_path, DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/x.db") as app:
        with capture_logs() as logs:
            await react(app.reactor, "fact_1", "tell")
    assert [(each["event"], each["reason"]) for each in logs] == [("unavailable", "the database lacks a migration")]


async def test_a_loop_goes_on_at_once_while_there_is_something_to_do_and_waits_when_there_is_not() -> None:
    course: list[str] = []
    left = [2, 1, 0]
    over = asyncio.Event()

    async def step() -> int:
        course.append("step")
        return left.pop(0) if left else 0

    async def wait() -> None:
        course.append("wait")
        if not left and course.count("wait") == 2:
            over.set()
            await asyncio.Event().wait()

    loop = asyncio.create_task(again_and_again("x", step, wait=wait))
    async with asyncio.timeout(PATIENCE):
        await over.wait()
    assert course == ["step", "step", "step", "wait", "step", "wait"]
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_a_loop_survives_what_does_not_answer_and_what_is_broken() -> None:
    failures: list[Exception] = [Unavailable("no answer"), ZeroDivisionError()]
    survived = asyncio.Event()

    async def step() -> int:
        if failures:
            raise failures.pop(0)
        survived.set()
        return 0

    with capture_logs() as logs:
        loop = asyncio.create_task(again_and_again("x", step, wait=every(0.01)))
        async with asyncio.timeout(PATIENCE):
            await survived.wait()
        await asyncio.sleep(0.03)
        loop.cancel()
        await asyncio.wait([loop])
    assert [(each["event"], each["log_level"], each["loop"]) for each in logs] == [
        ("unavailable", "warning", "x"),
        ("defect", "error", "x"),
    ]


async def test_the_relay_publishes_what_is_stored_and_ends_with_its_block(tmp_path: Path) -> None:
    published: list[tuple[str, str]] = []

    async def publish(messages: object) -> None:
        assert isinstance(messages, list | tuple)
        published.extend(messages)

    async with app_for(tmp_path) as app:
        async with relaying(app, publish):
            async with app.store.begin(ACTOR) as tx:
                await tx.facts.add(REPORTED)
            await until(lambda: bool(published))
        assert {reaction for _, reaction in published} == {"notifications.record"}
        async with app.store.begin(ACTOR) as tx:
            await tx.facts.add(REPORTED)
        await asyncio.sleep(0.05)
        async with app.store.outbox.unsent(limit=5) as left:
            assert len(left) == 1


async def test_windows_close_beside_a_web_process_that_has_no_redis(tmp_path: Path) -> None:
    async with app_for(tmp_path) as app, closing_windows(app):
        for number, words in enumerate(["Hola", "necesito un técnico para el aire en Mitre 450."]):
            await app.messaging.receive([a_message(number, tenant="demo", at=app.clock(), text=words)])
        async with asyncio.timeout(PATIENCE):
            kinds: set[str] = set()
            while "messages.aggregated" not in kinds:
                async with app.store.outbox.unsent(limit=50) as envelopes:
                    kinds |= {each.event_type for each in envelopes}
                await asyncio.sleep(0.05)


async def test_messages_that_no_window_remembers_are_gathered_on_schedule(tmp_path: Path) -> None:
    async with app_for(tmp_path) as app:
        await app.store.inbox.receive([a_message(1, tenant="demo", at=NOW.replace(year=2020))])
        async with tidying(app), asyncio.timeout(PATIENCE):
            found: list[str] = []
            while not found:
                async with app.store.outbox.unsent(limit=50) as envelopes:
                    found = [each.event_type for each in envelopes]
                await asyncio.sleep(0.01)
    assert found == ["messages.aggregated"]


@pytest.mark.parametrize("database", ["memory:", "sqlite+aiosqlite:///{}/x.db"])
async def test_technicians_are_reminded_beside_the_rest_even_after_one_who_cannot_be(
    database: str, tmp_path: Path
) -> None:
    async with app_for(tmp_path, DATABASE_URL=database.format(tmp_path)) as app:
        await asyncio.to_thread(migrate, app.settings)
        starts_at = app.clock() + timedelta(minutes=57)
        carlos = User(id="user_carlos", tenant="demo", name="Carlos", role="technician", phone="+5491150000002")
        await app.store.directory.enrol(Tenant(id="demo", name="Clima", phone="+541150000000"), [carlos])
        for job_id, technician_id in (("job_1", "user_nobody"), ("job_2", "user_carlos")):
            opened = a_job(job_id, tenant="demo")
            # As if it had been scheduled long ago, which is what its fact says.
            visit = opened.schedule(
                technician_id=technician_id,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=2),
                place=None,
                actor="user_marta",
                at=NOW.replace(year=2020),
            )
            async with app.store.begin(ACTOR) as tx:
                await tx.jobs.save(visit)
        async with app.store.begin(ACTOR) as tx:
            await tx.customers.save(a_customer(tenant="demo"))
        with capture_logs() as logs:
            async with tidying(app), asyncio.timeout(PATIENCE):
                while not (log := await told(app)):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
    assert log == [("job_reminder_tech_1h", "job_2")]
    assert {(each["event"], each["reason"].split(":")[1]) for each in logs} == {("defect", "job_1")}


async def told(app: App) -> list[tuple[str, str | None]]:
    """Return the template and job of everything that somebody is to be told."""
    log, _ = await app.store.deliveries.page("demo", wanted=Wanted(), limit=10, cursor=None)
    return [(each.template, each.job_id) for each in log]


@pytest.mark.parametrize("broker", [None, "redis_url", "rabbitmq_url"])
async def test_a_worker_does_all_of_it_over_each_broker(
    broker: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    environ = {} if broker is None else {"BROKER_URL": request.getfixturevalue(broker)}
    async with app_for(tmp_path, **environ) as app, working(app):
        await app.store.inbox.receive([a_message(1, tenant="demo", at=NOW.replace(year=2020), text="Hola")])

        async with asyncio.timeout(PATIENCE):
            while not understood(app):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)


def understood(app: App) -> bool:
    """Say whether the language model has been asked about the batch: a reaction to a fact did that."""
    return any(each.understanding is not None for each in app.store._tables.batches.all())  # type: ignore[union-attr] # it is the memory store
