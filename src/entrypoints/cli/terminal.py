"""What all commands share: how they read the settings, say things and end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, Final, NoReturn

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from entrypoints.logs import configure_logs
from entrypoints.settings import Settings, read_settings

OUT: Final = Console(highlight=False, soft_wrap=True)
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Answer for a program.")]


def settings_read() -> Settings:
    """Return the settings, and let the logs be as they want it; raise `BadSettings`."""
    settings = read_settings()
    configure_logs(settings)
    return settings


def run_to_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it; Ctrl-C ends the process with status 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(130)


def fail(line: str) -> NoReturn:
    """Say on standard error why it failed, and end with status 1."""
    ERR.print(Text(line, style="red"))
    sys.exit(1)
