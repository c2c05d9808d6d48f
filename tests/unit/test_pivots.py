"""PIVOT inside a query whose columns only the data name."""

import duckdb
import pytest

import imputedb

COMPLETE = """
    CREATE TABLE w AS FROM (
        VALUES (1, 'a', 1.5, 2020), (2, 'b', 7, 2021), (3, 'a', 3, 2020), (4, 'it''s', 4, 2021)
    ) v(id, k, x, y)
"""
MISSING = """
    CREATE TABLE t AS FROM (
        VALUES (1, 'a', 1.0), (2, 'b', NULL), (3, 'a', 3.0), (4, NULL, 4.0), (5, 'b', 5.0)
    ) v(id, k, x)
"""

QUERIES = (
    'PIVOT (PIVOT w ON y, k USING sum(x) GROUP BY id) ON id USING max("2020_a")',
    "FROM (PIVOT w ON k USING sum(x) GROUP BY id) ORDER BY id",
    "SELECT * FROM (PIVOT w ON k, id USING sum(x), max(x))",
    "WITH p AS (PIVOT w ON k USING sum(x)) SELECT * FROM p ORDER BY ALL",
    "WITH c AS (SELECT id, k, x FROM w WHERE id < 3), p AS (PIVOT c ON k) SELECT * FROM p ORDER BY ALL",
    "FROM (PIVOT w ON y % 100, k IN ('a') USING sum(x) GROUP BY id) ORDER BY id",
    "SELECT q.a, w.id FROM (PIVOT (FROM w WHERE id > 1) ON k USING count(*)) q JOIN w USING (id) ORDER BY ALL",
    "FROM (PIVOT (FROM (PIVOT w ON k USING sum(x) GROUP BY id)) ON id USING max(a)) ORDER BY ALL",
    "FROM (PIVOT w ON (k || '-' || id) USING sum(x) GROUP BY y) ORDER BY ALL",
    "WITH c AS (FROM w) PIVOT c ON k USING sum(x) GROUP BY y ORDER BY y",
    "WITH c AS (FROM w), d AS (FROM c WHERE id > 1) PIVOT d ON k USING sum(x) GROUP BY y ORDER BY y",
    "FROM (PIVOT (FROM w WHERE false) ON k USING sum(x) GROUP BY id)",
    "FROM w PIVOT (sum(x) FOR k IN ('a', 'b')) JOIN w AS v USING (id) ORDER BY ALL",
    "CREATE TABLE made AS PIVOT w ON k USING sum(x) GROUP BY y",
    "CREATE OR REPLACE TEMP TABLE made AS SELECT * FROM (PIVOT w ON k USING sum(x) GROUP BY y)",
    "CREATE TABLE made AS FROM w PIVOT (sum(x) FOR k IN ('a', 'b'))",
    "CREATE TABLE made AS UNPIVOT (SELECT id, y FROM w) ON y",
    "INSERT INTO wide PIVOT w ON k IN ('a', 'b') USING sum(x) GROUP BY y",
    "INSERT INTO wide FROM (PIVOT (FROM w WHERE k < 'c') ON k USING sum(x) GROUP BY y)",
    "INSERT INTO wide PIVOT (FROM w WHERE k < 'c') ON k USING sum(x) GROUP BY y",
)


@pytest.fixture
def db():
    with imputedb.connect() as db:
        db.execute(COMPLETE)
        db.execute(MISSING)
        yield db


@pytest.mark.sampled(3)
@pytest.mark.parametrize("text", QUERIES)
def test_complete_data_are_pivoted_as_by_duckdb(db, text: str) -> None:
    plain = duckdb.connect()
    for run in (plain.execute, db.execute):
        run(
            f"{COMPLETE}; CREATE TABLE IF NOT EXISTS wide (y INT, a DOUBLE, b DOUBLE)".replace(
                "TABLE w", "OR REPLACE TABLE w"
            )
        )
    wanted = plain.sql(text)
    found = db.sql(text)
    assert found.columns == wanted.columns
    order = list if "ORDER BY" in text else sorted  # others come in the order of threads
    assert order(map(repr, found)) == order(map(repr, wanted.fetchall()))
    assert not found.report.notes
    for table in ("wide", "made") if "made" in text else ("wide",):
        rows = f"FROM {table} ORDER BY ALL"
        assert db.execute(rows) == plain.execute(rows).fetchall()


@pytest.mark.parametrize("m", [1, 2])
def test_missing_values_are_filled_in_before_and_it_is_said(db, m: int) -> None:
    found = db.sql("FROM (PIVOT t ON k USING sum(x) GROUP BY id) ORDER BY id", m=m)
    assert found.columns == (["id", "a", "b"] if m == 1 else ["id", *_pooled("a"), *_pooled("b"), "in_draws"])
    assert any("the values of k that are observed are its columns" in note for note in found.report.notes)
    assert {"t.k": 1, "t.x": 1}.items() <= found.report.imputed.items() if m == 1 else found.report.imputed
    if m == 1:
        assert all((a is None) != (b is None) for _, a, b in found.fetchall())


