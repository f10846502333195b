"""Money, lines and totals: exact, half up, once."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.errors import Conflict, Invalid
from core.kernel.money import LARGEST, VAT_RATES, DifferentCurrencies, Line, Money, RateTotal, cents, totals


def line(quantity: str = "1", price: str = "100", *, discount: str = "0", rate: str = "21") -> Line:
    return Line(
        description="Carga de gas",
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        discount=Decimal(discount),
        vat_rate=Decimal(rate),
    )


def half_up(exact: Fraction) -> Decimal:
    """Round an exact non-negative fraction to cents, half up, without decimal's context."""
    hundredths = (exact * 100 * 2 + 1) // 2
    return Decimal(int(hundredths)).scaleb(-2)


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("0.004999", "0.00"),
        ("0.005", "0.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("1.004999999999999999999999", "1.00"),
        ("-0.005", "-0.01"),
        ("2.675", "2.68"),
        ("7", "7.00"),
    ],
)
def test_half_a_cent_is_rounded_away_from_zero(amount: str, rounded: str) -> None:
    assert str(cents(Decimal(amount))) == rounded


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+30", "-1E+14"])
def test_an_amount_that_nobody_could_pay_is_no_money(amount: str) -> None:
    with pytest.raises(Invalid):
        Money(Decimal(amount))


def test_a_float_is_no_money() -> None:
    amount: Any = 0.1
    with pytest.raises(Invalid, match=r"0\.1 is not an exact amount"):
        Money(amount)


def test_money_of_one_currency_adds_up_exactly() -> None:
    assert Money(Decimal("0.1")) + Money(Decimal("0.2")) == Money(Decimal("0.3"), "ARS")


def test_money_of_two_currencies_does_not_add_up() -> None:
    with pytest.raises(DifferentCurrencies, match="ARS and USD do not add up") as refusal:
        Money(Decimal(1)) + Money(Decimal(1), "USD")
    assert isinstance(refusal.value, Conflict)
    assert refusal.value.code == "different_currencies"


def test_money_is_written_to_the_cent() -> None:
    money = Money(Decimal("10.005"))
    assert str(money) == "10.01 ARS"
    assert money.rounded() == Money(Decimal("10.01"))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("quantity", ["0", "-1", "NaN", "Infinity", "1E+30", "9E+999999"]),
        ("unit_price", ["-0.01", "NaN", "-Infinity", "1E+14"]),
        ("discount", ["-0.01", "100.01", "NaN"]),
        ("vat_rate", ["20", "-21", "NaN", "21.01", "100"]),
    ],
)
def test_a_line_takes_no_number_that_makes_no_sense(field: str, values: list[str]) -> None:
    for value in values:
        wanted: dict[str, Any] = {"quantity": Decimal(1), "unit_price": Decimal(1), field: Decimal(value)}
        with pytest.raises(Invalid) as refusal:
            Line(description="x", **wanted)
        assert refusal.value.details() == {"field": field}, value


@pytest.mark.parametrize("field", ["quantity", "unit_price", "discount", "vat_rate"])
def test_a_line_takes_no_float(field: str) -> None:
    wanted: dict[str, Any] = {"description": "x", "quantity": Decimal(1), "unit_price": Decimal(1), field: 1.5}
    with pytest.raises(Invalid, match=f"{field} must be an exact number"):
        Line(**wanted)


@pytest.mark.parametrize("description", ["", "  \n"], ids=["empty", "blank"])
def test_a_line_says_what_it_is_for(description: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Line(description=description, quantity=Decimal(1), unit_price=Decimal(1))
    assert refusal.value.field == "description"


def test_a_line_that_passes_the_largest_amount_is_refused() -> None:
    with pytest.raises(Invalid):
        line("2", str(LARGEST))


def test_a_line_may_come_to_the_largest_amount() -> None:
    assert line("1", str(LARGEST)).net == Decimal("9999999999999.99")


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "net"),
    [
        ("1.5", "10000.50", "0", "15000.75"),
        ("3", "0.335", "0", "1.01"),
        ("1", "100", "33.333", "66.67"),
        ("1", "99.99", "100", "0.00"),
        ("0.001", "4.99", "0", "0.00"),
        ("0.5", "0.01", "0", "0.01"),
    ],
)
def test_a_line_comes_to_quantity_times_price_less_discount(quantity: str, price: str, discount: str, net: str) -> None:
    assert str(line(quantity, price, discount=discount).net) == net


def test_no_lines_come_to_nothing() -> None:
    nothing = totals(())
    assert (str(nothing.net), str(nothing.vat), str(nothing.total), nothing.rates) == ("0.00", "0.00", "0.00", ())


