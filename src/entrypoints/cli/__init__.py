"""The command line: `cuadrilla run`, `serve`, `work`, `schedule`, `migrate`, `demo`, `doctor`, `sandbox`; the rest is in groups."""

from entrypoints.cli.commands import main

__all__ = ["main"]
