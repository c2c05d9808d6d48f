"""Categories that stand in an order keep it, in and out, whatever their levels are called."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import imputedb
from imputedb import Database
from imputedb.algebra.column import Column
from imputedb.errors import Error
from imputedb.imputers.features import cells
from imputedb.imputers.imputer import Cells, Rows
from imputedb.imputers.registry import IMPUTERS
from imputedb.statistics.measure import measured
from imputedb.statistics.policy import DEFAULT
from imputedb.statistics.statistics import ColumnStatistics, Kind

NAMES = (list("abcde"), ["low", "mid", "upper", "high", "top"], ["it's 1", "b,c", "A", "", "é"])
ROWS = 400
X, Y = Column("t", "x"), Column("t", "y")


def sample() -> tuple[Any, Any, Any]:
    """x, the place of an ordered level that follows it, and where that is missing."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=ROWS)
    level = np.digitize(2 * x + rng.normal(size=ROWS), [-2.5, -0.8, 0.8, 2.5])
    return x, level, rng.random(ROWS) < 0.3


def loaded(levels: Sequence[str], how: str = "pandas") -> Database:
    x, level, gone = sample()
    texts = [None if lost else levels[place] for place, lost in zip(level, gone, strict=True)]
    rows = {"id": np.arange(ROWS), "x": x}
    db = imputedb.connect()
    match how:
        case "enum":
            db.register("s", {**rows, "y": texts})
            listed = ", ".join("'" + one.replace("'", "''") + "'" for one in levels)
            db.execute(f"CREATE TABLE t AS SELECT id, x, CAST(y AS ENUM ({listed})) AS y FROM s")
        case "arrow":
            codes = pa.array([None if lost else int(place) for place, lost in zip(level, gone, strict=True)], pa.int8())
            y = pa.DictionaryArray.from_arrays(codes, pa.array(levels), ordered=True)
            db.register("t", pa.table({**rows, "y": pa.chunked_array([y[:50], y[50:]])}))
        case "polars":
            pl = pytest.importorskip("polars")
            db.register("t", pl.DataFrame({**rows, "y": pl.Series(texts, dtype=pl.Enum(levels))}))
        case _:
            y = pd.Categorical(texts, categories=list(levels), ordered=how == "pandas")
            db.register("t", pd.DataFrame({**rows, "y": y}))
    return db


def places(db: Database, levels: Sequence[str], imputer: str, **options: Any) -> list[int]:
    found = db.sql("SELECT y FROM t ORDER BY id", imputer=imputer, **options)
    assert found.types[0].startswith("ENUM(")
    return [levels.index(value) for (value,) in found.fetchall()]


def imputed(levels: Sequence[str], imputer: str, draw: int | None) -> list[int]:
    """The places of what is filled in, of the same rows with levels of any names."""
    x, level, gone = sample()
    texts = np.ma.masked_array(np.array(levels, dtype=object)[level], gone)
    listed = ", ".join("'" + one.replace("'", "''") + "'" for one in levels)
    known = ColumnStatistics(f"ENUM({listed})", Kind.CATEGORY, int(gone.sum()), len(levels))
    columns = {X: Cells(x, np.zeros(ROWS, bool), Kind.NUMBER), Y: cells(texts, measured(known, DEFAULT))}
    rows = Rows(columns, np.arange(ROWS, dtype=np.uint64))
    assert columns[Y].levels == tuple(levels)
    options = {} if draw is None else {"drawn": [Y], "draw": draw}
    return IMPUTERS[imputer]().impute(rows, [Y], 0, **options)[Y].tolist()


@pytest.mark.parametrize("imputer", ["ordered", "norm", "pmm", "tree", "knn", "mean", "hotdeck", "multinomial"])
@pytest.mark.parametrize("draw", [None, 1])
def test_what_levels_are_called_changes_nothing(imputer: str, draw: int | None) -> None:
    first, *others = (imputed(levels, imputer, draw) for levels in NAMES)
    assert all(other == first for other in others)


@pytest.mark.parametrize("how", ["enum", "arrow", "polars"])
def test_every_entrance_keeps_the_order(how: str) -> None:
    levels = NAMES[1]
    assert places(loaded(levels, how), levels, "ordered") == places(loaded(levels), levels, "ordered")


def test_the_order_is_the_types_and_not_the_alphabets() -> None:
    _, level, gone = sample()
    levels = NAMES[1]
    names, found = np.array(levels), {}
    for order in (levels, sorted(levels)):
        x, _, _ = sample()
        y = pd.Categorical(np.where(gone, None, names[level]), categories=order, ordered=True)
        db = imputedb.connect()
        db.register("t", pd.DataFrame({"id": np.arange(ROWS), "x": x, "y": y}))
        values = [value for (value,) in db.sql("SELECT y FROM t ORDER BY id", imputer="ordered").fetchall()]
        found[order[0]] = float((np.array(values) == names[level])[gone].mean())
    assert found["low"] > found["high"] + 0.1


def test_categoricals_without_an_order_have_none(tmp_path: Path) -> None:
    db = loaded(NAMES[1], "unordered")
    assert db.policies() == [("t", "y", "IMPUTE AS NOMINAL")]
    assert db.sql("SELECT y FROM t", imputer="norm", m=2).report.methods == {"t.y": "norm"}
    assert len(db.sql("SELECT upper(y::VARCHAR) FROM t").fetchall()) == ROWS
    db.impute("SELECT id, x, upper(y::VARCHAR) AS y FROM t", tmp_path / "run", imputer="tree", m=2)
    db.register("t", pd.DataFrame({"y": pd.Categorical(["a", None, "b"])}), replace=True)
    assert db.policies() == [("t", "y", "IMPUTE AS NOMINAL")]


@pytest.mark.parametrize("imputer", ["ordered", "pmm", "tree", "knn"])
def test_a_range_of_levels_holds(imputer: str) -> None:
    levels = NAMES[1]
    db = loaded(levels)
    db.sql("CREATE IMPUTATION POLICY ON t(y) RANGE 'mid' TO 'upper'")
    gone = sample()[2]
    found = np.array(places(db, levels, imputer))[gone]
    assert set(found) == {1, 2}
    wide = db.sql("SELECT count(*) FILTER (WHERE y NOT IN ('mid', 'upper')) AS n FROM t", imputer=imputer, m=3)
    observed = int((~gone & ~np.isin(sample()[1], [1, 2])).sum())
    assert wide.estimates[0]["n"].estimate == observed


@pytest.mark.parametrize("clause", ["RANGE 'upper' TO 'mid'", "RANGE 'x' TO 'top'", "AS NUMERIC", "RANGE 1 TO 2"])
def test_a_range_that_levels_do_not_make_is_refused(clause: str) -> None:
    with pytest.raises(Error):
        loaded(NAMES[1]).sql(f"CREATE IMPUTATION POLICY ON t(y) {clause}")


def test_values_put_text_in_an_order() -> None:
    levels = NAMES[1]
    db = loaded(levels)
    db.execute("CREATE TABLE s AS SELECT id, x, y::VARCHAR AS y FROM t")
    with pytest.raises(Error, match="in which order"):
        db.sql("CREATE IMPUTATION POLICY ON s(y) AS ORDINAL")
    db.sql(f"CREATE IMPUTATION POLICY ON s(y) AS ORDINAL VALUES ({', '.join(levels)})")
    found = db.sql("SELECT y FROM s ORDER BY id", imputer="ordered").fetchall()
    assert [levels.index(value) for (value,) in found] == places(db, levels, "ordered")
