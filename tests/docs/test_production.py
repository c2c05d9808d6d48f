"""The page of production: each row names tests that there are."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")


def _rows() -> list[list[str]]:
    lines = [line for line in PAGE.partition("## Measured")[0].splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[-1] != "test"]


def test_every_row_says_where_it_is_and_names_a_test_that_there_is() -> None:
    rows = _rows()
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 3, row
        assert all(row), row
        named = re.fullmatch(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", row[2])
        assert named, row
        tree = ast.parse((ROOT / named[1]).read_text(encoding="utf-8"))
        known = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert known if named[2] is None else named[2] in known, row


def test_recipes_and_metrics_that_are_named_are_there() -> None:
    from imputedb.service.metrics import names

    for path in re.findall(r"`((?:recipes|deploy)/[\w./-]+)`", PAGE):
        assert (ROOT / path).exists(), path
    source = Path(names.__file__).read_text(encoding="utf-8")
    for metric in re.findall(r"`(imputedb_\w+?)(?:_total)?`", PAGE):
        assert metric in source, metric
