"""Columns beside a query's own (errors, ends of intervals, shares of draws, flags): none has the name of another."""

import pytest

import imputedb
from imputedb import Database, QueryError


@pytest.fixture(scope="module")
def db() -> Database:
    found = imputedb.connect()
    found.execute(
        "CREATE TABLE t AS SELECT i, i % 2 AS k, CASE WHEN i % 3 > 0 THEN i * 1.5 END AS y FROM range(60) AS r(i)"
    )
    return found


@pytest.mark.parametrize(
    ("text", "options", "name"),
    [
        ("SELECT avg(y) AS y, 3 AS y_se FROM t", {"m": 3}, "y_se"),
        ('SELECT avg(y) AS y, count(*) AS "Y_LOW" FROM t', {"m": 3}, "Y_LOW"),
        ("SELECT avg(y) AS y, max(i) AS y_fmi FROM t", {"m": 3, "interval": "answer"}, "y_fmi"),
        ("SELECT k AS in_draws, avg(y) FROM t GROUP BY 1", {"m": 3}, "in_draws"),
        ("SELECT k AS y_high, avg(y) AS y FROM t GROUP BY k LIMIT 1", {"m": 3}, "y_high"),
        ("SELECT avg(y) AS y, avg(i) AS y_high FROM t", {"method": "bounds"}, "y_high"),
        ("SELECT avg(y) AS y, avg(i) AS y_se FROM t", {"method": "ml"}, "y_se"),
        ("SELECT y, i AS y__imputed FROM t", {"flags": True}, "y__imputed"),
    ],
)
def test_two_columns_of_one_name_are_refused(db: Database, text: str, options: dict[str, object], name: str) -> None:
    with pytest.raises(QueryError, match=f"two columns of the answer would be called {name}"):
        db.sql(text, **options)
    for keeping in ("CREATE TABLE kept AS ", "CREATE TEMP TABLE kept AS "):
        with pytest.raises(QueryError, match=r"two columns|flags"):
            db.sql(keeping + text, **options)
    assert "kept" not in db.tables()


def test_names_that_are_apart_are_answered(db: Database) -> None:
    for text in (
        "SELECT k AS in_draws, y FROM t",
        "SELECT avg(y) AS y, 3 AS x_se FROM t",
        "SELECT avg(y) AS in_draws FROM t",
    ):
        columns = db.sql(text, m=3).columns
        assert len(set(map(str.lower, columns))) == len(columns)
