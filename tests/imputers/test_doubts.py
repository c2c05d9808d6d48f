"""Draws that learn from little say so, by column and cause; others say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.notes import NoteKind, Question, is_of

PROPER = ("tree", "norm", "pmm")


def table(n: int, **gone: Any) -> dict[str, Any]:
    """Columns x, y and z of n rows, some of them missing where `gone` says."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    whole = {"x": z + rng.normal(size=n), "y": z + rng.normal(size=n), "z": z}
    return {c: np.ma.masked_array(v, gone.get(c, np.zeros(n, bool))) for c, v in whole.items()}


def said(given: dict[str, Any], text: str, imputer: str, interval: Question = "population") -> tuple[str, ...]:
    db = imputedb.connect()
    db.register("t", given)
    return db.sql(text, imputer=imputer, m=5, interval=interval).report.warnings


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
    few = [s for s in said(table(30, x=np.arange(30) % 3 == 0), text, imputer, "answer") if "few for donors" in s]
    assert [s.partition(":")[0] for s in few] == (
        [] if imputer == "norm" else ["t.x is observed in 20 rows, few for donors that are like the missing ones"]
    )
    assert not any("few for donors" in s for s in said(table(90, x=np.arange(90) % 3 == 0), text, imputer, "answer"))
    assert not any("few for donors" in s for s in said(table(30, x=np.arange(30) % 3 == 0), text, imputer))


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
    assert any("fewer than 10 donors" in note["text"] for note in run.manifest["columns"]["x"]["notes"])


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


FAR = {"one row": [5], "one row of those that are filled in": [-1], "two rows": [5, 9], "both ways": [5, -9]}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("places", FAR.values(), ids=FAR)
def test_few_rows_that_decide_what_a_line_tells_are_said(places: list[int], m: int) -> None:
    rng = np.random.default_rng(5)
    x, n = rng.normal(size=300), 300
    y, gone = 2 * x + rng.normal(size=n), np.arange(n) >= 200
    wild = x.copy()
    wild[[abs(place) for place in places]] = [1e12 * np.sign(place) for place in places]
    if places == [-1]:
        wild[[1, -1]] = x[1], 1e12
    for values, told in ((wild, True), (x, False), (np.arange(n) % 100 == 0, False)):
        with imputedb.connect() as db:
            db.register("t", {"id": np.arange(n), "x": values.astype(float), "y": np.ma.masked_array(y, gone)})
            for imputer in ("norm", "pmm", "tree"):
                notes = db.sql("SELECT avg(y) FROM t", m=m, imputer=imputer).report.warnings
                said = [note.subject for note in notes if is_of(NoteKind.LEVERAGE, note)]
                assert said == (["t.x"] if told and imputer != "tree" else []), (imputer, values[:3])


def test_few_rows_that_decide_are_told_of_runs_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    x, n = rng.normal(size=90), 90
    y = x + rng.normal(size=n)
    x[3] = -1e9
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(n), "x": x, "y": np.ma.masked_array(y, np.arange(n) % 3 == 1)})
        run = db.impute("t", tmp_path / "run", m=2, imputer="norm")
        assert any("few rows, the farthest one -1e+09" in one["text"] for one in run.manifest["columns"]["y"]["notes"])
