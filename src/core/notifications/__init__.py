"""Notifications: telling people, once, and knowing whether they were told.

A *template* is a message with gaps, a *delivery* one message to one person, a *channel* the way to their phone.

    queued → sending → sent → delivered → read
                └→ failed (a device may still report delivered)
"""

from core.notifications.model import AnswerLost, Delivery, DeliveryNotFound, Recipient, SendRefused
from core.notifications.ports import Document
from core.notifications.service import Notifications
from core.notifications.templates import TEMPLATES, Template, day, hours, pesos

__all__ = [
    "TEMPLATES",
    "AnswerLost",
    "Delivery",
    "DeliveryNotFound",
    "Document",
    "Notifications",
    "Recipient",
    "SendRefused",
    "Template",
    "day",
    "hours",
    "pesos",
]
