"""What AFIP says of a voucher, and what stands in the way of asking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final

from attrs import frozen

from core.invoicing.explanations import explained
from core.kernel.errors import Conflict, Invalid, NotFound, Unavailable

OUT_OF_ORDER: Final = 10016
"""AFIP's code for a number or date that is not the next of its series."""


class InvoiceNotFound(NotFound):
    """This tenant has no such invoice."""

    code: ClassVar[str] = "invoice.not_found"


class NotIssued(Conflict):
    """The invoice has no CAE, so there is nothing to print, and nothing that a note could correct."""

    code: ClassVar[str] = "invoice.not_issued"


class NoTaxProfile(Conflict):
    """The tenant has not said who issues its invoices."""

    code: ClassVar[str] = "invoice.no_tax_profile"


class SeriesBusy(Unavailable):
    """Another voucher of the same series waits for AFIP's word; numbers are taken one at a time."""

    code: ClassVar[str] = "invoice.series_busy"


class AnswerLost(Unavailable):
    """AFIP was asked and no answer came: the voucher may or may not be authorised."""

    code: ClassVar[str] = "afip.answer_lost"


@frozen
class Observation:
    """AFIP's own code and text."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class Refused(Invalid):
    """AFIP refused the voucher; `observations` are its own codes and texts."""

    code: ClassVar[str] = "afip.refused"

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = tuple(observations)
        super().__init__("AFIP refused the invoice: " + "; ".join(map(str, self.observations)))

    @property
    def number_taken(self) -> bool:
        """Whether the number is not the next of its series: somebody has it, and that may be us."""
        return any(each.code == OUT_OF_ORDER for each in self.observations)

    def details(self) -> Mapping[str, object]:
        return {"afip": [{"code": each.code, "message": each.text, **_ours(each.code)} for each in self.observations]}


def _ours(code: int) -> dict[str, str]:
    known = explained(code)
    return {} if known is None else {"meaning": known.meaning, "remedy": known.remedy}


@frozen(kw_only=True)
class Authorisation:
    """AFIP's yes: the CAE (14 digits), its last valid day, and what AFIP observed all the same."""

    cae: str
    expires_on: date
    observations: tuple[Observation, ...] = ()
