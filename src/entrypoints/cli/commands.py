"""What each command does; every one reads the settings, says in a line what is wrong with them, and ends with 1.

A command imports what it runs when it runs: all of it would keep somebody who asks for help waiting for seconds.
"""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cyclopts import App as CommandLine
from rich.text import Text

from core.kernel.errors import CuadrillaError
from entrypoints.cli.administration import CREDENTIALS, KEYS, TENANTS
from entrypoints.cli.invoices import INVOICES
from entrypoints.cli.terminal import OUT, AsJson, fail, run_to_end, settings_read
from entrypoints.settings import BadSettings, read_settings

if TYPE_CHECKING:
    from rich.table import Table

    from entrypoints.examination import Finding
    from entrypoints.staging import Running
    from entrypoints.wiring import App

RECORDING: Final = Path("demo")
SHIPPED: Final = Path(__file__).parents[3] / "demo"
"""The recording beside the sources, for whoever starts elsewhere."""
SIGNS: Final = {"ok": ("ok  ", ""), "warning": ("ok  ", "yellow"), "failed": ("FAIL", "bold red")}
"""How the doctor begins a line, and its style."""


def _version() -> str:
    from importlib.metadata import version

    return version("cuadrilla")


_line: Final = CommandLine(
    name="cuadrilla",
    help="The operations core of a field-service business.",
    version=_version,
    version_flags=["--version"],
    help_format="plaintext",  # loading what renders Markdown takes longer than all the rest
)
for _group in (INVOICES, TENANTS, CREDENTIALS, KEYS):
    _line.command(_group)


def main() -> None:
    """Run the command line; an anticipated failure is one line on standard error and exit status 1."""
    try:
        _line()
    except BadSettings as bad:
        fail("\n".join(["The settings do not make a running system:", *(f"  {each}" for each in bad.problems)]))
    except Exception as failure:
        from entrypoints.serving import PortTaken

        if not isinstance(failure, CuadrillaError | PortTaken):
            raise
        fail(f"{failure}")


@_line.command
def run() -> None:
    """Run everything in one process: HTTP, workers, and in development the sandbox with a demo tenant."""
    from entrypoints.staging import running

    settings = settings_read()

    async def go() -> None:
        told = _when_told()
        OUT.print("Starting…" if sys.stdout.isatty() else "starting")
        async with running(settings) as system:
            _welcome(system)
            await told()
            OUT.print("Stopping…")

    run_to_end(go())


@_line.command
def serve() -> None:
    """Serve HTTP only; workers run elsewhere."""
    from entrypoints.http.app import http_app
    from entrypoints.serving import serving
    from entrypoints.wiring import build
    from entrypoints.worker import beside_requests

    settings = settings_read()

    async def go() -> None:
        told = _when_told()
        app = build(settings)
        async with serving(
            http_app(app, lifespan=lambda: beside_requests(app)), host=settings.host, port=settings.port
        ) as url:
            gc.freeze()  # what is there from the start stays: the collector need not look at it again and again
            OUT.print(f"serving {url}")
            await told()

    run_to_end(go())


@_line.command
def work() -> None:
    """Relay facts and react to them; as many of these processes as you like."""
    from entrypoints.worker import working

    _beside(working, "working")


@_line.command
def schedule() -> None:
    """Run the periodic tasks: forgotten messages, invoices without an answer."""
    from entrypoints.worker import tidying

    _beside(tidying, "on schedule")


@_line.command
def sandbox() -> None:
    """Run the outside world alone: a WhatsApp with a phone page, and an AFIP."""
    from entrypoints.sandbox.server import sandbox_app
    from entrypoints.serving import serving
    from entrypoints.wiring import afip_descriptions

    settings = settings_read()
    wsaa, wsfe = afip_descriptions()

    async def go() -> None:
        told = _when_told()
        outside = sandbox_app(wsaa_wsdl=wsaa, wsfe_wsdl=wsfe, var=settings.var)
        async with serving(outside, port=settings.sandbox_port) as url:
            OUT.print(f"the sandbox is at {url}")
            await told()

    settings.var.mkdir(parents=True, exist_ok=True)
    run_to_end(go())


@_line.command
def migrate() -> None:
    """Bring the database to the newest revision."""
    from entrypoints.wiring import migrate as bring_up_to_date

    done = bring_up_to_date(settings_read())
    OUT.print(f"migrated: {', '.join(done)}" if done else "the database is up to date")


