"""Queries that DuckDB answers as they stand, because nothing is missing that they may read."""

import pytest

import imputedb
from imputedb import Database
from imputedb.blocks.plain import is_complete


@pytest.fixture(scope="module")
def db() -> Database:
    found = imputedb.connect()
    found.execute(
        "CREATE TABLE t AS SELECT i AS k, i * 2.0 AS x, {'y': i} AS s, NULLIF(i % 3, 0) AS gone FROM range(9) r(i)"
    )
    found.execute("CREATE TABLE u AS SELECT i AS k, i + 1 AS w FROM range(9) r(i)")
    found.execute("CREATE TABLE said AS FROM u")
    found.execute("CREATE VIEW v AS FROM u")
    found.execute("CREATE MACRO sqrt(a) AS (SELECT sum(gone) FROM t)")
    found.execute("CREATE MACRO f(a) AS a + 1")
    found.execute("CREATE MACRO rows() AS TABLE FROM t")
    found.policy("said", "w", action="keep")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "SELECT k, sum(x) FROM t WHERE k > 2 GROUP BY k HAVING count(*) > 0 ORDER BY 1 LIMIT 2",
        "SELECT T.X FROM T JOIN u USING (k)",
        "SELECT * FROM u",
        "SELECT * FROM memory.main.u AS z, LATERAL (SELECT z.w + 1)",
        "WITH c AS (SELECT k, x FROM t) SELECT c.k, x FROM c UNION ALL SELECT k, w FROM u",
        "SELECT s.y, row_number() OVER (ORDER BY x) FROM t QUALIFY row_number() OVER (ORDER BY x) < 3",
        "SELECT (SELECT max(w) FROM u WHERE u.k = t.k) FROM t",
        "SELECT list_transform([k], lambda a: a + 1) FROM t",
        "SELECT 1",
    ],
)
def test_what_misses_nothing_is_duckdbs(db: Database, text: str) -> None:
    assert is_complete(db._engine, db._engine.tree(text))
    result = db.sql(text)
    assert result.report.strategy == "verbatim"
    assert result.fetchall() == db.execute(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT GONE FROM t",
        "SELECT * FROM t",
        "SELECT t.* FROM t",
        "SELECT count(#4) FROM t",
        "SELECT count(z) FROM (SELECT #4 AS z FROM t)",
        "SELECT COLUMNS('g.*') FROM t",
        "SELECT t FROM t",
        "SELECT z FROM t AS z",
        "SELECT count(z) FROM t AS z, u",
        "SELECT sum(d) FROM t AS z(a, b, c, d)",
        "SELECT k FROM t NATURAL JOIN u",
        "SELECT k FROM u WHERE k IN (SELECT gone FROM t)",
        "WITH t AS (SELECT * FROM t) SELECT count(*) FROM t",
        "WITH c AS (SELECT * FROM t) SELECT sum(gone) FROM c",
        "SELECT u.k FROM u JOIN (SELECT k AS w, gone FROM t) USING (w)",
        "SELECT sqrt(4.0) FROM u",
        "SELECT f(k) FROM u",
        "SELECT * FROM rows()",
        "SELECT * FROM v",
        "SELECT w FROM said",
        "SELECT imputed(x) FROM t",
        "SELECT count_observed(x) FROM t",
        "SELECT count_observed(x) OVER () FROM t",
        "SELECT count(*) FROM range(3)",
        "SELECT current_setting('max_expression_depth') FROM u",
        "SELECT * FROM t PIVOT (sum(x) FOR k IN (1, 2))",
        "SELECT table_name FROM duckdb_tables()",
        "SELECT table_name FROM information_schema.tables",
        "SELECT main.f(k) FROM u",
    ],
)
def test_what_may_miss_something_is_looked_at(db: Database, text: str) -> None:
    assert not is_complete(db._engine, db._engine.tree(text))


def test_a_column_that_is_named_by_its_place_is_completed(db: Database) -> None:
    assert db.sql("SELECT count(#4) FROM t", imputer="mean").fetchall() == [(9,)]


def test_a_write_that_leaves_a_gap_is_seen() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i AS x, i % 2 AS g FROM range(8) r(i)")
        assert db.sql("SELECT sum(x) FROM t").fetchall() == [(28,)]
        db.execute("INSERT INTO t VALUES (NULL, 1)")
        assert db.sql("SELECT sum(x) FROM t", imputer="mean").fetchall()[0][0] == pytest.approx(31.5, abs=1)
        db.execute("DELETE FROM t WHERE x IS NULL")
        db.missing("t", "x", [7])
        assert db.sql("SELECT count(*) FROM t WHERE IMPUTED(x)").fetchall() == [(1,)]
        assert db.sql("SELECT max(x) FROM t", imputer="mean").fetchall()[0][0] <= 6
