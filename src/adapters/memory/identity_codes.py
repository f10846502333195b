"""One-time codes and a channel for them, in the memory of one process."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, field, frozen

from adapters.memory.pauses import Pause, Steps, at_once
from core.identity import OtpRules
from core.identity.model import Attempt, Guesses


@define
class MemoryOtpStore:
    """`core.identity.ports.OtpStore`."""

    _rules: OtpRules = OtpRules()
    _pause: Pause = at_once
    _kept: dict[str, Guesses] = field(factory=dict, repr=False)

    async def put(self, key: str, *, digest: str, at: datetime) -> timedelta | None:
        """Let this code count, unless there is a cool-down: then return what is left of it."""

        def put() -> timedelta | None:
            self._sweep(at)
            guesses = self._known(key, at)
            wait = guesses.wait(at)
            if wait is None:
                self._kept[key] = guesses.with_code(digest, at=at, rules=self._rules)
            return wait

        return await Steps(self._pause)("codes.put", put)

    async def attempt(self, key: str, *, at: datetime) -> Attempt:
        """Count a guess and hand out the digest to compare with."""

        def attempt() -> Attempt:
            after, attempt = self._known(key, at).guess(at=at, rules=self._rules)
            if attempt.digest is not None:
                self._kept[key] = after
            return attempt

        return await Steps(self._pause)("codes.attempt", attempt)

    async def take(self, key: str, *, digest: str, at: datetime) -> bool:
        """Remove the code with this digest, for one caller."""

        def take() -> bool:
            guesses = self._known(key, at)
            taken = guesses.digest == digest != "" and guesses.expires_at is not None and at < guesses.expires_at
            if taken:
                del self._kept[key]
            return taken

        return await Steps(self._pause)("codes.take", take)

    async def waits(self, key: str, *, digest: str, at: datetime) -> bool:
        """Say whether the code with this digest still counts, unused."""

        def waits() -> bool:
            guesses = self._known(key, at)
            counts = guesses.expires_at is not None and at < guesses.expires_at and guesses.tries < self._rules.tries
            return counts and guesses.digest == digest

        return await Steps(self._pause)("codes.waits", waits)

    def forget(self) -> None:
        """Lose everything, as the store may at any time."""
        self._kept.clear()

    def _known(self, key: str, at: datetime) -> Guesses:
        return self._kept.get(key, Guesses()).forgiven(at, self._rules)

    def _sweep(self, at: datetime) -> None:
        """Drop what says nothing any more, or every phone that was ever tried would stay for ever."""
        for key, guesses in list(self._kept.items()):
            known = guesses.forgiven(at, self._rules)
            if known.blocked_until is None and (known.expires_at is None or at >= known.expires_at):
                del self._kept[key]


@frozen
class Message:
    """A code as it went out."""

    tenant: str | None
    phone: str
    code: str = field(repr=False)


@define
class MemoryCodeChannel:
    """`core.identity.ports.CodeChannel`: keeps what it sends, to be looked at; `refuses` is raised in place of sending."""

    refuses: Exception | None = None
    sent: list[Message] = field(factory=list)
    arrived: set[str] = field(factory=set)
    """References of messages that have reached the phone."""

    async def send(self, *, tenant: str | None, phone: str, code: str) -> str:
        """Keep the code and return its number."""
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(Message(tenant, phone, code))
        return str(len(self.sent))

    async def delivered(self, tenant: str, reference: str) -> bool:
        """Say whether the message has arrived: `core.identity.ports.Delivered`."""
        del tenant
        return reference in self.arrived
