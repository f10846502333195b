"""Invoicing alone, step by step: workers over a handful of vouchers, and AFIP's book held against ours.

A run is decided from outside: by a seed (`storm`), by a list of who goes on next (`Interleavings`), or by the step at which
somebody dies (`drop_everywhere`). `python -m tests.faults.desk --seeds 2000`, `--switches 2` or `--switches all` goes further than
the suite has time for.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from attrs import define, evolve, field, frozen

from adapters.memory import MemoryPrinter, MemoryStore, MemoryTaxAuthority
from adapters.memory.tax_authority import Delayed
from core.invoicing import OPEN, Invoice, Invoicing, InvoicingRules, Observation, Receiver, Refused, Work
from core.kernel.errors import CuadrillaError
from core.kernel.money import Line
from tests.contracts.fiscal import COMPANY
from tests.contracts.samples import MINE, Counter, Hands, acting_for, an_issuer
from tests.core.office import local_day
from tests.faults.scheduler import Faults, Killed, Scheduler

ANA: Final = Receiver(customer_id="cust_1", name="Ana Ruiz")
CLERK: Final = acting_for(MINE)
ASKING: Final = frozenset({"tax_authority.authorise:before", "tax_authority.authorise_many:before"})
SAFE: Final = Faults(before=0, after=0, lost_answer=0)
Wish: TypeAlias = "Callable[[Desk], Coroutine[Any, Any, Any]]"


@define
class Rails(Scheduler):
    """Lets one task go on at a time; AFIP may refuse what it would take at another moment, and a request may stay under way."""

    delayed: float = field(default=0.0, kw_only=True)
    refused: float = field(default=0.0, kw_only=True)
    at: str = field(default="", init=False)
    """The last pause."""

    async def __call__(self, step: str) -> None:
        """Let others go on, then go on, or fail."""
        self.at = step
        await super().__call__(step)

    def advance(self, place: int) -> None:
        """Let the task at a place go on to its next pause."""
        self._advance(self.tasks[place])

    def drop(self, place: int) -> None:
        """Let the process of the task at a place die where it is."""
        task = self.tasks[place]
        self._killing = True
        try:
            task.context.run(task.work.throw, Killed())
        except (Killed, StopIteration, CuadrillaError):
            pass
        finally:
            self._killing = False
            self._end(task, well=False)

    def _strike(self, task: Any, step: str) -> None:
        if step in ASKING:
            chance = self.rng.random()
            if chance < self.delayed:
                self.note(f"! {task.name} is under way")
                raise Delayed(task.name)
            if chance < self.delayed + self.refused:
                self.note(f"! {task.name} is refused")
                raise Refused([Observation(600, "ValidacionDeToken: vencido")])
        super()._strike(task, step)


@frozen
class Everything:
    """Every job is completed; what is charged and to whom is the desk's."""

    _desk: Desk

    async def get(self, tenant: str, job_id: str) -> Work:
        number = int(job_id.removeprefix("job_"))
        return Work(
            job_id=job_id,
            receiver=self._desk.receivers.get(job_id, ANA),
            lines=(Line(description=job_id, quantity=Decimal(1), unit_price=Decimal(100 + number)),),
            currency="ARS",
            serviced_on=date(2026, 11, 20),
        )


