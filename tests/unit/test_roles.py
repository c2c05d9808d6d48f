"""Columns that decide which rows count are drawn, averaged ones predicted."""

import numpy as np
import pytest

from imputedb import Database

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
