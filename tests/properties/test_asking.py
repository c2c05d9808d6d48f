"""Questions about missingness see what is stored, through any queries; where they cannot, the answer says so."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.amount import examples

EXAMPLES = examples(16)
SLOW = (HealthCheck.too_slow,)
TABLES = """
    CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i::DOUBLE END AS x,
        CASE WHEN i % 3 > 0 THEN chr((97 + i % 2)::INT) END AS s FROM range(12) r(i);
    CREATE TABLE u AS SELECT i + 50 AS id, CASE WHEN i % 5 > 0 THEN i::DOUBLE END AS x, 'c' AS s FROM range(9) r(i);
    CREATE VIEW v AS SELECT id, x, s FROM t;
    CREATE VIEW doubled AS SELECT id, 2 * x AS x, s FROM v;
    CREATE MACRO gone(a) AS a IS NULL;
    CREATE MACRO some_of(low) AS TABLE SELECT id, x, s FROM v WHERE id >= low
"""

PASSING = (
    "SELECT id, x, s FROM ({}) q",
    "SELECT id, x + 1 AS x, s || '!' AS s FROM ({}) q",
    "SELECT * FROM ({}) q ORDER BY id LIMIT 15",
    "SELECT * REPLACE (x::FLOAT AS x) FROM ({}) q",
    "WITH w AS ({}) SELECT * FROM w",
    "WITH w(k, x, s) AS MATERIALIZED ({}) SELECT k AS id, x, s FROM w",
    "SELECT id, x, s FROM ({}) q(id, x, s)",
    "SELECT DISTINCT ON (id) id, x, s FROM ({}) q",
    "({}) UNION ALL (SELECT id, x, s FROM u)",
    "(SELECT s, id, x FROM ({}) q ORDER BY 2) UNION ALL BY NAME (SELECT id, x, s FROM u)",
    "SELECT id, y AS x, s FROM ({}) q, LATERAL (SELECT q.x AS y)",
    "SELECT q.id, q.x, q.s FROM ({}) q JOIN (SELECT DISTINCT id FROM t UNION FROM range(50, 60)) w USING (id)",
    "SELECT q.* FROM ({}) q SEMI JOIN t ON t.id <> q.id + 100",
    "SELECT q.id, q.x, q.s FROM ({}) q POSITIONAL JOIN (SELECT 1 AS one FROM range(0)) w",
    "SELECT id, f.x AS x, f.s AS s FROM (SELECT id, {{'x': x, 's': s}} AS f FROM ({}) q) p",
    "SELECT id, x, s FROM ({}) q QUALIFY row_number() OVER (PARTITION BY id) = 1",
)
STOPPING = (
    "SELECT id, x, s FROM ({}) q GROUP BY ALL",
    "SELECT DISTINCT id, x, s FROM ({}) q",
    "({}) UNION (SELECT id, x, s FROM u)",
    "({}) EXCEPT (SELECT id, x, s FROM u)",
    "({}) INTERSECT ({})",
    "SELECT id, unnest([x]) AS x, unnest([s]) AS s FROM ({}) q",
    "SELECT id, max(x) OVER (PARTITION BY id) AS x, s FROM ({}) q",
)
QUESTIONS = (
    "SELECT count(*) FROM ({}) q WHERE x IS NULL",
    "SELECT count(*) FROM ({}) q WHERE s IS NOT NULL AND NOT (x IS NOT NULL)",
    "SELECT id FROM (SELECT x AS y, id FROM ({}) q WHERE y IS NULL) p",
    "SELECT x AS y, y IS NULL AS m, s IS NULL AS n FROM ({}) q",
    "SELECT x IS NULL AS m, count(*) FROM ({}) q GROUP BY m",
    "SELECT coalesce(s, 'none') AS k, count(*) FROM ({}) q GROUP BY s",
    "SELECT count(*) FROM ({}) q GROUP BY x IS NULL, s HAVING s IS NULL",
    "SELECT id, ifnull(s, '?') FROM ({}) q",
    "SELECT count(*) FROM ({}) q WHERE (SELECT q.x) IS NULL",
    "SELECT count(*) FROM ({}) q WHERE gone(x)",
    "SELECT count(*) FROM ({}) q WHERE x IS NOT DISTINCT FROM NULL",
    "SELECT sum((COLUMNS('x|s') IS NULL)::INT) FROM ({}) q",
    "SELECT count(*) FROM ({}) q WHERE COLUMNS(['x', 's']) IS NULL",
    "SELECT id, len([z FOR z IN [x] IF z IS NOT NULL]) FROM ({}) q",
    "SELECT id, list_transform([s], lambda z: coalesce(z, 'none')) FROM ({}) q",
    "SELECT id FROM ({}) q ORDER BY x IS NULL, id LIMIT 5",
    "SELECT count(*) FILTER (x IS NULL), bool_or(s IS NULL) FROM ({}) q",
    "SELECT id, count(*) OVER (PARTITION BY s IS NULL) FROM ({}) q",
    "SELECT id FROM t WHERE id IN (SELECT id FROM ({}) q WHERE s IS NULL)",
)
TABLED = ("FROM t", "FROM v", "FROM doubled", "FROM some_of(3)", "SELECT id, x, s FROM t")


@st.composite
def questions(draw: st.DrawFn, between: tuple[str, ...]) -> str:
    query = draw(st.sampled_from(TABLED))
    for wrapper in draw(st.lists(st.sampled_from(PASSING), max_size=2)):
        query = wrapper.format(*[query] * wrapper.count("{}"))
    if between:
        wrapper = draw(st.sampled_from(between))
        query = wrapper.format(*[query] * wrapper.count("{}"))
        for wrapper in draw(st.lists(st.sampled_from(PASSING), max_size=1)):
            query = wrapper.format(*[query] * wrapper.count("{}"))
    return draw(st.sampled_from(QUESTIONS)).format(query)


@pytest.fixture(scope="module")
def tables() -> Database:
    db = imputedb.connect()
    db.execute(TABLES)
    return db


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(questions(()), st.sampled_from([0.0, 0.5, 1.0]))
def test_questions_are_answered_as_duckdb_answers_them(tables: Database, query: str, alpha: float) -> None:
    """Of all columns but `y` a question is all that is read, so that DuckDB's answer over stored rows is right."""
    expected = tables.execute(query)
    shown = " AS y, " in query
    result = tables.sql(query, imputer="mean", alpha=0.0 if shown else alpha)
    if shown:
        expected, rows = [row[1:] for row in expected], [row[1:] for row in result.fetchall()]
    else:
        rows = result.fetchall()
    assert sorted(map(repr, rows)) == sorted(map(repr, expected)), query
    assert not any("asked about" in warning for warning in result.report.warnings)


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=SLOW)
@given(questions(STOPPING))
def test_a_question_that_sees_completed_rows_is_warned_of(tables: Database, query: str) -> None:
    expected = tables.execute(query)
    result = tables.sql(query, imputer="mean")
    warned = any("asked about" in warning for warning in result.report.warnings)
    same = sorted(map(repr, result.fetchall())) == sorted(map(repr, expected))
    assert same or warned or " OVER (PARTITION BY id) AS x" in query or " AS y" in query, query


