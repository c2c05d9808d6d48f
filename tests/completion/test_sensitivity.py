"""Departures from missing at random, where the answer is known by arithmetic."""

import numpy as np
import pytest

from imputedb import Database
from imputedb.completion.sensitivity import mean_of, term_of
from imputedb.errors import QueryError, UnknownName


@pytest.fixture
def trial(db: Database) -> Database:
    rng = np.random.default_rng(2)
    n = 400
    x = rng.normal(size=n)
    y = 1 + x + rng.normal(size=n)
    well = np.where(y + rng.normal(size=n) > 1, "yes", "no").astype(object)
    well[rng.random(n) < 0.3] = None
    gone = rng.random(n) < 0.25
    db.register("trial", {"x": x, "y": np.where(gone, np.nan, y), "arm": (x > 0).astype(int), "well": well})
    return db


def test_a_mean_moves_by_the_shift_times_the_missing_share_and_tips_where_it_must(trial: Database) -> None:
    rows = "SELECT x, y FROM trial"
    found = trial.sensitivity(rows, "y", [0, -1, -2, -4, -8], mean_of("y"), hypothesis=0.5, m=10)
    share = trial.execute("SELECT avg((y IS NULL OR isnan(y))::INT) FROM trial")[0][0]
    first = found.points[0].pooled.estimate
    for point in found.points:
        assert point.pooled.estimate == pytest.approx(first + point.shift * share, rel=1e-9)
    assert found.points[0].p_value < 0.05
    (tip,) = [one for one in found.tipping if one > -2.0]
    assert found.tipping[0] == tip
    at = trial.sensitivity(rows, "y", [tip], mean_of("y"), hypothesis=0.5, m=10).points[0]
    assert at.p_value == pytest.approx(0.05, abs=0.002)
    assert "tipping point" in str(found)
    assert "differ by its shift" in str(found)


@pytest.mark.nightly
def test_a_slope_and_odds(trial: Database) -> None:
    slopes = trial.sensitivity("trial", "y", [0, -3], term_of("y ~ x", "x"), m=5)
    assert slopes.points[0].pooled.estimate == pytest.approx(1, abs=0.25)
    assert slopes.tipping == ()

    def share(columns):  # type: ignore[no-untyped-def]
        p = float((columns["well"] == "yes").mean())
        return p, p * (1 - p) / 400

    odds = trial.sensitivity(
        "trial", "well", [0.1, 1, 10], share, by="odds", of="yes", imputer="logistic", hypothesis=0.5, m=2
    )
    low, middle, high = (point.pooled.estimate for point in odds.points)
    assert low < middle - 0.05 < middle + 0.05 < high


def test_mistakes_are_named(trial: Database) -> None:
    with pytest.raises(UnknownName, match="no incomplete column 'x'; there are y, well"):
        trial.sensitivity("trial", "x", [0], mean_of("x"))
    with pytest.raises(QueryError, match="no departure by 'plus'"):
        trial.sensitivity("trial", "y", [0], mean_of("y"), by="plus")
    with pytest.raises(QueryError, match="inside a chain"):
        trial.sensitivity("trial", "y", [0], mean_of("y"), imputer="hotdeck")
    with pytest.raises(QueryError, match="needs shifts"):
        trial.sensitivity("trial", "y", [], mean_of("y"))
    with pytest.raises(UnknownName, match="no term 'z'"):
        trial.sensitivity("trial", "y", [0], term_of("y ~ x", "z"), m=2)
