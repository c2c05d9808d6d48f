"""What is refused is refused in the words of the query: no message shows names or statements that nobody wrote."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from imputedb.errors import Error, InternalError
from tests.properties.amount import examples

WRONG = (
    *("avg(w)", "sum(d)", "y + d", "w + 1", "y::DATE", "abs(w)", "l + 1", "st.c", "nope", "nope(y)", "avg(y, w)"),
    *("d - w", "w::DOUBLE > 1", "regexp_matches(w, '(')", "strptime(w, '%Y')", "(y * 1e308)::INT", "error('no')"),
    *("avg(avg(y))", "(SELECT y FROM t)", "(SELECT avg(y), 1 FROM t)", "y IN (SELECT w, y FROM t)",),
    *("y > ALL (SELECT d FROM t)", "sum(y) OVER (ORDER BY nope)", "avg(y) FILTER (WHERE w)", "unnest(l)",),
    *("struct_extract(st, 'zz')", "l[w]"),
    *("date_trunc('zzz', d)", "quantile_cont(y, 2)", "sum(y ORDER BY nope)", "avg(DISTINCT w)"),
    *("CASE WHEN w THEN 1 END", "COLUMNS('nope')", "avg(*COLUMNS('^w$'))",),
    *("if(w, 1, 2)", "list_transform(l, lambda q: q + w)"),
)  # fmt: skip
PLACES = (
    "SELECT {} FROM t",
    "SELECT avg(y) AS a FROM t HAVING {} > 1",
    "SELECT id % 3 AS g, avg(y) AS a FROM t GROUP BY id % 3 HAVING a > 1 AND {} > 1",
    "SELECT id % 3 AS g, avg(y) AS a FROM t GROUP BY g ORDER BY a > {}",
    "SELECT avg(y) FROM t WHERE {} > 1",
    "SELECT avg(y) FILTER (WHERE {}) FROM t",
    "SELECT * FROM (SELECT {} AS q FROM t) WHERE q > 1",
    "WITH c AS (SELECT id, {} AS q FROM t) SELECT avg(q) FROM c",
    "SELECT round(avg(y)) + {} FROM t",
    "SELECT CASE WHEN avg(y) > 2 THEN {} END FROM t",
    "SELECT avg(y) FROM t LEFT JOIN (SELECT {} AS q FROM t) z ON z.q = t.id",
    "SELECT y FROM t UNION ALL SELECT {} FROM t",
    "FROM (PIVOT (SELECT id % 2 AS p, {} AS q FROM t) ON p IN (0, 1) USING max(q))",
)
OURS = re.compile(
    r"imputedb_|\b__\w|\b[hegvfktpc]\d+\b|\btemp\.|unnamed_\d|OPERATOR_|COMPARE_|_NODE\b|pooled (part|output)|TRY_CAST",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i * 1.5 END AS y, [i, i + 1] AS l, "
            "{'a': i, 'b': CASE WHEN i % 3 > 0 THEN i END} AS st, DATE '2020-01-01' + i::INT AS d, "
            "CASE WHEN i % 5 > 0 THEN 'w' || i END AS w FROM range(30) r(i)"
        )
        yield db


@settings(max_examples=examples(40), deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(WRONG), st.sampled_from([1, 2]))
def test_no_refusal_shows_what_nobody_wrote(db: Database, place: str, wrong: str, m: int) -> None:
    text = place.format(wrong)
    refusal: Error | None = None
    try:
        db.sql(text, m=m, imputer="hotdeck").fetchall()
    except Error as error:
        refusal = error
    assert not isinstance(refusal, InternalError), text
    message = str(refusal or "")
    assert not OURS.search(message.replace(text, "")), (text, message)
    shown = [line for line in message.splitlines() if "SELECT " in line.upper()]
    assert all(line.strip(".").strip() in text for line in shown), (text, message)


ANSWERED = (
    "SELECT k, avg(y) AS q, max(w) AS g FROM u GROUP BY k ORDER BY q > -9",
    "SELECT k, avg(y) AS q, max(w) AS g FROM u GROUP BY k ORDER BY max(y) - min(y) > q AND g IS NOT NULL",
    "SELECT k, avg(y) AS q FROM u GROUP BY k HAVING CASE WHEN avg(y) > 0 THEN k ELSE 1 END >= 0",
    "SELECT k, DATE '2020-01-01' + count(*)::INT > DATE '2020-01-03' AS late, avg(y) FROM u GROUP BY k ORDER BY ALL",
)


@pytest.mark.parametrize("text", ANSWERED)
def test_what_one_draw_answers_several_answer(db: Database, text: str) -> None:
    db.execute("CREATE OR REPLACE TABLE u AS SELECT id % 2 AS k, y, w FROM t")
    assert len(db.sql(text, m=3, imputer="hotdeck").fetchall()) == 2
