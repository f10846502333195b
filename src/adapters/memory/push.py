"""A push service that only remembers what phones would show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.ports import NewId
from core.notifications import PushAnswer, PushNote


@define
class MemoryPush:
    """`core.notifications.ports.PushService`.

    `answers` are what it says to a token instead of taking the note; `fades` are tokens whose notes are taken and whose receipts say
    that they are gone; a ticket that is `silent` has no receipt yet.
    """

    _new_id: NewId
    _pause: Pause = at_once
    gives_receipts: bool = field(default=True, kw_only=True)
    answers: dict[str, PushAnswer] = field(factory=dict, init=False)
    fades: set[str] = field(factory=set, init=False)
    silent: set[str] = field(factory=set, init=False)
    taken: dict[str, PushNote] = field(factory=dict, init=False)
    """What was taken, by ticket."""
    requests: list[int] = field(factory=list, init=False)
    """How many notes each request held."""

    async def push(self, tenant: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        """Take the notes and return the answers in their order."""
        del tenant

        def take() -> Sequence[PushAnswer]:
            self.requests.append(len(notes))
            return [self.answers.get(note.token) or self._take(note) for note in notes]

        return await Steps(self._pause)("push.push", take)

    async def receipts(self, tenant: str, tickets: Sequence[str]) -> Mapping[str, PushAnswer]:
        """Return what became of tickets, those that are known by now."""
        del tenant

        def told() -> Mapping[str, PushAnswer]:
            known = [each for each in tickets if each in self.taken and each not in self.silent]
            return {each: self._receipt(each) for each in known} if self.gives_receipts else {}

        return await Steps(self._pause)("push.receipts", told)

    def _take(self, note: PushNote) -> PushAnswer:
        ticket = self._new_id("ticket")
        self.taken[ticket] = note
        return PushAnswer(ticket=ticket)

    def _receipt(self, ticket: str) -> PushAnswer:
        if self.taken[ticket].token in self.fades:
            return PushAnswer(error_code="DeviceNotRegistered", error_text="not registered", gone=True)
        return PushAnswer(ticket=ticket)
