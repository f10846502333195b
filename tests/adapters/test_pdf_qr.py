"""QR codes, held against a general encoder's."""

from __future__ import annotations

from typing import Any

import pytest
import segno
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.pdf.qr import LEVEL, MASK, VERSIONS, drawn, modules

AT_MOST = 2331


def by_segno(text: str, version: int) -> list[str]:
    code = segno.make(
        text, error=LEVEL, mode="byte", encoding="utf-8", eci=False, version=version, mask=MASK, boost_error=False
    )
    return ["".join(map(str, row)) for row in code.matrix]


def version_of(rows: list[str]) -> int:
    return (len(rows) - 17) // 4


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=700))
@example("x" * AT_MOST)
def test_a_code_is_that_of_a_general_encoder(text: str) -> None:
    rows = modules(text)
    assert rows == by_segno(text, version_of(rows))


@pytest.mark.parametrize("version", [10, 11, 12, 13, 14, 26, 27, 40])
def test_a_version_is_filled_to_the_last_byte_before_the_next_is_taken(version: int) -> None:
    size = max(length for length in range(1, AT_MOST + 1) if _fits(length, version))
    text = "".join(chr(33 + place * 7 % 94) for place in range(size))
    assert version_of(modules(text)) == version
    assert modules(text) == by_segno(text, version)
    if version < VERSIONS[-1]:
        assert version_of(modules(text + "x")) == version + 1


def _fits(length: int, version: int) -> bool:
    consts: Any = segno.consts
    room: int = consts.SYMBOL_CAPACITY[version][consts.ERROR_LEVEL_M]
    return length * 8 + 20 <= room


def test_letters_beyond_ascii_are_as_long_as_their_bytes() -> None:
    assert modules("ñ" * 106) == by_segno("ñ" * 106, 10)
    assert version_of(modules("ñ" * 107)) == 11


def test_what_no_code_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        modules("x" * (AT_MOST + 1))


def test_a_drawing_has_a_stroke_for_each_dark_run() -> None:
    rows, svg = modules("cuadrilla"), drawn("cuadrilla")
    assert f'viewBox="0 0 {len(rows)} {len(rows)}"' in svg
    path = svg.split(' d="')[1].split('"')[0]
    assert path.count("h") == sum(len([run for run in row.split("0") if run]) for row in rows)
    assert path.startswith("M0 0.5m0 0h7m")  # the upper edge of the first finder
