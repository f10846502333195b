"""A WhatsApp Cloud API of our own for development, demo and tests, with a phone on which one plays the customer.

Words: an *account* is a business phone number at the API; a *contact* is a person who writes to it; the *window* is
the 24 hours after a contact's last message in which the business may write freely; a *template* is a message approved
beforehand, which may go out at any time. A *webhook* is what the API posts to the product.

A message of the business: accepted -> sent -> delivered -> read, or accepted -> sent -> failed.
A message of a contact: pending -> delivered (the webhook answered 200) -> read, or pending -> retrying -> delivered.
"""

from entrypoints.sandbox.whatsapp.pages import index_route
from entrypoints.sandbox.whatsapp.routes import whatsapp_routes
from entrypoints.sandbox.whatsapp.state import WhatsAppState
from entrypoints.sandbox.whatsapp.webhooks import Retries, Webhooks

__all__ = ["Retries", "Webhooks", "WhatsAppState", "index_route", "whatsapp_routes"]
