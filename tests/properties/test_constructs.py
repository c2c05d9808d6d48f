"""Whatever SQL is built of: with the mean, planned answers are DuckDB's over tables that are completed first."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.amount import examples

EXAMPLES = examples(16)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
SHAPES = {"a": "k INTEGER, v DOUBLE, t VARCHAR, d DATE", "b": "k INTEGER, v DOUBLE, t VARCHAR, d DATE"}
ROWS = {
    "a": "(1, 2, 'x', '2020-01-01'), (2, NULL, 'y', NULL), (3, 4, NULL, '2020-01-03'), (4, 6, 'x', NULL),"
    " (5, NULL, NULL, '2020-01-05'), (6, 4, 'x', '2020-01-03')",
    "b": "(1, 4, 'y', '2020-01-03'), (3, NULL, 'y', '2020-01-07'), (4, 1, NULL, NULL), (8, 7, 'x', '2020-01-02')",
}
MADE = """
    CREATE VIEW va AS SELECT k, v, t, d FROM a;
    CREATE VIEW vv AS SELECT k + 1 AS k, v, t, d FROM va UNION ALL FROM b;
    CREATE MACRO plus(x, y) AS x + y;
    CREATE MACRO higher(x) AS x > 3;
    CREATE MACRO rows_from(low) AS TABLE SELECT k, v, t, d FROM va WHERE k >= low;
    CREATE MACRO top_of(low) AS (SELECT max(v) FROM vv WHERE k >= low)
