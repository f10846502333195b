"""Each control of the security page is proved by a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
ROWS: Final = re.findall(
    r"^\| ([\d., to]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE
)


def test_each_control_names_a_test_that_is_there() -> None:
    assert len(ROWS) > 40
    for items, proof in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", proof)
        assert named, items
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text())
            tests = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in tests, f"{items}: {path} has no {name}"


def test_no_item_stands_twice() -> None:
    items = [items for items, _ in ROWS]
    assert len(items) == len(set(items))
