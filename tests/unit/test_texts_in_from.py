"""`query(...)`, `query_table(...)` and macros whose arguments say what is read: as if the query itself stood there."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb import Database
from imputedb.errors import Unplanned


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("files")
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS FROM (VALUES (1, 10.0::DOUBLE), (2, NULL), (3, 30.0), (4, 20.0), (5, 20.0), (6, NULL))"
            " v(id, x);"
            "CREATE TABLE whole AS FROM (VALUES (1, 10.0::DOUBLE), (2, 20.0)) v(id, x);"
            f"COPY t TO '{folder / 'g.csv'}'; COPY t TO '{folder / 'g.parquet'}' (FORMAT parquet);"
            f"COPY whole TO '{folder / 'w.csv'}';"
            f"SET file_search_path = '{folder}';"
            "CREATE VIEW vg AS FROM 'g.csv';"
            "CREATE VIEW vq AS FROM query('FROM t');"
            "CREATE MACRO rd(p) AS TABLE FROM read_parquet(p);"
            f"CREATE MACRO headed() AS TABLE FROM read_csv('{folder / 'w.csv'}', header = true);"
            "CREATE MACRO through(p) AS TABLE FROM rd(p);"
            "CREATE MACRO named(p) AS TABLE FROM query_table(p);"
            "CREATE MACRO by_default(p := 't') AS TABLE FROM query_table(p);"
            "CREATE MACRO inside(p) AS (SELECT avg(x) FROM query_table(p));"
            "CREATE MACRO stored() AS TABLE FROM query('FROM t');"
            "CREATE MACRO fine() AS TABLE FROM query('FROM whole')"
        )
        yield db


@pytest.mark.parametrize(
    "source",
    [
        "query_table('t')",
        "query_table(t)",
        "query_table('main.t')",
        "query_table('\"t\"')",
        "query_table(['t'])",
        "query_table('g.csv')",
        "g.csv",
        "query_table('vg')",
        "query('FROM t')",
        "query('SELECT id, x FROM t')",
        "query('FROM vg')",
        "query('FROM ''g.csv''')",
        "query('FROM query_table(''t'')')",
        "vq",
        "rd('g.parquet')",
        "rd(p := 'g.parquet')",
        "through('g.parquet')",
        "named('t')",
        "stored()",
    ],
)
def test_what_a_text_says_is_completed(db: Database, source: str) -> None:
    rows = db.sql(f"SELECT u.id, u.x FROM {source} AS u ORDER BY id", imputer="mean").fetchall()
    assert rows == [(1, 10.0), (2, 20.0), (3, 30.0), (4, 20.0), (5, 20.0), (6, 20.0)]


def test_names_of_with_and_several_tables_are_told(db: Database) -> None:
    several = "SELECT count(*) FROM query_table(['t', 'whole'], true) WHERE x > 15"
    assert db.sql(several, imputer="mean").fetchall() == [(6,)]
    named = "WITH w AS (FROM t) SELECT count(*) FROM query_table('w') AS z(a, b) WHERE b > 15"
    assert db.sql(named, imputer="mean").fetchall() == [(5,)]
    assert db.sql("SELECT count(*) FROM g.csv WHERE g.x > 15", imputer="mean").fetchall() == [(5,)]
    assert db.sql("SELECT inside('t')", imputer="mean").fetchall() == [(20.0,)]
    assert db.sql("SELECT count(*) FROM fine()").fetchall() == [(2,)]
    assert db.sql("SELECT count(*) FROM headed()").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("FROM query('FROM ' || 't')", "query"),
        ("FROM query_table('t' || '')", "query_table"),
        ("FROM by_default()", "by_default"),
        ("FROM histogram_values(t, x)", "histogram_values"),
    ],
)
def test_what_only_duckdb_can_tell_is_refused_by_name(db: Database, query: str, named: str) -> None:
    with pytest.raises(Unplanned, match=named):
        db.sql(query)


def test_a_histogram_of_what_misses_nothing_is_duckdbs(db: Database) -> None:
    query = "FROM histogram_values(whole, x)"
    assert db.sql(query).fetchall() == db.execute(query)
