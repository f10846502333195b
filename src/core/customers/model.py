"""A customer and the ways they are known."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.customers.events import CustomerChanged, CustomerFact, CustomerRegistered
from core.kernel.errors import Conflict, Invalid, NotFound
from core.kernel.phone import e164
from core.kernel.states import evolved

VAT_CONDITIONS: Final = ("responsable_inscripto", "monotributo", "exento", "consumidor_final")
DOCUMENT_TYPES: Final = ("CUIT", "CUIL", "DNI", "none")


class CustomerNotFound(NotFound):
    """This tenant has no such customer."""

    code: ClassVar[str] = "customer.not_found"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"there is no customer {customer_id}")


class IdentityTaken(Conflict):
    """The phone or provider id already belongs to another customer of the tenant."""

    code: ClassVar[str] = "customer.identity_taken"


@frozen(kw_only=True, slots=False)
class Customer:
    """Somebody whom work is done for.

    `identities` are the ways a provider knows them, as `whatsapp:<id>`; the phone is optional, because since 2026 a WhatsApp
    user may have only a business-scoped id. An identity belongs to one customer of a tenant.
    """

    id: str
    tenant: str
    name: str
    created_at: datetime
    phone: str | None = None
    identities: tuple[str, ...] = ()
    vat_condition: str = "consumidor_final"
    document_type: str = "none"
    document_number: str = ""
    address: str = ""
    version: int = 0
    facts: tuple[CustomerFact, ...] = field(default=(), eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _check(self)

    @classmethod
    def registered(cls, *, id_: str, tenant: str, name: str, at: datetime, **known: Any) -> Customer:
        """Somebody is a customer from now on; `known` are further fields."""
        if known.get("phone"):
            known["phone"] = e164(known["phone"])
        fact = CustomerRegistered(tenant=tenant, at=at, customer_id=id_)
        return cls(id=id_, tenant=tenant, name=name.strip(), created_at=at, facts=(fact,), **known)

    def change(self, *, at: datetime, **wanted: Any) -> Customer:
        """Correct what is known; None leaves a field as it is."""
        if wanted.get("phone"):
            wanted["phone"] = e164(wanted["phone"])
        changes = {name: value for name, value in wanted.items() if value not in (None, getattr(self, name))}
        if not changes:
            return self
        fact = CustomerChanged(tenant=self.tenant, at=at, customer_id=self.id, fields=tuple(sorted(changes)))
        changed = evolved(self, {**changes, "facts": (*self.facts, fact)})
        _check(changed)
        return changed


def _check(customer: Customer) -> None:
    if not customer.name.strip():
        msg = "a customer needs a name"
        raise Invalid(msg, field="name")
    if customer.vat_condition not in VAT_CONDITIONS:
        msg = f"the VAT condition must be one of {', '.join(VAT_CONDITIONS)}"
        raise Invalid(msg, field="vatCondition")
    if customer.document_type not in DOCUMENT_TYPES:
        msg = f"the document type must be one of {', '.join(DOCUMENT_TYPES)}"
        raise Invalid(msg, field="documentType")
    number = customer.document_number
    if customer.document_type == "none":
        if number:
            msg = "a document number needs its type"
            raise Invalid(msg, field="documentType")
    elif customer.document_type in {"CUIT", "CUIL"}:
        if not cuit_is_valid(number):
            msg = f"{number!r} is not a {customer.document_type}: eleven digits, the last one checks the others"
            raise Invalid(msg, field="documentNumber")
    elif not (number.isascii() and number.isdigit() and 6 <= len(number) <= 8):  # noqa: PLR2004 - a DNI's length
        msg = f"{number!r} is not a DNI: six to eight digits"
        raise Invalid(msg, field="documentNumber")


def cuit_is_valid(number: str) -> bool:
    """Check eleven digits modulo 11 with the weights 5 4 3 2 7 6 5 4 3 2."""
    if len(number) != 11 or not (number.isascii() and number.isdigit()):  # noqa: PLR2004 - a CUIT's length
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    return int(number[-1]) == {11: 0, 10: 9}.get(11 - total % 11, 11 - total % 11)