def test_tax_is_computed_for_each_rate_on_the_summed_base() -> None:
    """Line by line it would be 0.01 three times for the first rate: 0.03."""
    sums = totals([line("1", "0.03"), line("1", "0.03"), line("1", "0.04"), line("1", "10", rate="10.5")])
    assert [(str(each.rate), str(each.base), str(each.vat)) for each in sums.rates] == [
        ("10.5", "10.00", "1.05"),
        ("21", "0.10", "0.02"),
    ]
    assert (str(sums.net), str(sums.vat), str(sums.total)) == ("10.10", "1.07", "11.17")


def test_one_rate_written_in_two_ways_is_one_rate() -> None:
    assert [each.base for each in totals([line(rate="21"), line(rate="21.00")]).rates] == [Decimal(200)]


def test_totals_keep_their_currency() -> None:
    assert totals([line()], currency="USD").currency == "USD"


def test_more_than_afip_takes_is_refused() -> None:
    with pytest.raises(Invalid, match="the total passes") as refusal:
        totals([line("1", str(LARGEST), rate="0"), line("1", "0.01", rate="0")])
    assert refusal.value.field == "lines"


def test_exactly_what_afip_takes_is_not() -> None:
    assert totals([line("1", str(LARGEST), rate="0")]).total == LARGEST


def test_many_of_the_largest_lines_are_refused_and_break_nothing() -> None:
    with pytest.raises(Invalid, match="the total passes"):
        totals([line("1", str(LARGEST), rate="27")] * 1000)


lines = st.builds(
    Line,
    description=st.just("x"),
    quantity=st.decimals("0.001", "9999", places=3),
    unit_price=st.decimals(0, "9999999", places=2),
    discount=st.decimals(0, 100, places=2),
    vat_rate=st.sampled_from(VAT_RATES),
)


@given(lines)
@settings(deadline=None, max_examples=150)
def test_a_line_is_rounded_once_and_half_up(one: Line) -> None:
    exact = Fraction(one.quantity) * Fraction(one.unit_price) * (100 - Fraction(one.discount)) / 100
    assert one.net == half_up(exact)
    assert one.net == cents(one.net)


@given(st.lists(lines, max_size=12))
@settings(deadline=None, max_examples=100)
def test_net_and_the_tax_of_each_rate_are_the_total(many: list[Line]) -> None:
    sums = totals(many)
    assert sums.net == sum(one.net for one in many)
    assert sums.net + sum(each.vat for each in sums.rates) == sums.total
    assert [each.rate for each in sums.rates] == sorted({one.vat_rate for one in many})
    for each in sums.rates:
        assert each.vat == half_up(Fraction(each.base) * Fraction(each.rate) / 100)
        assert abs(each.vat - each.base * each.rate / 100) <= Decimal("0.005")


@given(st.lists(lines, min_size=2, max_size=4))
@settings(deadline=None, max_examples=40)
def test_the_order_of_lines_does_not_matter(many: list[Line]) -> None:
    assert len({totals(order) for order in permutations(many)}) == 1


def test_the_test_s_own_rounding_is_decimal_s() -> None:
    for thousandths in range(0, 100_001, 7):
        exact = Decimal(thousandths).scaleb(-3)
        assert half_up(Fraction(exact)) == exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"treatment": "free"}, "treatment"),
        ({"treatment": "exempt"}, "vat_rate"),
        ({"treatment": "not_taxed"}, "vat_rate"),
    ],
)
def test_what_has_no_vat_has_no_rate(wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Line(description="x", quantity=Decimal(1), unit_price=Decimal(1), **wanted)
    assert refusal.value.field == field


def test_what_is_not_taxed_stands_beside_the_net() -> None:
    def one(price: str, treatment: str) -> Line:
        rate = Decimal(21 if treatment == "taxed" else 0)
        return Line(description="x", quantity=Decimal(1), unit_price=Decimal(price), vat_rate=rate, treatment=treatment)

    given = (one("100", "taxed"), one("10", "exempt"), one("1", "not_taxed"), one("2", "not_taxed"))
    sums = totals(given, taxes=Decimal("0.50"))
    assert (sums.net, sums.vat, sums.exempt, sums.not_taxed, sums.taxes) == (
        Decimal(100),
        Decimal(21),
        Decimal(10),
        Decimal(3),
        Decimal("0.5"),
    )
    assert sums.total == Decimal("134.50")


def test_the_tax_of_a_split_base_is_taken_as_it_is_given() -> None:
    line = Line(description="x", quantity=Decimal(1), unit_price=Decimal("0.50"))
    exact = (RateTotal(Decimal(21), Decimal("0.50"), Decimal("0.10")), RateTotal(Decimal(21), Decimal(9), Decimal(1)))
    assert totals((line,)).vat == Decimal("0.11")
    assert totals((line,), exact=exact).vat == Decimal("0.10")
