"""What the Markdown says can be done: examples run, links lead somewhere, settings, commands and routes exist.

A Python block that begins with `# example: name` is a program. A `text` block right after it is what it prints.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
from attrs import frozen
from starlette.routing import Match, Route

from entrypoints import settings
from entrypoints.cli.commands import _line
from entrypoints.http.endpoints import ENDPOINTS

ROOT: Final = Path(__file__).parent.parent.parent
PAGES: Final = tuple(
    sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "demo" / "README.md", *(ROOT / "docs").rglob("*.md")])
)
BESIDES: Final = (
    *("/docs", "/health", "/health/ready", "/health/services", "/health/detailed", "/metrics"),
    *("/openapi.json", "/track/{token}", "/webhooks/whatsapp", "/webhooks/twilio"),
)
"""Routes that are no part of the API's table."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXAMPLE: Final = re.compile(
    r"^```python\n# example: (?P<name>[^\n]+)\n(?P<code>.*?)^```$(?:\n+```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_LINK: Final = re.compile(r"(?:\[[^\]]*\]\(|<img src=\")([^)\"\s]+)[)\"]")
_HEADING: Final = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_COMMAND: Final = re.compile(r"(?:^|`|bin/)cuadrilla ((?:[a-z]+ ?)+)", re.MULTILINE)
_TARGET: Final = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
_CURL: Final = re.compile(r"^curl\b(?:[^\\\n]|\\\n)*", re.MULTILINE)


@frozen(kw_only=True)
class Example:
    """A program in a page, and what the page says that it prints, if it says so."""

    page: Path
    name: str
    code: str
    printed: str | None


def _examples() -> list[Example]:
    return [
        Example(page=page, name=found["name"].strip(), code=found["code"], printed=found["printed"])
        for page in PAGES
        for found in _EXAMPLE.finditer(page.read_text())
    ]


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("example", _examples(), ids=lambda each: f"{_named(each.page)}: {each.name}")
def test_an_example_does_what_the_page_says(example: Example) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CUADRILLA_")}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example.code],
        cwd=ROOT,
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    if example.printed is not None:
        assert ran.stdout == example.printed


def test_each_area_and_the_front_page_have_an_example() -> None:
    shown = {_named(each.page) for each in _examples()}
    areas = {_named(page) for page in (ROOT / "docs" / "areas").glob("*.md")}
    assert {"README.md", "docs/adding-an-adapter.md", *areas} <= shown
    assert {Path(area).stem for area in areas} >= {
        each.name for each in (ROOT / "src" / "core").iterdir() if each.is_dir() and each.name[0] != "_"
    } - {"kernel", "reactions"}


def test_no_two_examples_have_the_same_name() -> None:
    names = [each.name for each in _examples()]
    assert len(names) == len(set(names))


def test_a_block_of_python_is_an_example() -> None:
    for page in PAGES:
        for language, code in _FENCE.findall(page.read_text()):
            assert language != "python" or code.startswith("# example: "), f"{_named(page)}: {code[:60]}"


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_relative_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    text = _FENCE.sub("", page.read_text())
    for link in _LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, heading = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert ROOT in (target, *target.parents), f"{link} leaves the project"
        if heading:
            assert heading in {_anchor(each) for each in _HEADING.findall(target.read_text())}, f"{link} has no heading"


def test_every_page_can_be_reached_from_the_front_page() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (page.parent / link.partition("#")[0] for link in _LINK.findall(_FENCE.sub("", page.read_text())))
        waiting += [link.resolve() for link in links if link.suffix == ".md" and link.exists()]
    assert set(PAGES) <= reached


def test_the_table_of_settings_names_what_is_read() -> None:
    section = (ROOT / "README.md").read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(_read_from_the_environment())


def test_the_defaults_in_the_table_of_settings_are_the_defaults(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    told = {
        cells[1].strip(" `"): re.findall(r"`([^`]+)`", cells[2])
        for cells in (line.split("|") for line in section.splitlines() if line.startswith("| `"))
    }
    keys = {"CUADRILLA_SECRET_KEY": "s" * 32, "CUADRILLA_ENCRYPTION_KEYS": f"k:{'A' * 43}="}
    made = settings.read_settings(keys, directory=tmp_path)
    for name, values in told.items():
        value = getattr(made, name.removeprefix("CUADRILLA_").lower())
        if values:
            assert str(value).replace(f"{tmp_path}/", "") == values[0], name
        else:
            assert name.endswith(("_KEY", "_KEYS")) or value in (None, ()), f"{name} has a default: {value}"


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_setting_that_a_page_names_is_read(page: Path) -> None:
    named = set(re.findall(r"CUADRILLA_[A-Z_]+[A-Z]", page.read_text()))
    ours = {name for name in named if not name.startswith("CUADRILLA_TEST_")}
    assert ours <= _read_from_the_environment()
    assert all(name in (ROOT / "tests" / "servers.py").read_text() for name in named - ours)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_command_that_a_page_names_exists(page: Path) -> None:
    for words in _COMMAND.findall(page.read_text()):
        command = _line
        for word in words.split():
            assert word in command, f"cuadrilla {words}"
            command = command[word]


def test_the_front_page_names_every_command() -> None:
    told = {words.split()[0] for words in _COMMAND.findall((ROOT / "README.md").read_text())}
    assert {name for name in _line if not name.startswith("-")} <= told


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_TARGET.findall(page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_request_that_a_page_shows_has_a_route(page: Path) -> None:
    blocks = [code for language, code in _FENCE.findall(page.read_text()) if language == "sh"]
    for request in _CURL.findall("\n".join(blocks)):
        path = re.findall(r"\$API(/[^\s\"'?]*)", request)[0]
        data = re.search(r" (?:-d|--data|-F)\b", request)
        method = next(iter(re.findall(r" -X ([A-Z]+)", request)), "POST" if data else "GET")
        path = re.sub(r"\$[A-Z]+", "some", path)
        offered = {(each.method, each.path) for each in ENDPOINTS} | {("GET", route) for route in BESIDES}
        scope: dict[str, Any] = {"type": "http", "path": path, "method": method, "headers": []}
        assert any(
            Route(route, endpoint=print, methods=[offers]).matches(scope)[0] is Match.FULL for offers, route in offered
        ), request


def test_the_changelog_names_every_migration() -> None:
    told = (ROOT / "CHANGELOG.md").read_text()
    versions = (ROOT / "src" / "adapters" / "sql" / "migrations" / "versions").glob("[0-9]*.py")
    assert all(f"`{each.name.partition('_')[0]}`" in told for each in versions)


def _anchor(heading: str) -> str:
    """Return the name under which a heading can be linked to."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _read_from_the_environment() -> set[str]:
    """Return the variables that `read_settings` looks up, found in its source."""
    module = ast.parse(Path(settings.__file__).read_text())
    reader = next(each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == "read_settings")
    names = {
        each.value
        for each in ast.walk(reader)
        if isinstance(each, ast.Constant)
        and isinstance(each.value, str)
        and re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", each.value)
    }
    bare = {
        each.args[0].value
        for each in ast.walk(reader)
        if isinstance(each, ast.Call)
        and ast.unparse(each.func) == "given.get"
        and isinstance(each.args[0], ast.Constant)
        and isinstance(each.args[0].value, str)
    }
    return {f"CUADRILLA_{name}" for name in names - bare} | bare
