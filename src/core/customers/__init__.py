"""Customers: who work is done for, how they are reached and what AFIP must know of them.

An *identity* is a provider's name for a person (`whatsapp:5491155550123`); it belongs to one customer of a tenant, so that a
message finds its sender. The *VAT condition* and the *document* decide the letter of an invoice.
"""

from core.customers.model import Customer, CustomerNotFound, IdentityTaken
from core.customers.service import Customers

__all__ = ["Customer", "CustomerNotFound", "Customers", "IdentityTaken"]
