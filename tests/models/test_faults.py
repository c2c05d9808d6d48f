"""What kept models must not do in silence."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import DataError, QueryError, StorageError

MEAN = "SELECT avg(y) FROM t"


def frame(n: int = 400, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 2 * x + rng.normal(size=n)
    z = x - y + rng.normal(size=n)
    gone = [np.ma.masked_array(v, rng.random(n) < share) for v, share in ((y, 0.4), (z, 0.3))]
    return {"id": np.arange(n), "x": x, "y": gone[0], "z": gone[1]}


@pytest.fixture
def db() -> imputedb.Database:
    found = imputedb.connect()
    found.register("t", frame(), keep=True)
    return found


def test_rows_without_an_order_are_refused() -> None:
    """Their values would go to other rows than their own."""
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 <> 0 THEN i % 50 END AS y FROM range(1000) r(i)")
        db.sql(MEAN, fit="table")
        db.execute("SET preserve_insertion_order = false")
        for fit in ("table", "query"):
            with pytest.raises(QueryError, match="SET preserve_insertion_order = true"):
                db.sql(MEAN, fit=fit)  # type: ignore[arg-type]
        db.execute("SET preserve_insertion_order = true")
        db.sql(MEAN, fit="table")


def test_an_error_that_was_not_measured_does_not_win(db: imputedb.Database) -> None:
    db.create_model("good", "t", ["y"], imputer="norm", draws=2)
    db.create_model("tiny", "t", ["y"], where="id < 4", draws=2)
    assert db.model("tiny").error == {}
    assert db.sql(MEAN, fit="table").report.methods == {"t.y": "good@1"}


@pytest.mark.parametrize("change", ["RENAME COLUMN y TO yy", "DROP COLUMN y", "DROP COLUMN x"])
@pytest.mark.parametrize("imputer", ["norm", "mean"])
def test_a_model_whose_column_is_gone_says_so(db: imputedb.Database, change: str, imputer: str) -> None:
    db.create_model("v", "t", ["y"], imputer=imputer, draws=2)
    db.execute(f"ALTER TABLE t {change}")
    calls = [lambda: db.refresh_model("v"), lambda: db.refresh_model("v", canary=True)]
    calls += [lambda: db.compare_models("v", "v")] if imputer == "norm" else []
    for call in calls if "x" not in change else []:
        with pytest.raises(imputedb.UnknownName, match=r"model v.* is of y, which t does not have any more"):
            call()
    if "x" in change:
        assert db.refresh_model("v").version == 2
    else:
        db.sql("SELECT avg(z) FROM t", fit="table")


def test_tables_have_draws_of_their_own(db: imputedb.Database, tmp_path: Path) -> None:
    db.create_model("m", "t", ["y"], imputer="norm", draws=2)
    db.execute("CREATE TABLE s AS FROM t")
    db.model("m").save(tmp_path / "m")
    saved = imputedb.load_model(tmp_path / "m")
    db.drop_model("m")
    db.import_model(saved)
    first = dict(db.sql("SELECT id, y FROM t WHERE y > -1e9", fit="table").fetchall())
    db.drop_model("m")
    db.import_model(saved, table="s")
    second = dict(db.sql("SELECT id, y FROM s WHERE y > -1e9", fit="table").fetchall())
    stored = dict(db.execute("SELECT id, y FROM t"))
    gaps = [key for key, y in stored.items() if y is None]
    expected = dict(db.sql("SELECT id, y FROM s", fit="table").fetchall())
    noise = [np.array([values[key] - expected[key] for key in gaps]) for values in (first, second)]
    assert abs(np.corrcoef(noise)[0, 1]) < 0.3


def test_draws_of_several_models_are_told_of(db: imputedb.Database) -> None:
    db.create_model("a", "t", ["y"], imputer="norm", draws=2)
    db.create_model("b", "t", ["z"], imputer="norm", draws=2)
    for wish in ({}, {"m": 2}):
        said = db.sql("SELECT corr(y, z) FROM t WHERE y > -100", fit="table", **wish).report.warnings  # type: ignore[arg-type]
        assert any("are made apart: their relations come out weaker" in one for one in said)


def test_a_kept_mean_is_doubted_like_a_fresh_one(db: imputedb.Database) -> None:
    db.create_model("m", "t", ["y"], imputer="mean", draws=5)
    assert any("the draws of mean differ less" in one for one in db.sql(MEAN, fit="table", m=5).report.warnings)


LINE = """CREATE TABLE t AS SELECT i AS id, i % 97 AS x, CASE WHEN i % 3 <> 0 THEN (i % 97 * 3)::DOUBLE END AS y
    FROM range(500) r(i)"""


@pytest.mark.parametrize("change", ["VARCHAR", "DATE"])
def test_a_predictor_of_another_kind_is_refused(change: str) -> None:
    with imputedb.connect() as db:
        db.execute(LINE)
        db.create_model("m", "t", ["y"], imputer="norm", draws=1)
        if change == "DATE":
            db.execute("ALTER TABLE t DROP COLUMN x; ALTER TABLE t ADD COLUMN x DATE DEFAULT DATE '2020-01-01'")
        else:
            db.execute("ALTER TABLE t ALTER x TYPE VARCHAR")
        with pytest.raises(DataError, match="model m@1 knows x of t as BIGINT, which it is no longer"):
            db.sql(MEAN, fit="table")


def test_numbers_may_become_codes_and_codes_numbers() -> None:
    """By the values that are there: a model reads them as it did."""
    with imputedb.connect() as db:
        db.execute(LINE)
        db.create_model("m", "t", ["y"], imputer="norm", draws=1)
        db.execute("DELETE FROM t WHERE x NOT IN (7, 11, 20)")
        for x, y in db.sql("SELECT x, y FROM t", fit="table").fetchall():
            assert y == pytest.approx(3 * x, abs=0.1)
    with imputedb.connect() as db:
        c = "CASE WHEN i % 4 <> 0 THEN ['a', 'b', 'c'][i % 3 + 1] END AS c"
        db.execute(f"CREATE TABLE t AS SELECT i AS id, (i % 3)::DOUBLE AS x, {c} FROM range(300) r(i)")
        db.sql("CREATE IMPUTATION MODEL m ON t(c) WITH (draws = 2)")
        db.execute("INSERT INTO t VALUES (1000, 2.5, 'new'), (1001, 5, NULL)")
        rows = db.sql("SELECT x, c FROM t WHERE id < 300", fit="table").fetchall()
        assert all(c == ["a", "b", "c"][int(x)] for x, c in rows)


def test_two_models_of_one_name_are_not_both_kept(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "d.duckdb") as db:
        db.register("t", frame(), keep=True)
        db.create_model("first", "t", ["y"], imputer="norm", draws=1)
        other = db.session()
        db.execute("BEGIN")
        other.execute("BEGIN")
        refused = 0
        for step in ("create", "COMMIT"):
            for one in (db, other):
                try:
                    if step == "create":
                        one.create_model("m", "t", ["y"], imputer="norm", draws=1)
                    else:
                        one.execute(step)
                except imputedb.Error:
                    refused += 1
        for one in (db, other):
            with suppress(imputedb.Error):
                one.execute("ROLLBACK")
        assert refused
        assert [one.name for one in db.models()] == ["first", "m"]


def test_a_model_that_cannot_be_read_can_be_dropped(tmp_path: Path) -> None:
    for damage in ("definition = '{}'", "format = 9"):
        with imputedb.connect(tmp_path / f"{damage[:3]}.duckdb") as db:
            db.register("t", frame(), keep=True)
            db.create_model("m", "t", ["y"], imputer="norm", draws=1)
            db.execute(f"UPDATE imputedb.models SET {damage}")
            with pytest.raises(StorageError, match="m@1"):
                db.models()
            db.sql("DROP IMPUTATION MODEL m")
            assert db.models() == []
            db.sql(MEAN, fit="table")


@pytest.mark.parametrize("name", ["", " ", "a@1"])
def test_names_can_be_reached(db: imputedb.Database, name: str) -> None:
    with pytest.raises(QueryError, match="name"):
        db.create_model(name, "t", ["y"])
    db.create_model("m", "t", ["y"], imputer="mean", draws=1)
    with pytest.raises(QueryError, match="name"):
        db.sql(f"ALTER IMPUTATION MODEL m RENAME TO '{name}'")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"draws": 10**20}, "draws is 1"),
        ({"sample": 0}, "sample is 0"),
        ({"where": "true) AS BOOLEAN), false) FROM t UNION ALL SELECT coalesce(CAST((false"}, "expression|syntax"),
        ({"where": ""}, "."),
    ],
)
def test_odd_wishes_are_refused(db: imputedb.Database, wish: dict[str, Any], said: str) -> None:
    with pytest.raises((QueryError, DataError), match=said):
        db.create_model("m", "t", ["y"], imputer="norm", **wish)


def test_infinite_numbers_teach_nothing(db: imputedb.Database) -> None:
    db.execute("UPDATE t SET x = 'inf' WHERE id = 3; UPDATE t SET y = '-inf' WHERE id = 5")
    model = db.create_model("m", "t", ["y"], imputer="norm", draws=1)
    assert model.error["y"] < 1


def test_a_transaction_that_was_aborted_can_be_ended(db: imputedb.Database) -> None:
    for end in ("ROLLBACK", "COMMIT"):
        db.sql("BEGIN")
        with pytest.raises(imputedb.Error):
            db.sql("INSERT INTO t VALUES (1, 2, 3, 4, 5, 6)")
        with suppress(QueryError):  # it is none any more, says DuckDB
            db.sql(end)
        assert db.sql("SELECT count(*) FROM t").fetchall() == [(400,)]
