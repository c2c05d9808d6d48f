"""What every engine must do: DuckDB's, the same behind its border, and the one that the documents show."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.engine import Engine
from imputedb.errors import ExtensionError
from imputedb.testing import Check, engine_checks
from imputedb.testing.border import Bordered
from imputedb.testing.engines import Tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extend" / "engine.md"
LINES = 200


def duckdb(tables: Tables) -> Engine:
    engine = DuckDB(":memory:")
    for name, columns in tables.items():
        engine.session.call(lambda name=name, columns=columns: engine.take(name, columns, {}, replace=True))
    return engine


def bordered(tables: Tables) -> Engine:
    return Bordered(duckdb(tables))


def blocks() -> list[str]:
    """The two blocks of Python on the page: the engine, and its use."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def written() -> Any:
    """The engine of the page."""
    space: dict[str, Any] = {}
    exec(blocks()[0], space)  # the page's own code
    return space["Stub"]


@pytest.mark.parametrize("check", engine_checks(duckdb) + engine_checks(bordered), ids=str)
def test_the_engine_of_duckdb(check: Check) -> None:
    check()


@pytest.mark.parametrize("check", engine_checks(written()), ids=str)
def test_the_engine_of_the_page(check: Check) -> None:
    check()


def test_the_page_is_true() -> None:
    engine, use = blocks()
    assert len(engine.splitlines()) <= LINES
    exec(engine + use, {})  # the page's own code


def test_a_broken_promise_is_named() -> None:
    class Forgetful(written()):  # type: ignore[misc]
        def reading(self, table: Any, column: str, alias: str) -> Any:
            from imputedb.sql import ast as t

            return (
                t.coalesce(super().reading(table, column, alias), t.number(0))
                if column == "x"
                else super().reading(table, column, alias)
            )

    broken = []
    for check in engine_checks(Forgetful):
        try:
            check()
        except ExtensionError as error:
            broken.append(str(error))
    assert any("a missing value reads as NULL" in one for one in broken)
    assert np.all([one.startswith("engine Forgetful") for one in broken])
