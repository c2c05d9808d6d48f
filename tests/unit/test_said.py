"""What is said where something cannot be done: of read-only databases, hints, indexes, charts, and doubtful fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imputedb
from imputedb.cli.main import main
from imputedb.errors import DataError, QueryError, StorageError, UnknownName

ROWS = 60


def rows() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    return {"id": np.arange(ROWS), "x": np.ma.masked_array(x, np.arange(ROWS) % 4 == 0), "y": x + rng.normal(size=ROWS)}


WRITES: dict[str, Callable[[imputedb.Database], object]] = {
    **{
        text: lambda db, text=text: db.sql(text)  # type: ignore[misc]
        for text in (
            "INSERT INTO t VALUES (1, 2, 3)",
            "CREATE TABLE z AS SELECT avg(x) FROM t",
            "UPDATE t SET x = 1",
            "DROP TABLE t",
            "ALTER TABLE t ADD COLUMN q INT",
            "CREATE VIEW v AS SELECT 1",
            "CREATE IMPUTATION POLICY ON t(x) DROP",
        )
    },
    "execute": lambda db: db.execute("DELETE FROM t"),
    "register": lambda db: db.register("z", {"v": [1.0, None]}, keep=True),
    "policy": lambda db: db.policy("t", "x", "drop"),
    "missing": lambda db: db.missing("t", "x", [7]),
    "load": lambda db: db.load("none.csv"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("write", WRITES)
def test_a_database_for_reading_says_that_it_is(tmp_path: Path, write: str) -> None:
    path = tmp_path / "a.duckdb"
    with imputedb.connect(path) as db:
        db.register("t", rows(), keep=True)
    with imputedb.connect(path, read_only=True) as db:
        with pytest.raises(StorageError, match="is open for reading only"):
            WRITES[write](db)
        assert len(db.sql("SELECT avg(x) FROM t").fetchall()) == 1
        assert db.policies() == []


@pytest.mark.parametrize("name", ["imputed", "policies", "missing_value", "statistics", "answer", "imputedb_answers"])
def test_hints_name_no_table_that_nobody_made(tmp_path: Path, name: str) -> None:
    with imputedb.connect(tmp_path / "a.duckdb") as db:
        db.register("t", rows(), keep=True)
        db.policy("t", "x", low=-10)
        db.missing("t", "y", [77])
        db.sql("SELECT avg(x) FROM t")
        for asked in (db.sql, db.execute):
            with pytest.raises(UnknownName) as refused:
                asked(f"SELECT * FROM {name}")
            hint = str(refused.value).partition("did you mean")[2].partition("\n")[0]
            assert hint in ("", ' "t"?')


def test_an_index_that_says_something_is_kept() -> None:
    pd = pytest.importorskip("pandas")
    pairs = pd.MultiIndex.from_tuples([(1, "p"), (2, "q")], names=["i", "j"])
    known = {
        "named": (pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="key")), ["key", "a"]),
        "labels": (pd.DataFrame({"a": [1, 2]}, index=["u", "v"]), ["index", "a"]),
        "moments": (pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020-01-01", periods=2)), ["index", "a"]),
        "periods": (pd.DataFrame({"a": [1, 2]}, index=pd.period_range("2020-01", periods=2, freq="M")), ["index", "a"]),
        "several": (pd.DataFrame({"a": [1, 2]}, index=pairs), ["i", "j", "a"]),
        "rows": (pd.DataFrame({"a": [1, 2, 3]}).drop(index=1), ["a"]),
        "series": (pd.Series([1, 2], name="a"), ["a"]),
        "labelled series": (pd.Series([1, 2], index=["u", "v"]), ["index", "value"]),
    }  # fmt: skip
    with imputedb.connect() as db:
        for what, (frame, columns) in known.items():
            db.register("t", frame)
            assert list(db.tables()["t"]) == columns, what
            assert len(db.execute("FROM t")) == 2
        with pytest.raises(DataError, match="both named 'a'"):
            db.register("t", pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")))


@pytest.mark.parametrize("file", ["c.gif", "c", "none/c.png", "c.jpeg"])
def test_a_chart_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, file: str) -> None:
    path = tmp_path / "a.duckdb"
    with imputedb.connect(path) as db:
        db.register("t", rows(), keep=True)
    found = CliRunner().invoke(main, ["evaluate", str(path), "t", "--imputer", "mean", "--chart", str(tmp_path / file)])
    assert isinstance(found.exception, QueryError | StorageError)
    assert found.stdout == ""
    query = ["query", str(path), "SELECT avg(x) FROM t", "--output", str(tmp_path / "none" / "a.csv")]
    assert isinstance(CliRunner().invoke(main, query).exception, StorageError)


def test_fits_that_mean_nothing_say_so(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    with imputedb.connect() as db:
        db.register(
            "t",
            {
                **rows(),
                "late": (np.arange(ROWS) > 30).astype(int),
                "third": np.arange(ROWS) // 20,
                "s": np.array(["u", "v", "w"] * 20),
            },
        )
        made = db.impute("t", tmp_path / "run", m=2, imputer="norm")
        for formula, model in (("late ~ id", "logit"), ("late ~ id", "probit"), ("third ~ id", "mnlogit")):
            found = made.analyze(formula, model)
            assert any("separate the outcome" in note for note in found.notes), model
            assert np.isfinite(found.table()["std.error"]).all(), model
        assert made.analyze("late ~ x", "logit").notes == ()
        with pytest.raises(QueryError, match=r"s is of 3 categories, and logit models numbers: mnlogit"):
            made.analyze("s ~ x", "logit")
        binary = db.impute("SELECT x, CASE WHEN id > 30 THEN 'yes' ELSE 'no' END AS s FROM t", tmp_path / "two", m=2)
        with pytest.raises(QueryError, match="a column that is 1 where s is 'yes'"):
            binary.analyze("s ~ x", "logit")
        with pytest.raises(QueryError, match="the outcome must be in the unit interval"):
            made.analyze("y ~ x", "logit")
