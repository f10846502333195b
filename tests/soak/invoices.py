"""Invoices under `kill -9`: `python -m tests.soak.invoices --vouchers 10000 --workers 8 --series 3 --kills 200 --fault 0.1`.

Worker processes charge completed jobs over one PostgreSQL database; the sandbox AFIP fails in every way it knows; workers are killed
at random and replaced. When nothing is open any more, our books are compared with AFIP's. Real processes meet in no order
that a seed could fix: it decides which calls fail, which jobs are asked for twice, and who is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import httpx2
from attrs import asdict, define, field, frozen

from core.identity import Origin, Tenant
from core.invoicing import Invoice, Invoicing, Issuer
from core.jobs import Job
from core.kernel.money import Line
from entrypoints.sandbox.server import sandbox_app
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.wiring import App, afip_descriptions, build, migrate
from tests import servers
from tests.soak.worker import Order, Outcome, acting, hurried, work

FAULTS: Final[Sequence[Sequence[Mapping[str, Any]]]] = (
    ({"kind": "slow", "seconds": 0.05},),
    ({"kind": "cut"},),
    ({"kind": "cut", "after_effect": True},),
    ({"kind": "http500", "status": 503}, {"kind": "http500", "after_effect": True}),
    ({"kind": "malformed"}, {"kind": "malformed", "after_effect": True}),
    ({"kind": "expired_token"},),
    (
        {"kind": "error", "code": "500"},
        {"kind": "error", "code": "501", "after_effect": True},
        {"kind": "error", "code": "502"},
    ),
    ({"kind": "duplicate"},),
)
"""Each of them, in one of its forms, befalls its share of the calls that those before it have spared."""
TWICE: Final = 0.05
"""The share of jobs that two workers are asked to charge."""
BACKLOG: Final = 5
"""So many drafts are worth a request of many."""
MOST: Final = 20
STUCK: Final = 180.0
"""Seconds without any progress after which it is given up."""


@frozen(kw_only=True)
class Plan:
    """What is to be done. `fault`: the probability of each fault. `answer_within`: seconds, as `InvoicingRules` has it."""

    vouchers: int = 10_000
    workers: int = 8
    series: int = 3
    kills: int = 200
    fault: float = 0.1
    seed: int = 0
    answer_within: float = 1.0

    def tenant(self, number: int) -> str:
        """The tenant of a job: each issues in two series, A and B."""
        return f"soak{number % self.series // 2}"

    def letter(self, number: int) -> str:
        return "AB"[number % self.series % 2]


@define
class Report:
    """What happened; `violations` must be empty."""

    issued: int = 0
    kills: int = 0
    faults: Counter[str] = field(factory=Counter)
    said: Counter[str] = field(factory=Counter)
    batches: int = 0
    seconds: float = 0.0
    violations: list[str] = field(factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        said = ", ".join(f"{name} {count}" for name, count in self.said.most_common())
        return (
            f"{self.issued} vouchers, {self.kills} kills, {sum(self.faults.values())} faults, {self.batches} requests of many, "
            f"{len(self.violations)} violations, {self.seconds:.0f} s\n  faults: {faults}\n  heard: {said}"
        )


def job_id(number: int) -> str:
    return f"job_{number:06}"


def price(number: int) -> Decimal:
    """Every job has a price of its own, so that no voucher can stand for another."""
    return Decimal(100 + number)


async def soak(
    plan: Plan, *, database_url: str, folder: Path, progress: Callable[[Report], None] = lambda _: None
) -> Report:
    """Do it in an empty PostgreSQL database and an empty folder."""
    began = time.monotonic()
    environ = {
        "CUADRILLA_ENV": "test",
        "CUADRILLA_VAR": str(folder),
        "CUADRILLA_DATABASE_URL": database_url,
        "CUADRILLA_SANDBOX_PORT": str(free_port()),
        "CUADRILLA_LOG_LEVEL": "critical",
    }
    settings = read_settings(environ, directory=folder)
    await asyncio.to_thread(migrate, settings)
    wsaa, wsfe = afip_descriptions()
    report = Report()
    async with (
        serving(sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=folder), port=settings.sandbox_port) as sandbox,
        build(settings).running() as app,
        httpx2.AsyncClient(base_url=f"{sandbox}/afip/control", timeout=60, trust_env=False) as control,
    ):
        await _furnish(plan, app, control)
        invoicing = hurried(app, answer_within=plan.answer_within)
        crew = Crew(plan, app, invoicing, report, environ, folder, progress)
        try:
            await crew.charge_everything()
        except GivenUp as given_up:
            report.violations.append(str(given_up))
        await asyncio.sleep(plan.answer_within)  # what a killed worker asked for last may only now be in AFIP's book
        for fault in (await control.get("/faults")).json()["items"]:
            after = " after effect" if fault["after_effect"] else ""
            report.faults[f"{fault['kind']} {fault['code']}".strip() + after] += fault["fired"]
        book = (await control.get("/vouchers", params={"limit": 100_000})).json()
        ours = [invoice for tenant in _tenants(plan) async for invoice in _invoices(app, tenant)]
        report.violations += audit(plan, ours, book["items"])
    report.seconds = time.monotonic() - began
    return report


def audit(plan: Plan, ours: Sequence[Invoice], book: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare our books with AFIP's and with the jobs; return what is wrong."""
    wrong = [f"{each.id} of {each.job_id} is {each.state}" for each in ours if each.state != "issued"]
    of_job = Counter(each.job_id for each in ours)
    for number in range(plan.vouchers):
        if (count := of_job.pop(job_id(number), 0)) != 1:
            wrong += [f"{job_id(number)} has {count} invoices"]
    wrong += [f"{named} is no job of ours" for named in of_job]
    issued = [each for each in ours if each.state == "issued"]
    numbers: dict[tuple[int, int, int], list[int]] = {}
    for each in issued:
        numbers.setdefault(_series(each), []).append(each.number or 0)
    if len(numbers) != min(plan.series, plan.vouchers):
        wrong.append(f"there are {len(numbers)} series instead of {plan.series}")
    for series, taken in numbers.items():
        if sorted(taken) != list(range(1, len(taken) + 1)):
            twice = sorted(number for number, count in Counter(taken).items() if count > 1)
            gaps = sorted(set(range(1, max(taken) + 1)) - set(taken))
            wrong.append(f"series {series}: numbers {twice[:5]} twice, {gaps[:5]} missing")
    theirs = {(each["cuit"], each["point"], each["type"], each["number"]): each for each in book}
    if len(theirs) != len(book):
        wrong.append("AFIP has a number twice")
    for each in issued:
        charged = each.lines[0].unit_price
        if charged != price(int(str(each.job_id).removeprefix("job_"))):
            wrong.append(f"{each.job_id} was charged {charged}")
        found = theirs.pop((*_series(each), each.number or 0), None)
        if found is None:
            wrong.append(f"AFIP does not have {each.letter} {each.printed_number} of {each.job_id}")
            continue
        cae = each.authorisation and each.authorisation.cae
        if found["cae"] != cae:
            wrong.append(f"{each.letter} {each.printed_number}: CAE {cae} with us, {found['cae']} with AFIP")
        if Decimal(found["body"]["ImpTotal"]) != each.totals.total:
            total = found["body"]["ImpTotal"]
            wrong.append(f"{each.letter} {each.printed_number}: {each.totals.total} with us, {total} with AFIP")
    return wrong + [f"we do not have {key}, which AFIP authorised" for key in theirs]


