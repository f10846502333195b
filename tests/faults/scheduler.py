"""Coroutines without an event loop: a seed decides who goes on, what fails and who is killed.

Every step goes into a digest, so that two runs of a seed can be compared.
"""

from __future__ import annotations

import contextvars
import hashlib
import random
from collections.abc import Callable, Coroutine, Generator
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import define, field, frozen

from core.invoicing import AnswerLost as VoucherUnknown
from core.kernel.errors import CuadrillaError, Unavailable
from core.kernel.time import Clock
from core.notifications import AnswerLost as MessageUnknown
from tests.core.office import Weather

DOUBT: Final = timedelta(seconds=60)
"""After which a message without an answer is sent again: all that can be done where the provider cannot be asked."""


class Killed(BaseException):
    """The process of this task is gone; nothing that it does from here on has an effect."""


class _Switch:
    def __await__(self) -> Generator[None, None, None]:
        yield


@define(eq=False)
class Task:
    """One coroutine on its way, in a context of its own as a task of an event loop would have it."""

    name: str
    work: Coroutine[Any, Any, Any]
    done: Callable[[bool], None]
    context: contextvars.Context = field(factory=contextvars.Context)
    began: datetime = field(kw_only=True)
    sent: bool = False
    """Whether a provider or AFIP has done what this task asked for; from here on a mishap leaves a doubt."""


@frozen(kw_only=True)
class Faults:
    """How often things go wrong: chances at each step, of each kind."""

    before: float = 0.012
    after: float = 0.008
    lost_answer: float = 0.15
    kill: float = 0.004
    forget: float = 0.002
    redeliver: float = 0.2
    lose_message: float = 0.04
    send_twice: float = 0.12


ASKED: Final = frozenset({"tax_authority.authorise:after", "tax_authority.authorise_many:after"})
"""Steps after which AFIP may have authorised something."""


@define
class Scheduler(Weather):
    """Runs tasks step by step; it is the pause of every memory adapter."""

    rng: random.Random = field(kw_only=True)
    clock: Clock = field(kw_only=True)
    faults: Faults = field(kw_only=True)
    lies: bool = field(default=False, kw_only=True)
    """Plant a bug: AFIP's adapter says of a lost answer that the request never arrived."""
    raging: bool = field(default=True, init=False)
    steps: int = field(default=0, init=False)
    tasks: list[Task] = field(factory=list, init=False)
    defects: list[str] = field(factory=list, init=False)
    doubtful: set[str] = field(factory=set, init=False)
    """Names of tasks that a mishap met after an effect outside."""
    log: list[str] | None = field(default=None, init=False)
    _current: Task | None = field(default=None, init=False)
    _killing: bool = field(default=False, init=False)
    _digest: Any = field(factory=hashlib.sha256, init=False)

    @property
    def digest(self) -> str:
        """Return the fingerprint of all that happened so far."""
        return str(self._digest.hexdigest()[:16])

    def note(self, line: str) -> None:
        """Put something that happened into the record."""
        self._digest.update(line.encode())
        if self.log is not None:
            self.log.append(line)

    async def __call__(self, step: str) -> None:
        """Let others go on, then go on, or fail."""
        if self._killing:
            raise Killed
        task = self._current
        if task is None:  # the world looks at itself
            return
        if step == "channel.send:after" or step in ASKED:
            task.sent = True
        await _Switch()
        self.steps += 1
        self.note(f"{task.name} {step}")
        if self.clock() - task.began >= DOUBT:  # stood still for so long that others took it for dead
            self._doubt(task)
        if self.raging:
            self._strike(task, step)

    def _strike(self, task: Task, step: str) -> None:
        chance = self.rng.random()
        failure: CuadrillaError | None = None
        if step == "channel.send:after" and chance < self.faults.lost_answer:
            failure = MessageUnknown("the answer was lost")
        elif step in ASKED and chance < self.faults.lost_answer:
            failure = Unavailable("AFIP was not reached") if self.lies else VoucherUnknown("the answer was lost")
        elif step.endswith(":before") and chance < self.faults.before:
            failure = Unavailable(f"injected before {step}")
        elif step.endswith(":after") and not task.sent and chance < self.faults.after:
            failure = Unavailable(f"injected after {step}")
        if failure is not None:
            self.note(f"! {task.name} {step} {failure}")
            self._doubt(task)
            raise failure

    def _doubt(self, task: Task) -> None:
        if task.sent:
            self.doubtful.add(task.name)

    def start(self, name: str, work: Coroutine[Any, Any, Any], done: Callable[[bool], None] = lambda _: None) -> None:
        """Begin a task; `done` hears whether it ended well."""
        self.tasks.append(Task(name, work, done, began=self.clock()))

    def step(self) -> None:
        """Let one task, whichever, go on to its next pause."""
        self._advance(self.tasks[self.rng.randrange(len(self.tasks))])

    def kill(self) -> None:
        """Let one task's process die where it is."""
        task = self.tasks[self.rng.randrange(len(self.tasks))]
        self.note(f"X {task.name}")
        self._doubt(task)
        self._killing = True
        try:
            task.context.run(task.work.throw, Killed())
        except (Killed, StopIteration):
            pass
        except CuadrillaError as said:  # what a dying task says, nobody hears
            self.note(f"  {type(said).__name__}")
        finally:
            self._killing = False
            self._end(task, well=False)

    def run_all(self) -> None:
        """Let every task run to its end, in an order that the seed decides."""
        while self.tasks:
            self.step()

    def _advance(self, task: Task) -> None:
        self._current = task
        try:
            task.context.run(task.work.send, None)
        except StopIteration:
            self._end(task, well=True)
        except CuadrillaError as failure:
            self.note(f"- {task.name} {type(failure).__name__}: {failure}")
            self._end(task, well=False)
        except Exception as defect:
            self.defects.append(f"{task.name}: {type(defect).__name__}: {defect}")
            self._end(task, well=False)
        finally:
            self._current = None

    def _end(self, task: Task, *, well: bool) -> None:
        self.tasks.remove(task)
        task.work.close()
        task.done(well)
