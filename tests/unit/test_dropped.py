"""What is said of dropped rows: those that the other conditions keep, as far as stored values can tell."""

import numpy as np
import pytest

import imputedb

KEPT = (
    ("t", "true", "t.y IS NULL"),
    ("t", "t.g = 1", "t.y IS NULL"),
    ("t", "t.x > 0.5", "t.x IS NULL OR t.y IS NULL"),
    ("t", "t.g = 1 AND t.x > 0.5", "t.x IS NULL OR t.y IS NULL"),
    ("t", "t.g = 1 OR t.x > 0.5", "t.x IS NULL OR t.y IS NULL"),
    ("t JOIN u ON t.id = u.id", "u.w > 1", "t.y IS NULL"),
    ("t JOIN u ON t.id = u.id AND u.w > 1", "true", "t.y IS NULL"),
    ("t JOIN u ON t.id = u.id", "u.w > 1 AND u.x < 1", "t.y IS NULL OR u.x IS NULL"),
    ("t", "t.id IN (SELECT id FROM u WHERE w > 1)", "t.y IS NULL"),
)


@pytest.fixture(scope="module")
def db():
    rng, n = np.random.default_rng(0), 300
    x = rng.normal(size=n)
    gone = [rng.random(n) < 0.3 for _ in range(3)]
    with imputedb.connect() as db:
        columns = {"x": np.ma.masked_array(x, gone[0]), "y": np.ma.masked_array(x + rng.normal(size=n), gone[1])}
        db.register("t", {"id": np.arange(n), "g": rng.integers(0, 4, n), **columns})
        db.register("u", {"id": np.arange(n), "w": rng.normal(size=n), "x": np.ma.masked_array(x, gone[2])})
        yield db


@pytest.mark.parametrize("imputer", ["drop", "tree"])
@pytest.mark.parametrize(("source", "condition", "gone"), KEPT)
def test_dropped_rows_are_those_that_the_other_conditions_keep(db, imputer, source, condition, gone) -> None:
    counts = f"SELECT count(*), count(*) FILTER ({gone}) FROM {source} WHERE ({condition}) IS NOT FALSE"
    ((examined, dropped),) = db.execute(counts)
    report = db.sql(f"SELECT avg(t.y) FROM {source} WHERE {condition}", imputer=imputer, alpha=1).report
    assert report.dropped == dropped
    assert any(one.startswith(f"{dropped:,} of {examined:,} rows") for one in report.warnings)


def test_a_condition_that_is_false_of_null_keeps_the_row(db) -> None:
    text = "SELECT avg(t.y) FROM t WHERE CASE WHEN t.x > 0 THEN true ELSE false END"
    wanted = "count(*) FILTER (x IS NULL OR (x > 0 AND y IS NULL)), count(*) FILTER (x IS NULL OR x > 0)"
    ((dropped, examined),) = db.execute(f"SELECT {wanted} FROM t")
    report = db.sql(text, imputer="drop").report
    assert report.dropped == dropped
    assert report.warnings[-1].startswith(f"{dropped:,} of {examined:,} rows")


@pytest.mark.parametrize(
    "condition",
    [
        "EXISTS (SELECT id FROM u WHERE u.id = t.id AND u.w > t.x)",
        "NOT EXISTS (SELECT id FROM u WHERE u.id = t.id AND u.w > t.x)",
        "t.x >= ALL (SELECT w FROM u WHERE u.id = t.id)",
    ],
)
def test_a_condition_with_a_query_inside_keeps_rows_that_miss_what_it_reads(db, condition: str) -> None:
    ((dropped,),) = db.execute(f"SELECT count(*) FILTER (x IS NULL OR y IS NULL) FROM t WHERE {condition} OR x IS NULL")
    assert db.sql(f"SELECT avg(t.y) FROM t WHERE {condition}", imputer="drop").report.dropped == dropped


def test_rows_dropped_at_a_scan_are_said_to_be_counted_there(db) -> None:
    warnings = db.sql("SELECT avg(t.y) FROM t LEFT JOIN u ON t.id = u.id WHERE t.g = 1", imputer="drop").report.warnings
    assert "of t before the query's conditions" in warnings[-1]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT avg(u.x) FROM t LEFT JOIN u ON t.id = u.id",
        "SELECT name, avg(v) FROM (UNPIVOT t ON x, y INTO NAME name VALUE v) GROUP BY name",
        "WITH c AS (SELECT t.g, avg(u.x) AS m FROM t LEFT JOIN u USING (id) GROUP BY t.g) SELECT * FROM c",
    ],
)
def test_it_is_said_where_alpha_drops_nothing(db, text: str) -> None:
    assert not any("alpha" in note for note in db.sql(text).report.notes)
    report = db.sql(text, alpha=1).report
    assert not report.dropped
    assert any("completed at the scan, where alpha drops nothing" in note for note in report.notes)
