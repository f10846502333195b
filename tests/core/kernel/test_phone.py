"""Phone numbers in the one form we keep."""

from __future__ import annotations

import pytest

from core.kernel.errors import Invalid
from core.kernel.phone import e164


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
