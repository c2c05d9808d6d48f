"""Contracts: drift of what is observed, a report of all checks, and exports to other tools."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imputedb import Database, export_contract
from imputedb.completion.publication import current
from imputedb.errors import Beyond, QueryError, StorageError
from tests.cli.command import run

ASKED: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 1}


@pytest.fixture
def people(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    gone = rng.random(300) < 0.3
    group = np.where(gone[::-1], None, rng.choice(["a", "b"], 300)).astype(object)
    day = np.datetime64("2026-01-01") + np.arange(300) % 40
    columns = {"x": x, "y": np.where(gone, np.nan, 2 * x + 5), "g": group, "day": day}
    db.register("people", {"id": np.arange(300), **columns})
    return db


def contract(folder: Path, *checks: str) -> Path:
    (file := folder / "contract.toml").write_text("".join(f"[[check]]\n{one}\n" for one in checks))
    return file


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE people SET y = y + 5", "y"),
        ("UPDATE people SET y = NULL WHERE id % 3 > 0", "y"),
        ("UPDATE people SET x = 2 * x", "x"),
        ("UPDATE people SET g = 'c' WHERE g = 'a' AND id % 2 = 0", "g"),
    ],
)
def test_rows_that_have_drifted_are_not_imputed(people: Database, tmp_path: Path, change: str, column: str) -> None:
    out, file = tmp_path / "out", contract(tmp_path, 'figure = "drift"\nmost = 0.25')
    first = people.impute("people", out, **ASKED, contract=file)
    people.execute("INSERT INTO people SELECT id + 300, x, y, g, day FROM people WHERE id < 30")
    second = people.impute("people", out, **ASKED, contract=file)
    people.execute(change)
    with pytest.raises(Beyond, match=rf"nothing was imputed: drift of {column} is"):
        people.impute("people", out, **ASKED, contract=file)
    assert (current(out), len(list(out.glob("run-*")))) == (second.folder.name, 2)
    assert first.folder != second.folder
    with pytest.raises(QueryError, match="neither numbers nor categories"):
        people.impute("people", out, **ASKED, contract=contract(tmp_path, 'figure = "drift"\ncolumn = "day"\nmost = 1'))


def test_a_report_has_each_check_whether_it_holds_or_not(people: Database, tmp_path: Path) -> None:
    out, said = tmp_path / "out", tmp_path / "said.json"
    checks = ('figure = "rows"\nleast = 100', 'figure = "fmi"\nmost = 0.9', 'figure = "rhat"\nmost = 3')
    people.impute("people", out, **ASKED, contract=contract(tmp_path, *checks), report=said)
    found = json.loads(said.read_text())
    assert (found["contract"], found["holds"]) == ("contract.toml", True)
    assert [(one["figure"], one["column"], one["broken"]) for one in found["checks"]] == [
        ("rows", None, None),
        ("fmi", "y", None),
        ("rhat", None, None),
    ]
    assert 0 < found["checks"][1]["value"] < 0.9
    broken = contract(tmp_path, 'figure = "rows"\nleast = 400', 'figure = "missing"\ncolumn = "y"\nmost = 0.5')
    with pytest.raises(Beyond, match="rows is 300, less than 400"):
        people.impute("people", out, **ASKED, seed=1, contract=broken, report=said)
    found = json.loads(said.read_text())
    assert (found["holds"], [one["broken"] for one in found["checks"]]) == (False, ["rows is 300, less than 400", None])
    with pytest.raises(QueryError, match="a report needs a contract"):
        people.impute("people", out, **ASKED, report=said)
    with pytest.raises(StorageError, match="there is no folder"):
        people.impute("people", out, **ASKED, contract=broken, report=tmp_path / "none" / "said.json")


CHECKS = (
    'figure = "rows"\nleast = 10\nmost = 20',
    'figure = "missing"\ncolumn = "y"\nmost = 0.2',
    'figure = "low"\ncolumn = "x"\nleast = 0',
    'figure = "high"\ncolumn = "it\'s"\nmost = 5',
    'figure = "rhat"\nmost = 1.1',
)


def test_checks_of_rows_become_expectations(tmp_path: Path) -> None:
    done = run("runs", "contract", str(contract(tmp_path, *CHECKS)), "--to", "great-expectations")
    suite = json.loads(done.stdout)
    assert (suite["name"], suite["meta"]["not_exported"]) == ("contract", ["rhat"])
    kinds = [one["type"].removeprefix("expect_").removesuffix("_to_be_between") for one in suite["expectations"]]
    assert kinds == ["table_row_count", "column_proportion_of_non_null_values", "column_min", "column_max"]
    assert suite["expectations"][1]["kwargs"] == {"column": "y", "min_value": 0.8, "max_value": None}
    assert suite["expectations"][2]["kwargs"] == {"column": "x", "min_value": 0.0, "max_value": None}


def test_checks_of_rows_become_a_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is run with a stand-in for pandera, which makes its checks as pandera does."""
    text = export_contract(contract(tmp_path, *CHECKS), "pandera")
    pandera = ModuleType("pandera.pandas")
    pandera.Column = lambda **given: given  # type: ignore[attr-defined]
    pandera.Check = lambda check, error: SimpleNamespace(check=check, error=error)  # type: ignore[attr-defined]
    pandera.DataFrameSchema = lambda columns, checks: SimpleNamespace(columns=columns, checks=checks)  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "pandera", ModuleType("pandera"))
    monkeypatch.setitem(__import__("sys").modules, "pandera.pandas", pandera)
    held: dict[str, Any] = {}
    exec(text, held)
    assert list(held["schema"].columns) == ["y", "x", "it's"]
    good = pd.DataFrame({"x": np.arange(15.0), "y": np.ones(15), "it's": np.zeros(15)})

    def broken(frame: pd.DataFrame) -> list[str]:
        return [one.error for one in held["schema"].checks if not one.check(frame)]

    assert broken(good) == []
    assert broken(good.head(5)) == ["rows is less than 10"]
    assert broken(good.assign(y=np.where(good["x"] > 9, np.nan, 1))) == ["missing of y is more than 0.2"]
    assert broken(good.assign(x=-1.0)) == ["low of x is less than 0"]
    assert broken(good.assign(**{"it's": 9.0})) == ["high of it's is more than 5"]
    assert "without rhat" in text
    odd = contract(tmp_path, 'column = "a\\nimport os\\n\\"\\"\\"b"\nfigure = "drift"\nmost = 1.1')
    assert len(compile(export_contract(odd, "pandera"), "schema", "exec").co_consts) < 10
    with pytest.raises(QueryError, match="pandera"):
        export_contract(tmp_path / "contract.toml", "soda")  # type: ignore[arg-type]
