"""Logs: JSON lines, levels, and no secrets."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from entrypoints.logs import is_secret, stamped

SCRIPT = """
import sys, structlog
from entrypoints.logs import configure_logs
from entrypoints.settings import Settings

log = structlog.get_logger("x")
configure_logs(Settings(env=sys.argv[1], log_level=sys.argv[2]))
log.debug("fine", number=1)
log.info("happened", token="t0ken", odd=object)
try:
    hidden = "in a local variable"
    1 / 0
except ZeroDivisionError:
    log.exception("broken", api_Secret_key="s3cret")
"""


def lines(env: str, level: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, env, level], capture_output=True, check=True)
    assert done.stdout == b""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("env", ["production", "development"])
def test_where_nobody_reads_along_each_line_is_json(env: str) -> None:
    happened, broken = lines(env, "info")
    assert (happened["event"], happened["level"], happened["token"]) == ("happened", "info", "•••")
    assert happened["odd"] == "<class 'object'>"
    assert happened["timestamp"].endswith("+00:00")
    assert (broken["event"], broken["level"], broken["api_Secret_key"]) == ("broken", "error", "•••")
    assert broken["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "local variable" not in json.dumps(broken)


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["fine", "happened", "broken"]),
        ("error", ["broken"]),
        ("critical", []),
        ("odd", ["happened", "broken"]),
    ],
)
def test_what_lies_below_the_level_is_not_written(level: str, events: list[str]) -> None:
    assert [line["event"] for line in lines("test", level)] == events


def test_at_a_terminal_a_person_reads_it() -> None:
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, "development", "info"], stderr=slave)
        os.close(slave)
        seen = io.BytesIO()
        while True:
            try:
                part = terminal.read(4096)
            except OSError:  # Linux says so that the other side has gone
                break
            if not part:
                break
            seen.write(part)
        assert process.wait(timeout=30) == 0
    text = seen.getvalue().decode()
    assert "happened" in text
    assert "ZeroDivisionError" in text
    assert "{" not in text.splitlines()[0]
    for secret in ("t0ken", "s3cret", "local variable\n"):
        assert secret not in text


@pytest.mark.parametrize(
    "name", ["token", "access_token", "APP_SECRET", "password", "Authorization", "private_key", "otp"]
)
def test_a_field_that_may_hold_a_secret_is_masked(name: str) -> None:
    assert is_secret(name)
    assert stamped(None, "info", {name: {"deep": "value"}})[name] == "•••"


def test_other_fields_are_written() -> None:
    assert not is_secret("job_id")
    assert stamped(None, "warning", {"job_id": "job_1"})["job_id"] == "job_1"
