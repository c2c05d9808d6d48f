"""Intervals by sampled clusters: influences are added up by cluster, whichever aggregate, with weights or without."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import QueryError, UnknownName

N, SCHOOLS = 600, 30
RNG = np.random.default_rng(6)
SCHOOL = RNG.integers(0, SCHOOLS, N)
X = RNG.normal(size=SCHOOLS)[SCHOOL] + RNG.normal(size=N)
W = RNG.uniform(0.5, 2, N)


@pytest.fixture
def db() -> Iterator[Database]:
    """x is complete, so that intervals are those of complete data; y misses some."""
    with imputedb.connect() as found:
        y = np.where(RNG.random(N) < 0.2, np.nan, X + RNG.normal(size=N))
        found.register("t", {"id": np.arange(N), "half": SCHOOL // 2, "school": SCHOOL, "x": X, "w": W, "y": y})
        yield found


def by_cluster(influences: np.ndarray) -> float:
    """The standard error of a number whose error is the sum of influences."""
    sums = np.bincount(SCHOOL, influences, SCHOOLS)
    return float(np.sqrt(SCHOOLS / (SCHOOLS - 1) * (sums**2).sum()))


def total(values: np.ndarray) -> float:
    sums = np.bincount(SCHOOL, values, SCHOOLS)
    return float(np.sqrt(SCHOOLS / (SCHOOLS - 1) * ((sums - sums.mean()) ** 2).sum()))


TEXT = (
    "SELECT avg(x) AS a, sum(x) AS s, avg((x > 0)::INT) AS p, count(*) FILTER (WHERE x > 0) AS n FROM t WHERE y > -99"
)


def test_errors_are_those_of_sums_by_cluster(db: Database) -> None:
    found = db.sql(TEXT, m=2, imputer="norm", clusters="school")
    above = (X > 0).astype(float)
    right = {
        "a": by_cluster((X - X.mean()) / N),
        "s": total(X),
        "p": by_cluster((above - above.mean()) / N),
        "n": total(above),
    }
    plain = db.sql(TEXT, m=2, imputer="norm").estimates[0]
    for name, error in right.items():
        one = found.estimates[0][name]
        assert one.se == pytest.approx(error, rel=2e-3), name
        assert one.se > 1.5 * plain[name].se
        low, high = one.interval()
        assert high - low > 1.5 * np.subtract(*reversed(plain[name].interval()))
    assert found.estimates[0]["a"].df < SCHOOLS
    assert db.sql(TEXT, m=2, imputer="norm", clusters="T.School").fetchall() == found.fetchall()


def test_weights_and_clusters_together(db: Database) -> None:
    found = db.sql(
        "SELECT avg(x) AS a, sum(x) AS s FROM t WHERE y > -99", m=2, imputer="norm", weights="w", clusters="school"
    )
    mean = float(W @ X / W.sum())
    assert found.estimates[0]["a"].estimate == pytest.approx(mean)
    assert found.estimates[0]["a"].se == pytest.approx(by_cluster(W * (X - mean) / W.sum()), rel=2e-3)
    assert found.estimates[0]["s"].se == pytest.approx(total(W * X), rel=2e-3)


def test_policies_name_clusters_and_groups_have_their_own(db: Database) -> None:
    text = "SELECT id % 2 AS g, avg(y) AS a, median(y) AS m FROM t GROUP BY g ORDER BY g"
    plain = db.sql(text, m=4, imputer="norm").estimates
    asked = db.sql(text, m=4, imputer="norm", clusters="school").estimates
    db.policy("t", "y", cluster="school")
    found = db.sql(text, m=4, imputer="norm").estimates
    for before, wished, after in zip(plain, asked, found, strict=True):
        for name in ("a", "m"):
            assert after[name].se > 1.4 * before[name].se
            assert after[name].se == pytest.approx(wished[name].se, rel=0.2)
    outer = db.sql("SELECT avg(t.y) AS a FROM t LEFT JOIN t u ON t.id = u.id", m=2, imputer="norm")
    assert "clusters (school)" in str(outer.report.warnings)


def test_what_no_interval_can_go_by_is_refused(db: Database) -> None:
    for asked, says in (({"clusters": "nobody"}, "nobody"), ({"clusters": 3}, "clusters")):
        with pytest.raises((UnknownName, QueryError), match=says):
            db.sql(TEXT, m=2, **asked)
    with pytest.raises(QueryError, match="m=20"):
        db.sql(TEXT, clusters="school")
    with pytest.raises(QueryError, match=r"a\.school or b\.school"):
        db.sql("SELECT avg(a.x) AS a FROM t a JOIN t b ON a.id = b.id WHERE a.y > 0", m=2, clusters="school")
    with pytest.raises(QueryError, match="inner joins"):
        db.sql("SELECT avg(t.y) AS a FROM t LEFT JOIN t u ON t.id = u.id", m=2, clusters="school")
    db.policy("t", "y", cluster="school")
    db.policy("t", "x", cluster="half")
    with pytest.raises(QueryError, match="clusters="):
        db.sql(TEXT, m=2)


def test_models_have_standard_errors_by_cluster(db: Database, tmp_path: Path) -> None:
    """Against the sandwich by hand, c / (c - 1) (n - 1) / (n - k) of it."""
    done = db.impute("t", tmp_path, m=2, imputer="norm")
    found = done.analyze("x ~ w", clusters="school")
    design = np.column_stack([np.ones(N), W])
    bread = np.linalg.inv(design.T @ design)
    scores = design * (X - design @ (bread @ design.T @ X))[:, None]
    sums = np.stack([np.bincount(SCHOOL, column, SCHOOLS) for column in scores.T], axis=1)
    variance = bread @ sums.T @ sums @ bread * SCHOOLS / (SCHOOLS - 1) * (N - 1) / (N - 2)
    assert found["Intercept"].se == pytest.approx(np.sqrt(variance[0, 0]))
    assert found["Intercept"].df < SCHOOLS
    assert found["Intercept"].se > 1.3 * done.analyze("x ~ w")["Intercept"].se
    for clusters, says in (("nobody", "nobody"), (3, "clusters")):
        with pytest.raises((UnknownName, QueryError), match=says):
            done.analyze("x ~ w", clusters=clusters)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="quantreg"):
        done.analyze("x ~ w", "quantreg", clusters="school")


def test_clusters_of_unequal_size_are_fewer() -> None:
    """As many as of equal size would say as much: by 11 degrees of freedom 91 % of intervals covered, by these 93."""
    rng = np.random.default_rng(4)
    sizes = np.maximum(1, np.round(15 * np.exp(rng.normal(size=12)))).astype(int)
    school = np.repeat(np.arange(12), sizes)
    x = rng.normal(size=12)[school] + rng.normal(size=len(school))
    with imputedb.connect() as found:
        y = np.where(np.arange(len(school)) % 9 == 0, np.nan, x)
        found.register("t", {"id": np.arange(len(school)), "school": school, "x": x, "y": y})
        one = found.sql("SELECT avg(x) AS a FROM t WHERE y > -99", m=2, imputer="norm", clusters="school")
        assert one.estimates[0]["a"].pooled.df_complete == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum() - 1)