@_line.command
def doctor(*, json_: AsJson = False) -> None:
    """Check the settings and every configured service, one line each; exit status 1 when one fails."""
    from entrypoints.examination import examined
    from entrypoints.wiring import build

    async def go() -> Sequence[Finding]:
        async with build(settings_read()).running() as app:
            return await examined(app.checks)

    found = run_to_end(go())
    if json_:
        told = [{"service": each.service, "ok": each.status != "failed", "says": each.says} for each in found]
        OUT.print_json(json.dumps(told))
    else:
        for each in found:
            sign, style = SIGNS[each.status]
            OUT.print(Text(f"{sign} {each.service:<10} {each.says}", style=style))
    if any(each.status == "failed" for each in found):
        sys.exit(1)


@_line.command
def demo(*, json_: AsJson = False) -> None:
    """Play the main job once from the recorded input in `demo/`, against a private embedded instance.

    Leaves `var/demo/timeline.json` and `var/demo/invoice.pdf`. Exit status 0 only when every step was observed.
    """
    from entrypoints import demo as story
    from entrypoints.logs import configure_logs
    from entrypoints.serving import free_port
    from entrypoints.staging import running

    try:
        recording = story.read_recording(RECORDING if RECORDING.is_dir() or not SHIPPED.is_dir() else SHIPPED)
    except story.NoRecording as missing:
        fail(f"{missing}")
    folder = Path("var") / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Nothing of this machine's environment: the instance is private.
    private = {
        "CUADRILLA_VAR": str(folder.resolve() / "instance"),
        "CUADRILLA_PORT": str(free_port()),
        "CUADRILLA_SANDBOX_PORT": str(free_port()),
        "CUADRILLA_LOG_LEVEL": "error",
    }
    settings = read_settings(private, directory=folder)
    configure_logs(settings)
    clock = story.SkippingClock(recording.started_at)

    def say(line: str) -> None:
        if not json_:
            OUT.print(Text.assemble((f"{clock():%d/%m %H:%M:%S}  ", "dim"), line))

    async def go() -> story.Played:
        async with running(settings, clock=clock) as system:
            return await story.Player(story.stage_of(system), recording, clock, say).play()

    try:
        played = run_to_end(go())
    except story.NotObserved as missing:
        fail(f"The story was not played to its end: {missing}")
    (folder / "timeline.json").write_text(json.dumps(played.timeline, indent=2, ensure_ascii=False) + "\n")
    (folder / "invoice.pdf").write_bytes(played.pdf)
    if json_:
        OUT.print_json(json.dumps(played.timeline))
    else:
        OUT.print(_as_table(played.timeline))
        OUT.print(f"Every step was observed. See {folder / 'timeline.json'} and {folder / 'invoice.pdf'}.")


def _beside(loops: Callable[[App], contextlib.AbstractAsyncContextManager[None]], what: str) -> None:
    from entrypoints.wiring import build

    settings = settings_read()

    async def go() -> None:
        told = _when_told()
        async with build(settings).running() as app, loops(app):
            OUT.print(what)
            await told()

    run_to_end(go())


def _when_told() -> Callable[[], Awaitable[object]]:
    """Listen from now on for Ctrl-C or a polite request to end; return what waits for it."""
    import asyncio

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, told.set)
    return told.wait


def _welcome(system: Running) -> None:
    from rich.table import Table

    from entrypoints.demo_tenant import log_ins

    settings = system.app.settings
    places = Table.grid(padding=(0, 2))
    places.add_row("API", f"{system.api}/docs")
    if system.sandbox is None:
        OUT.print(f"\nCuadrilla is running at {system.api}\n", places, "\nCtrl-C ends it.")
        return
    places.add_row("Phones: customers, team", f"{system.sandbox}/phone")
    places.add_row("Text messages", f"{system.sandbox}/sms")
    places.add_row("Dispatcher and technician", f"{system.sandbox}/desk")
    places.add_row("AFIP", f"{system.sandbox}/afip/control")
    OUT.print(f"\n[bold]Cuadrilla is running at {system.api}[/bold]\n", places)
    OUT.print("\nDemo log-ins; a code arrives on the phone, which the sandbox shows\n")
    for each in log_ins(settings):
        # Whole lines, not a table, which would cut them where the terminal is narrow.
        OUT.print(f"  {each.name:<14}{each.role:<12}{each.phone}")
        if each.email is not None:
            OUT.print(f"{'or with a password':>28}: {each.email} {each.password}")
        if settings.env == "development":  # nothing else knows tokens that have no end
            OUT.print(f"{'or with a token':>28}: {each.token}")
    OUT.print("\nWrite as the customer on the phone, then play the rest at the desk. Ctrl-C ends it.")


def _as_table(timeline: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("when (UTC)", "what", "who", box=None, padding=(0, 2), header_style="dim")
    for each in timeline:
        table.add_row(str(each["at"])[5:19].replace("T", " "), each["kind"], each["actor"])
    return table
