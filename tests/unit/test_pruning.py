"""Columns that no operator reads are neither imputed nor dropped, whatever shows them on the way."""

from collections.abc import Iterator
from typing import Literal

import pytest

import imputedb
from imputedb import Database


@pytest.fixture(scope="module")
def table() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, CASE WHEN hash(i) % 2 = 0 THEN i END AS x,"
            " CASE WHEN hash(i) % 3 = 0 THEN i * 2.0 END AS y, i % 5 AS g FROM range(300) r(i)"
        )
        db.execute("CREATE VIEW seen AS SELECT * FROM t ORDER BY id LIMIT 100")
        yield db


UNREAD = [
    ("SELECT count(*) FROM (SELECT * FROM t ORDER BY id LIMIT 100)", 100),
    ("SELECT count(*) FROM (SELECT * FROM t)", 300),
    ("SELECT count(*) FROM seen", 100),
    ("WITH w AS MATERIALIZED (FROM t) SELECT count(*) + (SELECT max(id) FROM w) FROM w", 599),
    ("SELECT count(*) FROM (SELECT g, avg(x) AS a FROM t GROUP BY g)", 5),
    ("SELECT count(*) FROM (SELECT g, avg(x) AS a FROM t GROUP BY ALL HAVING count(*) > 1)", 5),
    ("SELECT count(*) FROM (SELECT avg(x) AS a FROM t)", 1),
    ("SELECT count(*) FROM (SELECT * FROM t UNION ALL SELECT * FROM t)", 600),
    ("SELECT count(*) FROM t WHERE EXISTS (SELECT * FROM t b WHERE b.id = t.g)", 300),
    ("SELECT sum(n) FROM (PIVOT t ON g IN (1) USING count(*) GROUP BY id) p(id, n)", 60),
    ("SELECT count(*) FROM (SELECT id, row_number() OVER (ORDER BY y) AS r FROM t) JOIN (FROM seen) USING (id)", 100),
    ("SELECT sum(v) FROM (UNPIVOT (FROM t) ON id, g INTO NAME n VALUE v)", 45450),
    ("SELECT count(*) FROM (SELECT DISTINCT ON (g) g, x FROM t)", 5),
    ("SELECT count(*) FROM (SELECT y, x * 2 AS z, id FROM (SELECT * FROM t ORDER BY id LIMIT 9)) WHERE id > 2", 6),
]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize(("query", "expected"), UNREAD)
def test_what_nobody_reads_costs_nothing(table: Database, query: str, expected: int, alpha: float) -> None:
    result = table.sql(query, alpha=alpha)
    assert result.fetchall() == [(expected,)]
    assert (result.report.imputed, result.report.dropped, result.report.strategy) == ({}, 0, "verbatim")


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("SELECT sum(y) FROM (SELECT * FROM t ORDER BY id LIMIT 100)", {"t.y"}),
        ("SELECT count(*) FROM (SELECT DISTINCT x FROM t)", {"t.x"}),
        ("SELECT count(*) FROM (SELECT x FROM t UNION SELECT y FROM t)", {"t.x", "t.y"}),
        ("SELECT count(*) FROM (SELECT x AS a, y FROM t ORDER BY a LIMIT 9)", {"t.x"}),
        ("SELECT count(*) FROM (SELECT x AS a, y FROM t WHERE a > 3)", {"t.x"}),
        ("SELECT count(*) FROM (SELECT x, y FROM t ORDER BY 2 LIMIT 9)", {"t.y"}),
        ("SELECT count(*) FROM (SELECT x, count(y) FROM t GROUP BY 1)", {"t.x"}),
        ("SELECT sum(y) FROM (SELECT id, y FROM t UNION ALL BY NAME SELECT y, x FROM t)", {"t.y"}),
        ("SELECT id, y FROM t UNION ALL BY NAME SELECT x, y FROM t", {"t.x", "t.y"}),
        ("SELECT sum(len(l)) FROM (SELECT ARRAY(SELECT x FROM t) AS l)", {"t.x"}),
        ("SELECT sum(b) FROM (SELECT a * 2 AS b, c FROM (SELECT x AS a, y AS c FROM t LIMIT 300) LIMIT 300)", {"t.x"}),
    ],
)
def test_only_what_is_read_is_imputed(table: Database, query: str, read: set[str]) -> None:
    assert set(table.sql(query).report.imputed) == read


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("SELECT count(*) FROM (SELECT DISTINCT ON (x) x, y FROM t)", "SELECT count(DISTINCT x) FROM t"),
        ("SELECT sum(id) FROM (SELECT DISTINCT ON (x) x, id FROM t ORDER BY x, id)",
         "SELECT sum(a) FROM (SELECT min(id) AS a FROM t GROUP BY x)"),
        ("SELECT sum(id) FROM (SELECT x, id, row_number() OVER () FROM t ORDER BY x + 1, id LIMIT 9)",
         "SELECT sum(id) FROM (SELECT id FROM t ORDER BY t.x, t.id LIMIT 9)"),
    ],
)  # fmt: skip
def test_an_output_that_only_its_own_query_sorts_by_stays(table: Database, query: str, same: str) -> None:
    assert table.sql(query).fetchall() == table.sql(same).fetchall()


