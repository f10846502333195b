"""Money, priced lines and value-added tax.

Rounding happens in one place: half up, to the cent, on a line's net amount and on the tax of a whole rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final, Self

from attrs import field, frozen

from core.kernel.errors import Conflict, Invalid

CENT: Final = Decimal("0.01")
LARGEST: Final = Decimal("9999999999999.99")
"""AFIP takes thirteen digits and two decimals."""

DECIMALS: Final = 6
"""As many as AFIP takes of a quantity or a price."""
EXACT: Final = Context(prec=80)
"""Wide enough for the product of a line's numbers, so that nothing is rounded before the cents are."""

VAT_RATES: Final = (Decimal(0), Decimal("2.5"), Decimal(5), Decimal("10.5"), Decimal(21), Decimal(27))
"""The Argentine rates, in percent."""

TREATMENTS: Final = ("taxed", "exempt", "not_taxed")
"""What VAT makes of a line: taxed at its rate (0 % is a rate), exempt by law, or no matter of VAT at all."""


def cents(amount: Decimal) -> Decimal:
    """Round half up to two decimals."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP, context=EXACT)


class DifferentCurrencies(Conflict):
    """Amounts of two currencies were added."""

    code = "different_currencies"


@frozen
class Money:
    """An exact amount of one currency (ISO 4217); never a float."""

    amount: Decimal
    currency: str = "ARS"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite() or abs(self.amount) > LARGEST:
            msg = f"{self.amount!r} is not an exact amount"
            raise Invalid(msg)

    def __add__(self, other: Self) -> Money:
        if self.currency != other.currency:
            msg = f"{self.currency} and {other.currency} do not add up"
            raise DifferentCurrencies(msg)
        return Money(self.amount + other.amount, self.currency)

    def rounded(self) -> Money:
        """Return it to the cent, half up."""
        return Money(cents(self.amount), self.currency)

    def __str__(self) -> str:
        return f"{cents(self.amount)} {self.currency}"


@frozen(kw_only=True)
class Line:
    """What was done or delivered: quantity, unit price without tax, discount and tax rate in percent.

    A line that is exempt or not taxed has the rate 0.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = Decimal(0)
    vat_rate: Decimal = Decimal(21)
    treatment: str = "taxed"

    def __attrs_post_init__(self) -> None:
        for name in ("quantity", "unit_price", "discount", "vat_rate"):
            value = getattr(self, name)
            if not isinstance(value, Decimal) or not value.is_finite():
                msg = f"{name} must be an exact number"
                raise Invalid(msg, field=name)
            if int(value.as_tuple().exponent) < -DECIMALS:
                msg = f"{name} may have {DECIMALS} decimals at most"
                raise Invalid(msg, field=name)
        if not self.description.strip():
            msg = "a line needs a description"
            raise Invalid(msg, field="description")
        if not 0 < self.quantity <= LARGEST:
            msg = f"quantity must be above zero and {LARGEST} at most"
            raise Invalid(msg, field="quantity")
        if not 0 <= self.unit_price <= LARGEST:
            msg = f"unit price must be zero or more, and {LARGEST} at most"
            raise Invalid(msg, field="unit_price")
        if not 0 <= self.discount <= 100:  # noqa: PLR2004 - percent
            msg = "discount must lie between 0 and 100 percent"
            raise Invalid(msg, field="discount")
        if self.vat_rate not in VAT_RATES:
            msg = f"VAT rate must be one of {', '.join(map(str, VAT_RATES))}"
            raise Invalid(msg, field="vat_rate")
        if self.treatment not in TREATMENTS:
            msg = f"a line is one of {', '.join(TREATMENTS)}"
            raise Invalid(msg, field="treatment")
        if self.treatment != "taxed" and self.vat_rate:
            msg = f"what is {self.treatment} has no VAT: give it the rate 0"
            raise Invalid(msg, field="vat_rate")
        if self.net > LARGEST:
            msg = f"a line may not pass {LARGEST}"
            raise Invalid(msg, field="unit_price")

    @property
    def net(self) -> Decimal:
        """Quantity times price less discount, to the cent."""
        exact = EXACT.multiply(EXACT.multiply(self.quantity, self.unit_price), 100 - self.discount)
        return cents(EXACT.scaleb(exact, -2))


@frozen
class RateTotal:
    """The taxed base of one rate and its tax."""

    rate: Decimal
    base: Decimal
    vat: Decimal


@frozen(kw_only=True)
class Totals:
    """What lines come to, each to the cent: the taxed net with its VAT by rate (lowest rate first), and what stands beside it."""

    net: Decimal = Decimal("0.00")
    rates: tuple[RateTotal, ...] = field(default=())
    not_taxed: Decimal = Decimal("0.00")
    exempt: Decimal = Decimal("0.00")
    taxes: Decimal = Decimal("0.00")
    """Perceptions and other taxes."""
    currency: str = "ARS"

    @property
    def vat(self) -> Decimal:
        return sum((rate.vat for rate in self.rates), Decimal("0.00"))

    @property
    def total(self) -> Decimal:
        return self.net + self.vat + self.not_taxed + self.exempt + self.taxes


def totals(
    lines: Iterable[Line],
    *,
    currency: str = "ARS",
    taxes: Decimal = Decimal("0.00"),
    exact: Iterable[RateTotal] = (),
) -> Totals:
    """Add lines up; tax is computed per rate on the summed base, as AFIP checks it (WSFEv1, errors 10051 and 10061).

    `taxes` are added as they are. `exact` is the tax of a base that was split into several vouchers: it counts where the base is
    the same, so that the parts add up to the whole.
    """
    nothing = Decimal("0.00")
    bases: dict[Decimal, Decimal] = {}
    beside = {"exempt": nothing, "not_taxed": nothing}
    for line in lines:
        if line.treatment in beside:
            beside[line.treatment] += line.net
        else:
            bases[line.vat_rate] = bases.get(line.vat_rate, nothing) + line.net
    given = {(each.rate, each.base): each.vat for each in exact}
    rates = tuple(
        RateTotal(rate, base, given.get((rate, base), cents(base * rate / 100))) for rate, base in sorted(bases.items())
    )
    net = sum((rate.base for rate in rates), nothing)
    result = Totals(net=net, rates=rates, taxes=cents(taxes), currency=currency, **beside)
    if result.total > LARGEST:
        msg = f"the total passes {LARGEST}"
        raise Invalid(msg, field="lines")
    return result
