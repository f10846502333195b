"""A printer for tests: a page that a program can read back."""

from __future__ import annotations

from attrs import frozen

from adapters.memory.pauses import Pause, Steps, at_once
from core.invoicing import Invoice, NotIssued


@frozen
class MemoryPrinter:
    """`core.invoicing.ports.InvoicePrinter`: the marks of a PDF around number, total, CAE and QR text."""

    _pause: Pause = at_once

    async def print(self, invoice: Invoice, *, qr_text: str, copy: str = "original") -> bytes:
        """Return the issued invoice's bytes, the same for the same invoice and copy; raise `NotIssued`."""

        def page() -> bytes:
            if invoice.authorisation is None:
                msg = "only an issued invoice is printed"
                raise NotIssued(msg)
            lines = (invoice.printed_number, str(invoice.totals.total), invoice.authorisation.cae, qr_text, copy)
            return "\n".join(("%PDF-1.7", *(f"% {line}" for line in lines), "%%EOF", "")).encode()

        return await Steps(self._pause)("printer.print", page)
