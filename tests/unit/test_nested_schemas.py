"""Tables in schemas within schemas: read like files, and completed."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb import Database

MADE = """
    CREATE SCHEMA s; CREATE SCHEMA s.child;
    CREATE TABLE s.child.t AS SELECT * FROM (VALUES (1, 'a'), (NULL, 'b'), (4, 'c')) v(i, k);
    CREATE TABLE s.t AS SELECT 7 AS i; CREATE VIEW s.child.v AS SELECT avg(i) AS mean FROM s.child.t
"""


@pytest.fixture
def db() -> Iterator[Database]:
    with imputedb.connect() as found:
        found.execute(MADE)
        yield found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT t.i FROM s.child.t ORDER BY k", [(1,), (2,), (4,)]),
        ("SELECT child.t.i FROM memory.s.child.t WHERE i > 1 ORDER BY k", [(2,), (4,)]),
        ("SELECT sum(u.i + w.i) FROM s.child.t u JOIN s.child.t w USING (k)", [(14,)]),
        ("SELECT i FROM s.t", [(7,)]),
        ("SELECT count(*) FROM s.child.t WHERE i IS NULL", [(1,)]),
        ("WITH t AS (SELECT 9 AS i) SELECT i FROM t", [(9,)]),
    ],
)
def test_they_are_completed(db: Database, query: str, expected: list[tuple[int, ...]]) -> None:
    assert db.sql(query, imputer="mean").fetchall() == expected


def test_a_transaction_goes_on_where_one_is_read(db: Database) -> None:
    db.execute("BEGIN")
    assert db.sql("INSERT INTO s.child.t SELECT i + 10, k FROM s.child.t", imputer="mean").fetchall() == [(3,)]
    db.execute("COMMIT")
    assert db.execute("SELECT count(i), count(*) FROM s.child.t") == [(5, 6)]


def test_what_cannot_be_read_there_is_refused(db: Database) -> None:
    with pytest.raises(imputedb.Unplanned, match=r"s\.child\.v is a view in a schema within a schema"):
        db.sql("FROM s.child.v")
    db.execute("USE s.child")
    with pytest.raises(imputedb.Unplanned, match="t is a table in a schema within a schema: write its path"):
        db.sql("FROM t")
    assert db.sql("WITH t AS (SELECT 9 AS i) SELECT i FROM t").fetchall() == [(9,)]
