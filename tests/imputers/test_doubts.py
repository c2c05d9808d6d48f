"""Draws that learn from little say so, by column and cause; others say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database

PROPER = ("tree", "norm", "pmm")


def table(n: int, **gone: Any) -> dict[str, Any]:
    """Columns x, y and z of n rows, some of them missing where `gone` says."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    whole = {"x": z + rng.normal(size=n), "y": z + rng.normal(size=n), "z": z}
    return {c: np.ma.masked_array(v, gone.get(c, np.zeros(n, bool))) for c, v in whole.items()}


def said(given: dict[str, Any], text: str, imputer: str) -> tuple[str, ...]:
    db = imputedb.connect()
    db.register("t", given)
    return db.sql(text, imputer=imputer, m=5).report.warnings


@pytest.mark.parametrize("imputer", PROPER)
def test_fewer_than_ten_donors(imputer: str) -> None:
    gone = np.arange(60) >= 8
    (one,) = [s for s in said(table(60, x=gone), "SELECT avg(x) FROM t", imputer) if "fewer than 10" in s]
    assert "x is observed in 8 of the rows" in one
    assert ("donors" in one) == (imputer != "norm")  # which has none


@pytest.mark.parametrize("imputer", PROPER)
def test_few_rows_are_few_donors_for_a_slope(imputer: str) -> None:
    """Of 30 rows, 30 % missing, 68 to 72 % of the slopes by donors were covered, without a word."""
    text = "SELECT regr_slope(x, z) AS s FROM t"
    few = [s for s in said(table(30, x=np.arange(30) % 3 == 0), text, imputer) if "few for donors" in s]
    assert [s.partition(":")[0] for s in few] == (
        [] if imputer == "norm" else ["t.x is observed in 20 rows, few for donors that are like the missing ones"]
    )
    assert not any("few for donors" in s for s in said(table(90, x=np.arange(90) % 3 == 0), text, imputer))


@pytest.mark.parametrize("imputer", PROPER)
def test_few_rows_for_the_columns_that_predict(imputer: str) -> None:
    rng = np.random.default_rng(1)
    given = table(60, x=np.arange(60) >= 20) | {f"w{j}": rng.normal(size=60) for j in range(10)}
    found = said(given, "SELECT avg(x) FROM t", imputer)
    assert any("x is observed in 20 rows, for 12 columns that predict it" in s for s in found)


@pytest.mark.parametrize("imputer", PROPER)
def test_cells_of_rows_that_lack_everything(imputer: str) -> None:
    rng = np.random.default_rng(2)
    empty = rng.random(200) < 0.1
    gone = {c: empty | (rng.random(200) < 0.1) for c in "xy"}
    found = said(table(200, **gone, z=empty), "SELECT avg(x) FROM t", imputer)
    both = np.count_nonzero(empty | (gone["x"] & gone["y"] & empty))
    (one,) = [s for s in found if "t.x" in s and "unconditionally" in s]
    assert one.startswith(f"{both} of the {np.count_nonzero(gone['x'])} missing cells")


@pytest.mark.parametrize("imputer", PROPER)
def test_columns_that_no_row_has_together(imputer: str) -> None:
    first = np.arange(200) < 100
    found = said(table(200, x=first, y=~first), "SELECT corr(x, y) FROM t", imputer)
    (one,) = [s for s in found if "never observed in the same row" in s]
    assert "t.x" in one
    assert "t.y" in one


@pytest.mark.parametrize("imputer", PROPER)
def test_plenty_is_not_doubted(imputer: str) -> None:
    rng = np.random.default_rng(3)
    given = table(300, x=rng.random(300) < 0.3, y=rng.random(300) < 0.3)
    assert not said(given, "SELECT avg(x), avg(y) FROM t", imputer)


def test_a_manifest_notes_what_is_doubtful(tmp_path: Path) -> None:
    db: Database = imputedb.connect()
    db.register("t", table(60, x=np.arange(60) >= 8))
    run = db.impute("t", tmp_path, m=2)
    assert any("fewer than 10 donors" in note for note in run.manifest["columns"]["x"]["notes"])


@pytest.mark.parametrize("imputer", ["tree", "logistic"])
@pytest.mark.parametrize("kind", ["boolean", "number", "text"])
def test_few_rows_of_the_rarer_class(kind: str, imputer: str) -> None:
    """Of some 200 rows with fewer than ten of a class, 80 to 89 % of the slopes on it were covered, without a word."""
    rng, gone = np.random.default_rng(4), np.arange(200) % 4 == 0
    forms = {"boolean": lambda b: b, "number": lambda b: b.astype(int), "text": lambda b: np.where(b, "yes", "no")}
    for every, few in ((24, True), (20, False)):
        rare = forms[kind](np.arange(200) % every == 1)
        given = {"x": np.ma.masked_array(rare, gone), "z": rng.normal(size=200)}
        text = "SELECT avg(z) FROM t GROUP BY x" if kind == "text" else "SELECT avg(x::INTEGER) FROM t"
        found = [one for one in said(given, text, imputer) if "rarer of its two values" in one]
        assert bool(found) == few
        assert not few or found[0].startswith("t.x is observed in 9 rows")
