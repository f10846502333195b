"""A customer and the papers that they have."""

from __future__ import annotations

from typing import Any

import pytest

from core.customers.events import CustomerChanged, CustomerRegistered
from core.customers.model import Customer
from core.kernel.errors import Invalid
from tests.contracts.samples import MINE, NOW, a_customer


@pytest.mark.parametrize(
    ("document_type", "number", "field"),
    [
        ("CUIT", "30000000008", "documentNumber"),
        ("CUIT", "", "documentNumber"),
        ("CUIL", "20111111113", "documentNumber"),
        ("DNI", "12345", "documentNumber"),
        ("DNI", "123456789", "documentNumber"),
        ("DNI", "20.111.222", "documentNumber"),
        ("DNI", "", "documentNumber"),
        ("DNI", "١٢٣٤٥٦٧", "documentNumber"),
        ("none", "20111222", "documentType"),
        ("CDI", "20111111113", "documentNumber"),
        ("LE", "123456789", "documentNumber"),
        ("LC", "A123456", "documentNumber"),
        ("passport", "AAA123456", "documentNumber"),
        ("passport", "000", "documentNumber"),
        ("foreign_id", "123456789012", "documentNumber"),
        ("foreign_id", "", "documentNumber"),
        ("DU", "20111222", "documentType"),
    ],
)
def test_a_document_that_cannot_be_is_refused(document_type: str, number: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        a_customer(document_type=document_type, document_number=number)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("document_type", "number"),
    [
        ("CUIT", "30000000007"),
        ("CUIL", "20111111112"),
        ("DNI", "123456"),
        ("DNI", "20111222"),
        ("none", ""),
        ("CDI", "20111111112"),
        ("LE", "1234567"),
        ("LC", "1234567"),
        ("passport", "12345678901"),
        ("foreign_id", "92345678"),
    ],
)
def test_a_document_that_can_be_is_kept(document_type: str, number: str) -> None:
    assert a_customer(document_type=document_type, document_number=number).document_number == number


@pytest.mark.parametrize("name", ["", "  "], ids=["empty", "blank"])
def test_a_customer_has_a_name(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Customer.registered(id_="cust_1", tenant=MINE, name=name, at=NOW)
    assert refusal.value.field == "name"
    with pytest.raises(Invalid):
        a_customer().change(at=NOW, name=name)


def test_a_vat_condition_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        a_customer(vat_condition="RI")
    assert refusal.value.field == "vatCondition"


def test_registering_keeps_the_phone_in_its_one_form() -> None:
    customer = Customer.registered(id_="cust_1", tenant=MINE, name=" Ana ", at=NOW, phone="54 9 11 5555-0001")
    assert (customer.phone, customer.name) == ("+5491155550001", "Ana")
    assert customer.facts == (CustomerRegistered(tenant=MINE, at=NOW, customer_id="cust_1"),)


@pytest.mark.parametrize("phone", [None, ""], ids=["none", "empty"])
def test_a_customer_needs_no_phone(phone: str | None) -> None:
    assert a_customer(phone=phone).phone == phone


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({"name": "Ana María"}, ("name",)),
        ({"phone": "+54 9 11 5555 0002"}, ("phone",)),
        ({"document_number": "30000000007", "document_type": "CUIT"}, ("document_number", "document_type")),
        ({"address": "Otra 1", "name": None}, ("address",)),
    ],
)
def test_a_correction_says_which_fields_it_touched(wanted: dict[str, Any], fields: tuple[str, ...]) -> None:
    changed = a_customer(phone="+5491155550001").change(at=NOW, **wanted)
    assert changed.facts[-1] == CustomerChanged(tenant=MINE, at=NOW, customer_id="cust_1", fields=fields)


def test_a_correction_that_changes_nothing_is_no_fact() -> None:
    customer = a_customer(phone="+5491155550001")
    assert customer.change(at=NOW, name="Ana Ruiz", phone="5491155550001", address=None) is customer


def test_a_correction_is_checked_like_a_registration() -> None:
    with pytest.raises(Invalid):
        a_customer().change(at=NOW, document_number="20111222")
