"""Intervals that are suspect by what is measured: told where coverage is short, silent where it is not."""

import numpy as np
import pytest
from scipy import stats

from imputedb import Database
from imputedb.answers.multiple.suspects import skewed


def warned(db: Database, rare: bool, rows: int, samples: int) -> float:
    """The share of samples in which a slope is told to rest on few rows; of a rare event it covers 85 % for 95."""
    told = 0
    for sample in range(samples):
        rng = np.random.default_rng([rows, sample])
        x = rng.normal(size=rows)
        y = (rng.random(rows) < 1 / (1 + np.exp(3.2 - 1.5 * x))).astype(float) if rare else x + rng.normal(size=rows)
        y[:2] = 0, 1
        db.register("t", {"x": x, "y": np.ma.masked_array(y, rng.random(rows) < 0.2)})
        result = db.sql("SELECT regr_slope(y, x) AS b FROM t", m=5, imputer="norm")
        told += any(one.startswith("b: few of its") for one in result.report.warnings)
    return told / samples


@pytest.mark.nightly
def test_slopes_that_few_rows_decide(db: Database) -> None:
    assert warned(db, rare=True, rows=50, samples=12) > 1 / 3
    assert warned(db, rare=False, rows=50, samples=12) <= 0.17
    assert warned(db, rare=False, rows=400, samples=4) == 0


@pytest.mark.parametrize("text", ["SELECT corr(y, x) AS b FROM t", "SELECT g, regr_slope(y, x) AS b FROM t GROUP BY g"])
def test_groups_and_correlations_too(db: Database, text: str) -> None:
    """A single row far out decides them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=80)
    y = x + rng.normal(size=80)
    x[0], y[0] = 30.0, -200.0
    gone = rng.random(80) < 0.2
    gone[0] = False
    db.register("t", {"g": np.arange(80) % 2, "x": x, "y": np.ma.masked_array(y, gone)})
    assert any("b: few of its" in one for one in db.sql(text, m=5, imputer="norm").report.warnings)
    assert not any(
        "b: few of its" in one for one in db.sql(text, m=5, imputer="norm", interval="answer").report.warnings
    )


def test_shares_have_intervals_of_their_own(db: Database) -> None:
    """Score intervals bear rare events, also where a join repeats rows, so that influences give the variance."""
    rng = np.random.default_rng(2)
    y = (rng.random(200) < 0.06).astype(float)
    db.register(
        "t", {"id": np.arange(200), "x": rng.normal(size=200), "y": np.ma.masked_array(y, rng.random(200) < 0.1)}
    )
    db.register("u", {"id": np.repeat(np.arange(200), 2)})
    result = db.sql("SELECT avg((y > 0.5)::INT) AS b FROM t JOIN u USING (id)", m=5, imputer="norm")
    assert not any("b: few of its" in one for one in result.report.warnings)


def test_few_rows_are_told_of_where_they_are_skewed_by_more_than_chance() -> None:
    """Three groups, of which the worst is told: means of normal values are covered, of lognormal ones in 81 to 87 %."""

    def told(rows: int, logarithm: float) -> float:
        found = []
        for seed in range(200):
            values = np.random.default_rng(seed).normal(size=(3, rows))
            one = np.exp(logarithm * values) if logarithm else values
            skewness = stats.skew(one, axis=1)
            found.append(bool(list(skewed("a", np.arange(3.0), skewness, np.full(3, rows - 1.0), {}))))
        return float(np.mean(found))

    assert told(25, 0) < 0.05
    assert told(12, 0) < 0.2
    assert told(12, 1.2) > 0.8
    assert told(50, 1.2) > 0.9


def test_a_draw_that_is_skewed_by_chance_tells_nothing_of_its_group() -> None:
    skewness = np.array([0.1, -0.2, 0.0, 2.0, 0.1, -0.1])
    assert not list(skewed("a", np.zeros(6), skewness, np.full(6, 20.0), {}))


def test_rows_count_less_what_is_missing_of_them() -> None:
    """The worst of two groups: 200 rows with a skewness of 1.6 are enough, unless they tell what 30 would."""
    skewness, df = np.array([1.6, 1.6, 0.2]), np.array([199.0, 199.0, 199.0])
    assert not list(skewed("a", np.arange(3.0), skewness, df, {0: 0.3, 1: 0.3, 2: 0.9}))
    (note,) = skewed("a", np.arange(3.0), skewness, df, {0: 0.3, 1: 0.85, 2: 0.9})
    assert note.startswith("a: with a skewness of 1.6, 200 rows (worth 30, for what is missing) are too few")
