"""What answers look like: types, meanings, formats, refusals."""

import datetime as dt
import math
import os
import signal
import threading
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import imputedb
from imputedb import Database
from imputedb.execution import columns

IMPUTERS = ("tree", "mean", "hotdeck")

TYPED = """
CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 7 > 0 THEN i % 5 END AS a,
  CASE WHEN i % 3 > 0 THEN DATE '2020-01-01' + i::INT END AS d,
  CASE WHEN i % 4 > 0 THEN TIMESTAMP '2020-01-01 10:00:00' + to_hours(i) END AS ts,
  CASE WHEN i % 5 > 0 THEN 'k' || (i % 3) END AS s,
  CASE WHEN i % 6 > 0 THEN (i * 1.25)::DECIMAL(10, 2) END AS dec,
  CASE WHEN i % 2 > 0 THEN i % 3 = 0 END AS b, CASE WHEN i % 9 > 0 THEN i * 0.5 ELSE 'nan'::DOUBLE END AS f,
  CASE WHEN i % 8 > 0 THEN ('x' || (i % 2))::ENUM('x0', 'x1') END AS e,
  CASE WHEN i % 5 <> 2 THEN TIMESTAMPTZ '2020-01-01 10:00:00+00' + to_hours(i) END AS tz,
  CASE WHEN i % 5 <> 3 THEN i::HUGEINT END AS h, CASE WHEN i % 5 <> 1 THEN i::UTINYINT END AS u
FROM range(100) r(i)
"""


@pytest.mark.parametrize("imputer", IMPUTERS)
def test_types_stay_what_they_are(db: Database, imputer: str) -> None:
    db.execute(TYPED)
    result = db.sql("SELECT * FROM t ORDER BY id", imputer=imputer)
    stored = dict(zip([row[0] for row in db.execute("FROM t")], db.execute("FROM t"), strict=True))
    assert result.types == [kind for _, kind, *_ in db.execute("DESCRIBE t")]
    for row in result.fetchall():
        for given, now in zip(stored[row[0]], row, strict=True):
            assert now is not None
            if given is not None and not (isinstance(given, float) and math.isnan(given)):
                assert now == given
    domains = {"a": range(5), "s": {"k0", "k1", "k2"}, "e": {"x0", "x1"}, "b": {True, False}}
    for row in result.df().to_dict("records"):
        for name, domain in domains.items():
            assert row[name] in domain
    assert result.fetchall()[1][2] == dt.date(2020, 1, 2)
    assert result.fetchall()[1][5] == Decimal("1.25")


def test_formats_agree(people: Database) -> None:
    result = people.sql("SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) GROUP BY sex ORDER BY sex")
    rows = result.fetchall()
    assert [tuple(row) for row in result.df().itertuples(index=False)] == rows
    assert result.pl().rows() == rows
    assert list(zip(*result.arrow().to_pydict().values(), strict=True)) == rows
    assert pa.table(result).num_rows == len(result) == len(list(result)) == 2
    assert [result.fetchone(), *result.fetchmany(2), *result.fetchall()] == rows
    assert result.columns == ["sex", "h"]


def test_questions_about_missingness_see_what_is_stored(db: Database) -> None:
    db.register("t", {"x": np.ma.masked_array([1, 2, 3, 4], [0, 1, 0, 0])})
    result = db.sql("SELECT x IS NULL AS gone, COALESCE(x, -1) AS c, x FROM t", imputer="mean")
    assert result.fetchall()[1] == (True, -1, 3)
    assert db.sql("SELECT count(*) FROM t WHERE x IS NULL", imputer="mean").fetchall() == [(1,)]
    assert db.sql("SELECT count(x), count(*) FROM t", imputer="mean").fetchall() == [(4, 4)]
    alone = db.sql("SELECT count(*) FROM t WHERE x IS NOT NULL")
    assert alone.report.imputed == {}
    assert alone.fetchall() == [(3,)]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_nan_is_missing_at_every_entrance(db: Database, tmp_path: "object", alpha: float) -> None:
    values = [1.0, float("nan"), 3.0, 5.0]
    db.register("numpy_", {"x": np.array(values)})
    db.register("pandas_", pd.DataFrame({"x": values}))
    db.register("arrow_", pa.table({"x": pa.array(values, from_pandas=False)}))
    db.register("polars_", pl.DataFrame({"x": values}))
    pl.DataFrame({"x": values}).write_parquet(f"{tmp_path}/file_.parquet")
    db.load(f"{tmp_path}/file_.parquet")
    db.execute("CREATE TABLE made AS SELECT unnest([1.0, 'nan'::DOUBLE, 3.0, 5.0]) AS x")
    answers = {
        name: db.sql(f"SELECT avg(x), count(x) FROM {name}", imputer="mean", alpha=alpha).fetchall()
        for name in ("numpy_", "pandas_", "arrow_", "polars_", "file_", "made")
    }
    assert set(map(tuple, answers.values())) == {((3.0, 4 if alpha == 0 else 3),)}