JOINED = """
    CREATE TABLE l AS SELECT i AS id, i % 3 AS g FROM range(14) r(i);
    CREATE TABLE b AS SELECT 2 * i AS id, CASE WHEN i % 3 > 0 THEN i::DOUBLE END AS x,
        CASE WHEN i % 4 > 0 THEN i::DOUBLE END AS y, i % 2 AS z FROM range(10) r(i);
    CREATE TABLE c AS SELECT 3 * i AS id, i AS w FROM range(6) r(i)
"""
FLAGGED = """
    CREATE TABLE f AS SELECT id, coalesce(x, (SELECT avg(x) FROM b)) AS x, coalesce(y, (SELECT avg(y) FROM b)) AS y, z,
        x IS NULL AS xm, y IS NULL AS ym FROM b;
    DROP TABLE b;
    ALTER TABLE f RENAME TO b
"""
PADDING = (
    "l LEFT JOIN b ON l.id = b.id",
    "b RIGHT JOIN l ON l.id = b.id",
    "l FULL JOIN b ON l.id = b.id",
    "l LEFT JOIN b ON l.id = b.id LEFT JOIN c ON c.id = l.id",
    "c LEFT JOIN (l LEFT JOIN b ON l.id = b.id) ON c.id = l.id",
    "l LEFT JOIN (SELECT * FROM b WHERE z = 1) b ON l.id = b.id",
    "l LEFT JOIN (SELECT id AS key, * FROM b) b(key, id, x, y, z{}) ON l.id = key",
    "(SELECT l.g, b.* FROM l LEFT JOIN b ON l.id = b.id) b JOIN (SELECT DISTINCT g AS id, g FROM l) l USING (g)",
    "l ASOF LEFT JOIN b ON l.id >= b.id + 3",
)
"""Items of FROM that pad the rows of b; with {} the names of the columns that its flags have."""

