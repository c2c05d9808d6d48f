"""Models and answers by sampling weights: a sample that is drawn by the outcome tells of the population."""

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import CannotImpute, DataError, QueryError


def sample(seed: int) -> tuple[Database, float]:
    """Rows that are sampled the likelier the larger y is, 40 % of which miss y; the population's mean."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=12_000)
    y = 2 * z + rng.normal(size=len(z))
    chance = 0.03 + 0.09 / (1 + np.exp(-2 * y))
    picked = np.flatnonzero(rng.random(len(z)) < chance)
    db = imputedb.connect()
    gone = rng.random(len(picked)) < 0.4
    columns = {"id": np.arange(len(picked)), "z": z[picked], "w": 1 / chance[picked]}
    db.register("t", {**columns, "y": np.ma.masked_array(y[picked], gone)})
    return db, float(y.mean())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", ["hotdeck", "norm", "pmm", "tree"])
def test_weights_undo_the_design(imputer: str) -> None:
    off = []
    for seed in range(3):
        db, truth = sample(seed)
        db.policy("t", "y", weight="w", exclude=["w"])
        one = db.sql("SELECT avg(y) AS a FROM t", imputer=imputer, m=3, weights="w").estimates[0]["a"]
        off.append((one.estimate - truth) / one.se)
    assert abs(np.mean(off)) < 3 / np.sqrt(len(off))
    assert np.abs(off).max() < 4


def test_without_weights_it_tells_of_the_sample() -> None:
    db, truth = sample(0)
    one = db.sql("SELECT avg(y) AS a FROM t", imputer="hotdeck", m=3).estimates[0]["a"]
    assert one.estimate - truth > 8 * one.se
    half = db.sql("SELECT avg(y) AS a FROM t", imputer="hotdeck", m=3, weights="w").estimates[0]["a"]
    assert half.estimate - truth > 2 * half.se  # donors are of the sample


def test_answers_are_those_of_design_based_formulas() -> None:
    rng = np.random.default_rng(5)
    x, w, g = rng.normal(size=300), rng.exponential(size=300), rng.integers(0, 3, size=300)
    db = imputedb.connect()
    db.register("t", {"x": x, "w": w, "g": g})
    rows = db.sql("SELECT g, avg(x) AS a, sum(x) AS s, count(*) AS n FROM t GROUP BY g ORDER BY g", weights="w", m=2)
    for group, found in enumerate(rows.estimates):
        mine, mean = w * (g == group), np.average(x, weights=w * (g == group))
        score = mine * (x - mean) / mine.sum()
        assert found["a"].estimate == pytest.approx(mean)
        assert found["a"].se == pytest.approx(np.sqrt((score**2).sum()), rel=0.02)
        assert found["s"].estimate == pytest.approx((mine * x).sum())
        assert found["n"].estimate == pytest.approx(mine.sum())
    plain = db.sql("SELECT avg(x), sum(x), count(*) FROM t").fetchall()
    assert plain == db.execute("SELECT avg(x), sum(x), count(*) FROM t")
    titles = db.sql(
        "SELECT avg(x), count(*), round(sum(x), 2) FROM t HAVING avg(x) < 9 ORDER BY count(*)", weights="w"
    ).columns
    assert titles == ["avg(x)", "count_star()", "round(sum(x), 2)"]


def test_equal_weights_change_no_more_than_chance() -> None:
    db, _ = sample(1)
    db.execute("ALTER TABLE t ADD COLUMN one INT DEFAULT 3")
    free = db.sql("SELECT avg(y) AS a FROM t", imputer="norm", m=5).estimates[0]["a"]
    db.policy("t", "y", weight="one")
    equal = db.sql("SELECT avg(y) AS a FROM t", imputer="norm", m=5, weights="one").estimates[0]["a"]
    assert equal.estimate == pytest.approx(free.estimate, abs=0.3 * free.se)
    assert equal.se == pytest.approx(free.se, rel=0.1)


@pytest.mark.parametrize("text", ["SELECT y FROM t", "SELECT median(y) FROM t", "SELECT count(y) FROM t",
                                  "SELECT count(DISTINCT y) FROM t", "SELECT avg(y) OVER () FROM t",
                                  "SELECT avg(y) FROM t UNION SELECT 1"])  # fmt: skip
def test_what_weights_do_not_suit_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="weights"):
        sample(0)[0].sql(text, weights="w")


def test_weights_that_say_nothing_are_refused() -> None:
    db, _ = sample(0)
    for value in ("NULL", "-1", "'inf'::DOUBLE", "0"):
        db.execute(f"CREATE OR REPLACE TABLE u AS SELECT id, y, z, {value} AS w FROM t")
        with pytest.raises(DataError):
            db.policy("u", "y", weight="w")
    db.policy("t", "y", weight="w")
    db.execute("UPDATE t SET w = NULL WHERE id = 3")
    with pytest.raises(CannotImpute, match="weights"):
        db.sql("SELECT avg(y) FROM t")
    with pytest.raises(QueryError, match="WEIGHT"):
        db.sql("SELECT avg(y) FROM t", method="aipw")


def test_weights_whose_sum_overflows() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=200)
    y, w, gone = x + rng.normal(size=200), rng.uniform(1, 3, size=200), rng.random(200) < 0.3
    answers = []
    for scale in (1.0, 5e307):
        with imputedb.connect() as db:
            db.register("t", {"x": x, "w": w * scale, "y": np.ma.masked_array(y, gone)})
            db.policy("t", "y", weight="w", exclude=["w"])
            answers.append(db.sql("SELECT avg(y) FROM t", imputer="norm").fetchall()[0][0])
            if scale > 1:
                with pytest.raises(DataError, match=r"above 1e\+100 in 200 rows"):
                    db.sql("SELECT avg(y) FROM t", imputer="norm", weights="w")
    assert answers[0] == pytest.approx(answers[1], abs=0.2)


def test_aggregates_of_nested_queries_which_no_weight_reaches_are_warned_of() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i AS id, i % 3 AS g, i * 1.0 AS x, 1 + i % 2 AS w FROM range(30) r(i)")
        for query, named in (
            ("SELECT avg(x) FROM t WHERE x > (SELECT avg(x) FROM t)", "avg"),
            ("WITH q AS (SELECT g, count(*) AS n FROM t GROUP BY g) SELECT sum(x) FROM t JOIN q USING (g)", "count(*)"),
        ):
            warnings = db.sql(query, m=2, weights="w").report.warnings
            assert f"weights are of the outermost SELECT: {named} of a nested query takes each row once" in warnings
        plain = db.sql(
            "SELECT avg(x) FROM (SELECT * FROM t) WHERE id IN (SELECT max(id) FROM t GROUP BY g)", weights="w"
        )
        assert not any("outermost SELECT" in warning for warning in plain.report.warnings)