@define(eq=False)
class Desk:
    """One business with an empty book."""

    rng: random.Random = field(factory=lambda: random.Random(0))
    faults: Faults = SAFE
    rules: InvoicingRules = field(factory=InvoicingRules)
    clock: Hands = field(factory=Hands)
    receivers: dict[str, Receiver] = field(factory=dict)
    rails: Rails = field(init=False)
    store: MemoryStore = field(init=False)
    authority: MemoryTaxAuthority = field(init=False)
    invoicing: Invoicing = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rails = Rails(rng=self.rng, clock=self.clock, faults=self.faults)
        self.rails.raging = False
        new_id = Counter()
        self.store = MemoryStore(clock=self.clock, new_id=new_id, pause=self.rails)
        self.authority = MemoryTaxAuthority(self.rails)
        self.invoicing = Invoicing(
            self.store.begin,
            self.store.invoices,
            Everything(self),
            self.store.issuers,
            self.authority,
            MemoryPrinter(),
            local_day,
            self.clock,
            new_id,
            rules=self.rules,
        )
        self.now(lambda desk: desk.store.issuers.put(an_issuer()))

    def now(self, wish: Wish) -> None:
        """Have something done that nobody interrupts; a refusal is its answer."""
        self.rails.start("now", wish(self))
        while self.rails.tasks:
            self.rails.advance(len(self.rails.tasks) - 1)

    def send_home(self) -> None:
        """Let everybody's process die."""
        while self.rails.tasks:
            self.rails.drop(0)

    @property
    def vouchers(self) -> list[Invoice]:
        return sorted(self.store._tables.invoices.all(), key=lambda each: each.id)

    def named(self, *states: str, kind: str = "invoice") -> list[Invoice]:
        return [each for each in self.vouchers if each.state in states and each.kind == kind]

    def settle(self) -> None:
        """Let the reconciler work until nothing is left to find out."""
        for turn in range(40):
            # Now and then longer than any request can still be on its way.
            self.clock.forward(seconds=27 * 3600 if turn % 8 == 7 else 61)
            self.now(lambda desk: desk.invoicing.settle_unanswered())
            if not any(each.state in OPEN or each.doubts for each in self.vouchers):
                return

    def violations(self) -> list[str]:
        """Return where AFIP's book and ours differ, or say too much."""
        found = list(self.rails.defects)
        ours = {(each.series, each.number or 0): each for each in self.vouchers if each.state == "issued"}
        theirs = {(series, each.number): each for series, book in self.authority.series.items() for each in book}
        found += [
            f"AFIP has {key[1]} of {each.invoice_id}, and we do not" for key, each in theirs.items() if key not in ours
        ]
        found += [f"we have {each.id}, and AFIP does not" for key, each in ours.items() if key not in theirs]
        for key, each in ours.items():
            their = theirs.get(key)
            if their and (their.total, their.corrects, their.authorisation) != (
                each.totals.total,
                each.named,
                each.authorisation,
            ):
                found.append(f"{each.id} is not what AFIP has under {each.number}")
        found += [f"{each.id} is {each.state}" for each in self.vouchers if each.state in OPEN]
        for original in self.named("issued"):
            notes = [
                each for each in self.named("issued", kind="credit_note") if each.corrects[0].invoice_id == original.id
            ]
            if sum(each.totals.total for each in notes) > original.totals.total:
                found.append(f"more than {original.id} was credited")
        return found

    def state(self) -> tuple[Any, ...]:
        """Return all that one worker can see of another's work."""
        rows = tuple((each.id, each.version, each.state, each.number) for each in self.vouchers)
        return rows, tuple((series, len(book)) for series, book in self.authority.series.items())


def charge(number: int) -> Wish:
    """Charge a job."""
    return lambda desk: desk.invoicing.invoice(actor=CLERK, job_id=f"job_{number}")


def charge_all(desk: Desk) -> Coroutine[Any, Any, Any]:
    """Have everything authorised that waits, many in one request."""
    waiting = [each.id for each in desk.vouchers if each.state in {"draft", "cae_failed"}]
    return desk.invoicing.issue_many(actor=CLERK, invoice_ids=waiting)


def credit(number: int, amount: Decimal | None = None) -> Wish:
    """Take an issued invoice back, or a part of it."""

    async def work(desk: Desk) -> None:
        for each in desk.named("issued"):
            if each.job_id == f"job_{number}":
                await desk.invoicing.credit(actor=CLERK, invoice_id=each.id, reason="x", amount=amount)

    return work


def reconcile(desk: Desk) -> Coroutine[Any, Any, Any]:
    """Find out what became of what was lost."""
    return desk.invoicing.settle_unanswered()


def drafts(desk: Desk, *numbers: int) -> None:
    """Leave drafts of jobs, because AFIP did not tell its last number."""
    desk.authority.series.clear()
    for number in numbers:
        desk.rails.start("draft", charge(number)(desk))
        while not any(each.job_id == f"job_{number}" for each in desk.vouchers):
            desk.rails.advance(0)
        desk.rails.drop(0)


def lost(desk: Desk, wish: Wish) -> None:
    """Leave numbers that are taken, and AFIP not asked, because the process died."""
    desk.rails.start("lost", wish(desk))
    while desk.rails.at not in ASKING:
        desk.rails.advance(0)
    desk.rails.drop(0)
    desk.clock.forward(seconds=61)


# --- dropped at every await


