"""Invoicing: what a job comes to, authorised by AFIP.

A *voucher* is an invoice in AFIP's words; its *letter* (A, B, C) follows from the VAT conditions of both parties; a *series* is what
AFIP numbers without gaps; the *CAE* is AFIP's yes. *Settling* an invoice is asking AFIP what became of it.

    draft → pending_cae → issued
      ↑         ├→ cae_failed (AFIP said no)     → draft
      └─────────┴→ unknown (the answer was lost) → issued, or pending_cae under the same number, or draft
"""

from core.invoicing.model import (
    MOVES,
    AnswerLost,
    Authorisation,
    Invoice,
    InvoiceNotFound,
    Issuer,
    NoTaxProfile,
    NotIssued,
    Observation,
    Receiver,
    Refused,
    SeriesBusy,
)
from core.invoicing.ports import Found, Work
from core.invoicing.qr import qr_text
from core.invoicing.service import Invoicing, InvoicingRules
from core.invoicing.voucher import Series, letter

__all__ = [
    "MOVES",
    "AnswerLost",
    "Authorisation",
    "Found",
    "Invoice",
    "InvoiceNotFound",
    "Invoicing",
    "InvoicingRules",
    "Issuer",
    "NoTaxProfile",
    "NotIssued",
    "Observation",
    "Receiver",
    "Refused",
    "Series",
    "SeriesBusy",
    "Work",
    "letter",
    "qr_text",
]
