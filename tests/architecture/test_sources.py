"""What the sources must look like, read from the sources themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.servers import ROOT

SRC: Final = ROOT / "src"
FILES: Final = sorted(SRC.rglob("*.py"))
FIVE: Final = {"__init__", "events", "model", "ports", "service"}
CONCEPTS: Final = {
    "invoicing": {
        "authorising",
        "doubt",
        "explanations",
        "notes",
        "outcome",
        "parties",
        "preflight",
        "qr",
        "terms",
        "voucher",
    },
    "messaging": {"aggregation"},
    "notifications": {"devices", "preferences", "quiet", "rules", "templates"},
    "offline": {"columns", "explanations", "merging", "records", "turn"},
    "tracking": {"arrival", "eta", "fixes", "geo", "modes", "pace", "rules", "values"},
}
"""What a context has besides the five: one concept each, imported by its model or its service."""
WIDER: Final = {"kernel", "reactions"}


def imported(file: Path) -> Iterator[str]:
    """Give the first part of every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def test_outside_the_standard_library_the_core_imports_attrs_and_nothing_else() -> None:
    found = {name for file in (SRC / "core").rglob("*.py") for name in imported(file)}
    assert found - sys.stdlib_module_names - {"core"} == {"attrs"}


def test_the_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--config", ROOT / "importlinter.ini", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert ", 0 broken" in done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_every_module_says_what_it_is(file: Path) -> None:
    tree = ast.parse(file.read_text())
    said = ast.get_docstring(tree)
    assert said
    assert said.splitlines()[0].rstrip()[-1] in ".:;!?`" or len(said.splitlines()) > 1


def test_every_package_has_an_init() -> None:
    folders = {file.parent for file in FILES} - {SRC}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_only_the_command_line_writes_to_the_terminal() -> None:
    found = [
        f"{file.relative_to(SRC)}:{node.lineno}"
        for file in FILES
        if "cli" not in file.relative_to(SRC).parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


def test_a_context_has_five_files_and_its_named_concepts() -> None:
    contexts = [each for each in (SRC / "core").iterdir() if each.is_dir() and each.name not in {*WIDER, "__pycache__"}]
    assert len(contexts) == 8
    for context in contexts:
        names = {file.relative_to(context).parts[0].removesuffix(".py") for file in context.rglob("*.py")}
        assert names == FIVE | CONCEPTS.get(context.name, set()), context.name


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    names = {part for file in FILES for part in file.relative_to(SRC).with_suffix("").parts}
    assert names & {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"} == set()
