"""UNION BY NAME is a UNION whose queries have their columns in one order."""

from collections.abc import Iterator

import duckdb
import pytest

import imputedb
from imputedb import Database

TABLES = """
    CREATE TABLE t (id INT, x DOUBLE, g VARCHAR);
    CREATE TABLE u (x DOUBLE, id INT, z INT);
    INSERT INTO t VALUES (1, 1, 'a'), (2, {}, 'b'), (3, 3, 'a'), (4, {}, 'b');
    INSERT INTO u VALUES (5, 11, 1), ({}, 12, 2), (9, 13, 2)
"""

UNITED = {
    "FROM t UNION ALL BY NAME FROM u": ("id, x, g, NULL::INT AS z", "id, x, NULL AS g, z"),
    "SELECT id, x FROM t UNION ALL BY NAME SELECT X, ID FROM u": ("id, x", "id, x"),
    "SELECT g FROM t UNION ALL BY NAME SELECT x FROM u": ("g, NULL AS x", "NULL AS g, x"),
    "(SELECT x, id FROM t UNION ALL SELECT z AS id, id FROM u) UNION ALL BY NAME SELECT id, z FROM u": (
        "x, id, NULL AS z", "z, id, NULL FROM u UNION ALL SELECT NULL, id, z"),
    "FROM t UNION ALL BY NAME FROM u UNION ALL BY NAME SELECT x FROM t": (
        "id, x, g, NULL AS z FROM t UNION ALL SELECT NULL, x, NULL, NULL", "id, x, NULL, z"),
    "SELECT x + 1 AS x, id FROM t UNION ALL BY NAME SELECT id, x FROM u": ("x + 1 AS x, id", "x, id"),
}  # fmt: skip

ASKED = (
    "SELECT * FROM ({}) ORDER BY ALL",
    "SELECT count(*) FROM ({}) AS q WHERE x IS NULL",
    "SELECT sum(x), count(x), count_observed(x) FROM ({})",
    "WITH q AS ({}) SELECT x IS NULL, count(*), avg(x) FROM q GROUP BY ALL ORDER BY ALL",
    "SELECT coalesce(x, -1) AS c, x FROM ({}) ORDER BY ALL",
    "SELECT a, count(*) FROM ({}) AS q(a) GROUP BY a ORDER BY ALL",
)


@pytest.fixture(scope="module")
def ours() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(TABLES.format("NULL", "NULL", "NULL"))
        yield db


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("text", UNITED)
def test_it_is_answered_as_the_union_by_place(ours: Database, text: str, asked: str) -> None:
    first, second = UNITED[text]
    placed = f"SELECT {first} FROM t UNION ALL SELECT {second} FROM u"
    named, plain = (ours.sql(asked.format(one), imputer="mean") for one in (text, placed))
    assert named.fetchall() == plain.fetchall()
    assert named.report.imputed == plain.report.imputed


FURTHER = (
    "FROM t UNION ALL BY NAME FROM u UNION ALL BY NAME SELECT id, z, 0 AS x FROM u ORDER BY id, x",
    "SELECT id, x FROM t UNION BY NAME SELECT x, id FROM u ORDER BY x, id",
    "SELECT g, count(*) AS n FROM t GROUP BY 1 UNION ALL BY NAME SELECT z AS n, 'u' AS g FROM u ORDER BY ALL",
    "(SELECT id, x FROM t ORDER BY 2, 1 LIMIT 2) UNION ALL BY NAME (SELECT x, id FROM u ORDER BY 1 LIMIT 1) ORDER BY 1",
    "SELECT DISTINCT g, x FROM t UNION ALL BY NAME SELECT x FROM u ORDER BY ALL",
    "SELECT q.* FROM (FROM t UNION ALL BY NAME FROM u) AS q(a, b, c, d) ORDER BY ALL",
    "SELECT id FROM (SELECT id, x FROM t UNION ALL BY NAME SELECT x, id FROM u) WHERE x > 3 ORDER BY id",
    "SELECT id, x FROM t UNION ALL BY NAME SELECT x, id FROM u ORDER BY 2 DESC, 1 LIMIT 3",
    "SELECT sum(x) FROM (SELECT x, count(*) AS n FROM t GROUP BY ALL UNION ALL BY NAME SELECT id AS n, x FROM u)",
    "SELECT id, x FROM t UNION ALL SELECT id, x FROM (SELECT x, id FROM u UNION ALL BY NAME SELECT id, x FROM t) "
    "ORDER BY ALL",
    "WITH RECURSIVE r AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 3) "
    "SELECT * FROM (FROM r UNION ALL BY NAME SELECT x, id AS k FROM t) ORDER BY ALL",
)


@pytest.mark.parametrize("text", FURTHER)
def test_its_rows_are_those_of_duckdb_over_completed_tables(ours: Database, text: str) -> None:
    with duckdb.connect() as theirs:
        theirs.execute(TABLES.format("2", "2", "7"))
        wanted = theirs.execute(text)
        found = ours.sql(text, imputer="mean")
        assert found.columns == [name for name, *_ in wanted.description]
        assert found.fetchall() == wanted.fetchall()