class GivenUp(Exception):
    """Nothing went on for too long, or a worker met what must never come."""


@define
class _Worker:
    """A place in the crew: the process that fills it now, and what it has in hand."""

    name: str
    process: BaseProcess | None = None
    order: Order | None = None


@define
class Crew:
    """Hands jobs out to workers, kills and replaces them, and settles what they left, until every job is charged."""

    _plan: Plan
    _app: App
    _invoicing: Invoicing
    _report: Report
    _environ: Mapping[str, str]
    _folder: Path
    _progress: Callable[[Report], None]
    _dice: random.Random = field(init=False)
    _waiting: deque[str] = field(factory=deque, init=False)
    _drafts: dict[str, dict[str, str]] = field(factory=dict, init=False)
    """By tenant, the drafts that wait to be asked for together: job and invoice."""
    _doubtful: set[str] = field(factory=set, init=False)
    _issued: set[str] = field(factory=set, init=False)
    _moved: float = field(factory=time.monotonic, init=False)
    _done: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self._plan.seed)

    async def charge_everything(self) -> None:
        """Return when every job has been issued and every kill was made; raise `GivenUp`."""
        wanted = [job_id(number) for number in range(self._plan.vouchers)]
        self._dice.shuffle(wanted)
        self._waiting.extend(wanted)
        # Forked from a process that has imported everything: a new worker costs a fork, and is a process of its own all the same.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.soak.invoices"])
        crew = [_Worker(f"worker {number}") for number in range(self._plan.workers)]
        with ThreadPoolExecutor(len(crew), thread_name_prefix="crew") as threads:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for each in crew:
                        tasks.create_task(self._employ(each, context, threads))
                    tasks.create_task(self._kill(crew))
                    tasks.create_task(self._settle())
            except* GivenUp as given_up:
                raise GivenUp(str(given_up.exceptions[0])) from given_up
            finally:
                for each in crew:
                    if each.process is not None:
                        each.process.kill()

    async def _employ(
        self, worker: _Worker, context: multiprocessing.context.ForkServerContext, threads: ThreadPoolExecutor
    ) -> None:
        """Keep one place filled: whoever is killed is replaced, and what it had in hand is done again."""
        loop = asyncio.get_running_loop()
        while not self._done.is_set():
            ours, theirs = context.Pipe()
            given = (theirs, self._environ, self._folder, self._plan.answer_within, worker.name)
            worker.process = context.Process(target=work, args=given, daemon=True)
            await loop.run_in_executor(threads, worker.process.start)
            theirs.close()
            with ours, contextlib.suppress(EOFError, ConnectionError):
                await loop.run_in_executor(threads, ours.recv)
                await self._occupy(worker, ours, threads)
            if worker.order is not None:
                self._waiting.extend(worker.order.jobs)
                worker.order = None
            await loop.run_in_executor(threads, worker.process.join)

    async def _occupy(self, worker: _Worker, ours: Connection, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while not self._done.is_set():
            worker.order = self._next()
            if worker.order is None:
                await asyncio.sleep(0.05)
                continue
            ours.send(worker.order)
            outcomes: Sequence[Outcome] = await loop.run_in_executor(threads, ours.recv)
            worker.order = None
            for each in outcomes:
                self._note(each)
        ours.send(None)

    def _next(self) -> Order | None:
        for tenant, drafts in self._drafts.items():
            if len(drafts) >= BACKLOG or (drafts and not self._waiting):
                taken = [(job, drafts.pop(job)) for job in list(drafts)[:MOST]]
                self._report.batches += 1
                return Order(tenant=tenant, jobs=tuple(job for job, _ in taken), drafts=tuple(id_ for _, id_ in taken))
        if not self._waiting:
            return None
        job = self._waiting.popleft()
        if self._dice.random() < TWICE:
            self._waiting.appendleft(job)
        return Order(tenant=self._tenant(job), jobs=(job,))

    def _tenant(self, job: str) -> str:
        return self._plan.tenant(int(job.removeprefix("job_")))

    def _note(self, outcome: Outcome) -> None:
        if outcome.broken:
            msg = f"a worker broke at {outcome.job}: {outcome.broken}"
            raise GivenUp(msg)
        self._report.said[outcome.said or outcome.state] += 1
        self._place(outcome.job, outcome.invoice, outcome.state)

    def _place(self, job: str, invoice: str | None, state: str) -> None:
        self._doubtful.discard(job)
        if state == "issued":
            if job not in self._issued:
                self._issued.add(job)
                self._moved = time.monotonic()
                self._report.issued = len(self._issued)
                self._progress(self._report)
        elif state in {"unknown", "pending_cae"}:
            self._doubtful.add(job)
        elif invoice is not None and state == "draft":
            self._drafts.setdefault(self._tenant(job), {})[job] = invoice
        else:
            self._waiting.append(job)

    async def _kill(self, crew: Sequence[_Worker]) -> None:
        """Kill somebody who has work in hand, as often as planned, spread over the whole."""
        for number in range(self._plan.kills):
            while True:
                if self._report.issued >= self._plan.vouchers * (number + 0.5) / self._plan.kills:
                    break
                await asyncio.sleep(0.01)
            await asyncio.sleep(self._dice.random() * 0.2)
            while True:
                everything = self._report.issued == self._plan.vouchers  # the rest went faster than expected
                if busy := [each for each in crew if everything or each.order is not None]:
                    break
                await asyncio.sleep(0.01)
            victim = self._dice.choice(busy)
            if victim.process is not None:
                victim.process.kill()
                self._report.kills += 1

    async def _settle(self) -> None:
        """Be the reconciler; look at what it settled, and end it all when nothing is left and everybody was killed who had to be."""
        while len(self._issued) < self._plan.vouchers or self._report.kills < self._plan.kills:
            if time.monotonic() - self._moved > STUCK:
                msg = f"{self._plan.vouchers - len(self._issued)} jobs are not charged, and nothing has moved for {STUCK:.0f} s"
                raise GivenUp(msg)
            await asyncio.sleep(self._plan.answer_within / 4)
            await self._invoicing.settle_unanswered()
            for job in sorted(self._doubtful):
                invoice = await self._app.store.invoices.of_job(self._tenant(job), job)
                if invoice is not None and job in self._doubtful:
                    self._place(job, invoice.id, invoice.state)
        self._done.set()


async def _furnish(plan: Plan, app: App, control: httpx2.AsyncClient) -> None:
    """Make the tenants with their certificates, and the completed jobs; then let things go wrong."""
    (await control.post("/rules", json={"guardSeconds": 1})).raise_for_status()
    customers: dict[tuple[str, str], str] = {}
    for place, tenant in enumerate(_tenants(plan)):
        actor, cuit = acting(tenant, who="seed"), _cuit(3070000000 + place)
        await app.store.directory.enrol(Tenant(id=tenant, name=tenant, phone="+541150000000"), [])
        await app.store.issuers.put(
            Issuer(
                tenant=tenant,
                cuit=cuit,
                name="Frío S.R.L.",
                address="Mitre 450",
                vat_condition="responsable_inscripto",
                point_of_sale=1,
                gross_income="1",
                started_on=date(2019, 3, 1),
            )
        )
        answer = await control.post(
            "/certificates", json={"cuit": cuit, "alias": tenant, "vatCondition": "responsable_inscripto"}
        )
        values = {name: answer.raise_for_status().json()[name] for name in ("certificate", "key")}
        await app.credentials.set(actor=actor, kind="afip", values=values, label=cuit, origin=Origin("seed"))
        business = await app.customers.register(
            actor=actor,
            name="Hotel",
            vat_condition="responsable_inscripto",
            document_type="CUIT",
            document_number="30000000007",
        )
        person = await app.customers.register(actor=actor, name="Ana")
        customers |= {(tenant, "A"): business.id, (tenant, "B"): person.id}
    for tenant in _tenants(plan):
        async with app.store.begin(acting(tenant, who="seed")) as tx:
            for number in range(plan.vouchers):
                if plan.tenant(number) == tenant:
                    await tx.jobs.save(_job(number, tenant, customers[tenant, plan.letter(number)]))
    forms = [(form, len(fault)) for fault in FAULTS for form in fault]
    for place, (form, share) in enumerate(forms):
        dice = {"probability": plan.fault / share, "seed": plan.seed * 100 + place}
        order = {**form, **dice, "operation": "*", "calls": None}
        (await control.post("/faults", json=order)).raise_for_status()


def _job(number: int, tenant: str, customer: str) -> Job:
    return Job(
        id=job_id(number),
        tenant=tenant,
        customer_id=customer,
        title="Aire",
        created_at=datetime.now(UTC),
        status="completed",
        lines=(Line(description="Gas", quantity=Decimal(1), unit_price=price(number)),),
    )


def _tenants(plan: Plan) -> list[str]:
    return sorted({plan.tenant(number) for number in range(plan.series)})


async def _invoices(app: App, tenant: str) -> AsyncIterator[Invoice]:
    cursor = None
    while True:
        page, cursor = await app.store.invoices.page(tenant, job_id=None, limit=200, cursor=cursor)
        for each in page:
            yield each
        if cursor is None:
            return


def _series(invoice: Invoice) -> tuple[int, int, int]:
    return int(invoice.issuer.cuit), invoice.issuer.point_of_sale, invoice.voucher_type


def _cuit(ten: int) -> str:
    """Return the CUIT that begins with these ten digits."""
    weighted = sum(int(digit) * weight for digit, weight in zip(str(ten), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True))
    return f"{ten}{ {11: 0, 10: 9}.get(11 - weighted % 11, 11 - weighted % 11) }"


def _printer(plan: Plan) -> Callable[[Report], None]:
    """Show how far it is: in place on a terminal, a line for each twentieth elsewhere."""
    tty, began = sys.stderr.isatty(), time.monotonic()

    def show(report: Report) -> None:
        if tty or report.issued % max(1, plan.vouchers // 20) == 0:
            line = f"{report.issued}/{plan.vouchers} vouchers, {report.kills} kills, {time.monotonic() - began:.0f} s"
            print(f"\r{line}" if tty else line, end="" if tty else "\n", file=sys.stderr, flush=True)

    return show


def main() -> int:
    """Do it on a PostgreSQL server of its own; say what is wrong, and fail with 1 if anything is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    plan = Plan()
    for name in ("vouchers", "workers", "series", "kills"):
        parser.add_argument(f"--{name}", type=int, default=getattr(plan, name))
    parser.add_argument("--fault", type=float, default=plan.fault, help="the probability of each fault (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument(
        "--answer-within", type=float, default=plan.answer_within, help="seconds after which an answer is lost"
    )
    plan = Plan(**vars(parser.parse_args()))
    print(f"seed {plan.seed}: {plan}", flush=True)
    logging.basicConfig(level=logging.CRITICAL)  # the sandbox is told to break off answers, and would report each
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server below is stopped
    with (
        servers.postgres() as server,
        servers.fresh_database(server) as url,
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
    ):
        report = asyncio.run(soak(plan, database_url=url, folder=Path(folder), progress=_printer(plan)))
    print(f"\n{report}" if sys.stderr.isatty() else report)
    for violation in report.violations[:20]:
        print(f"VIOLATION: {violation}")
    if report.violations:
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in asdict(plan).items())
        print(f"again: python -m tests.soak.invoices {options}")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
