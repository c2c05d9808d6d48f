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
from imputedb.imputers.conversion import cells
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.measure import measured
from imputedb.statistics.policy import DEFAULT
from imputedb.statistics.table import ColumnStatistics, Kind

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
    assert db.policies() == []
    assert taken(db, "t", "y") == ("VARCHAR", "categories")
    assert db.sql("SELECT y FROM t", imputer="norm", m=2).report.methods == {"t.y": "norm"}
    assert len(db.sql("SELECT upper(y) FROM t").fetchall()) == ROWS
    db.impute("SELECT id, x, upper(y) AS y FROM t", tmp_path / "run", imputer="tree", m=2)


def test_numbers_that_are_categories_are_nominal() -> None:
    db = imputedb.connect()
    for _ in range(2):
        db.register("t", pd.DataFrame({"y": pd.Categorical([1, None, 3])}), replace=True)
        assert db.policies() == [("t", "y", "IMPUTE AS NOMINAL")]


def taken(db: Database, table: str, column: str) -> tuple[str, str]:
    (found,) = [one for one in db.profile(table)[0].columns if one.name == column]
    return found.type, found.taken


PLACES = np.array([1, 0, 3, 2] * 10)
"""Of levels, the first of which are not the first of the alphabet."""


def in_no_order(how: str, names: Sequence[str]) -> Any:
    """A column of text in no order, as libraries have it."""
    text = np.array(names)[PLACES]
    match how:
        case "numpy":
            return {"c": text}
        case "masked":
            return {"c": np.ma.masked_array(text, np.arange(len(text)) % 7 == 0)}
        case "fields":
            return np.array([(one,) for one in text], dtype=[("c", text.dtype)])
        case "pandas":
            return pd.DataFrame({"c": pd.Categorical(text)})
        case "series":
            return {"c": pd.Series(pd.Categorical(text))}
        case "arrow":
            return pa.table({"c": pa.array(text.tolist()).dictionary_encode()})
        case _:
            pl = pytest.importorskip("polars")
            return pl.DataFrame({"c": pl.Series(text.tolist(), dtype=pl.Categorical)})


HOWS = ["numpy", "masked", "fields", "pandas", "series", "arrow", "polars"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kept", [False, True])
def test_text_in_no_order_is_nominal_however_it_comes(how: str, kept: bool) -> None:
    db = imputedb.connect()
    db.register("p", in_no_order(how, NAMES[0]), keep=kept)
    db.execute("CREATE TABLE copied AS SELECT * FROM p")
    if how != "fields":  # an array in a variable is no table to SQL
        frame = in_no_order(how, NAMES[0])
        assert len(frame)
        db.sql("CREATE TABLE read AS SELECT * FROM frame")
    for table in ("p", "copied", *(["read"] if how != "fields" else [])):
        assert taken(db, table, "c") == ("VARCHAR", "categories")


def test_columns_of_one_name_keep_the_order_that_each_has() -> None:
    ordered = pd.Series(pd.Categorical(list("badc"), list("dbac"), ordered=True))
    frame = pd.concat([pd.Series(pd.Categorical(list("badc"))), ordered, pd.Series(list("badc"))], axis=1)
    frame.columns = ["c", "C", "c"]
    db = imputedb.connect()
    db.register("t", frame)
    assert [one.taken for one in db.profile("t")[0].columns] == ["categories", "ordered categories", "categories"]


def test_codes_that_mean_missing_leave_numbers_of_numpys_text() -> None:
    db = imputedb.connect()
    db.register("t", {"c": np.array(["10", "?", "9", "11"])}, missing={"c": ["?"]})
    assert taken(db, "t", "c")[0] == "BIGINT"


def means(how: str, names: Sequence[str], source: str, imputer: str, m: int) -> list[float]:
    """The means of y by category, in the order of the categories' places, of rows whose names are any."""
    rng = np.random.default_rng(3)
    place = rng.integers(0, 4, ROWS)
    x, noise = rng.normal(size=(2, ROWS)) / 2
    y = np.array([5.0, 1.0, 4.0, 0.0])[place] + x + noise
    text, gone = np.array(names)[place], rng.random(ROWS) < 0.4
    rows = {"id": np.arange(ROWS), "x": x, "y": y}
    db = imputedb.connect()
    if how == "pandas":
        db.register("p", pd.DataFrame({**rows, "c": pd.Categorical(np.where(gone, None, text))}))
    else:
        db.register("p", {**rows, "c": np.ma.masked_array(text, gone)})
    db.register("k", {"id": np.arange(ROWS)})
    db.execute("CREATE TABLE ctas AS SELECT * FROM p")
    db.execute("CREATE VIEW seen AS SELECT * FROM ctas")
    db.execute("CREATE TABLE joined AS SELECT p.* FROM p JOIN k USING (id) ORDER BY id")
    answer = db.sql(f"SELECT c, avg(y) AS a FROM {source} GROUP BY c", imputer=imputer, m=m)
    found = {row[0]: row[1] for row in answer.fetchall()}
    return [found[name] for name in names[:4]]


@pytest.mark.parametrize(
    ("how", "source", "imputer", "m"),
    [
        ("numpy", "p", "norm", 1),
        ("numpy", "p", "pmm", 3),
        ("pandas", "ctas", "pmm", 1),
        ("pandas", "joined", "norm", 3),
        ("numpy", "seen", "tree", 3),
    ],
)
def test_categories_in_no_order_have_their_own_means(how: str, source: str, imputer: str, m: int) -> None:
    sorted_names, shuffled = (means(how, names, source, imputer, m) for names in (list("abcd"), list("bdac")))
    assert sorted_names == pytest.approx([5.0, 1.0, 4.0, 0.0], abs=0.3)
    assert shuffled == pytest.approx(sorted_names, abs=0.2)


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
