"""Tenants, credentials and keys at the command line, each command its own process."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.entrypoints.program import Program
from tests.entrypoints.test_cli import Installation

CERTIFICATE = json.dumps({"certificate": "SECRET-PEM", "key": "SECRET-KEY"})


@frozen
class Operator:
    """Somebody at the command line of one installation."""

    here: Installation

    def say(self, *words: str, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this on standard input, and see that no secret is said."""
        done = self.here.ask(*words, given=given, **environ)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert "SECRET" not in said
        self.here.must_be_quiet(said)
        return done

    def ask(self, *words: str, given: str = "", **environ: str) -> Any:
        done = self.say(*words, "--json", given=given, **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def operator(tmp_path: Path, program: Program) -> Operator:
    """Give an installation with an empty database."""
    here = Installation(tmp_path, program)
    assert here.ask("migrate").returncode == 0
    return Operator(here)


def test_a_database_is_begun_without_a_program(operator: Operator) -> None:
    sur = operator.ask(
        "tenants", "create", "--name", "Sur", "--owner-name", "Ana Paz", "--owner-phone", "011 15-5555-0001"
    )
    assert (sur["name"], sur["phone"]) == ("Sur", "+5491155550001")
    owner = ("--owner-name", "Bea", "--owner-phone", "+5491155550002", "--owner-email", "bea@example.com")
    weak = operator.say("tenants", "create", "--name", "Norte", *owner, given="password1\n")
    assert (weak.returncode, weak.stderr.count("\n")) == (1, 1)
    norte = operator.ask("tenants", "create", "--name", "Norte", *owner, given="correct horse 7!\n")
    assert [each["tenant"] for each in operator.ask("tenants", "list")] == [norte["tenant"], sur["tenant"]]
    twice = operator.say("tenants", "create", "--name", "Este", *owner[:4])
    assert (twice.returncode, twice.stdout) == (1, "")
    assert "there is an account with this address or phone" in twice.stderr
    plain = operator.say("tenants", "list").stdout
    assert sur["tenant"] in plain
    nowhere = operator.say("tenants", "create", "--name", "Este", *owner[:4], "--zone", "Mars/Olympus")
    assert (nowhere.returncode, nowhere.stderr) == (1, "there is no time zone 'Mars/Olympus'\n")


def test_credentials_and_keys_are_looked_after(operator: Operator) -> None:
    tenant = operator.ask("tenants", "create", "--name", "Sur", "--owner-name", "A", "--owner-phone", "+5491155550001")[
        "tenant"
    ]
    whose = ("--tenant", tenant)
    kept = operator.ask("credentials", "set", *whose, "--kind", "afip", "--label", "CUIT 30", given=CERTIFICATE)
    assert kept == {"tenant": tenant, "purpose": "afip"}
    for wrong in ('{"certificate": "SECRET"}', "SECRET", '["SECRET"]', ""):
        refused = operator.say("credentials", "set", *whose, "--kind", "afip", given=wrong)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    nobody = operator.say("credentials", "list", "--tenant", "nobody")
    assert (nobody.returncode, nobody.stderr) == (1, "there is no tenant nobody\n")
    (listed,) = operator.ask("credentials", "list", *whose)
    assert (listed["purpose"], listed["label"], listed["key"]) == ("afip", "CUIT 30", "dev")

    old = (operator.here.folder / "var" / "encryption.keys").read_text().strip()
    keys = f"second:{base64.b64encode(os.urandom(32)).decode()},{old}"
    assert operator.ask("keys", "rotate", ENCRYPTION_KEYS=keys) == {"values": 1, "turned": 1, "failed": []}
    assert operator.ask("keys", "show", ENCRYPTION_KEYS=keys) == [
        {"key": "second", "values": 1, "does": "seals"},
        {"key": "dev", "values": 0, "does": "unseals"},
    ]
    lost = operator.say("keys", "rotate")
    assert lost.returncode == 1
    assert f"credentials {tenant}/afip" in lost.stderr
    assert "missing from the setting" in operator.say("keys", "show").stdout
    removed = operator.say("credentials", "remove", *whose, "--purpose", "afip")
    assert (removed.returncode, removed.stdout) == (0, f"removed from {tenant}: afip\n")
