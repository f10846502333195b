"""What all commands share: how they read the settings, say things and end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from entrypoints.settings import Settings, read_settings

if TYPE_CHECKING:
    from entrypoints.wiring import App

OUT: Final = Console(highlight=False, soft_wrap=True)
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Answer for a program.")]


def settings_read() -> Settings:
    """Return the settings, and let the logs be as they want it; raise `BadSettings`."""
    from entrypoints.logs import configure_logs

    settings = read_settings()
    configure_logs(settings)
    return settings


def running_app() -> contextlib.AbstractAsyncContextManager[App]:
    """Return the application that the settings describe, for as long as the block lasts; raise `BadSettings`."""
    from entrypoints.wiring import build

    return build(settings_read()).running()


def run_to_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it; Ctrl-C ends the process with status 130."""
    import asyncio

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(130)


def fail(line: str) -> NoReturn:
    """Say on standard error why it failed, and end with status 1."""
    ERR.print(Text(line, style="red"))
    sys.exit(1)