@pytest.fixture(scope="module")
def means() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS FROM (VALUES (1, 10.0::DOUBLE), (2, NULL), (3, 30.0), (4, 20.0), (5, 20.0), (6, NULL))"
            " v(id, x);"
            "CREATE TABLE o AS FROM (VALUES (1), (2), (3), (9)) v(id);"
            "CREATE MACRO two(a, b := 2) AS unnest([a, b]);"
            "CREATE MACRO through(a, b := 2) AS two(a)"
        )
        yield db


MANY = "CASE WHEN x > 15 THEN [1, 2] ELSE [1] END"
SOME = "CASE WHEN x > 15 THEN [1] ELSE [] END"


@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT count(*) FROM (SELECT id, unnest([1, 2]) AS u FROM t WHERE x > 5)", [(12,)]),
        ("SELECT count(*) FROM (SELECT id, unlist([1, 2]) AS u FROM t WHERE x > 5)", [(12,)]),
        ("SELECT count(*) FROM (SELECT generate_subscripts([id, 1], 1) AS u, x FROM t) WHERE x > 0", [(12,)]),
        ("SELECT count(*) FROM (SELECT regexp_split_to_table('a b', ' ') AS u, x FROM t) WHERE x > 0", [(12,)]),
        ("SELECT count(*) FROM (SELECT two(id) AS u, x FROM t) WHERE x > 0", [(12,)]),
        ("SELECT count(*) FROM (SELECT 1 + through(id) AS u, x FROM t) WHERE x > 0", [(12,)]),
        ("SELECT sum(u) FROM (SELECT id, unlist([x, 1]) AS u FROM t) WHERE u > 1", [(120.0,)]),
        (f"SELECT count(*) FROM (SELECT id, unnest({MANY}) AS u FROM t)", [(11,)]),
        (f"SELECT count(*) FROM (SELECT id, 1 + unlist({MANY}) AS u FROM t)", [(11,)]),
        (f"SELECT count(*) FROM (SELECT id, generate_subscripts({MANY}, 1) AS u FROM t)", [(11,)]),
        (f"WITH w AS MATERIALIZED (SELECT id, unnest({MANY}) AS u FROM t) SELECT count(*) FROM w", [(11,)]),
        (f"SELECT count(*) FROM (SELECT id, unnest({MANY}) AS u FROM t UNION ALL SELECT id, 1 FROM t)", [(17,)]),
        (f"FROM o WHERE EXISTS (SELECT unnest({SOME}) FROM t WHERE t.id = o.id)", [(2,), (3,)]),
        (f"FROM o WHERE id IN (SELECT id FROM (SELECT id, unnest({SOME}) FROM t))", [(2,), (3,)]),
    ],
)
def test_an_output_that_gives_many_rows_for_one_counts_though_nobody_reads_it(
    means: Database, query: str, expected: list[tuple[object]], strategy: Literal["planned", "base"]
) -> None:
    assert means.sql(query, imputer="mean", strategy=strategy).fetchall() == expected


def test_a_list_of_a_written_length_shows_the_best_single_values(means: Database) -> None:
    rows = means.sql("SELECT unnest([x, 1]) AS u FROM t WHERE id = 2", imputer="mean")
    assert rows.fetchall() == [(20.0,), (1.0,)]
