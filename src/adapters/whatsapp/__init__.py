"""Meta's WhatsApp Cloud API: what it delivers, and how we send."""

from adapters.whatsapp.account import WhatsAppAccount
from adapters.whatsapp.channel import WhatsAppChannel
from adapters.whatsapp.codes import WhatsAppCodes
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.inbound import Delivery, arrivals, decode
from adapters.whatsapp.signature import signed_by
from adapters.whatsapp.templates import register_templates

__all__ = [
    "Delivery",
    "Graph",
    "WhatsAppAccount",
    "WhatsAppChannel",
    "WhatsAppCodes",
    "arrivals",
    "decode",
    "register_templates",
    "signed_by",
]
