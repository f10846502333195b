"""What happens to a customer."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class CustomerFact(Fact):
    customer_id: str


@frozen(kw_only=True, slots=False)
class CustomerRegistered(CustomerFact):
    name: ClassVar[str] = "customer.registered"


@frozen(kw_only=True, slots=False)
class CustomerChanged(CustomerFact):
    name: ClassVar[str] = "customer.changed"
    fields: tuple[str, ...]


FACTS: tuple[type[CustomerFact], ...] = (CustomerRegistered, CustomerChanged)