SETTLED = (
    "SELECT count(*) FROM {} WHERE @x AND b.id IS NOT NULL",
    "SELECT count(*) FROM {} WHERE NOT @x OR b.id IS NULL",
    "SELECT count(*) FILTER (WHERE @x AND NOT @y), count(*) FILTER (WHERE @x OR @y) FROM {}",
    "SELECT l.g, count(*) FROM {} WHERE b.z = 1 AND (@x OR @y) GROUP BY l.g",
    "SELECT l.g, b.id IS NULL, @x, @y FROM {}",
    "SELECT CASE WHEN b.id IS NULL THEN 'no' WHEN @x THEN 'gone' ELSE 'there' END AS k, count(*) FROM {} GROUP BY k",
    "SELECT count(*) FROM {} GROUP BY b.id IS NULL, @x HAVING bool_and(@x)",
    "SELECT l.g, sum((@x)::INT) FROM {} WHERE b.id IS NOT NULL GROUP BY ALL",
    "SELECT l.g, max(b.y) FROM {} WHERE @x AND b.z >= 0 GROUP BY ALL",
    "SELECT l.id, b.id FROM {} QUALIFY row_number() OVER (PARTITION BY l.g ORDER BY @x, b.id IS NULL, b.id, l.id) = 1",
    "SELECT l.id FROM {} ORDER BY b.id IS NULL, @x, @y, l.id, b.id LIMIT 3",
    "SELECT count(*) FROM (SELECT b.id AS k, b.x AS v, @x AS xm FROM {}) b WHERE k IS NOT NULL AND @v",
    "SELECT count(*) FROM l AS o WHERE EXISTS (FROM {} WHERE l.id = o.id AND @x AND b.id IS NOT NULL)",
    "SELECT count(*) FROM {} WHERE (@x) = (@y) AND b.z IS NOT NULL",
    "SELECT count(*) FROM {} JOIN (SELECT DISTINCT z FROM b) p ON p.z = b.z WHERE @x",
    "SELECT DISTINCT @x, b.z FROM {} WHERE b.z IN (0, 1) AND b.z < 2",
    "SELECT count(*) FROM (SELECT b.id AS i, @x AS m, m AND NOT (b.id IS NULL) AS n FROM {} WHERE n OR m)",
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(SETTLED), st.sampled_from(PADDING), st.sampled_from([0.0, 1.0]))
def test_questions_tell_what_is_missing_from_what_has_no_match(template: str, padding: str, alpha: float) -> None:
    """The same queries over completed rows, which have flags of what was missing."""
    query = template.format(padding.format("")).replace("@x AS xm", "0 AS xm")
    expected = template.format(padding.format(", xm, ym"))
    for name in ("x", "y"):
        query = query.replace(f"@{name}", f"b.{name} IS NULL")
        expected = expected.replace(f"@{name}", f"coalesce(b.{name}m, true)")
    query, expected = query.replace("@v", "v IS NULL"), expected.replace("@v", "xm")
    with imputedb.connect() as db, imputedb.connect() as flagged:
        db.execute(JOINED)
        flagged.execute(JOINED)
        flagged.execute(FLAGGED)
        result = db.sql(query, imputer="mean", alpha=alpha)
        rows, wanted = result.fetchall(), flagged.execute(expected)
    assert sorted(map(repr, rows)) == sorted(map(repr, wanted)), query
    assert not any("asked about" in warning for warning in result.report.warnings)
