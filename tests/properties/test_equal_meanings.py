"""Queries that mean the same have equal answers, intervals and kinds of warnings, over tables that miss values.

Where a column that chooses rows and one that is averaged both miss values, draws of the one are made before those of
the other or together, and forms differ by their noise (docs/decisions/draws.md): there the mean is filled in.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.amount import examples

N = 60
COMPLETE = ("k = 1", "k IN (0, 2)", "id BETWEEN 5 AND 40", "k <> 1 OR id > 50", "NOT (k = 0 AND id < 30)")
INCOMPLETE = (
    "y > 0",
    "x <= 0.5",
    "z > 0",
    "g = 'u'",
    "y BETWEEN -1 AND 1",
    "x > y",
    "g <> 'u' OR y > 0",
    "x IN (1, y) OR z > 5",
)
AGGREGATES = ("count(*)", "avg(y)", "sum(y)", "count(y)", "avg(x * y)", "median(y)", "max(y)", "sum(z)", "stddev(y)")
ELSEWHERE = ("corr(x, y)", "regr_slope(y, x)", "avg((y > 0)::INT)", "sum(y) / count(*)", "coalesce(sum(y), 0)")

FORMS = (
    "SELECT {a} AS a FROM (SELECT * FROM t WHERE {c})",
    "WITH q AS (SELECT * FROM t WHERE {c}) SELECT {a} AS a FROM q",
    "WITH q AS MATERIALIZED (SELECT * FROM t WHERE {c}) SELECT {a} AS a FROM q",
    "SELECT {a} AS a FROM seen WHERE {c}",
    "SELECT {a} AS a FROM t WHERE NOT (NOT ({c}))",
    "SELECT {a} AS a FROM t WHERE CASE WHEN {c} THEN true ELSE false END",
    "SELECT {a} AS a FROM t WHERE if({c}, true, false)",
    "SELECT {a} AS a FROM t WHERE ({c}) IS TRUE",
    "SELECT {a} AS a FROM t GROUP BY ({c}) HAVING ({c})",
    "SELECT a FROM (SELECT ({c}) AS h, {a} AS a FROM t GROUP BY ALL) WHERE h",
)
ABROAD = (
    "SELECT {a} AS a FROM t SEMI JOIN (SELECT 1 AS one) ON {c}",
    "SELECT {a} AS a FROM t WHERE id IN (SELECT id FROM t WHERE {c})",
    "SELECT {a} AS a FROM t o WHERE EXISTS (SELECT 1 FROM t WHERE t.id = o.id AND ({c}))",
    "SELECT {a} AS a FROM (SELECT * FROM t WHERE {c} UNION ALL SELECT * FROM t WHERE false)",
    "SELECT {a} AS a FROM (FROM t QUALIFY row_number() OVER (PARTITION BY id) = 1 AND ({c}))",
)
"""Forms of several blocks, in which what alpha drops is told at each scan alone."""

COUNTS = (
    "SELECT count(*) FILTER (WHERE {c}) AS a FROM t",
    "SELECT sum(({c})::INT) AS a FROM t",
    "SELECT count_if({c}) AS a FROM t",
    "SELECT sum(CASE WHEN {c} THEN 1 ELSE 0 END) AS a FROM t",
    "SELECT count(CASE WHEN {c} THEN 1 END) AS a FROM t",
    "SELECT coalesce(sum(if({c}, 1, 0)), 0) AS a FROM t",
)
FILTERED = (
    "SELECT {a} FILTER (WHERE {c}) AS a FROM t",
    "SELECT a FROM (SELECT {a} FILTER ({c}) AS a FROM t)",
)
HOW = {"UNPOOLED", "APART", "NESTED", "REPEATED", "PENALTY"}
"""Kinds that say how a form is answered, which forms may differ in."""

SETTINGS = ((1, "mean", 0.0), (1, "mean", 1.0), (1, "tree", 0.0), (1, "tree", 1.0), (5, "norm", 0.0), (5, "tree", 1.0))


class Asked(NamedTuple):
    """Two queries that mean the same, and how both are asked."""

    one: str
    other: str
    m: int
    imputer: str
    alpha: float
    interval: str


@st.composite
def equals(draw: st.DrawFn) -> Asked:
    call = draw(st.sampled_from((*AGGREGATES, *ELSEWHERE)))
    condition = draw(st.sampled_from((*COMPLETE, *INCOMPLETE)))
    alone = call == "count(*)" or condition in COMPLETE
    m, imputer, alpha = draw(st.sampled_from(SETTINGS if alone else SETTINGS[:2]))
    forms: Sequence[str] = FORMS if alpha else (*FORMS, *ABROAD)
    if call == "count(*)":
        forms = (*forms, *COUNTS)
    elif call in AGGREGATES:
        forms = (*forms, *FILTERED)
    form, interval = draw(st.sampled_from(forms)), draw(st.sampled_from(["population", "answer"]))
    first = f"SELECT {call} AS a FROM t WHERE {condition}"
    return Asked(first, form.format(a=call, c=condition), m, imputer, alpha, interval)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(size=N), 3)
    y = np.round(x + rng.normal(size=N), 3)
    g = np.where(x + rng.normal(size=N) > 0, "u", "v").astype(object)
    g[rng.random(N) < 0.2] = None
    gone = rng.random((3, N)) < [[0.2], [0.3], [0.2]]
    numbers = {"x": x, "y": y, "z": np.round(10 * (x + rng.normal(size=N)))}
    with imputedb.connect() as db:
        masked = {name: np.ma.masked_array(one, gone[n]) for n, (name, one) in enumerate(numbers.items())}
        db.register("t", {"id": np.arange(N), "k": np.arange(N) % 3, **masked, "g": g})
        db.register("u", {"id": np.arange(0, N, 2), "w": np.ma.masked_array(np.arange(N // 2) / 7, gone[0][: N // 2])})
        db.execute("CREATE VIEW seen AS SELECT * FROM t")
        yield db


def close(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or one == pytest.approx(other, rel=1e-6, abs=1e-9)
    return one == other


@settings(max_examples=examples(30), deadline=None)
@given(equals())
def test_forms_of_one_meaning_are_answered_alike(db: Database, asked: Asked) -> None:
    found = []
    for text in (asked.one, asked.other):
        wishes = {"interval": asked.interval} if asked.m > 1 else {}
        result = db.sql(text, m=asked.m, imputer=asked.imputer, alpha=asked.alpha, **wishes)
        estimates = [row["a"] for row in result.estimates if "a" in row] if asked.m > 1 else []
        values = [row[0] for row in result.fetchall()]
        kinds = {note.kind.name for note in result.report.warnings} - HOW
        found.append(([*values, *(end for one in estimates for end in one.interval())], kinds))
    (first, kinds), (second, others) = found
    assert len(first) == len(second) > 0, asked
    assert all(map(close, first, second)), (asked, first, second)
    assert kinds == others or "GROUP BY" in asked.other, (asked, kinds, others)


ROWS = (
    (
        "SELECT id FROM t WHERE y BETWEEN -1 AND 0.5",
        "SELECT id FROM t WHERE y >= -1 AND y <= 0.5",
        "SELECT id FROM t WHERE NOT (y < -1 OR y > 0.5)",
        "SELECT id FROM t WHERE y >= ALL (SELECT -1) AND NOT y > 0.5",
    ),
    (
        "SELECT id FROM t WHERE z IN (0, 5, 10)",
        "SELECT id FROM t WHERE z = 0 OR z = 5 OR z = 10",
        "SELECT id FROM t WHERE z = ANY ([0, 5, 10])",
        "SELECT id FROM t WHERE z = ANY (SELECT unnest([0, 5, 10]))",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM (VALUES (0), (5), (10)) v(c) WHERE c = t.z)",
        "SELECT id FROM t WHERE list_contains([0, 5, 10], z)",
        "SELECT id FROM t SEMI JOIN (VALUES (0), (5), (10)) v(z) USING (z)",
    ),
    (
        "SELECT DISTINCT g FROM t",
        "SELECT g FROM t GROUP BY g",
        "SELECT DISTINCT ON (g) g FROM t",
        "SELECT g FROM t GROUP BY ALL",
        "SELECT g FROM t UNION SELECT g FROM t",
        "SELECT unnest(list(DISTINCT g)) FROM t",
    ),
    ("SELECT id, y FROM t", "SELECT id, y FROM t WHERE k = 0 UNION ALL SELECT id, y FROM t WHERE k <> 0"),
    (
        "SELECT t.id, y, w FROM t JOIN u ON t.id = u.id",
        "SELECT id, y, w FROM t JOIN u USING (id)",
        "SELECT t.id, y, w FROM t, u WHERE t.id = u.id",
        "SELECT id, y, w FROM u NATURAL JOIN t",
        "SELECT u.id, y, w FROM u JOIN t ON u.id = t.id",
        "SELECT t.id, y, w FROM t LEFT JOIN u ON t.id = u.id WHERE u.id IS NOT NULL",
    ),
    (
        "SELECT id, sum(y) OVER (PARTITION BY k) AS s FROM t",
        "SELECT id, (SELECT sum(y) FROM t i WHERE i.k = t.k) AS s FROM t",
        "SELECT id, s FROM t JOIN (SELECT k, sum(y) AS s FROM t GROUP BY k) USING (k)",
    ),
    (
        "SELECT k, max(y) AS m FROM t GROUP BY k HAVING max(y) > 2.5",
        "SELECT * FROM (SELECT k, max(y) AS m FROM t GROUP BY k) WHERE m > 2.5",
        "WITH c AS (SELECT k, max(y) AS m FROM t GROUP BY ALL) FROM c WHERE NOT m <= 2.5",
    ),
    (
        "SELECT id FROM t QUALIFY rank() OVER (PARTITION BY k ORDER BY y DESC, id) = 1",
        "SELECT id FROM (SELECT id, rank() OVER (PARTITION BY k ORDER BY y DESC, id) AS r FROM t) WHERE r = 1",
        "SELECT arg_max(id, (y, -id)) AS id FROM t GROUP BY k",
    ),
    (
        "SELECT id, CASE WHEN y > 0 THEN 1 ELSE 0 END AS h FROM t",
        "SELECT id, if(y > 0, 1, 0) AS h FROM t",
        "SELECT id, (y > 0)::INT AS h FROM t",
    ),
)


@pytest.mark.parametrize("imputer", ["mean", "tree"])
@pytest.mark.parametrize("forms", ROWS, ids=lambda forms: forms[0][:40])
def test_rows_of_one_meaning_are_the_same(db: Database, forms: Sequence[str], imputer: str) -> None:
    texts = [f"SELECT * FROM ({text}) ORDER BY ALL" for text in forms]
    wanted, *others = ([list(row) for row in db.sql(text, imputer=imputer).fetchall()] for text in texts)
    differing = {
        text: next((pair for pair in zip(found, wanted, strict=False) if not all(map(close, *pair))), len(found))
        for text, found in zip(forms[1:], others, strict=True)
        if len(found) != len(wanted) or not all(all(map(close, *pair)) for pair in zip(found, wanted, strict=True))
    }
    assert not differing
