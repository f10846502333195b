"""The fiscal pre-flight: what AFIP would refuse is found, and what it takes is not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from core.invoicing import Invoice, Mipyme, NotAcceptable, Receiver, Tax, Terms, explained, findings
from core.invoicing.explanations import EXPLANATIONS
from core.kernel.errors import Invalid
from tests.contracts.fiscal import COMPANY, OBSERVED, REFUSED, TAKEN, TODAY, line, unchecked


@pytest.mark.parametrize("name", REFUSED)
def test_what_afip_refuses_is_found_with_its_field_and_code(name: str) -> None:
    invoice, field, code = REFUSED[name]
    found = findings(invoice, today=TODAY)
    assert (field, code) in [(each.field, each.code) for each in found]
    with pytest.raises(NotAcceptable) as refusal:
        invoice.check(today=TODAY)
    assert refusal.value.field == found[0].field
    details: dict[str, Any] = {**refusal.value.details()}
    assert set(details["findings"][0]) == {"field", "rule", "regla", "afipCode"}
    assert all(each.rule_es.endswith(".") and each.rule for each in found)


@pytest.mark.parametrize("name", OBSERVED)
def test_what_afip_only_observes_is_found_too(name: str) -> None:
    invoice, field, code = OBSERVED[name]
    assert [(each.field, each.code) for each in findings(invoice, today=TODAY)] == [(field, code)]


@pytest.mark.parametrize("name", TAKEN)
def test_what_afip_takes_is_let_pass(name: str) -> None:
    assert findings(TAKEN[name], today=TODAY) == ()


def test_every_code_that_is_avoided_is_explained() -> None:
    codes = {code for _, _, code in (*REFUSED.values(), *OBSERVED.values())}
    assert codes <= set(EXPLANATIONS)
    for each in EXPLANATIONS.values():
        assert each.meaning.endswith(".")
        assert each.remedy.endswith((".", "?"))
    assert explained(1) is None


def test_a_rule_of_ours_avoids_no_code() -> None:
    nothing = unchecked(lines=(line("0"),))
    small = unchecked(receiver=COMPANY, terms=Terms(mipyme=Mipyme(cbu="0" * 22)))
    to_a_person = unchecked(lines=(line("6000000", "0"),), terms=Terms(mipyme=Mipyme(cbu="0" * 22)))
    for invoice, words in ((nothing, "more than zero"), (small, "5,549,862"), (to_a_person, "receiver's CUIT")):
        (found,) = findings(invoice, today=TODAY)
        assert found.code is None
        assert words in found.rule


def test_a_future_date_in_another_month_is_found() -> None:
    at_month_s_end = date(2026, 11, 29)
    invoice = unchecked(concept="products", terms=Terms(issued_on=date(2026, 12, 1)))
    assert [each.code for each in findings(invoice, today=at_month_s_end)] == [10152]
    assert (
        findings(evolve(invoice, terms=Terms(concept="services", issued_on=date(2026, 12, 1))), today=at_month_s_end)
        == ()
    )


def test_a_day_before_the_series_newest_voucher_is_found() -> None:
    invoice = unchecked(terms=Terms(issued_on=TODAY - timedelta(days=1)))
    assert [each.code for each in findings(invoice, today=TODAY, newest=TODAY)] == [10016]
    assert findings(invoice, today=TODAY, newest=TODAY - timedelta(days=1)) == ()


def test_everything_that_is_wrong_is_found_at_once() -> None:
    invoice = unchecked(
        receiver=evolve(COMPANY, document_number="1"),
        currency="USD",
        terms=Terms(service_from=TODAY, due_on=TODAY - timedelta(days=3)),
    )
    with pytest.raises(NotAcceptable) as refusal:
        invoice.check(today=TODAY)
    assert [each.code for each in refusal.value.findings] == [10015, 10119, 10032, 10036]


@pytest.mark.parametrize(
    "wanted",
    [
        {"base": Decimal("NaN")},
        {"base": Decimal(-1)},
        {"base": Decimal("0.001")},
        {"rate": Decimal("3.141")},
        {"amount": Decimal(0)},
        {"amount": Decimal("0.005")},
    ],
)
def test_a_tax_is_an_exact_amount(wanted: dict[str, Decimal]) -> None:
    given: dict[str, Any] = {"base": Decimal(1000), "rate": Decimal(3), "amount": Decimal(30)}
    with pytest.raises(Invalid) as refusal:
        Tax(id=7, **{**given, **wanted})
    assert refusal.value.field == "taxes"


@pytest.mark.parametrize("rate", ["10000", "NaN", "1.1234567"])
def test_a_rate_has_four_digits_and_six_decimals_at_most(rate: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Terms(rate=Decimal(rate))
    assert refusal.value.field == "rate"


def test_an_invoice_may_be_for_anybody_who_is_named_in_markup() -> None:
    assert findings(unchecked(receiver=Receiver(customer_id="c", name="<b>&\"'</b>]]>")), today=TODAY) == ()


def test_a_day_of_issue_is_judged_as_it_was_submitted() -> None:
    submitted: Invoice = unchecked().submit(number=1, issued_on=date(2026, 10, 1), at=unchecked().created_at)
    assert [each.code for each in findings(submitted, today=TODAY)] == [10016]