def test_declared_values_are_missing_and_kept(tmp_path: "object") -> None:
    path = f"{tmp_path}/s.duckdb"
    with open(f"{tmp_path}/t.csv", "w", encoding="utf-8") as file:
        file.write("id,income,age\n1,5,30\n2,77,40\n3,Refused,99\n4,7,50\n")
    with imputedb.connect(path) as db:
        db.load(f"{tmp_path}/t.csv", missing={"income": ["77", "Refused"], "age": [99]})
    with imputedb.connect(path) as db:
        assert db.tables()["t"]["income"] == "BIGINT"
        assert db.sql("SELECT avg(income), avg(age) FROM t", imputer="mean").fetchall() == [(6.0, 40.0)]
        assert db.execute("SELECT income FROM t WHERE id = 2") == [(77,)]
        assert db.sql("SELECT count(*) FROM t WHERE income IS NULL").fetchall() == [(2,)]
        db.missing("t", "age", [])
        assert db.sql("SELECT max(age) FROM t").fetchall() == [(99,)]
        with pytest.raises(imputedb.DataError, match=r"'old' is not a value of t\.age"):
            db.missing("t", "age", ["old"])
        with pytest.raises(imputedb.UnknownName, match="no column 'agee'"):
            db.missing("t", "agee", [1])


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELECT age FRM person", imputedb.SqlSyntaxError, "FRM"),
        ("SELECT agee FROM person", imputedb.UnknownName, 'did you mean "age"'),
        ("SELECT person.agee FROM person", imputedb.UnknownName, "agee"),
        ("SELECT age FROM persn", imputedb.UnknownName, 'did you mean "person"'),
        ("SELECT nofunction(age) FROM person", imputedb.UnknownName, "nofunction"),
        ("SELECT age, sex FROM person GROUP BY age", imputedb.QueryError, "GROUP BY"),
        ("SELECT age FROM person WHERE age > 'x'", imputedb.QueryError, "convert"),
        ("SELECT 1; SELECT 2", imputedb.Unplanned, "one statement"),
        ("", imputedb.QueryError, "no statement"),
        ("WITH a AS (SELECT 1) INSERT INTO person FROM a", imputedb.QueryError, "columns"),
        ("WITH c AS (SELECT age FROM persn) SELECT * FROM c", imputedb.UnknownName, "persn"),
        ("SELECT agee FROM (SELECT age FROM person)", imputedb.UnknownName, 'did you mean "age"'),
        ("SELECT age, sex FROM person UNION SELECT pulse FROM exam", imputedb.QueryError, "columns"),
        ("SELECT age FROM person WHERE age > (SELECT pulse, height FROM exam)", imputedb.QueryError, "columns"),
    ],
)
def test_refusals(people: Database, sql: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        people.sql(sql)
    assert "imputedb_stage" not in str(caught.value)


def test_bad_wishes(people: Database) -> None:
    with pytest.raises(imputedb.QueryError, match=r"alpha is 1\.5; it must be from 0"):
        people.sql("SELECT age FROM person", alpha=1.5)
    with pytest.raises(imputedb.QueryError, match="alpha is nan"):
        people.sql("SELECT age FROM person", alpha=float("nan"))
    with pytest.raises(imputedb.UnknownName, match="did you mean 'tree'"):
        people.sql("SELECT age FROM person", imputer="tre")
    with pytest.raises(imputedb.QueryError, match="no strategy 'bsae'"):
        people.sql("SELECT age FROM person", strategy="bsae")
    with pytest.raises(imputedb.DataError, match="int has no columns"):
        people.register("x", 3)


def test_what_cannot_be_imputed_is_named_or_dropped(db: Database) -> None:
    db.execute(
        "CREATE TABLE t AS SELECT i AS a, NULL::INT AS none, CASE WHEN i % 2 = 0 THEN [i] END AS l FROM range(9) r(i)"
    )
    with pytest.raises(imputedb.CannotImpute, match=r"t\.none has missing values and no value of it is observed"):
        db.sql("SELECT avg(none) FROM t")
    with pytest.raises(imputedb.CannotImpute, match=r"t.l has missing values and values of type BIGINT\[\]"):
        db.sql("SELECT max(l) FROM t")
    shown = db.sql("SELECT l FROM t")
    assert [row is None for (row,) in shown.fetchall()] == [i % 2 == 1 for i in range(9)]
    assert any("t.l" in warning for warning in shown.report.warnings)
    assert len(db.sql("SELECT l FROM t", alpha=1)) == 9
    assert len(db.sql("SELECT l FROM t", imputer="drop")) == 5
    dropped = db.sql("SELECT none FROM t", imputer="drop")
    assert dropped.report.dropped == 9
    assert any("dropped" in warning for warning in dropped.report.warnings)


def test_a_filter_that_leaves_nothing(people: Database) -> None:
    for imputer in IMPUTERS:
        assert people.sql("SELECT height FROM exam WHERE height > 9999", imputer=imputer).fetchall() == []
        assert people.sql("SELECT avg(pulse) FROM exam WHERE id < 0", imputer=imputer).fetchall() == [(None,)]


def test_rows_without_an_observed_value_take_the_columns_centre(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WHOLE", 0)  # of a small table all rows are at hand to learn from
    group = np.arange(4000) % 40
    db.register("t", {"g": group, "x": np.ma.masked_array(np.full(4000, 5), group == 1)})
    result = db.sql("SELECT avg(x) FROM t WHERE g = 1", imputer="hotdeck", alpha=0.2)
    assert "μ hotdeck(t.x)\n      └─ σ" in result.plan
    assert result.fetchall() == [(5.0,)]
    assert "no value of t.x is observed among the 100 rows" in result.report.warnings[0]


@pytest.mark.parametrize("imputer", IMPUTERS)
def test_base_completes_every_dirty_column(people: Database, imputer: str) -> None:
    result = people.sql("SELECT avg(height) FROM exam", strategy="base", imputer=imputer)
    assert set(result.report.imputed) == {"exam.height", "exam.pulse"}
    assert result.report.strategy == "base"


def test_several_imputers_compete(people: Database) -> None:
    frontier = people.frontier("SELECT avg(height) FROM exam WHERE pulse > 60", imputer=["tree", "mean"])
    assert frontier is not None
    plans = " ".join(str(point.data()["plan"]) for point in frontier)
    assert "μ tree" in plans
    assert "μ mean" in plans


def test_result_after_close_says_so(people: Database) -> None:
    result = people.sql("SELECT age FROM person")
    people.close()
    with pytest.raises(imputedb.StorageError, match="closed"):
        result.fetchall()


def test_results_outlive_later_queries(people: Database) -> None:
    first = people.sql("SELECT avg(age) FROM person")
    before = first.fetchall()
    for _ in range(5):
        people.sql("SELECT avg(height) FROM exam")
    people.execute("DELETE FROM person")
    assert first.fetchall() == before
    assert_nothing_is_held(people)


def assert_nothing_is_held(db: Database) -> None:
    assert not db._engine.slots.used
    assert not db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")


def test_answers_after_transactions_that_were_undone(people: Database) -> None:
    expected = people.sql("SELECT avg(age) FROM person").fetchall()
    for end in ("ROLLBACK", "COMMIT", "ROLLBACK"):
        people.execute("BEGIN")
        assert people.sql("SELECT avg(age) FROM person").fetchall() == expected
        people.execute(end)
        assert people.sql("SELECT avg(age) FROM person").fetchall() == expected
    with pytest.raises(imputedb.QueryError):
        people.sql("SELECT avg(age + CAST('x' AS INTEGER)) FROM person")
    assert people.sql("SELECT avg(age) FROM person").fetchall() == expected


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_ctrl_c_stops_a_query_and_leaves_nothing(people: Database, alpha: float) -> None:
    endless = "SELECT count(*) FROM person a, person b, exam c, exam d WHERE a.age + b.age + c.height + d.height > 3"
    threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        people.sql(endless, alpha=alpha)
    assert len(people.sql("SELECT avg(age) FROM person", imputer="hotdeck")) == 1
    assert_nothing_is_held(people)


def test_duplicate_output_names_and_odd_identifiers(db: Database) -> None:
    db.execute('CREATE TABLE "odd ""t" AS SELECT i AS "a b", nullif(i, 2) AS "sel""ect" FROM range(5) r(i)')
    result = db.sql('SELECT "sel""ect", "sel""ect", "a b" AS "x""y" FROM "odd ""t" ORDER BY "a b"', imputer="mean")
    assert result.columns == ['sel"ect', 'sel"ect', 'x"y']
    assert result.fetchall()[2] == (2, 2, 2)


def test_files_in_from_are_completed_like_tables(db: Database, tmp_path: Path) -> None:
    db.execute("CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 > 0 THEN i * 2 END AS x FROM range(30) r(i)")
    for name, form in (("t.csv", "csv"), ("t.parquet", "parquet")):
        db.execute(f"COPY t TO '{tmp_path / name}' (FORMAT {form})")
    expected = db.sql("SELECT count(x), sum(x) FROM t WHERE id > 3", imputer="mean").fetchall()
    for source in (f"'{tmp_path}/t.csv'", f"read_parquet('{tmp_path}/t.parquet') f", f"'{tmp_path}/t.parquet' AS y"):
        result = db.sql(f"SELECT count(x), sum(x) FROM {source} WHERE id > 3", imputer="mean")
        assert result.fetchall() == expected
        assert result.report.strategy == "planned"
    assert db.sql(f"SELECT sum(t.x) FROM '{tmp_path}/t.csv' WHERE t.id > 3", imputer="mean").fetchall()[0][0] > 0
    assert db.sql(f"SELECT sum(id) FROM '{tmp_path}/t.csv'").report.strategy == "verbatim"
    left = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'imputedb_%' AND table_name NOT LIKE '%answer%'"
    assert db.execute(left) == [(0,)] or db.sql("SELECT 1").fetchall() == [(1,)]
    assert db.execute(left) == [(0,)]


def test_a_file_that_has_other_columns_now_is_read_anew(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    query = f"SELECT * FROM '{file}'"
    file.write_text("a\n1\n\n3\n")
    assert db.sql(query, imputer="mean").columns == ["a"]
    file.write_text("a,b\n1,2\n,4\n3,5\n")
    result = db.sql(query, imputer="mean")
    assert result.columns == ["a", "b"]
    assert result.fetchall() == [(1, 2), (2, 4), (3, 5)]


@pytest.mark.parametrize("imputer", ["tree", "hotdeck"])
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(
    ("kind", "first", "centre", "last"),
    [
        ("DATE", "2020-01-01", "2020-01-03", "2020-01-05"),
        ("TIMESTAMP", "2020-01-01 10:00:00", "2020-01-01 11:00:00", "2020-01-01 12:00:00"),
        ("DECIMAL(6, 2)", "1.50", "2.50", "3.50"),
    ],
)
def test_rows_at_hand_that_observe_nothing_take_the_centre(
    db: Database, kind: str, first: str, centre: str, last: str, m: int, imputer: str
) -> None:
    """Of every type: dates and timestamps travel as numbers, their centre does too."""
    db.execute(f"CREATE TABLE a (k INTEGER, x {kind}); INSERT INTO a VALUES (1, '{first}'), (2, NULL), (3, '{last}')")
    db.execute("CREATE TABLE b (k INTEGER); INSERT INTO b VALUES (2), (2)")
    result = db.sql("SELECT max(x)::VARCHAR AS x FROM a JOIN b USING (k)", m=m, imputer=imputer)
    assert result.fetchall() == [(centre,)]
    assert any("centre of the whole column" in warning for warning in result.report.warnings)


def test_dates_beyond_the_year_9999(db: Database) -> None:
    db.execute("CREATE TABLE far AS SELECT DATE '12000-01-01' + i::INTEGER AS d, i FROM range(9) r(i)")
    db.execute("INSERT INTO far VALUES (NULL, 3)")
    db.execute("CREATE TABLE moments AS SELECT d::TIMESTAMP AS d, i FROM far")
    for table in ("far", "moments"):
        (row,) = db.sql(f"SELECT max(d)::VARCHAR, count(d) FROM {table}", imputer="mean").fetchall()
        assert str(row[0]).startswith("12000-01-09")
        assert row[1] == 10


def test_an_interrupt_on_the_main_thread_is_an_interrupt(people: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(people._engine, "tree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        people.sql("SELECT avg(age) FROM person")
