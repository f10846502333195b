"""Phones as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.phones import normaliser
from core.kernel.errors import CuadrillaError, Invalid
from core.kernel.numbers import e164

normalise = normaliser()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+54 9 11 5555-0001", "+5491155550001"),
        ("+5491155550001", "+5491155550001"),
        ("5491155550001", "+5491155550001"),
        ("54 9 11 5555 0001", "+5491155550001"),
        ("9 11 5555 0001", "+5491155550001"),
        ("011 15 5555-0001", "+5491155550001"),
        ("11 15 5555 0001", "+5491155550001"),
        ("(011) 15-5555-0001", "+5491155550001"),
        ("+54 11 15 5555 0001", "+5491155550001"),
        ("0351 15 555-1234", "+5493515551234"),
        ("351 15 555 1234", "+5493515551234"),
        ("+54 9 351 555 1234", "+5493515551234"),
        ("02901 15 41-2345", "+5492901412345"),
        ("+54 11 5555-0001", "+541155550001"),
        ("11 5555-0001", "+541155550001"),
        ("0351 455-1234", "+543514551234"),
        ("+598 94 123 456", "+59894123456"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("  +5491155550001\n", "+5491155550001"),
        ("\uff0b\uff15\uff1491155550001", "+5491155550001"),
    ],
)
def test_every_form_of_a_phone_is_one_phone(written: str, kept: str) -> None:
    assert normalise(written) == kept
    assert normalise(kept) == kept
    assert e164(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "+", "nobody", "15 5555 0001", "5555-0001", "+54", "+5491", "+549115555000123", "911", "101"),
        *("0800 555 1234", "0600 555 1234", "+54 800 555 1234", "+1 900 555 0123", "+999 1234567", "+0 11 5555 0001"),
        *("+5491155550001;ext=5", "+5491155550001x5", "tel:+5491155550001", "11-CALL-NOW", "+54 9 11 5555 0001, 0002"),
        *("\x00", "\ud800", "+5491155550001\x00", "'; DROP TABLE users; --", "9" * 100_000, "\u0663" * 12, "--"),
    ],
)
def test_what_is_no_phone_that_can_be_written_to_is_refused(written: str) -> None:
    with pytest.raises(Invalid) as refusal:
        normalise(written)
    assert refusal.value.field == "phone"


def test_without_a_plus_a_number_is_read_as_the_region_dials_it() -> None:
    assert normaliser(region="UY")("094 123 456") == "+59894123456"


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9 ()-]{5,20}", fullmatch=True))
def test_a_phone_that_is_taken_is_its_own_form(text: str) -> None:
    try:
        kept = normalise(text)
    except CuadrillaError:
        return
    assert normalise(kept) == kept == e164(kept)


@pytest.mark.parametrize("written", ["11 5555-0001", "+54 11 5555-0001", "011 15 5555-0001", "+5491155550001"])
def test_where_a_mobile_is_asked_for_the_nine_may_be_left_out(written: str) -> None:
    assert normaliser(mobile=True)(written) == "+5491155550001"
    assert normaliser(mobile=True)("+598 2 901 2345") == "+59829012345"
