"""A customer and the ways they are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.customers.events import CustomerChanged, CustomerFact, CustomerRegistered
from core.kernel.errors import Conflict, Invalid, NotFound
from core.kernel.numbers import cuit_is_valid, e164
from core.kernel.states import evolved

VAT_CONDITIONS: Final = (
    "responsable_inscripto",
    "exento",
    "consumidor_final",
    "monotributo",
    "no_categorizado",
    "proveedor_exterior",
    "cliente_exterior",
    "ley_19640",
    "monotributo_social",
    "no_alcanzado",
    "monotributo_promovido",
)
"""What AFIP knows of a receiver (`FEParamGetCondicionIvaReceptor`)."""

_NATIONAL: Final = (re.compile(r"[0-9]{6,8}\Z"), "six to eight digits")
_FOREIGN: Final = (re.compile(r"0*[1-9][0-9]*\Z"), "up to eleven digits, without letters, because AFIP takes no others")
_LONGEST: Final = 11
DOCUMENTS: Final[Mapping[str, tuple[re.Pattern[str], str] | None]] = {
    "CUIT": None,
    "CUIL": None,
    "CDI": None,
    "DNI": _NATIONAL,
    "LE": _NATIONAL,
    "LC": _NATIONAL,
    "passport": _FOREIGN,
    "foreign_id": _FOREIGN,
}
"""What a document's number looks like; None: eleven digits, the last of which checks the others."""
_EMAIL: Final = re.compile(r"(?=.{6,254}$)[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
"""What any mail server takes: no quotes, spaces or letters beyond ASCII, and no line's end to smuggle a header in."""
DOCUMENT_TYPES: Final = (*DOCUMENTS, "none")


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
    email: str | None = None
    """Where documents are sent to."""
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
    if customer.email is not None and not _EMAIL.fullmatch(customer.email):
        msg = f"{customer.email[:60]!r} is no e-mail address"
        raise Invalid(msg, field="email")
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
        return
    form = DOCUMENTS[customer.document_type]
    if form is None:
        fits, said = cuit_is_valid(number), "eleven digits, the last one checks the others"
    else:
        fits, said = len(number) <= _LONGEST and form[0].match(number) is not None, form[1]
    if not fits:
        msg = f"{number!r} is not a {customer.document_type}: {said}"
        raise Invalid(msg, field="documentNumber")
