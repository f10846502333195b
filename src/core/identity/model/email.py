"""E-mail addresses in the one form we keep."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from core.kernel.errors import Invalid

LONGEST: Final = 254
"""Of an address, and 64 of what stands before the @ (RFC 5321, 4.5.3.1)."""

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"(?=.{{1,64}}@)[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@(?:{_LABEL}\.)+[a-z][a-z0-9-]*[a-z0-9]\Z"
)


def canonical_email(text: str) -> str:
    """Return the address trimmed, compatibility-normalised (NFKC) and in lower case; raise `Invalid`.

    What is not ASCII after that is refused: a Cyrillic letter that looks like a Latin one would be a second account that
    nobody can tell from the first.
    """
    if len(text) > LONGEST * 2:
        msg = f"an e-mail address has {LONGEST} characters at most"
        raise Invalid(msg, field="email")
    address = unicodedata.normalize("NFKC", text.strip()).lower()
    if not address.isascii():
        msg = "write the e-mail address with plain letters, without accents or letters of other alphabets"
        raise Invalid(msg, field="email")
    if len(address) > LONGEST or not _ADDRESS.match(address):
        msg = "that is not an e-mail address"
        raise Invalid(msg, field="email")
    return address
