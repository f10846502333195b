"""Invoices on paper: a Typst template and a QR code."""

from adapters.pdf.printer import TypstPrinter

__all__ = ["TypstPrinter"]
