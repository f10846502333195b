"""Requests that were given up for lost and may still arrive at AFIP."""

from __future__ import annotations

from datetime import date, datetime

from attrs import frozen

from core.invoicing.parties import Issuer, Receiver
from core.invoicing.terms import Terms
from core.kernel.money import Line


@frozen(kw_only=True)
class Doubt:
    """A voucher as AFIP was asked for it under a number that was given back although one request with it never had its answer.

    Should that request arrive while the number is the next of its series, AFIP authorises what is written here.
    """

    since: datetime
    number: int
    issued_on: date
    issuer: Issuer
    receiver: Receiver
    lines: tuple[Line, ...]
    currency: str
    terms: Terms
