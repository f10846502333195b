"""Notifications: telling people, once, by the ways and at the hours they chose, and knowing whether they were told.

A *template* is a message with gaps, a *delivery* one message to one person by one *channel* (WhatsApp, push, SMS, e-mail). *Quiet hours*
hold a message until the morning, where several become a *digest*; one that a channel will never bring *falls back* to the next. A
*device* is an app on somebody's phone.

    queued → sending → sent → delivered → read
      │         └→ failed (a device may still report delivered)
      └→ gathered into a digest
"""

from core.notifications.devices import DEVICES_AT_MOST, Device, DeviceNotFound
from core.notifications.model import (
    MOVES,
    AnswerLost,
    AskedToWait,
    Delivery,
    DeliveryNotFound,
    Recipient,
    SendRefused,
    Ticket,
    folded,
)
from core.notifications.ports import Document, PushAnswer, PushNote, Wanted
from core.notifications.preferences import CHANNELS, CUSTOMERS, EVENTS, Preferences, wall_time
from core.notifications.quiet import QuietHours
from core.notifications.rules import SendingRules
from core.notifications.service import Choices, Errand, Notifications
from core.notifications.templates import (
    LANGUAGES,
    TEMPLATES,
    BadVariables,
    Template,
    Variable,
    day,
    first_name,
    hours,
    pesos,
    title,
)

__all__ = [
    "CHANNELS",
    "CUSTOMERS",
    "DEVICES_AT_MOST",
    "EVENTS",
    "LANGUAGES",
    "MOVES",
    "TEMPLATES",
    "AnswerLost",
    "AskedToWait",
    "BadVariables",
    "Choices",
    "Delivery",
    "DeliveryNotFound",
    "Device",
    "DeviceNotFound",
    "Document",
    "Errand",
    "Notifications",
    "Preferences",
    "PushAnswer",
    "PushNote",
    "QuietHours",
    "Recipient",
    "SendRefused",
    "SendingRules",
    "Template",
    "Ticket",
    "Variable",
    "Wanted",
    "day",
    "first_name",
    "folded",
    "hours",
    "pesos",
    "title",
    "wall_time",
]
