"""The wheel holds everything that the installed product needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.servers import ROOT

DATA = {".html", ".css", ".js", ".svg", ".png", ".wsdl", ".typ", ".mako", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Give the wheel, built from a copy: building writes beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    build = Path(sys.executable).parent / "uv"
    options = ("--wheel", "--no-build-isolation", "--offline", "--out-dir", "out", "--python", sys.executable)
    done = subprocess.run([build, "build", *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (folder / "out").glob("cuadrilla-*.whl")
    return zipfile.ZipFile(built)


def shipped(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_every_module_and_every_file_that_one_reads_is_shipped(wheel: zipfile.ZipFile) -> None:
    wanted = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src").rglob("*")
        if file.is_file() and file.suffix in DATA | {".py"} and ".egg-info" not in str(file)
    }
    assert wanted - shipped(wheel) == set()


@pytest.mark.parametrize(
    "pattern",
    [
        "entrypoints/http/templates/*.html",
        "entrypoints/http/static/*.css",
        "entrypoints/http/static/*.js",
        "entrypoints/console/templates/*.html",
        "entrypoints/sandbox/desk/templates/*.html",
        "entrypoints/sandbox/desk/static/*.js",
        "adapters/afip/wsdl/*.wsdl",
        "adapters/pdf/*.typ",
        "adapters/sql/migrations/versions/0001_*.py",
        "adapters/sql/migrations/*.mako",
        "core/py.typed",
        "adapters/py.typed",
        "entrypoints/py.typed",
    ],
)
def test_each_kind_of_file_is_there(pattern: str, wheel: zipfile.ZipFile) -> None:
    assert [name for name in shipped(wheel) if Path(name).match(pattern)]


def test_nothing_else_is_shipped(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0] for name in shipped(wheel)} == {"core", "adapters", "entrypoints"}


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "cuadrilla = entrypoints.cli:main" in wheel.read(entry_points).decode()
