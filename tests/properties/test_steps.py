"""Of complete data, pooled answers are DuckDB's own, whatever steps, texts and structs are made of their aggregates."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database

N = 60
AGGREGATES = (
    *("avg(x)", "sum(x)", "count(*)", "sum(i)", "avg(i)", "median(x)", "max(x)", "min(i)", "stddev(x)", "corr(x, i)"),
    *("count(x) FILTER (WHERE i > 3)", "sum(i) FILTER (WHERE x > 9)", "count(DISTINCT i)"),
)
FORMS = (
    *("round({0})", "round({0}, 1)", "round({0}, -1)", "floor({0})", "({0})::INT", "({0} + {1})", "({0} * -3)"),
    *(
        "({0} / nullif({1}, 0))",
        "(({0})::BIGINT // 7)",
        "(({0})::BIGINT % 3)",
        "sign({0})",
        "abs({0})",
        "({0} > 3)::INT",
    ),
    *("CASE WHEN {0} > 10 THEN {1} ELSE 0 END", "CASE WHEN {0} > 3 THEN 1 END", "coalesce({0}, 0)"),
    *("({0})::DECIMAL(18, 2)", "greatest({0}, {1})"),
)
MADE = (
    *("({0})::VARCHAR", "'v=' || round({0}, 1)", "[{0}, {1}]", "{{'a': {0}, 'n': count(*)}}", "{0} > 3 AND {1} < 50"),
    *("strftime(max(d), '%Y-%m') || ({0})::BIGINT::VARCHAR", "CASE WHEN {0} BETWEEN 1 AND 20 THEN 'lo' ELSE 'hi' END"),
)
RESTS = (
    *("FROM t", "FROM t GROUP BY g ORDER BY g", "FROM t WHERE i > 2 GROUP BY g HAVING round(avg(x)) > 5 ORDER BY g"),
    "FROM (SELECT * FROM t ORDER BY id LIMIT 50) q GROUP BY g ORDER BY g",
)

numbers = st.recursive(
    st.sampled_from(AGGREGATES),
    lambda inner: st.tuples(st.sampled_from(FORMS), inner, inner).map(lambda one: one[0].format(*one[1:])),
    max_leaves=5,
)
made = st.tuples(st.sampled_from(MADE), numbers, numbers).map(lambda one: one[0].format(*one[1:]))


@pytest.fixture(scope="module")
def db() -> Database:
    rng = np.random.default_rng(1)
    x, i = np.round(rng.normal(10, 3, N), 2), rng.integers(-5, 20, N)
    days = np.datetime64("2020-01-01") + rng.integers(0, 300, N)
    found = imputedb.connect()
    found.register("t", {"id": np.arange(N), "g": np.arange(N) % 3, "x": x, "i": i, "d": days})
    return found


def same(found: Any, wanted: Any) -> bool:
    """Whether values are alike but for the last digits of numbers; no number is NULL."""
    if isinstance(wanted, dict):
        return all(map(same, found.values(), wanted.values()))
    if isinstance(wanted, list):
        return all(map(same, found, wanted))
    if found is None or wanted is None:
        return all(one is None or math.isnan(one) for one in (found, wanted))
    if isinstance(wanted, str):
        return bool(found == wanted)
    return math.isclose(float(found), float(wanted), rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.one_of(numbers, made), st.sampled_from(RESTS))
@example("(sum(i))::BIGINT::VARCHAR", RESTS[0])
@example("((count(DISTINCT i))::BIGINT // 7)", RESTS[1])
def test_pooled_steps_of_complete_data_are_duckdbs(db: Database, expression: str, rest: str) -> None:
    query = f"SELECT {expression} AS v {rest}"
    try:
        wanted = db.execute(query)
    except imputedb.Error:  # such as a number too large for its type
        return
    found = db.sql(query, m=2, imputer="norm")
    assert [same(row[0], value) for row, (value,) in zip(found, wanted, strict=True)] == [True] * len(wanted), (
        found.fetchall(),
        wanted,
    )
    if found.types[0] != "DOUBLE":  # as pooled numbers are
        assert found.types[0] == db.execute(f"DESCRIBE {query}")[0][1]
