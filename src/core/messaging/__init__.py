"""Messaging: what people write to us, gathered into texts, and what those texts ask for.

A *message* is a fragment as the provider delivered it, kept once by the provider's event id. A *thread* is one person on one
channel. A *window* is the time in which fragments of a thread are still one text; closed, they are a *batch*. An
*understanding* is what a language model reads in a batch: an intent and the details it could find.

    delivered → buffered → batch → understood

The database is the truth; the buffer only says when a window ends. A message whose buffer vanished is found by `sweep`.
"""

from core.messaging.aggregation import AggregationRules, Signal, Window
from core.messaging.model import Batch, BatchNotFound, InboundMessage, Sender, StatusReport, Understanding
from core.messaging.service import Messaging

__all__ = [
    "AggregationRules",
    "Batch",
    "BatchNotFound",
    "InboundMessage",
    "Messaging",
    "Sender",
    "Signal",
    "StatusReport",
    "Understanding",
    "Window",
]
