"""`python -m entrypoints.cli` is `cuadrilla`."""

from entrypoints.cli.commands import main

main()
