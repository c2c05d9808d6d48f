"""Answers of every form come near the truth, and forms that mean the same give the same number to the last digit."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import imputedb
from imputedb import Database


def world(n: int) -> dict[str, np.ndarray]:
    """y follows x, and is missing more often where x is large: missing at random, so that complete cases mislead."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    y = 1 + 0.8 * x + rng.normal(size=n) * 1.5
    gone = rng.random(n) < 1 / (1 + np.exp(-2 * x))
    return {"id": np.arange(n), "x": x, "g": np.arange(n) % 4, "y": np.ma.masked_array(y, gone)}


@pytest.fixture(scope="module")
def small() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.register("t", world(500))
        db.execute("CREATE VIEW seen AS FROM t")
        yield db


COUNTING = [
    "SELECT count(*) AS n FROM t WHERE y > 2",
    "SELECT count(*) FILTER (WHERE y > 2) AS n FROM t",
    "SELECT sum((y > 2)::INT) AS n FROM t",
    "SELECT sum(CASE WHEN y > 2 THEN 1 ELSE 0 END) AS n FROM t",
    "SELECT count(CASE WHEN y > 2 THEN id END) AS n FROM t",
    "SELECT count_if(y > 2) AS n FROM t",
    "SELECT sum(coalesce(CASE WHEN y > 2 THEN 1 END, 0)) AS n FROM t",
    "SELECT count(*) AS n FROM t WHERE if(y > 2, id, NULL) IS NOT NULL",
    "SELECT count(*) AS n FROM (SELECT CASE WHEN y > 2 THEN id END AS s FROM t) WHERE s IS NOT NULL",
    "SELECT count(s) AS n FROM (SELECT CASE WHEN y > 2 THEN id END AS s FROM t)",
    "WITH w AS (SELECT if(y > 2, {'y': [y]}, NULL) AS s FROM t) SELECT count(s) AS n FROM w",
    "SELECT count(s) AS n FROM (SELECT s FROM (SELECT nullif(y > 2, false) AS s FROM t) ORDER BY s LIMIT 500)",
    "SELECT count(nullif(y > 2, false)) AS n FROM t",
    "SELECT sum(if(y > 2, 1, 0)) AS n FROM t",
    "SELECT len(list(id) FILTER (WHERE y > 2)) AS n FROM t",
    "SELECT map_extract_value(histogram(y > 2), true) AS n FROM t",
    "SELECT count(*) AS n FROM t WHERE greatest(y, 2) > 2",
    "SELECT count(*) - (SELECT count(*) FROM t WHERE y <= 2) AS n FROM t",
    "SELECT count(*) AS n FROM (UNPIVOT (SELECT id, y FROM t) ON y) WHERE value > 2",
    "SELECT round(avg((y > 2)::INT) * count(*), 6) AS n FROM t",
    "SELECT count(*) - count_if(NOT y > 2) AS n FROM t",
    "SELECT count(*) AS n FROM (SELECT y FROM t WHERE y > 2)",
    "SELECT count(*) AS n FROM (SELECT y FROM t ORDER BY id LIMIT 500) WHERE y > 2",
    "SELECT count(*) AS n FROM (SELECT DISTINCT id, y FROM t) WHERE y > 2",
    "SELECT count(*) AS n FROM (SELECT y FROM t UNION ALL SELECT y FROM t WHERE false) WHERE y > 2",
    "SELECT sum(h) AS n FROM (SELECT CASE WHEN y > 2 THEN 1 ELSE 0 END AS h FROM t)",
    "SELECT sum(n) AS n FROM (SELECT g, count(*) FILTER (WHERE y > 2) AS n FROM t GROUP BY g)",
    "SELECT sum(n) AS n FROM (SELECT y > 2 AS high, count(*) AS n FROM t GROUP BY high) WHERE high",
    "SELECT count(*) AS n FROM (SELECT id FROM t GROUP BY id HAVING max(y) > 2)",
    "SELECT sum(s) AS n FROM (SELECT sum((y > 2)::INT) OVER (PARTITION BY id) AS s FROM t)",
    "SELECT count(*) AS n FROM (FROM t QUALIFY row_number() OVER (PARTITION BY id) = 1 AND y > 2)",
    "WITH w AS (FROM t) SELECT count(*) AS n FROM w WHERE y > 2",
    "WITH w AS MATERIALIZED (SELECT id, y FROM t) SELECT count(*) AS n FROM w a JOIN w b USING (id) WHERE a.y > 2",
    "SELECT count(*) AS n FROM t SEMI JOIN (SELECT 2 AS least) ON t.y > least",
    "SELECT count(*) AS n FROM t LEFT JOIN (SELECT 2 AS least) ON true WHERE t.y > least",
    "SELECT count(*) AS n FROM t WHERE id IN (SELECT id FROM t WHERE y > 2)",
    "SELECT count(*) AS n FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.id = a.id AND b.y > 2)",
    "SELECT count(*) AS n FROM seen WHERE y > 2",
]