"""

TABLED = ("FROM a", "FROM b", "FROM va", "FROM vv", "FROM rows_from(2)", "SELECT k, v, t, d FROM b")
"""Queries of columns k, v, t and d."""

WRAPPERS = (
    "SELECT * FROM ({0}) q WHERE v > 2",
    "SELECT k, v + 1 AS v, t, d FROM ({0}) q",
    "SELECT k, plus(v, k) AS v, t, d FROM ({0}) q WHERE higher(v) OR k = 1",
    "SELECT k, CASE WHEN v > 3 THEN v ELSE 0.0 END AS v, t, d FROM ({0}) q",
    "({0}) UNION ALL ({1})",
    "({0}) UNION ({1})",
    "({0}) EXCEPT ({1})",
    "({0}) INTERSECT ALL ({1})",
    "(SELECT t, d, v, k FROM ({0}) q) UNION ALL BY NAME ({1})",
    "(SELECT v, k FROM ({0}) q ORDER BY 2) UNION BY NAME ({1})",
    "SELECT DISTINCT ON (t) k, v, t, d FROM ({0}) q ORDER BY t, k, v, d",
    "SELECT DISTINCT k, v, t, d FROM ({0}) q",
    "SELECT k, sum(v) AS v, t, max(d) AS d FROM ({0}) q GROUP BY GROUPING SETS ((k, t), (t), ())",
    "SELECT min(k) AS k, avg(v) AS v, t, min(d) AS d FROM ({0}) q GROUP BY t HAVING max(v) > 3",
    "SELECT k, v, t, d FROM ({0}) q QUALIFY row_number() OVER (PARTITION BY t ORDER BY v, k, d) < 3",
    "SELECT k, sum(v) OVER w AS v, t, d FROM ({0}) q WINDOW w AS (PARTITION BY t ORDER BY d, k, v)",
    "SELECT k, l.v AS v, t, d FROM ({0}) q, LATERAL (SELECT q.v * 2 AS v) l",
    "SELECT k, l.m AS v, t, d FROM ({0}) q, LATERAL (SELECT max(z.v) AS m FROM ({1}) z WHERE z.v <= q.v) l",
    "SELECT q.k, z.v, q.t, q.d FROM ({0}) q ASOF LEFT JOIN (SELECT DISTINCT v FROM ({1}) y) z ON q.v >= z.v",
    "SELECT q.k, z.v, q.t, q.d FROM (FROM ({0}) x ORDER BY ALL) q POSITIONAL JOIN (FROM ({1}) y ORDER BY ALL) z",
    "SELECT q.* FROM ({0}) q SEMI JOIN ({1}) z ON q.v = z.v",
    "SELECT q.* FROM ({0}) q ANTI JOIN ({1}) z USING (t)",
    "SELECT q.k, z.v, t, q.d FROM ({0}) q LEFT JOIN ({1}) z USING (t)",
    "SELECT q.k, q.v, z.t, z.d FROM ({0}) q FULL JOIN ({1}) z ON q.d = z.d AND q.v < z.v",
    "SELECT k, (SELECT max(z.v) FROM ({1}) z WHERE z.t = q.t) AS v, t, d FROM ({0}) q",
    "SELECT * FROM ({0}) q WHERE v >= ALL (SELECT z.v FROM ({1}) z WHERE z.k <= q.k)",
    "SELECT * FROM ({0}) q WHERE (k, t) IN (SELECT z.k, z.t FROM ({1}) z)",
    "SELECT * FROM ({0}) q WHERE NOT EXISTS (FROM ({1}) z WHERE z.d = q.d AND z.k <> q.k)",
    "SELECT k, s.v AS v, s.t AS t, d FROM (SELECT k, d, {{'v': v, 't': t}} AS s FROM ({0}) q) p",
    "SELECT k, l[1] AS v, t, d FROM (SELECT k, t, d, [v, k] AS l FROM ({0}) q) p",
    "SELECT k, unnest(l) AS v, t, d FROM (SELECT k, t, d, [v, v + 1] AS l FROM ({0}) q) p",
    "SELECT min(k) AS k, list_sum(list(v)) AS v, t, any_value(d ORDER BY k, d) AS d FROM ({0}) q GROUP BY ALL",
    "SELECT k, list_sum(list_transform([v, k], lambda x: x + q.k)) AS v, t, d FROM ({0}) q",
    "SELECT k, y AS v, t, d FROM (SELECT k, v * 2 AS y, y + 1 AS z, t, d FROM ({0}) q WHERE y > 2) p",
    "WITH w AS ({0}) SELECT x.k, y.v, x.t, y.d FROM w x JOIN w y ON x.t = y.t AND x.k <= y.k",
    "WITH w AS MATERIALIZED ({0}), u AS (FROM w WHERE v > 1) SELECT * FROM u WHERE v < (SELECT max(v) FROM w)",
    "WITH RECURSIVE w(k, v, t, d) AS (({0}) UNION ALL SELECT k + 3, v + 1, t, d FROM w WHERE k < 6) FROM w",
    "SELECT k, val AS v, t, d FROM (SELECT k, t, d, v, v + 1 AS u FROM ({0}) q) UNPIVOT (val FOR n IN (v, u))",
    "SELECT k, x AS v, 'x' AS t, d FROM (FROM ({0}) q) PIVOT (sum(v) FOR t IN ('x', 'y') GROUP BY k, d)",
    "SELECT q.k, q.v, o.t, q.d FROM ({0}) q JOIN (VALUES ('x', 'one'), ('y', 'two')) o(t, n) USING (t)",
    "SELECT * REPLACE (coalesce(v, -1) AS v) FROM (SELECT k, sum(v) AS v, t, d FROM ({0}) q GROUP BY k, t, d) p",
    "SELECT q.* FROM ({0}) q NATURAL JOIN (SELECT DISTINCT t FROM ({1}) z) y",
    "SELECT k, greatest(v, top_of(2)) AS v, t, d FROM ({0}) q",
    "FROM ({0}) q SELECT k, v, upper(t) AS t, d + 1 AS d WHERE d > DATE '2020-01-01' OR t = 'x'",
    "SELECT * FROM ({0}) q ORDER BY v DESC NULLS LAST, k, t, d LIMIT 4 OFFSET 1",
    "SELECT * FROM ({0}) q ORDER BY ALL LIMIT (SELECT count(DISTINCT t) FROM ({1}) z)",
    "SELECT k, v, t, d FROM (SELECT *, rank() OVER (ORDER BY v) AS r FROM ({0}) q) p WHERE r <= 3",
    "SELECT k, COLUMNS('^v$') * 2, t, d FROM ({0}) q",
)
ENDS = (
    "{0}",
    "SELECT count(*), sum(v), avg(v), min(t), max(d) FROM ({0}) q",
    "SELECT t, count(*) FILTER (v > 3) AS n, max(v) - min(v) AS w FROM ({0}) q GROUP BY t",
    "SELECT {{'k': k, 'v': v}} AS s, [v, k] AS l, d FROM ({0}) q",
    "SELECT d, string_agg(t, ',' ORDER BY t, k, v) FROM ({0}) q GROUP BY d",
    "PIVOT ({0}) ON t IN ('x', 'y') USING sum(v), count(*) AS n GROUP BY k",
    "FROM (PIVOT ({0}) ON v IN (4, 6), t IN ('x') USING count(*), max(k) GROUP BY d)",
    "SELECT approx_count_distinct(t) > 0, mode(t ORDER BY t), median(v), quantile_cont(v, .25) FROM ({0}) q",
    "SELECT map([k], [v]) AS m, struct_pack(v, t) AS s FROM ({0}) q",
)


class Tables(NamedTuple):
    """A database with missing values, and one that was completed by the mean."""

    missing: Database
    completed: Database


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    with imputedb.connect() as missing, imputedb.connect() as completed:
        for name, columns in SHAPES.items():
            missing.execute(f"CREATE TABLE {name} ({columns}); INSERT INTO {name} VALUES {ROWS[name]}")
            rows = missing.sql(f"FROM {name}", imputer="mean").fetchall()
            completed.execute(f"CREATE TABLE {name} ({columns})")
            completed._engine.connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", rows)
        for db in (missing, completed):
            db.execute(MADE)
        yield Tables(missing, completed)


@st.composite
def queries(draw: st.DrawFn) -> str:
    def query(depth: int) -> str:
        if depth == 0:
            return draw(st.sampled_from(TABLED))
        return draw(st.sampled_from(WRAPPERS)).format(query(depth - 1), query(draw(st.integers(0, depth - 1)) // 2))

    return draw(st.sampled_from(ENDS)).format(query(draw(st.integers(1, 3))))


def rounded(value: object) -> object:
    """A value, whose numbers may differ in the last digits: the order of sums is free."""
    match value:
        case float():
            return float(f"{value:.9g}")
        case list() | tuple():
            return [rounded(one) for one in value]
        case dict():
            return {str(key): rounded(one) for key, one in value.items()}
    return value


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(queries(), st.sampled_from(["planned", "planned", "base"]))
def test_answers_are_duckdbs_over_completed_tables(tables: Tables, query: str, strategy: str) -> None:
    try:
        expected = tables.completed.execute(query)
    except imputedb.QueryError:
        return
    found = tables.missing.sql(query, imputer="mean", strategy=strategy)
    assert found.columns == [str(name) for name in tables.completed._engine.connection.sql(query).columns]
    rows = [Counter(repr(rounded(row)) for row in some) for some in (found.fetchall(), expected)]
    assert rows[0] == rows[1], query
