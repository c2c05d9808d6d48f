"""Columns that cannot be imputed where their values do not matter: counts of rows."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb import CannotImpute, Database

MADE = """CREATE TABLE t AS SELECT i AS id, i % 3 AS g, i * 1.5 AS x, CASE WHEN i % 5 > 0 THEN i * 2.0 END AS y,
    CAST(NULL AS DOUBLE) AS e, CASE WHEN i % 4 > 0 THEN [i, 2] END AS l FROM range(40) r(i);
    CREATE TABLE u AS SELECT i AS id FROM range(10, 60) r(i)"""


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with imputedb.connect() as found:
        found.execute(MADE)
        yield found


COUNTED = (
    "SELECT {l} FROM t",
    "SELECT {e}, {l} + 1 FROM t",
    "SELECT {l} FROM t WHERE x > 30",
    "SELECT {l} FILTER (WHERE y > 30) FROM t",
    "SELECT g, {l}, avg(y) FROM t GROUP BY ALL ORDER BY g",
    "SELECT g FROM t GROUP BY g HAVING {l} > 13",
    "SELECT g, {l} FROM t GROUP BY ROLLUP (g) ORDER BY g",
    "SELECT {l} FROM u JOIN t USING (id)",
    "SELECT (SELECT {l} FROM t)",
    "SELECT {l} FROM t UNION ALL SELECT {e} FROM t",
)


@pytest.mark.parametrize("query", COUNTED)
def test_counts_of_what_cannot_be_imputed_count_rows(db: Database, query: str) -> None:
    counting, rows = query.format(l="count(l)", e="count(e)"), query.format(l="count(*)", e="count(*)")
    for more in ({}, {"alpha": 1.0}, {"strategy": "base"}, {"m": 3}):
        found = db.sql(counting, imputer="norm", **more)  # type: ignore[arg-type]
        assert found.fetchall() == db.sql(rows, imputer="norm", **more).fetchall(), more  # type: ignore[arg-type]
    assert db.sql(counting).columns == [name for name, *_ in db.execute(f"DESCRIBE {counting}")]


@pytest.mark.parametrize(
    ("query", "count"),
    [("SELECT COUNT_OBSERVED(l) FROM t", 30), ("SELECT count(l) FROM t WHERE l IS NULL", 10)],
)
def test_questions_about_missingness_see_what_is_stored(db: Database, query: str, count: int) -> None:
    assert db.sql(query).fetchall() == [(count,)]


def test_a_null_that_means_something_is_not_counted() -> None:
    with imputedb.connect() as db:
        db.execute(MADE)
        db.sql("CREATE IMPUTATION POLICY ON t(l) KEEP")
        assert db.sql("SELECT count(l) FROM t").fetchall() == [(30,)]


@pytest.mark.parametrize(
    "query",
    [
        *("SELECT max(l) FROM t", "SELECT count(DISTINCT l) FROM t", "SELECT id FROM t WHERE e > 1"),
        *("SELECT count_if(e > 1) FROM t", "SELECT count(l) FROM u LEFT JOIN t USING (id)", "SELECT DISTINCT e FROM t"),
        *(
            "SELECT id FROM t ORDER BY l",
            "SELECT avg(e) FROM t",
            "SELECT id FROM t ORDER BY e",
            "SELECT max(e) FILTER (WHERE e > 1) FROM t",
            "SELECT approx_count_distinct(e) FROM t",
        ),
    ],
)
def test_where_values_matter_they_are_refused(db: Database, query: str) -> None:
    with pytest.raises(CannotImpute):
        db.sql(query)
