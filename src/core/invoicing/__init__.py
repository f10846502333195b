"""Invoicing: what a job comes to, authorised by AFIP.

A *voucher* is an invoice in AFIP's words; its *letter* (A, B, C) follows from the VAT conditions of both parties; a *series* is what
AFIP numbers without gaps; the *CAE* is AFIP's yes. *Settling* an invoice is asking AFIP what became of it. A *note* corrects an
invoice: a credit note takes back, a debit note adds.

    draft → pending_cae → issued
      ↑         ├→ cae_failed (AFIP said no)     → draft
      └─────────┴→ unknown (the answer was lost) → issued, or pending_cae under the same number, or draft

A draft or refused voucher with *doubts* (a request for it may still arrive at AFIP) becomes issued when AFIP turns out to have it.
"""

from core.invoicing.authorising import InvoicingRules
from core.invoicing.explanations import explained
from core.invoicing.model import MOVES, OPEN, Invoice
from core.invoicing.notes import left_of, total_of
from core.invoicing.outcome import (
    AnswerLost,
    Authorisation,
    InvoiceNotFound,
    NoTaxProfile,
    NotIssued,
    Observation,
    Refused,
    SeriesBusy,
)
from core.invoicing.parties import Issuer, Receiver
from core.invoicing.ports import COPIES, Exchange, Found, Work
from core.invoicing.preflight import Finding, NotAcceptable, findings, unwritable
from core.invoicing.qr import qr_text
from core.invoicing.service import Invoicing
from core.invoicing.terms import Mipyme, Tax, Terms
from core.invoicing.voucher import Corrected, Series, letter

__all__ = [
    "COPIES",
    "MOVES",
    "OPEN",
    "AnswerLost",
    "Authorisation",
    "Corrected",
    "Exchange",
    "Finding",
    "Found",
    "Invoice",
    "InvoiceNotFound",
    "Invoicing",
    "InvoicingRules",
    "Issuer",
    "Mipyme",
    "NoTaxProfile",
    "NotAcceptable",
    "NotIssued",
    "Observation",
    "Receiver",
    "Refused",
    "Series",
    "SeriesBusy",
    "Tax",
    "Terms",
    "Work",
    "explained",
    "findings",
    "left_of",
    "letter",
    "qr_text",
    "total_of",
    "unwritable",
]