def drop_everywhere(prepare: Callable[[Desk], None], wish: Wish, *, twice: bool) -> Iterator[tuple[str, list[str]]]:
    """Do something once for every step of it, die there, and let others find out; yield where it was and what is wrong then.

    With `twice`, the reconciler that comes after dies as well, at every step of its own.
    """
    first = 0
    while True:
        desk = _dropped(prepare, wish, first)
        if desk is None:
            return
        desk.settle()
        yield f"{first}", _afterwards(desk, wish)
        second = 0
        while twice:
            desk = _dropped(prepare, wish, first)
            assert desk is not None
            desk.clock.forward(seconds=61)
            if not _drop_at(desk, reconcile, second):
                break
            desk.settle()
            yield f"{first} {second}", _afterwards(desk, wish)
            second += 1
        first += 1


def _dropped(prepare: Callable[[Desk], None], wish: Wish, steps: int) -> Desk | None:
    desk = Desk()
    prepare(desk)
    return desk if _drop_at(desk, wish, steps) else None


def _drop_at(desk: Desk, wish: Wish, steps: int) -> bool:
    """Let somebody do so many steps and die; return whether they came that far."""
    desk.rails.start("somebody", wish(desk))
    for _ in range(steps + 1):
        desk.rails.advance(0)
        if not desk.rails.tasks:
            return False
    desk.rails.drop(0)
    return True


def _afterwards(desk: Desk, wish: Wish) -> list[str]:
    """Return what is wrong: now, and when the same is asked for again and done."""
    found = desk.violations()
    desk.now(wish)
    desk.settle()
    waiting = [
        f"{each.id} stayed {each.state}" for each in desk.vouchers if each.state != "issued" and each.kind == "invoice"
    ]
    return [*found, *desk.violations(), *waiting]


# --- all interleavings


@define
class Interleavings:
    """Every order in which workers can go on, up to orders that nobody can tell apart.

    Two prefixes are the same if the shared state is, and every worker has gone on at the same states before: then it has read
    the same. Steps after an effect change nothing for others and are no point to switch at. `switches` limits how often a worker
    is left although it could go on; None is all orders.
    """

    prepare: Callable[[Desk], None]
    wishes: Sequence[Wish]
    switches: int | None = None
    runs: int = field(default=0, init=False)
    states: set[Any] = field(factory=set, init=False)

    def violations(self) -> Iterator[tuple[tuple[int, ...], list[str]]]:
        """Yield every order that ends otherwise than it should, and how."""
        waiting: list[tuple[int, ...]] = [()]
        while waiting:
            prefix = waiting.pop()
            self.runs += 1
            path, desk, more = self._run(prefix)
            waiting += more
            if desk is None:
                continue
            desk.settle()
            for wish in self.wishes:
                desk.now(wish)
                desk.settle()
            left = [f"{each.id} stayed {each.state}" for each in desk.named("draft", "cae_failed")]
            if found := [*desk.violations(), *left]:
                yield path, found

    def _run(self, prefix: tuple[int, ...]) -> tuple[tuple[int, ...], Desk | None, list[tuple[int, ...]]]:
        """Follow a prefix and go on until everybody has ended, or somebody was here before; return the branches not taken."""
        desk = Desk()
        self.prepare(desk)
        for number, wish in enumerate(self.wishes):
            desk.rails.start(str(number), wish(desk))
        seen: list[list[Any]] = [[] for _ in self.wishes]
        path: list[int] = []
        branches: list[tuple[int, ...]] = []
        left = 0
        while desk.rails.tasks:
            going = [int(each.name) for each in desk.rails.tasks]
            last = path[-1] if path and path[-1] in going else None
            state = desk.state()
            if len(path) < len(prefix):
                chosen = prefix[len(path)]
            else:
                key = (state, tuple(map(tuple, seen)), None if self.switches is None else (last, left))
                if key in self.states:
                    desk.send_home()
                    return tuple(path), None, branches
                self.states.add(key)
                chosen = going[0] if last is None else last
                if last is None or self.switches is None or left < self.switches:
                    branches += [(*path, other) for other in going if other != chosen]
            left += last is not None and chosen != last
            seen[chosen].append(hash(state))
            path.append(chosen)
            _to_the_next_effect(desk, str(chosen))
        return tuple(path), desk, branches