def _pooled(name: str) -> list[str]:
    return [name, *(f"{name}_{part}" for part in ("se", "low", "high", "fmi"))]


def test_statements_keep_a_pivot(db) -> None:
    db.sql("CREATE TABLE p AS FROM (PIVOT t ON k USING sum(x) GROUP BY id)")
    assert db.execute("SELECT count(a) + count(b) FROM p") == [(5,)]
    assert "sum(t.x) FILTER" in str(db.explain("SELECT avg(a) FROM (PIVOT t ON k USING sum(x) GROUP BY id)"))


CODED = (
    "SELECT * FROM (PIVOT t ON k USING count(*))",
    "WITH c AS (FROM t) PIVOT c ON k",
    "PIVOT t ON k",
    "FROM (PIVOT (FROM t WHERE id > 0) ON k || '' USING sum(x))",
)


@pytest.mark.parametrize("text", CODED)
def test_a_declared_code_names_no_column(db, text: str) -> None:
    db.execute("INSERT INTO t VALUES (6, '-9', 2.0), (7, 'a', 9.9)")
    db.missing("t", "k", ["-9"])
    db.missing("t", "x", [9.9])
    found = db.sql(text)
    assert "-9" not in found.columns
    assert {"a", "b"} <= set(found.columns)
    made = db.sql(f"CREATE TABLE made AS {text}")
    assert (made.columns, made.fetchall()) == (["Success"], [])
    assert db.tables()["made"].keys() == set(found.columns)


NONE = (
    "FROM (PIVOT (FROM t WHERE id > 9) ON k USING sum(x) GROUP BY id)",
    "WITH p AS (PIVOT (FROM t WHERE id > 9) ON k USING sum(x), max(x)) SELECT * FROM p",
    "SELECT q.id, t.x FROM (PIVOT (FROM t WHERE id > 9) ON k, id % 2 USING sum(x) GROUP BY id) q RIGHT JOIN t ON true",
    "FROM (PIVOT (SELECT id, x, nullif(k, k) AS n FROM t WHERE id <> 4) ON n USING sum(x) GROUP BY id) ORDER BY id",
)


@pytest.mark.parametrize("text", NONE)
def test_a_pivot_of_no_values_makes_no_columns(db, text: str) -> None:
    plain = duckdb.connect()
    plain.execute(MISSING)
    plain.execute("UPDATE t SET x = 3.25 WHERE x IS NULL")
    wanted = plain.sql(text)
    found = db.sql(text, imputer="mean")
    assert found.columns == wanted.columns
    assert sorted(map(repr, found)) == sorted(map(repr, wanted.fetchall()))


KEYS = {
    "DOUBLE": ("0.8", "1", "1.2", "2"),
    "DECIMAL(4, 1)": ("0.8", "1", "1.2", "2"),
    "VARCHAR": ("'1'", "'01'", "'1.0'", "'true'"),
    "BOOLEAN": ("true", "false", "true", "false"),
    "DATE": ("'2020-01-01'", "'2020-01-02'", "'2021-01-01'", "'2020-01-01'"),
    "TINYINT": ("1", "2", "1", "3"),
}
LISTED = ("1, 2, 300", "'1', '2.0'", "'1.0', '01'", "true, false", "'true', 'f'", "'2020-01-01', '2020-1-2'", "1.0")


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_any_type_are_compared_as_by_duckdb(kind: str) -> None:
    rows = ", ".join(f"({place}, {value}::{kind}, {place}.5)" for place, value in enumerate(KEYS[kind]))
    with imputedb.connect() as db:
        plain = duckdb.connect()
        for run in (plain.execute, db.execute):
            run(f"CREATE TABLE d AS FROM (VALUES {rows}) v(id, k, x)")
        for listed in LISTED:
            text = f"FROM (PIVOT d ON k IN ({listed}) USING sum(x) GROUP BY id) ORDER BY id"
            assert db.sql(text).fetchall() == plain.sql(text).fetchall(), listed


FUNCTIONS = (
    *("round(avg(x), 1)", "sqrt(sum(x))", "greatest(sum(x), 1)", "round(sum(x) FILTER (WHERE x > 3), 1)"),
    *("count(*) + 1", "coalesce(sum(x), 0)", "sum(x)::INT"),
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_of_aggregates_are_pivoted_as_by_duckdb(db, function: str) -> None:
    plain = duckdb.connect()
    plain.execute(COMPLETE)
    text = f"FROM (PIVOT w ON k IN ('a', 'b') USING {function} GROUP BY y) ORDER BY y"
    assert db.sql(text).fetchall() == plain.sql(text).fetchall()
    assert len(db.sql(text, m=2).fetchall()) == 2


@pytest.mark.parametrize(("wide", "known"), [(3, True), (25, False)])
def test_a_wide_pivot_has_no_intervals_and_says_so(db, wide: int, known: bool) -> None:
    listed = ", ".join(map(str, range(wide)))
    found = db.sql(f"SELECT * FROM (PIVOT (SELECT id % 3 AS k, x FROM t) ON k IN ({listed}) USING avg(x))", m=2)
    assert ("0_se" in found.columns) == known
    assert any("no intervals" in note for note in found.report.notes) != known
