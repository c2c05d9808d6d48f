"""Columns that decide an answer are drawn, those that it is linear in predicted."""

from collections.abc import Iterator

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.answers.request import QueryOptions
from imputedb.blocks.block import UnplannedBlock
from imputedb.imputers.registry import imputers_of

N = 4000


@pytest.fixture
def noisy(db: Database) -> tuple[Database, np.ndarray]:
    """y follows x loosely, so that its expected values spread half as much as it does; 40 % of it is hidden."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, N)
    y = x + rng.normal(0, 2, N)
    gone = rng.random(N) < 0.4
    db.register("t", {"id": np.arange(N), "x": x, "y": np.ma.masked_array(y, gone), "g": np.arange(N) % 2})
    return db, y


@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM t WHERE y > 3",
        "SELECT n FROM (SELECT y > 3 AS high, count(*) AS n FROM t GROUP BY 1) WHERE high",
        "SELECT count(*) FROM (SELECT id FROM t GROUP BY id HAVING max(y) > 3)",
        "SELECT count(*) FROM t JOIN (SELECT 3 AS most) ON t.y > most",
        "SELECT count(*) FROM t LEFT JOIN (SELECT 3 AS most) ON true WHERE t.y > most",
    ],
)
def test_as_many_rows_pass_as_there_are(noisy: tuple[Database, np.ndarray], query: str, strategy: str) -> None:
    """With expected values fewer than 70 % do."""
    db, y = noisy
    (count,) = db.sql(query, strategy=strategy).fetchone() or (0,)
    assert count == pytest.approx((y > 3).sum(), rel=0.12)


def test_spread_is_that_of_draws_and_averages_are_expected_values(noisy: tuple[Database, np.ndarray]) -> None:
    db, y = noisy
    (spread,) = db.sql("SELECT stddev(y) FROM t").fetchone() or (0,)
    assert spread == pytest.approx(y.std(), rel=0.05)
    averages = [float(db.sql("SELECT avg(y) FROM t", seed=seed).fetchall()[0][0]) for seed in range(3)]
    spreads = [float(db.sql("SELECT stddev(y) FROM t", seed=seed).fetchall()[0][0]) for seed in range(3)]
    assert np.ptp(averages) < 1e-6
    assert np.ptp(spreads) > 1e-4


@pytest.fixture(scope="module")
def several() -> Iterator[Database]:
    """y and z miss values, and so do the text s, the flag b and the rating k of five levels; x, g and id do not."""
    with imputedb.connect() as db:
        rng = np.random.default_rng(1)

        def missing(values: np.ndarray) -> np.ma.MaskedArray:
            return np.ma.masked_array(values, rng.random(200) < 0.3)

        numbers = {name: missing(rng.normal(size=200)) for name in "yz"}
        coded = {"b": missing(rng.random(200) < 0.5), "k": missing(rng.integers(1, 6, 200))}
        whole = {"id": np.arange(200), "x": rng.normal(size=200), "g": np.arange(200) % 4}
        names = np.ma.masked_array(np.where(rng.random(200) < 0.3, "a", "b"), rng.random(200) < 0.3)
        db.register("t", {**whole, **numbers, **coded, "s": names})
        v = np.ma.masked_array(np.arange(30.0), np.arange(30) < 5)
        db.register("u", {"g": np.arange(30) % 4, "v": v, "w": np.arange(30.0)})
        db.execute("CREATE VIEW seen AS SELECT id, g, y AS value FROM t")
        db.execute("CREATE MACRO squared(a) AS avg(a * a)")
        yield db


def drawn(db: Database, query: str, strategy: str = "planned") -> set[str]:
    """The columns whose missing values are drawn for the single best answer."""
    asked = QueryOptions(0.0, imputers_of("tree"), 0, strategy)
    blocks = db._planner.prepare(query, asked).blocks
    return {
        c.name for block in blocks if not isinstance(block, UnplannedBlock) for c in block.problem.query.deciding
    } & set("yzsbkv")


LINEAR = [
    "SELECT avg(y) FROM t",
    "SELECT sum(2 * y + 1), avg(y - x), sum(y * x), avg(-y), sum(y::DOUBLE / 3), sum(x * (y - z)) FROM t",
    "SELECT sum(y + z), avg(y) - avg(z), round(avg(y), 1), sum(y) / count(*), count(y) FROM t",
    "SELECT kahan_sum(y), fsum(y), favg(y), mean(y), sumkahan(y) FROM t",
    "SELECT g, avg(y) FROM t WHERE x > 0 GROUP BY g ORDER BY avg(y)",
    "SELECT avg(y) FILTER (WHERE x > 0), avg(CASE WHEN x > 0 THEN y ELSE 0 END) FROM t",
    "SELECT id, y, z > 3, exp(y), round(z) FROM t",
    "SELECT id, y FROM t WHERE g = 1 ORDER BY y",
    "SELECT id, avg(y) OVER (PARTITION BY g ORDER BY id), lag(y) OVER (ORDER BY id) FROM t",
    "SELECT sum(m) FROM (SELECT g, avg(y) AS m FROM t GROUP BY g)",
    "SELECT avg(y) FROM (SELECT id, y FROM t ORDER BY id LIMIT 100)",
    "WITH w AS (SELECT g, y * 2 AS a FROM t) SELECT p.g, avg(q.a) FROM w p JOIN w q ON p.g = q.g GROUP BY p.g",
    "SELECT u.w, (SELECT avg(y) FROM t WHERE t.g = u.g) FROM u",
    "SELECT coalesce(sum(y), 0) FROM t LEFT JOIN u ON t.g = u.g",
    "SELECT avg(value) FROM seen WHERE g < 2",
    "SELECT avg(y) FROM (SELECT y FROM t UNION ALL SELECT z FROM t)",
    "SELECT (SELECT avg(y) FROM t) - (SELECT avg(w) FROM u)",
    "SELECT avg(y) FROM t WHERE y IS NOT NULL",
    "SELECT count(*) FILTER (WHERE y IS NULL), avg(y) FROM t",
]

DECIDING = [
    ("SELECT count(*) FROM t WHERE y > 0", "y"),
    ("SELECT count(*) FILTER (WHERE y > 0), sum((z > 0)::INT) FROM t", "yz"),
    ("SELECT sum(CASE WHEN y > 0 THEN 1 ELSE 0 END), count_if(z > 0) FROM t", "yz"),
    ("SELECT avg(y * y), avg(exp(z)) FROM t", "yz"),
    ("SELECT sum(y * z) FROM t", "yz"),
    ("SELECT sum(x / y), avg(z::INT) FROM t", "yz"),
    ("SELECT avg(abs(y)), sum(round(z)) FROM t", "yz"),
    ("SELECT avg(y) FROM t WHERE z > 0", "z"),
    ("SELECT avg(y) FILTER (WHERE z > 0) FROM t", "z"),
    ("SELECT avg(CASE WHEN z > 0 THEN y ELSE 0 END) FROM t", "z"),
    ("SELECT sum(y * (z > 0)::INT), sum(y / x) FROM t", "z"),
    ("SELECT sum((y > 0)::INT * (z > 0)::INT), avg(CASE WHEN y > 0 THEN y END) FROM t", "yz"),
    ("SELECT s, avg(y) FROM t GROUP BY s", "s"),
    ("SELECT avg(y) FROM t WHERE y > 0", "y"),
    ("SELECT max(y), median(z) FROM t", "yz"),
    ("SELECT sum(DISTINCT y), count(DISTINCT z) FROM t", "yz"),
    ("SELECT DISTINCT y FROM t", "y"),
    ("SELECT id FROM t ORDER BY y LIMIT 5", "y"),
    ("SELECT g, avg(y) FROM t GROUP BY g ORDER BY 2 DESC LIMIT 1", "y"),
    ("SELECT g FROM t GROUP BY g HAVING avg(y) > 0", "y"),
    ("SELECT id, rank() OVER (ORDER BY y) FROM t", "y"),
    ("SELECT id FROM t QUALIFY avg(y) OVER (PARTITION BY g) > 0", "y"),
    ("SELECT avg(y) OVER (PARTITION BY s) FROM t", "s"),
    ("SELECT max(y) OVER (PARTITION BY g) FROM t", "y"),
    ("SELECT max(m) FROM (SELECT g, avg(y) AS m FROM t GROUP BY g)", "y"),
    ("SELECT avg(m * m) FROM (SELECT g, avg(y) AS m FROM t GROUP BY g)", "y"),
    ("SELECT count(*) FROM (SELECT id, y FROM t ORDER BY id LIMIT 100) WHERE y > 0", "y"),
    ("SELECT avg(a) FROM (SELECT y * y AS a FROM t)", "y"),
    ("SELECT avg(h) FROM (SELECT (y > 0)::INT AS h FROM t ORDER BY id LIMIT 99)", "y"),
    ("SELECT avg(y) FROM (SELECT y FROM t WHERE z > 0 ORDER BY id LIMIT 99)", "z"),
    ("WITH w AS (SELECT id, y FROM t) SELECT sum(p.y * q.y) FROM w p JOIN w q USING (id)", "y"),
    ("SELECT count(*) FROM t WHERE g IN (SELECT g FROM u WHERE v > 1)", "v"),
    ("SELECT avg(y) FROM t WHERE g IN (SELECT g FROM u WHERE v > 1)", "v"),
    ("SELECT avg(y) FROM t JOIN u ON t.g = u.g AND u.v > t.x", "v"),
    ("SELECT count(*) FROM t WHERE x > (SELECT avg(y) FROM t)", "y"),
    ("SELECT count(*) FROM u WHERE (SELECT avg(y) FROM t WHERE t.g = u.g) > 0", "y"),
    ("SELECT count(*) FROM t LEFT JOIN u ON t.g = u.g WHERE y > w", "y"),
    ("SELECT count(*) FROM seen WHERE value > 0", "y"),
    ("SELECT avg(k), avg(b::INT), sum(k) FROM t", "kb"),  # rounded to a few levels, a prediction is no expected value
    ("SELECT squared(y) FROM t", "y"),
    ("SELECT list_sum(list(y)) FROM t", "y"),
    ("SELECT first(y ORDER BY z) FROM t", "yz"),
    ("SELECT x AS a, y AS c, sum(c * c) OVER () FROM t", "y"),
    ("SELECT y FROM t UNION SELECT z FROM t", "yz"),
    ("SELECT y FROM t EXCEPT SELECT z FROM t", "yz"),
    ("SELECT corr(y, x), regr_slope(x, z), stddev(y) FROM t", "yz"),
    ("WITH RECURSIVE r AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT avg(y) FROM t)) FROM r", "y"),
    ("SELECT * FROM (PIVOT (SELECT g, id % 2 AS p, y FROM t) ON p IN (0, 1) USING max(y) GROUP BY g)", "y"),
    ("SELECT avg(value) FROM (UNPIVOT t ON y, z INTO NAME n VALUE value) WHERE value > 0", "yz"),
    ("SELECT a.m FROM (SELECT g, avg(y) AS m FROM t GROUP BY g) a ORDER BY m DESC LIMIT 1", "y"),
    ("SELECT avg(y) FROM (SELECT * FROM t ORDER BY z) LIMIT 1", ""),
    ("SELECT id FROM (SELECT id FROM t ORDER BY z) LIMIT 1", "z"),
]


@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize("query", LINEAR)
def test_what_an_answer_is_linear_in_is_predicted(several: Database, query: str, strategy: str) -> None:
    several.execute(query)  # which DuckDB knows
    assert drawn(several, query, strategy) == set()


@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize(("query", "expected"), DECIDING)
def test_what_decides_is_drawn(several: Database, query: str, expected: str, strategy: str) -> None:
    several.execute(query)
    assert drawn(several, query, strategy) == set(expected)
