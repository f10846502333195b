"""Credit and debit notes: what they take, what they leave, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from core.invoicing import Invoice, NotAcceptable, Tax, Terms, left_of, total_of
from core.invoicing.notes import everything, of_amount, of_lines
from core.kernel.money import VAT_RATES, Line, totals
from tests.contracts.fiscal import COMPANY, TODAY, corrected, line, unchecked
from tests.contracts.samples import NOW, a_cae

CENT = Decimal("0.01")
cents = st.decimals(min_value=CENT, max_value=Decimal(1_000_000), places=2)


@st.composite
def a_line(draw: st.DrawFn) -> Line:
    treatment = draw(st.sampled_from(("taxed", "taxed", "taxed", "exempt", "not_taxed")))
    return Line(
        description="x",
        quantity=draw(st.decimals(min_value=Decimal("0.001"), max_value=Decimal(500), places=3)),
        unit_price=draw(st.decimals(min_value=Decimal(0), max_value=Decimal(100_000), places=4)),
        discount=draw(st.decimals(min_value=Decimal(0), max_value=Decimal(100), places=2)),
        vat_rate=draw(st.sampled_from(VAT_RATES)) if treatment == "taxed" else Decimal(0),
        treatment=treatment,
    )


taxes = st.lists(
    st.builds(Tax, id=st.sampled_from((1, 7, 13)), base=cents, rate=st.just(Decimal(3)), amount=cents), max_size=2
)


@st.composite
def an_original(draw: st.DrawFn) -> Invoice:
    lines = tuple(draw(st.lists(a_line(), min_size=1, max_size=6)))
    original = unchecked(receiver=COMPANY, lines=(*lines, line("1")), terms=Terms(taxes=tuple(draw(taxes))))
    return issued(original)


def issued(invoice: Invoice) -> Invoice:
    return invoice.submit(number=1, issued_on=TODAY, at=NOW).issue(a_cae(), at=NOW)


def note(original: Invoice, credit: Any, *, kind: str = "credit_note", state: str = "issued") -> Invoice:
    return evolve(
        original,
        kind=kind,
        state=state,
        lines=credit.lines,
        terms=Terms(taxes=credit.taxes, exact=credit.exact),
        corrects=(corrected(1),),
    )


@given(lines=st.lists(a_line(), max_size=8), extra=taxes)
def test_the_parts_of_any_voucher_add_up_to_its_total(lines: list[Line], extra: list[Tax]) -> None:
    sums = totals(lines, taxes=sum((each.amount for each in extra), Decimal(0)))
    assert sums.net + sums.vat + sums.not_taxed + sums.exempt + sums.taxes == sums.total
    assert sum((rate.base for rate in sums.rates), Decimal(0)) == sums.net
    for part in (sums.net, sums.vat, sums.not_taxed, sums.exempt, sums.taxes, sums.total):
        assert part == part.quantize(CENT) >= 0
    for rate in sums.rates:  # AFIP: an absolute error of a cent, or a relative one of 0.01 %
        assert abs(rate.vat - rate.base * rate.rate / 100) <= CENT / 2


@settings(deadline=None)
@given(original=an_original(), amounts=st.lists(cents, max_size=4), last=st.booleans())
def test_partial_credits_and_the_rest_come_to_the_whole_and_never_above(
    original: Invoice, amounts: Sequence[Decimal], last: bool
) -> None:
    notes: list[Invoice] = []
    for amount in amounts:
        left = left_of(original, notes)
        if amount > total_of(left):
            with pytest.raises(NotAcceptable):
                of_amount(amount, left)
            continue
        notes.append(note(original, of_amount(amount, left)))
        assert notes[-1].totals.total == amount
        for share in left_of(original, notes).values():
            assert share.base >= 0
            assert share.tax >= 0
    left = left_of(original, notes)
    if last and total_of(left):
        notes.append(note(original, everything(original, left)))
        assert total_of(left_of(original, notes)) == 0
    credited = sum((each.totals.total for each in notes), Decimal(0))
    assert credited <= original.totals.total
    # A cent of VAT whose base is gone is nobody's: no voucher can take it back.
    if last:
        assert original.totals.total - credited <= CENT * len(original.totals.rates)


def test_everything_is_the_original_s_own_lines() -> None:
    original = issued(unchecked())
    credit = everything(original, left_of(original, []))
    assert (credit.lines, credit.taxes, credit.exact) == (original.lines, (), original.totals.rates)


def test_what_is_left_of_lines_is_credited_by_rate() -> None:
    original = issued(
        unchecked(receiver=COMPANY, lines=(line("100"), line("50", "10.5"), line("30", treatment="exempt")))
    )
    left = left_of(original, [])
    part = of_lines((line("40"),), (), totals((line("40"),)).rates, left)
    rest = everything(original, left_of(original, [note(original, part)]))
    assert [(each.description, each.unit_price, each.vat_rate) for each in rest.lines] == [
        ("Crédito, exento", Decimal("30.00"), Decimal(0)),
        ("Crédito, IVA 10,5 %", Decimal("50.00"), Decimal("10.5")),
        ("Crédito, IVA 21 %", Decimal("60.00"), Decimal(21)),
    ]


@pytest.mark.parametrize(
    "lines",
    [(line("1000.01"),), (line("1", "10.5"),), (line("1", treatment="exempt"),), (line("600"), line("600"))],
    ids=["too much", "another rate", "another treatment", "too much together"],
)
def test_lines_above_what_is_left_of_their_part_are_refused(lines: tuple[Line, ...]) -> None:
    original = issued(unchecked())
    with pytest.raises(NotAcceptable) as refusal:
        of_lines(lines, (), totals(lines).rates, left_of(original, []))
    assert [(each.field, each.code) for each in refusal.value.findings] == [("items", 10237)]
    assert "1.210,00" in refusal.value.findings[0].rule_es


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1210.01"])
def test_an_amount_has_cents_and_is_not_above_what_is_left(amount: str) -> None:
    with pytest.raises(NotAcceptable) as refusal:
        of_amount(Decimal(amount), left_of(issued(unchecked()), []))
    assert refusal.value.field == "amount"


@pytest.mark.parametrize(
    ("kind", "state", "left"),
    [
        ("credit_note", "issued", "0.00"),
        ("credit_note", "pending_cae", "0.00"),
        ("credit_note", "unknown", "0.00"),
        ("credit_note", "draft", "1210.00"),
        ("credit_note", "cae_failed", "1210.00"),
        ("debit_note", "issued", "2420.00"),
        ("debit_note", "unknown", "1210.00"),
        ("debit_note", "draft", "1210.00"),
    ],
)
def test_a_note_counts_as_afip_has_or_may_have_it(kind: str, state: str, left: str) -> None:
    original = issued(unchecked())
    whole = everything(original, left_of(original, []))
    assert total_of(left_of(original, [note(original, whole, kind=kind, state=state)])) == Decimal(left)


def test_nothing_is_left_of_nothing() -> None:
    original = issued(unchecked())
    whole = everything(original, left_of(original, []))
    with pytest.raises(NotAcceptable, match="above what is left"):
        everything(original, left_of(original, [note(original, whole)]))
