"""When fragments of one person are one text.

People write a request in pieces: "Hola" / "necesito" / "un técnico". A window opens with the first piece and closes, at the
latest, 8 s later or with the 10th piece. A word that shows a request closes it sooner, after a short grace that each further
piece restarts; a question or an urgent word closes it at once. A request word that ends the text waits for its object.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

URGENT: Final = frozenset({"urgente", "emergencia", "ahora", "hoy", "ya", "rapido"})
REQUEST: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("necesito", "preciso", "quiero", "pueden", "vengan", "arreglen", "instalen", "reparen"), "request_verb"
    ),
    **dict.fromkeys(("cuanto", "precio", "cuesta", "cobran", "presupuesto"), "price_inquiry"),
}
"""Folded words that show a request, each with the reason it is recorded under."""

_WORD: Final = re.compile(r"[a-z0-9ñ]+")


def folded_words(text: str) -> list[str]:
    """Return the words in lower case without accents ("Rápido!" is `rapido`); ñ stays a letter of its own."""
    kept = unicodedata.normalize("NFC", text.lower()).replace("ñ", "\0")
    plain = "".join(c for c in unicodedata.normalize("NFD", kept) if not unicodedata.combining(c))
    return _WORD.findall(plain.replace("\0", "ñ"))


@frozen(kw_only=True)
class Signal:
    """What one fragment says about when its window may close.

    `kind` is `now` (close at once), `request` (a request with its object), `dangling` (a request word that ends the fragment) or
    `none`; `reason` is what the batch is recorded under if this fragment decides.
    """

    kind: str
    reason: str


@frozen(kw_only=True)
class Window:
    """The fragments of one person that may still be one text."""

    tenant: str
    thread: str
    message_ids: tuple[str, ...]
    opened_at: datetime
    closes_at: datetime
    requested: bool = False
    reason: str = "timeout"


@frozen(kw_only=True)
class AggregationRules:
    """The numbers and words of the window; change them by passing other values."""

    window: timedelta = timedelta(seconds=8)
    grace: timedelta = timedelta(seconds=1.5)
    limit: int = 10
    patience: timedelta = timedelta(seconds=4)
    """How long after its window should have ended a message without a batch counts as forgotten."""

    def read(self, text: str) -> Signal:
        """Return what a fragment says."""
        words = folded_words(text)
        if text.rstrip().endswith("?"):
            return Signal(kind="now", reason="question")
        if not URGENT.isdisjoint(words):
            return Signal(kind="now", reason="urgency")
        asked = [position for position, word in enumerate(words) if word in REQUEST]
        if not asked:
            return Signal(kind="none", reason="timeout")
        last = asked[-1]
        kind = "dangling" if last == len(words) - 1 else "request"
        return Signal(kind=kind, reason=REQUEST[words[last]])

    def open(self, *, tenant: str, thread: str, message_id: str, signal: Signal, at: datetime) -> Window:
        """Return the window that a first fragment opens."""
        empty = Window(tenant=tenant, thread=thread, message_ids=(), opened_at=at, closes_at=at + self.window)
        return self.add(empty, message_id=message_id, signal=signal, at=at)

    def add(self, window: Window, *, message_id: str, signal: Signal, at: datetime) -> Window:
        """Return the window with one more fragment; a fragment it already has changes nothing."""
        if message_id in window.message_ids:
            return window
        message_ids = (*window.message_ids, message_id)
        requested = window.requested or signal.kind in {"request", "dangling"}
        reason = signal.reason if signal.reason != "timeout" else window.reason
        latest = window.opened_at + self.window
        if window.message_ids and window.closes_at <= at:
            closes_at = window.closes_at  # its time has come, however late it is taken
        elif signal.kind == "now":
            closes_at = at
        elif len(message_ids) >= self.limit:
            closes_at, reason = at, "max_buffer"
        elif requested and signal.kind != "dangling":
            closes_at = min(latest, at + self.grace)
        else:
            closes_at = latest
        return evolve(
            window, message_ids=message_ids, closes_at=min(closes_at, latest), requested=requested, reason=reason
        )
