"""Telephones in the one form we keep, and the check digit of a CUIT."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.errors import Invalid
from core.kernel.numbers import cuit_is_valid, e164

VALID: Final = ("30000000007", "20111111112", "33693450239", "30712345671", "23000000000", "20000000001")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("5491155550123", "+5491155550123"),
        ("+5491155550123", "+5491155550123"),
        ("+54 9 11 5555-0123", "+5491155550123"),
        ("+1 (202) 555.0123", "+12025550123"),
        ("\t+44\u00a020 7946 0123\n", "+442079460123"),
        ("1234567", "+1234567"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_an_international_number_is_kept_as_plus_and_digits(written: str, kept: str) -> None:
    assert e164(written) == kept
    assert e164(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "011 15-5555-0123",
        "0054911",
        "+0123456789",
        "123456",
        "+1234567890123456",
        "++5491155550123",
        "+54+91155550123",
        "phone",
        "5491155550123;ext=1",
        "٥٤٩١١٥٥٥٥٠١٢٣",
        "5491155550123\0",
    ],
)
def test_anything_else_is_refused_and_not_guessed_at(written: str) -> None:
    with pytest.raises(Invalid, match="is not an international phone number") as refusal:
        e164(written)
    assert refusal.value.details() == {"field": "phone"}


@pytest.mark.parametrize("number", VALID)
def test_the_last_digit_of_a_cuit_checks_the_others(number: str) -> None:
    assert cuit_is_valid(number)
    for wrong in set("0123456789") - {number[-1]}:
        assert not cuit_is_valid(number[:-1] + wrong)


@pytest.mark.parametrize(
    "number",
    ["", "3000000000", "300000000070", "30-00000000-7", "3000000000a", "٣٠٠٠٠٠٠٠٠٠٧", " 30000000007", "²0111111112"],
)
def test_anything_but_eleven_digits_is_no_cuit(number: str) -> None:
    assert not cuit_is_valid(number)


@given(st.integers(0, 10**10 - 1))
@settings(deadline=None, max_examples=100)
def test_ten_digits_have_one_check_digit(body: int) -> None:
    assert sum(cuit_is_valid(f"{body:010}{digit}") for digit in range(10)) == 1
