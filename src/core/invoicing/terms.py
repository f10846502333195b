"""What a voucher says beside its parties and lines: concept, period, dates, money, other taxes, the MiPyME credit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from attrs import frozen

from core.kernel.errors import Invalid
from core.kernel.money import CENT, DECIMALS, RateTotal, cents

ONE: Final = Decimal(1)


@frozen(kw_only=True)
class Tax:
    """A perception or another tax that is no VAT: AFIP's id, what it is of, its rate in percent, and what it comes to."""

    id: int
    base: Decimal
    rate: Decimal
    amount: Decimal
    description: str = ""

    def __attrs_post_init__(self) -> None:
        for name in ("base", "rate", "amount"):
            value = getattr(self, name)
            if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
                msg = f"a tax's {name} must be an exact number, zero or more"
                raise Invalid(msg, field="taxes")
        if not self.amount or any(value % CENT for value in (self.base, self.rate, self.amount)):
            msg = "a tax comes to more than zero; base, rate and amount have two decimals at most"
            raise Invalid(msg, field="taxes")

    @classmethod
    def at_rate(cls, *, id_: int, base: Decimal, rate: Decimal, description: str = "") -> Tax:
        """Return what the rate makes of the base, to the cent, half up."""
        return cls(id=id_, base=base, rate=rate, amount=cents(base * rate / 100), description=description)


@frozen(kw_only=True)
class Mipyme:
    """What turns an invoice into a MiPyME credit invoice (Ley 27.440): where it is paid to, and how the credit may travel."""

    cbu: str = ""
    """22 digits; a note needs none."""
    alias: str = ""
    transfer: str = "SCA"
    """SCA (open circulation) or ADC (collective deposit agent)."""
    reference: str = ""
    annuls: bool = False
    """Of a note: the receiver refused the original."""


@frozen(kw_only=True)
class Terms:
    """What may be agreed; everything has a default, so that most vouchers say nothing here."""

    concept: str | None = None
    """products, services or both; the issuer's own if not given."""
    service_from: date | None = None
    service_to: date | None = None
    """The period of services; the day of the visit if not given."""
    due_on: date | None = None
    issued_on: date | None = None
    """The wished day of issue; today, or the series' newest day if that is later."""
    rate: Decimal = ONE
    """Pesos for one unit of the voucher's currency."""
    paid_in_currency: bool = False
    """A voucher in foreign currency that is also paid in it."""
    taxes: tuple[Tax, ...] = ()
    mipyme: Mipyme | None = None
    exact: tuple[RateTotal, ...] = ()
    """VAT of bases that are what other notes have left; see `core.kernel.money.totals`."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.rate, Decimal) or not self.rate.is_finite():
            msg = "the rate must be an exact number"
            raise Invalid(msg, field="rate")
        if int(self.rate.as_tuple().exponent) < -DECIMALS or self.rate >= 10_000:  # noqa: PLR2004 - AFIP's 4+6 digits
            msg = f"the rate has 4 digits and {DECIMALS} decimals at most"
            raise Invalid(msg, field="rate")


PLAIN: Final = Terms()
