"""`InvoicePrinter`: an issued invoice as a PDF, the same bytes each time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from adapters.memory import MemoryPrinter
from adapters.pdf import TypstPrinter
from core.invoicing import Invoice, NotIssued
from core.invoicing.ports import InvoicePrinter
from core.invoicing.qr import qr_text
from tests.contracts.samples import a_cae, an_invoice, submitted


@pytest.fixture(params=["memory", "typst"])
def printer(request: pytest.FixtureRequest) -> InvoicePrinter:
    """Give a printer of each kind."""
    return MemoryPrinter() if request.param == "memory" else TypstPrinter(sandbox=True)


@pytest.fixture
def issued() -> Invoice:
    """Give an invoice with a CAE."""
    return submitted(an_invoice()).issue(a_cae(), at=datetime(2026, 11, 20, 12, tzinfo=UTC))


async def test_an_issued_invoice_is_a_pdf(printer: InvoicePrinter, issued: Invoice) -> None:
    assert (await printer.print(issued, qr_text=qr_text(issued))).startswith(b"%PDF-1.")


async def test_the_same_invoice_is_the_same_bytes(printer: InvoicePrinter, issued: Invoice) -> None:
    first = await printer.print(issued, qr_text=qr_text(issued))
    assert await printer.print(evolve(issued), qr_text=qr_text(issued)) == first


async def test_another_invoice_is_another_document(printer: InvoicePrinter, issued: Invoice) -> None:
    other = evolve(issued, number=2)
    first, second = [await printer.print(each, qr_text=qr_text(each)) for each in (issued, other)]
    assert first != second


async def test_without_a_cae_there_is_nothing_to_print(printer: InvoicePrinter) -> None:
    with pytest.raises(NotIssued):
        await printer.print(an_invoice(), qr_text="")
