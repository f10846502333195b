"""When fragments of one person are one text."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messaging import AggregationRules, Signal, Window
from core.messaging.aggregation import folded_words
from tests.contracts.samples import MINE, NOW

RULES: Final = AggregationRules()
THREAD: Final = "whatsapp:5491155550001"


@define
class Thread:
    """One person's window, fed with (seconds, text) as a buffer would; `closed` are windows in the order of closing."""

    window: Window | None = None
    closed: list[Window] = field(factory=list)
    written: int = 0

    def write(self, at: float, text: str) -> Window:
        """Take a fragment at so many seconds, after closing what was due by then."""
        self.pass_time(at)
        name = str(self.written)
        self.written += 1
        signal, now = RULES.read(text), NOW + timedelta(seconds=at)
        if self.window is None:
            self.window = RULES.open(tenant=MINE, thread=THREAD, message_id=name, signal=signal, at=now)
        else:
            self.window = RULES.add(self.window, message_id=name, signal=signal, at=now)
        written = self.window
        self.pass_time(at)
        return written

    def pass_time(self, until: float) -> None:
        """Close what is due by so many seconds."""
        if self.window is not None and self.window.closes_at <= NOW + timedelta(seconds=until):
            self.closed.append(self.window)
            self.window = None


def closes_after(*fragments: tuple[float, str]) -> tuple[float, str]:
    """Return after how many seconds, and for which reason, the window of the fragments closes."""
    thread = Thread()
    for at, text in fragments:
        written = thread.write(at, text)
    assert len(written.message_ids) == len(fragments), "they were to be one window"
    return (written.closes_at - NOW).total_seconds(), written.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Rápido!", ["rapido"]),
        ("¿CUÁNTO cuesta?", ["cuanto", "cuesta"]),
        ("mañana", ["mañana"]),
        ("man\u0303ana", ["mañana"]),
        ("AÑO", ["año"]),
        ("ra\u0301pido", ["rapido"]),
        ("aire-acondicionado,split/2", ["aire", "acondicionado", "split", "2"]),
        ("", []),
        ("👍 …", []),
        ("Straße ½", ["stra", "e"]),
    ],
)
def test_words_are_folded_to_what_people_mean(text: str, words: list[str]) -> None:
    assert folded_words(text) == words


@pytest.mark.parametrize(
    "word", ["necesito", "preciso", "quiero", "pueden", "vengan", "arreglen", "instalen", "reparen"]
)
@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("{} un técnico", "request"),
        ("Hola, {} un técnico.", "request"),
        ("hola {}", "dangling"),
        ("{}", "dangling"),
        ("{}…", "dangling"),
        ("{}, por favor", "request"),
    ],
)
def test_a_request_verb_shows_a_request(word: str, shape: str, kind: str) -> None:
    for written in (word, word.upper(), word.capitalize()):
        assert RULES.read(shape.format(written)) == Signal(kind=kind, reason="request_verb")


@pytest.mark.parametrize(
    "word", ["cuánto", "cuanto", "CUÁNTO", "precio", "cuesta", "cobran", "presupuesto", "cua\u0301nto"]
)
def test_a_price_word_shows_a_request(word: str) -> None:
    assert RULES.read(f"{word} un service") == Signal(kind="request", reason="price_inquiry")
    assert RULES.read(f"por favor {word}") == Signal(kind="dangling", reason="price_inquiry")


@pytest.mark.parametrize(
    "word",
    ["urgente", "emergencia", "ahora", "hoy", "ya", "rápido", "rapido", "RÁPIDO", "Ya", "¡URGENTE!", "ra\u0301pido"],
)
def test_an_urgent_word_closes_at_once_wherever_it_stands(word: str) -> None:
    for text in (word, f"vengan {word}", f"{word}, no enfría", f"no enfría ({word}) el aire"):
        assert RULES.read(text) == Signal(kind="now", reason="urgency")


@pytest.mark.parametrize(
    "text",
    [
        "voy a la playa",
        "hay un hoyo",
        "yate",
        "rápidos",
        "urgentemente",
        "ahorà mismo no, ahorita",
        "quierote",
        "necesitó",
        "presupuestos",
        "precioso",
        "ya2",
        "hoýo",
        "",
        "   ",
        "👍",
    ],
)
def test_only_whole_words_are_triggers(text: str) -> None:
    expected = {"ahorà mismo no, ahorita": "now", "necesitó": "dangling"}.get(text, "none")
    assert RULES.read(text).kind == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("¿vienen mañana?", "now"),
        ("vienen mañana? ", "now"),
        ("?", "now"),
        ("¿necesito?", "now"),
        ("¿vienen? gracias", "none"),
        ("¿vienen mañana", "none"),
    ],
)
def test_a_question_mark_at_the_end_is_a_question(text: str, kind: str) -> None:
    signal = RULES.read(text)
    assert (signal.kind, signal.reason) == (kind, "question" if kind == "now" else "timeout")


def test_the_last_request_word_of_a_text_decides() -> None:
    assert RULES.read("quiero un presupuesto") == Signal(kind="dangling", reason="price_inquiry")
    assert RULES.read("presupuesto quiero de un split") == Signal(kind="request", reason="request_verb")


