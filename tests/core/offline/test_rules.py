"""The rules by themselves: what fits a column, who wins a field, how a cursor looks, what a phone's clock means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.kernel.errors import Invalid
from core.offline import ORIGINS, TABLES, Cursor, Decision, ForeignCursor, Operation, Stamp
from core.offline.columns import Unfit
from core.offline.explanations import RULES, explained
from core.offline.merging import merged, repaired
from core.offline.model import PhoneClock
from tests.contracts.samples import NOW

JOBS = TABLES["jobs"]
MINE, THEIRS = "user_carlos", "user_marta"
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")


@settings(deadline=None)
@given(st.sampled_from(ORIGINS), st.integers(1, (1 << 36) - 1))
def test_a_cursor_is_a_number_that_javascript_keeps_and_comes_back_the_same(origin: int, seq: int) -> None:
    cursor = Cursor(origin, seq)
    assert 0 < cursor.number < 1 << 53
    assert Cursor.of(cursor.number) == cursor
    assert float(cursor.number) == cursor.number


@pytest.mark.parametrize("number", [0, 1, 1_795_093_920, 1_795_093_920_000, -5, 1 << 60, 2000 << 36])
def test_what_no_server_gave_out_is_no_cursor(number: int) -> None:
    with pytest.raises(ForeignCursor):
        Cursor.of(number)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted((table, name) for table, columns in TABLES.items() for name in columns)),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=50),
        st.binary(max_size=3),
        st.lists(st.integers(), max_size=2),
        st.just({"a": 1}),
    ),
)
def test_whatever_a_phone_sends_either_fits_or_is_said_to_be_unfit(column: tuple[str, str], value: Any) -> None:
    fits = TABLES[column[0]][column[1]].fits
    try:
        fit = fits(value)
    except Unfit as unfit:
        said = str(unfit)
    else:
        said = "fits" if fits(fit) == fit else ""
    assert said


@pytest.mark.parametrize(
    ("table", "column", "value", "fit"),
    [
        ("jobs", "starts_at", 1795093920000, datetime(2026, 11, 19, 13, 12, tzinfo=UTC)),
        ("jobs", "starts_at", "2026-11-19T10:12:00-03:00", datetime(2026, 11, 19, 13, 12, tzinfo=UTC)),
        ("line_items", "quantity", 1.5, "1.5"),
        ("line_items", "quantity", "1e2", "100"),
        ("line_items", "place", 2.0, 2),
        ("jobs", "notes", None, ""),
        ("jobs", "lat", None, None),
    ],
)
def test_a_value_is_kept_in_one_form(table: str, column: str, value: Any, fit: Any) -> None:
    assert TABLES[table][column].fits(value) == fit


def test_a_bad_value_is_repaired_and_an_unknown_column_left_out() -> None:
    fit, decisions = repaired(JOBS, {"lat": 91, "notes": "hola", "_status": "x", "__proto__": {}}, {"lat": -34.6})
    assert fit == {"notes": "hola"}
    (decision,) = decisions
    assert (decision.field, decision.rule, decision.kept, decision.theirs) == ("lat", "repaired", "server", -34.6)


def stamped(**fields: tuple[int, str]) -> dict[str, Stamp]:
    return {name: Stamp(version=version, by=by, at=NOW) for name, (version, by) in fields.items()}


@pytest.mark.parametrize(
    ("stamps", "base", "after", "written", "kept"),
    [
        ({}, 1, 0, True, None),  # nobody else wrote it
        (stamped(notes=(2, THEIRS)), 2, 0, True, None),  # the phone knew
        (stamped(title=(3, THEIRS)), 1, 0, True, None),  # another field
        (stamped(notes=(2, MINE)), 1, -5, True, None),  # it was us
        (stamped(notes=(2, THEIRS)), 1, 5, True, "phone"),
        (stamped(notes=(2, THEIRS)), 1, -5, False, "server"),
        (stamped(notes=(2, THEIRS)), 1, 0, False, "server"),  # at the same instant the server's stands
        (stamped(notes=(2, THEIRS)), None, -5, False, "server"),
    ],
)
def test_the_last_write_of_a_field_wins(
    stamps: dict[str, Stamp], base: int | None, after: int, written: bool, kept: str | None
) -> None:
    at = NOW + timedelta(minutes=after)
    result = merged(JOBS, {"notes": "b"}, {"notes": "a"}, stamps, base=base, mine=MINE, at=at)
    assert (result.write == {"notes": "b"}, [each.kept for each in result.decisions]) == (
        written,
        [kept] if kept else [],
    )
    assert not result.asks


def test_a_critical_field_is_not_decided_unless_both_want_the_same() -> None:
    stamps = stamped(status=(2, THEIRS))
    late = NOW + timedelta(hours=1)
    asks = merged(JOBS, {"status": "working"}, {"status": "cancelled"}, stamps, base=1, mine=MINE, at=late)
    assert (asks.asks, asks.write) == (True, {})
    same = merged(JOBS, {"status": "working"}, {"status": "working"}, stamps, base=1, mine=MINE, at=late)
    assert (same.asks, same.decisions) == (False, ())


def test_what_a_phone_may_not_write_is_left_as_it_is() -> None:
    result = merged(JOBS, {"total": "1.00"}, {"total": "2.00"}, {}, base=1, mine=MINE, at=NOW)
    assert (result.write, [each.rule for each in result.decisions]) == ({}, ["not_writable"])


@pytest.mark.parametrize("years", [-1, 0, 1])
def test_a_clock_that_is_a_year_off_is_read_by_what_it_says_now(years: int) -> None:
    off = timedelta(days=365 * years)
    clock = PhoneClock(now=NOW, sent_at=NOW + off)
    assert clock.true(NOW + off - timedelta(minutes=7)) == NOW - timedelta(minutes=7)
    assert clock.true(NOW + off + timedelta(minutes=7)) == NOW


def test_a_clock_that_says_nothing_cannot_reach_the_future() -> None:
    assert PhoneClock(now=NOW).true(NOW + timedelta(days=365)) == NOW
    assert PhoneClock(now=NOW).true(None) == NOW
    assert PhoneClock(now=NOW).true(NOW - timedelta(days=1)) == NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("wanted", "rank"),
    [
        ({"fields": {"status": "working"}}, 0),
        ({"fields": {"report": "x"}}, 1),
        ({"kind": "read"}, 2),
        ({"kind": "read", "priority": "high"}, 0),
    ],
)
def test_an_operation_has_the_priority_that_it_names_or_that_its_content_has(wanted: dict[str, Any], rank: int) -> None:
    assert Operation(id="1", table="jobs", record="job_1", **wanted).rank == rank


@pytest.mark.parametrize("wrong", [{"kind": "upsert"}, {"priority": "urgent"}])
def test_an_operation_of_no_known_kind_or_priority_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Operation(id="1", table="jobs", record="job_1", **wrong)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kept", ["phone", "server", "ask"])
def test_every_decision_can_be_explained(rule: str, kept: str) -> None:
    decision = Decision(
        field="notes", rule=rule, kept=kept, yours="a" * 200, theirs=None, by="x", at=NOW, why="no sirve"
    )
    text = explained(
        [decision, Decision(field=None, rule=rule, kept=kept)], names={"x": "Ana"}, written_at=NOW, zone=ZONE
    )
    first, second = text.splitlines()
    assert first.startswith("Notas: Ana puso nada el 20/11 a las 09:00;")
    assert RULES[rule] in first
    assert "…»" in first
    assert second.startswith("Registro:")