def _to_the_next_effect(desk: Desk, name: str) -> None:
    """Let a worker go on until it is about to touch something that others see."""
    place = next(place for place, each in enumerate(desk.rails.tasks) if each.name == name)
    while True:
        desk.rails.at = ""
        desk.rails.advance(place)
        if desk.rails.at.endswith(":before") and not desk.rails.at.startswith("begin"):
            return
        if not any(each.name == name for each in desk.rails.tasks):
            return


# --- seeds


@frozen(kw_only=True)
class Weathered:
    """What a storm came to."""

    violations: tuple[str, ...]
    digest: str
    late: int
    doubted: int


def storm(seed: int, *, forgetful: bool = False) -> Weathered:
    """Let clerks, reconcilers, deaths, lost and late requests and refusals meet as the seed decides.

    `forgetful` plants a bug: a request that was given up for lost is forgotten.
    """
    rng = random.Random(seed)
    faults = Faults(before=0.01, after=0.01, lost_answer=0.1)
    rules = InvoicingRules(late_within=timedelta(0)) if forgetful else InvoicingRules()
    desk = Desk(rng=rng, faults=faults, rules=rules)
    rails, jobs = desk.rails, range(rng.randint(2, 5))
    rails.raging, rails.delayed, rails.refused = True, 0.3, 0.4
    late = doubted = 0
    for step in range(rng.randint(400, 1200)):
        chance = rng.random()
        if rails.tasks and chance < 0.01:
            rails.drop(rng.randrange(len(rails.tasks)))
        elif chance < 0.016 and desk.authority.under_way:
            late += 1
            desk.authority.arrive(rng.randrange(len(desk.authority.under_way)))
        elif chance < 0.09:
            desk.clock.forward(seconds=rng.choice((1, 20, 61, 61, 300)))
        elif chance < 0.095:
            desk.receivers[f"job_{rng.choice(jobs)}"] = rng.choice((ANA, evolve(ANA, address="Mitre 450"), COMPANY))
        elif chance < 0.25 and len(rails.tasks) < 4:
            wish = rng.choice(
                (
                    charge(rng.choice(jobs)),
                    charge(rng.choice(jobs)),
                    charge_all,
                    credit(rng.choice(jobs), rng.choice((None, Decimal(60)))),
                    reconcile,
                    reconcile,
                )
            )
            rails.start(f"{step}", wish(desk))
        elif rails.tasks:
            rails.step()
        doubted = max(doubted, sum(bool(each.doubts) for each in desk.vouchers))
    rails.run_all()
    rails.raging = False
    while desk.authority.under_way and rng.random() < 0.8:
        desk.authority.arrive(rng.randrange(len(desk.authority.under_way)))
    desk.settle()
    for number in jobs:
        desk.now(charge(number))
    desk.settle()
    found = desk.violations()
    found += [
        f"{each.id} stayed {each.state}" for each in desk.vouchers if each.kind == "invoice" and each.state != "issued"
    ]
    return Weathered(violations=tuple(found), digest=rails.digest, late=late, doubted=doubted)


SCENES: Final[dict[str, tuple[Callable[[Desk], None], tuple[Wish, ...]]]] = {
    "three charge three jobs": (lambda desk: drafts(desk, 1, 2, 3), (charge(1), charge(2), charge(3))),
    "two charge one job and a third another": (lambda desk: drafts(desk, 1, 2), (charge(1), charge(1), charge(2))),
    "a backlog, a charge and the reconciler": (lambda desk: drafts(desk, 1, 2, 3), (charge_all, charge(1), reconcile)),
    "two reconcilers and a charge": (lambda desk: lost(desk, charge(1)), (reconcile, reconcile, charge(2))),
    "two credit one invoice": (lambda desk: desk.now(charge(1)), (credit(1, Decimal(60)), credit(1, Decimal(70)))),
}


def main() -> int:
    """Play what was asked for; print what is wrong, and how much was played."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, help="storms")
    parser.add_argument("--switches", help="how often a worker is left although it could go on, or `all`")
    asked = parser.parse_args()
    failed = 0
    for seed in range(asked.seeds):
        if violations := storm(seed).violations:
            failed += 1
            print(f"seed {seed}: {'; '.join(violations)}")
    if asked.switches:
        for name, (prepare, wishes) in SCENES.items():
            orders = Interleavings(prepare, wishes, None if asked.switches == "all" else int(asked.switches))
            for path, wrong in orders.violations():
                failed += 1
                print(f"{name} {path}: {'; '.join(wrong)}")
            print(f"{name}: {orders.runs} orders, {len(orders.states)} states", flush=True)
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