@pytest.mark.parametrize(
    ("fragments", "seconds", "reason"),
    [
        pytest.param([(0, "Hola")], 8, "timeout", id="a greeting waits"),
        pytest.param([(0, "Hola"), (5, "soy Ana"), (7.9, "de Palermo")], 8, "timeout", id="from the first message"),
        pytest.param([(0, "necesito un técnico")], 1.5, "request_verb", id="a request has a grace"),
        pytest.param([(2, "necesito un técnico")], 3.5, "request_verb", id="from when it came"),
        pytest.param([(0, "Hola"), (3, "necesito un técnico")], 4.5, "request_verb", id="after a greeting"),
        pytest.param(
            [(0, "necesito un técnico"), (1.4, "para el aire"), (2.8, "en Corrientes")],
            4.3,
            "request_verb",
            id="each further piece restarts the grace",
        ),
        pytest.param(
            [(0, "Hola"), (7, "necesito un técnico")],
            8,
            "request_verb",
            id="the grace ends with the window at the latest",
        ),
        pytest.param([(0, "necesito")], 8, "request_verb", id="a word without its object waits"),
        pytest.param([(0, "necesito"), (6, "un técnico")], 7.5, "request_verb", id="until the object comes"),
        pytest.param([(0, "necesito"), (7, "un técnico")], 8, "request_verb", id="or the window ends"),
        pytest.param(
            [(0, "necesito un técnico"), (1, "quiero")], 8, "request_verb", id="a second word waits for its object too"
        ),
        pytest.param(
            [(0, "necesito un técnico"), (1, "cuánto")], 8, "price_inquiry", id="the last reason is the one recorded"
        ),
        pytest.param([(0, "Hola"), (2, "¿vienen hoy?")], 2, "question", id="a question closes at once"),
        pytest.param([(0, "necesito"), (1, "urgente un plomero")], 1, "urgency", id="and so does urgency"),
        pytest.param([(i / 10, "a") for i in range(9)], 8, "timeout", id="nine wait"),
        pytest.param([(i / 10, "a") for i in range(10)], 0.9, "max_buffer", id="the tenth closes"),
        pytest.param(
            [(0, "necesito a"), *((i / 10, "a") for i in range(1, 10))], 0.9, "max_buffer", id="whatever was asked"
        ),
    ],
)
def test_a_window_closes_when_the_rules_say(fragments: list[tuple[float, str]], seconds: float, reason: str) -> None:
    closes, recorded = closes_after(*fragments)
    assert closes == pytest.approx(seconds)
    assert recorded == reason


def test_a_fragment_that_comes_again_changes_nothing() -> None:
    signal = RULES.read("necesito un técnico")
    window = RULES.open(tenant=MINE, thread=THREAD, message_id="msg_1", signal=signal, at=NOW)
    assert RULES.add(window, message_id="msg_1", signal=signal, at=NOW + timedelta(seconds=1)) is window


def test_other_numbers_are_other_rules() -> None:
    rules = AggregationRules(window=timedelta(seconds=2), grace=timedelta(seconds=1), limit=2)
    window = rules.open(tenant=MINE, thread=THREAD, message_id="1", signal=rules.read("hola"), at=NOW)
    assert window.closes_at == NOW + timedelta(seconds=2)
    window = rules.add(window, message_id="2", signal=rules.read("hola"), at=NOW + timedelta(seconds=1))
    assert (window.closes_at, window.reason) == (NOW + timedelta(seconds=1), "max_buffer")


@pytest.mark.parametrize("text", ["Hola", "necesito un técnico", "necesito", "¿cuánto sale?"])
def test_a_piece_that_comes_after_the_window_was_to_close_does_not_prolong_it(text: str) -> None:
    window = RULES.open(tenant=MINE, thread=THREAD, message_id="1", signal=RULES.read("Hola"), at=NOW)
    late = RULES.add(window, message_id="2", signal=RULES.read(text), at=NOW + timedelta(seconds=9))
    assert late.closes_at == NOW + timedelta(seconds=8)


def test_a_window_whose_time_has_come_stays_closed() -> None:
    window = RULES.open(tenant=MINE, thread=THREAD, message_id="1", signal=RULES.read("¿cuánto sale?"), at=NOW)
    later = RULES.add(window, message_id="2", signal=RULES.read("gracias"), at=NOW)
    assert later.closes_at == NOW


TEXTS: Final = (
    "Hola",
    "necesito",
    "necesito un técnico",
    "¿cuánto sale?",
    "cuánto",
    "urgente",
    "vamos a la playa",
    "",
    "quiero un presupuesto",
)
arrivals = st.lists(
    st.tuples(st.floats(0, 9, allow_nan=False).map(lambda s: round(s, 2)), st.sampled_from(TEXTS)),
    min_size=1,
    max_size=40,
)


@given(arrivals)
@settings(deadline=None, max_examples=200)
def test_whatever_people_write_each_message_is_in_one_window_and_no_window_is_too_long(
    gaps: list[tuple[float, str]],
) -> None:
    thread, at = Thread(), 0.0
    for number, (gap, text) in enumerate(gaps):
        at += gap if number % 3 else gap / 20  # bursts and silences
        thread.write(at, text)
    thread.pass_time(at + 8)
    assert thread.window is None
    seen = [message_id for window in thread.closed for message_id in window.message_ids]
    assert seen == [str(number) for number in range(len(gaps))]
    for window in thread.closed:
        assert 1 <= len(window.message_ids) <= 10
        assert window.opened_at <= window.closes_at <= window.opened_at + timedelta(seconds=8)


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=9), st.floats(0, 8, allow_nan=False))
@settings(deadline=None, max_examples=100)
def test_no_order_of_pieces_closes_a_window_before_its_last_piece_or_after_eight_seconds(
    texts: list[str], seconds: float
) -> None:
    at = NOW + timedelta(seconds=seconds)
    window = RULES.open(tenant=MINE, thread=THREAD, message_id="first", signal=RULES.read("Hola"), at=NOW)
    for number, text in enumerate(texts):
        window = RULES.add(window, message_id=str(number), signal=RULES.read(text), at=at)
        assert at <= window.closes_at <= NOW + timedelta(seconds=8)
