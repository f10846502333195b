"""The command line as a person uses it: each command its own process, a folder of its own, free ports."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import field, frozen

from adapters.sql import pending
from entrypoints.serving import free_port
from tests.entrypoints.program import PYTHON, WITHIN, Program
from tests.servers import ROOT

STARTED: Final = [*PYTHON, "-m", "entrypoints.cli"]
COMMANDS: Final = (
    *("run", "serve", "work", "schedule", "sandbox", "migrate", "doctor", "demo"),
    *("invoices", "tenants", "credentials", "keys"),
)


@frozen
class Installation:
    """A folder and an environment in which nothing else runs."""

    folder: Path
    _program: Program
    environ: dict[str, str] = field()

    @environ.default
    def _private(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("CUADRILLA_", "OPENAI_"))
        }
        return inherited | {
            "CUADRILLA_VAR": str(self.folder / "var"),
            "CUADRILLA_PORT": str(free_port()),
            "CUADRILLA_SANDBOX_PORT": str(free_port()),
        }

    def ask(self, *words: str, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with this on standard input."""
        settings = {f"CUADRILLA_{name}": value for name, value in environ.items()}
        return self._program.run(*words, folder=self.folder, environ=self.environ | settings, given=given)

    @contextlib.contextmanager
    def started(self, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command beside the block, and see that it ends well when it is asked politely."""
        given = {f"CUADRILLA_{name}": value for name, value in environ.items()}
        process = subprocess.Popen(
            [*STARTED, *words],
            cwd=self.folder,
            env=self.environ | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                out, err = process.communicate(timeout=WITHIN)
            finally:
                process.kill()
        assert process.returncode == 0
        assert [each for each in err.splitlines() if json.loads(each)["level"] not in {"debug", "info"}] == []
        self.must_be_quiet(out + err)

    def port(self, name: str = "PORT") -> str:
        return self.environ[f"CUADRILLA_{name}"]

    def secrets(self) -> list[str]:
        return [(self.folder / "var" / name).read_text().strip() for name in ("secret.key", "encryption.keys")]

    def must_be_quiet(self, said: str) -> None:
        """See that no key of this installation was said."""
        for secret in self.secrets():
            assert secret not in said
            assert secret.partition(":")[2] not in said or ":" not in secret


@pytest.fixture
def here(tmp_path: Path, program: Program) -> Installation:
    """Give a new installation."""
    return Installation(tmp_path, program)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def welcome(process: subprocess.Popen[str]) -> str:
    """Return what `run` says until everything runs."""
    said = ""
    while "Ctrl-C ends it." not in said:
        more = line(process)
        assert more, said
        said += more
    return said


def test_help_names_every_command(here: Installation) -> None:
    done = here.ask("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", done.stdout)] == []


def test_help_is_there_before_the_product_is_loaded() -> None:
    for words in ("--help", "--version", "doctor --help", "invoices --help", "tenants create --help"):
        asked = (
            f"import sys; sys.argv = {['cuadrilla', *words.split()]}\nfrom entrypoints.cli import main\ntry: main()\n"
        )
        told = "finally: print(*sys.modules, file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", asked + told], capture_output=True, text=True, check=True)
        loaded = {name.partition(".")[0] for name in done.stderr.split()} | set(done.stderr.split())
        assert "cyclopts" in loaded
        heavy = {"adapters", "alembic", "asyncio", "entrypoints.wiring", "sqlalchemy", "starlette", "uvicorn", "zeep"}
        assert loaded & heavy == set(), words


def test_the_version_is_the_package_s(here: Installation) -> None:
    declared = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert declared is not None
    assert here.ask("--version").stdout.strip() == declared.group(1)


def test_a_command_that_is_none_is_refused(here: Installation) -> None:
    done = here.ask("dance")
    assert done.returncode == 2
    assert "dance" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_database_is_migrated_once(here: Installation) -> None:
    first, second = here.ask("migrate"), here.ask("migrate")
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.fullmatch(r"migrated: 0001(, \d{4})*\n", first.stdout)
    assert second.stdout == "the database is up to date\n"
    assert pending(f"sqlite:///{here.folder / 'var' / 'cuadrilla.db'}") == []
    here.must_be_quiet(first.stdout + first.stderr)


def test_settings_that_do_not_work_are_all_named_at_once(here: Installation) -> None:
    for command in ("migrate", "serve", "work"):
        done = here.ask(command, PORT="no port", SECRET_KEY="a-short-secret")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            "The settings do not make a running system:",
            "  CUADRILLA_PORT must be a port number, not 'no port'",
            "  CUADRILLA_SECRET_KEY must have 32 characters or more (each, if it is a list)",
        ]


def test_a_database_that_is_not_there_is_one_line(here: Installation) -> None:
    done = here.ask("migrate", DATABASE_URL=f"postgresql+asyncpg://u:pass-of-it@127.0.0.1:{free_port()}/x")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "the database does not answer\n")


def test_doctor_says_what_fails_and_ends_with_1(here: Installation) -> None:
    done = here.ask("doctor", BROKER_URL=f"redis://:pass-of-redis@127.0.0.1:{free_port()}")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    signs = {each.split()[1]: each.split()[0] for each in lines}
    assert len(signs) == len(lines)
    assert signs["database"] == "ok"
    # Nothing was migrated, so nobody can say whose certificates there are.
    for name in ("afip", "afip_certificates", "broker", "expo", "fcm", "twilio", "whatsapp"):
        assert signs[name] == "FAIL", name
    assert all(len(each.split(maxsplit=2)) == 3 for each in lines)
    assert "pass-of" not in done.stdout
    here.must_be_quiet(done.stdout)


def test_doctor_is_content_when_everything_answers(here: Installation) -> None:
    assert here.ask("migrate").returncode == 0
    with here.started("sandbox") as sandbox:
        assert line(sandbox) == f"the sandbox is at http://127.0.0.1:{here.port('SANDBOX_PORT')}\n"
        plain, for_programs = here.ask("doctor"), here.ask("doctor", "--json")
    assert (plain.returncode, for_programs.returncode) == (0, 0), plain.stdout
    lines = [each.split() for each in plain.stdout.splitlines()]
    assert {each[0] for each in lines} == {"ok"}
    assert {each[1] for each in lines} >= {"database", "whatsapp", "twilio", "expo", "fcm", "afip", "afip_certificates"}
    found = json.loads(for_programs.stdout)
    assert [each["service"] for each in found] == [each[1] for each in lines]
    assert {(each["ok"], bool(each["says"])) for each in found} == {(True, True)}


@pytest.mark.parametrize(("command", "port"), [("serve", "PORT"), ("run", "PORT"), ("sandbox", "SANDBOX_PORT")])
def test_a_port_that_somebody_has_is_one_line(command: str, port: str, here: Installation) -> None:
    with socket.create_server(("127.0.0.1", int(here.port(port)))):
        done = here.ask(command)
    assert done.returncode == 1
    assert re.fullmatch(rf"cannot listen on 127\.0\.0\.1:{here.port(port)} \(.+\); .+\n", done.stderr)


@pytest.mark.parametrize(
    ("command", "says"),
    [("serve", "serving http://127.0.0.1:{port}\n"), ("work", "working\n"), ("schedule", "on schedule\n")],
)
def test_each_process_says_that_it_is_there_and_ends_when_asked(command: str, says: str, here: Installation) -> None:
    assert here.ask("migrate").returncode == 0
    with here.started(command) as process:
        assert line(process) == says.format(port=here.port())


def test_everything_runs_in_one_process_for_a_newcomer(here: Installation) -> None:
    with here.started("run") as process:
        said = welcome(process)
        here.must_be_quiet(said)
    assert said.startswith("starting\n")
    for path in (
        f"{here.port()}/docs",
        *(f"{here.port('SANDBOX_PORT')}{way}" for way in ("/phone", "/sms", "/desk", "/afip/control")),
    ):
        assert f"http://127.0.0.1:{path}" in said
    assert len(re.findall(r"demo-[0-9a-f]{32}\n", said)) == len(re.findall(r"\+54911500000\d\d\n", said)) == 4
    assert len(re.findall(r"password: irene@\S+ [0-9a-f]{20}\n", said)) == 1


def test_outside_development_no_token_without_an_end_is_shown(here: Installation) -> None:
    with here.started("run", ENV="test") as process:
        said = welcome(process)
    assert "+5491150000001" in said
    assert "demo-" not in said


def test_a_process_ends_on_ctrl_c_too(here: Installation) -> None:
    assert here.ask("migrate").returncode == 0
    with here.started("work") as process:
        assert line(process) == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=WITHIN) == 0, "the ending is judged when the block is left"


def test_the_product_runs_without_a_sandbox(here: Installation) -> None:
    with here.started("run", WHATSAPP_API_URL="http://127.0.0.1:1") as process:
        said = "".join(line(process) for _ in range(5))
        assert f"Cuadrilla is running at http://127.0.0.1:{here.port()}" in said
        assert "Demo log-ins" not in said


def test_reconciling_says_how_many_invoices_it_looked_at(here: Installation) -> None:
    assert here.ask("migrate").returncode == 0
    done = here.ask("invoices", "reconcile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 invoices looked at\n", "")


def test_a_voucher_that_is_not_there_is_said_in_a_line(here: Installation) -> None:
    assert here.ask("migrate").returncode == 0
    for command in (
        ("show", "inv_1"),
        ("issue", "inv_1"),
        ("pdf", "inv_1"),
        ("pdf", "inv_1", "--copy", "both"),
        ("credit", "inv_1", "--reason", "x", "--period", "2026-11-01", "2026-11-30"),
    ):
        done = here.ask("invoices", *command, "--tenant", "acme")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "there is no invoice inv_1\n")


def test_reconciling_without_tables_says_what_is_missing(here: Installation) -> None:
    (here.folder / "var").mkdir()
    done = here.ask("invoices", "reconcile")
    assert (done.returncode, done.stderr) == (1, "the database lacks a migration\n")


def test_the_demo_plays_wherever_it_is_started(here: Installation) -> None:
    done = here.ask("demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    timeline = json.loads(done.stdout)
    assert (timeline[0]["kind"], timeline[-1]["kind"]) == ("message.received", timeline[-1]["kind"])
    assert "invoice.issued" in {each["kind"] for each in timeline}
    left = here.folder / "var" / "demo"
    assert json.loads((left / "timeline.json").read_text()) == timeline
    assert (left / "invoice.pdf").read_bytes().startswith(b"%PDF")


def test_a_recording_that_cannot_be_played_is_one_line(here: Installation) -> None:
    (here.folder / "demo").mkdir()
    done = here.ask("demo")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("demo holds no recording that can be played: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (here.folder / "var").exists()
