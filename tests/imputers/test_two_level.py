"""Random intercepts: variances between and within clusters come back, and slopes; against numbers of simulation."""

from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import CannotImpute, DataError

CLUSTERS, SIZE = 60, 20
TAU, SIGMA, SLOPE = 1.0, 1.0, 0.7


def schools(seed: int) -> tuple[Database, np.ndarray, np.ndarray, np.ndarray]:
    """Pupils in schools: y = .7 x + u + e, of variances 1 and 1; half of y is missing, all of it in some schools."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(CLUSTERS), SIZE)
    x = rng.normal(size=len(school))
    y = SLOPE * x + TAU * rng.normal(size=CLUSTERS)[school] + SIGMA * rng.normal(size=len(school))
    gone = (rng.random(len(school)) < 0.5) | (school < 6)
    db = imputedb.connect()
    names = np.array([f"s{k:02}" for k in school])
    db.register("t", {"id": np.arange(len(school)), "school": names, "x": x, "y": np.ma.masked_array(y, gone)})
    return db, school, x, gone


def _told(y: np.ndarray, x: np.ndarray, school: np.ndarray) -> tuple[float, float]:
    """The slope within clusters, and the share of the variance that is between them (ANOVA)."""
    means = np.bincount(school, y)[school] / SIZE
    around = np.bincount(school, x)[school] / SIZE
    slope = ((y - means) * (x - around)).sum() / ((x - around) ** 2).sum()
    rest = y - slope * x
    centres = np.bincount(school, rest) / SIZE
    within = ((rest - centres[school]) ** 2).sum() / (CLUSTERS * (SIZE - 1))
    between = centres.var(ddof=1) - within / SIZE
    return float(slope), float(between / (between + within))


@pytest.mark.nightly
@pytest.mark.parametrize("imputer", ["2l.norm", "2l.pmm"])
def test_slope_and_icc_come_back(imputer: str, tmp_path: Path) -> None:
    found = []
    for seed in range(3):
        db, school, x, _ = schools(seed)
        db.policy("t", "y", cluster="school", imputer=imputer)
        run = db.impute("t", tmp_path / str(seed), m=4)
        for draw in range(1, 5):
            frame = run.frame(draw).sort_values("id")
            assert not frame["y"].isna().any()
            found.append(_told(frame["y"].to_numpy(), x, school))
    slope, icc = np.mean(found, axis=0)
    assert slope == pytest.approx(SLOPE, abs=0.06)
    assert icc == pytest.approx(0.5, abs=0.09)


def test_one_level_would_lose_the_clusters(tmp_path: Path) -> None:
    db, school, x, _ = schools(0)
    db.policy("t", "y", exclude=["school"])
    frame = db.impute("t", tmp_path / "out", m=1, imputer="norm").frame(1).sort_values("id")
    assert _told(frame["y"].to_numpy(), x, school)[1] < 0.25


def test_clusters_without_a_value_differ_as_clusters_do(tmp_path: Path) -> None:
    """Means of the 6 schools that nobody is observed of have a variance of about 1 over draws, not 0."""
    db, school, x, _ = schools(1)
    db.policy("t", "y", cluster="school", imputer="2l.norm")
    run = db.impute("t", tmp_path / "out", m=12)
    means = []
    for draw in range(1, 13):
        y = run.frame(draw).sort_values("id")["y"].to_numpy() - SLOPE * x
        means.append(np.bincount(school, y)[:6] / SIZE)
    assert 0.5 < np.var(means, axis=0, ddof=1).mean() < 1.9


def test_sql_follows_the_policy() -> None:
    db, *_ = schools(2)
    db.policy("t", "y", cluster="school")
    plain = db.sql("SELECT avg(y) AS a FROM t", imputer="2l.norm", m=5).estimates[0]["a"]
    assert 0 < plain.se < 0.4
    single = db.sql("SELECT school, avg(y) FROM t GROUP BY school", imputer="2l.norm").fetchall()
    assert np.std([value for _, value in single]) > 0.7
    text = db.sql("CREATE OR REPLACE IMPUTATION POLICY ON t(y) CLUSTER school IMPUTER '2l.pmm'").fetchall()
    assert text == [("t", "y", 'IMPUTE IMPUTER "2l.pmm" CLUSTER school')]
    db.sql("DROP IMPUTATION POLICY ON t")
    with pytest.raises(CannotImpute, match="CLUSTER"):
        db.sql("SELECT avg(y) FROM t", imputer="2l.norm")


def test_what_makes_no_clusters_is_refused() -> None:
    db, *_ = schools(0)
    db.execute("ALTER TABLE t ADD COLUMN one INT DEFAULT 1")
    db.execute("ALTER TABLE t ADD COLUMN hole INT")
    for wrong, why in (
        ("one", "one cluster"),
        ("id", "of its own"),
        ("hole", "missing"),
        ("y", "cannot define clusters"),
    ):
        with pytest.raises(DataError, match=why):
            db.policy("t", "y", cluster=wrong)
