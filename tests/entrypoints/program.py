"""`cuadrilla` with each command in a process of its own, forked from one that has loaded the product: loading takes seconds."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import coverage
from attrs import frozen

from tests.servers import ROOT

WITHIN: Final = 60
"""Seconds that a command may take."""
MEASURED: Final = (
    "-m",
    "coverage",
    "run",
    f"--data-file={ROOT / '.coverage'}",
    "--branch",
    "-p",
    f"--source={ROOT / 'src'}",
)
PYTHON: Final = [sys.executable, *(MEASURED if coverage.Coverage.current() else ())]
LOADED: Final = (
    "alembic.command",
    "entrypoints.wiring",
    "entrypoints.http.app",
    "entrypoints.demo",
    "entrypoints.staging",
)


@frozen
class Program:
    """A process that forks for each command."""

    _process: subprocess.Popen[str]

    def run(
        self, *words: str, folder: Path, environ: Mapping[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in a folder, with nothing in its environment but this, and this on standard input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            files = [Path(place) / name for name in ("in", "out", "err")]
            files[0].write_text(given)
            order = {"words": words, "folder": str(folder), "environ": dict(environ), "files": list(map(str, files))}
            print(json.dumps(order), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(words, status, files[1].read_text(), files[2].read_text())


@contextlib.contextmanager
def loaded() -> Iterator[Program]:
    """Load the product once, for many commands."""
    process = subprocess.Popen(
        [*PYTHON, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:  # which closes its standard input, and waits
        yield Program(process)
    assert process.returncode == 0


def _become(order: dict[str, Any]) -> None:
    """Let this process be as if somebody had just started it."""
    signal.alarm(WITHIN)
    for number, (path, mode) in enumerate(
        zip(order["files"], (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)
    ):
        os.dup2(os.open(path, mode), number)
    sys.stdin = os.fdopen(0)  # the old one may have read ahead
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = ["cuadrilla", *order["words"]]


def _serve() -> None:
    for each in LOADED:
        importlib.import_module(each)
    command_line = importlib.import_module("entrypoints.cli")
    gc.freeze()  # or each child would go through all of it when it ends
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
            command_line.main()
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