AVERAGING = [
    "SELECT round(avg(y), 9) AS n FROM t WHERE g = 1",
    "SELECT round(avg(y) FILTER (WHERE g = 1), 9) AS n FROM t",
    "SELECT round(avg(CASE WHEN g = 1 THEN y END), 9) AS n FROM t",
    "SELECT round(sum(y * (g = 1)::INT) / sum((g = 1)::INT), 9) AS n FROM t",
    "SELECT round(sum(CASE g WHEN 1 THEN y ELSE 0 END) / count_if(g = 1), 9) AS n FROM t",
    "SELECT round(sum(a), 9) AS n FROM (SELECT avg(y) AS a FROM seen WHERE g = 1)",
    "WITH w AS (SELECT y * 2 AS a, g FROM t) SELECT round(avg(a) / 2, 9) AS n FROM w WHERE g = 1",
    "SELECT round(avg(y), 9) AS n FROM t LEFT JOIN (SELECT 1 AS one) ON true WHERE g = one",
]


def answered(db: Database, query: str, imputer: str, m: int) -> float:
    row = db.sql(query, imputer=imputer, m=m, interval="answer").fetchone()
    assert row is not None
    return round(float(row[0]), 6)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("m", [1, 5])
@pytest.mark.parametrize("imputer", ["tree", "hotdeck", "norm", "pmm"])
def test_forms_that_mean_the_same_give_the_same(small: Database, imputer: str, m: int) -> None:
    counts = {query: answered(small, query, imputer, m) for query in COUNTING}
    assert len(set(counts.values())) == 1, counts


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm"])
def test_averages_of_one_meaning_are_one_number(small: Database, imputer: str) -> None:
    averages = {query: answered(small, query, imputer, 1) for query in AVERAGING}
    assert len(set(averages.values())) == 1, averages


MEANS = ("avg({})", "median({})", "stddev({})", "quantile_cont({}, 0.9)", "max({})")
ASSOCIATIONS = (
    "corr({}, x)",
    "regr_slope({}, x)",
)  # complete cases are right about these where x tells what is missing
SUMS = ("sum({})", "kahan_sum({})", "count_if({} > 1)", "count(*) FILTER (WHERE {} > 1)", "sum(({} > 1)::INT)")
EXPRESSIONS = ("y", "2 * y + 1", "y - x", "y * x", "-y", "y * y", "exp(y / 2)", "abs(y)", "greatest(y, 0)", "y::INT")
PARTS = 10


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("imputer", "means"), [("tree", MEANS), ("norm", (*MEANS, *ASSOCIATIONS))])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_answer_is_further_from_the_truth_than_complete_cases(
    expression: str, imputer: str, means: Sequence[str]
) -> None:
    """But for noise: four standard errors, told by how tenths of the complete table differ; the mean of four draws."""
    given = world(4000)
    with imputedb.connect() as db:
        db.register("t", given)
        db.register("truth", {**given, "y": np.ma.getdata(given["y"])})
        calls = [one.format(expression) for one in (*means, *SUMS)]
        listed = ", ".join(calls)
        text = f"SELECT {listed} FROM t"
        answer = np.mean([db.sql(text, imputer=imputer, seed=seed).fetchone() for seed in range(4)], axis=0)
        (truth,) = db.execute(f"SELECT {listed} FROM truth")
        (complete,) = db.execute(f"SELECT {listed} FROM t WHERE y IS NOT NULL")
        parts = np.array(db.execute(f"SELECT {listed} FROM truth GROUP BY id % {PARTS}"), float)
        share = np.ma.getmaskarray(given["y"]).mean()
        for place, call in enumerate(calls):
            total = place >= len(means)
            error = parts[:, place].std(ddof=1) * (PARTS**0.5 if total else PARTS**-0.5)
            cases = complete[place] / (1 - share) if total else complete[place]  # as many as if none were missing
            assert abs(answer[place] - truth[place]) <= abs(cases - truth[place]) + 4 * error, call
