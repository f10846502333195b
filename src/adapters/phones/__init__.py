"""Phone numbers as people write them, by the rules of each country's numbering plan."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from core.kernel.errors import Invalid

LONGEST: Final = 40
_ARGENTINA: Final = 54
_WRITTEN: Final = re.compile(r"\+?[0-9 ().\-/]+\Z")
_COSTLY: Final = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.UAN,
        PhoneNumberType.PAGER,
        PhoneNumberType.VOICEMAIL,
    }
)
"""Kinds of number that nobody reads messages on, and some of which earn money for whoever asks for messages to them."""


def normaliser(*, region: str = "AR", mobile: bool = False) -> Callable[[str], str]:
    """Return `core.identity.ports.NormalisePhone`: numbers without `+` are read as somebody in the region dials them.

    In Argentina the 9 after 54, the 15 after the area code and the 0 before it are forms of one mobile. Without any of them a
    number is a landline, which is never taken for a mobile, except where only a `mobile` is asked for: whoever is to get a
    code there and leaves the 9 out means it.
    """

    def normalise(text: str) -> str:
        plain = unicodedata.normalize("NFKC", text[: LONGEST + 1]).strip()
        if len(text) > LONGEST or not _WRITTEN.match(plain):
            raise _no_phone()
        try:
            number = phonenumbers.parse(plain, region)
        except NumberParseException as wrong:
            raise _no_phone() from wrong
        if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in _COSTLY:
            raise _no_phone()
        if (
            mobile
            and number.country_code == _ARGENTINA
            and phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE
        ):
            number.national_number = int(f"9{number.national_number}")
            if not phonenumbers.is_valid_number(number):
                raise _no_phone()
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)

    return normalise


def _no_phone() -> Invalid:
    msg = "that is not a phone we can write to; with the area code, as in 11 15 5555-0001, or with + and the country's"
    return Invalid(msg, field="phone")
