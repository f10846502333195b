"""The command line: `cuadrilla run`, `serve`, `work`, `schedule`, `migrate`, `demo`, `doctor`, `sandbox`, `invoices`."""

from entrypoints.cli.commands import main

__all__ = ["main"]
