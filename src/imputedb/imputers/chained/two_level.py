"""Random intercepts: models of a column whose rows come in clusters (CLUSTER)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers.chained.column_model import Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.pmm import taken
from imputedb.imputers.chained.regression import Regression, regression

CLUSTERS = Column("", "imputedb clusters")
"""The column of rows that holds their clusters; only imputers that model clusters get it."""

SWEEPS = 40
"""Sweeps of the Gibbs sampler in a cycle; it continues from the column's last cycle."""

EXPECTED = 60
"""EM steps for single values."""

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The observed rows of a two-level regression, and their sums by cluster.

    Attributes:
        x: (n, p) features, ones first.
        y: (n,) values.
        cluster: (n,) clusters, numbered from 0.
        sizes: (J,) number of observed rows of each cluster; 0 for a cluster without any.
        sums: (J, p) sums of features by cluster.
        totals: (J,) sums of values by cluster.
    """

    x: Matrix
    y: Vector
    cluster: Places
    sizes: Vector
    sums: Matrix
    totals: Vector

    def fit(self, sigma2: float, tau2: float) -> Regression:
        """The generalised least squares fit of y on x given both variances, with cluster intercepts integrated out."""
        k = tau2 / (sigma2 + self.sizes * tau2)
        gram = self.x.T @ self.x - (self.sums.T * k) @ self.sums
        cross = self.x.T @ self.y - self.sums.T @ (k * self.totals)
        return regression(gram, cross, float(self.y @ self.y - k @ self.totals**2), len(self.y))

    def over(self, values: Vector) -> Vector:
        """(J,) sums of values by cluster."""
        return np.asarray(np.bincount(self.cluster, values, len(self.sizes)), np.float64)


@dataclass(frozen=True, slots=True)
class _State:
    beta: Vector
    u: Vector
    sigma2: float
    tau2: float


@dataclass(frozen=True, slots=True)
class TwoLevel:
    """y = x beta + u_j + e: a normal intercept of each cluster, and residuals of one variance (miceadds'
    `2l.continuous`, `2l.pan`; mice's `2l.norm` lets the residual variance differ by cluster).

    1. A Gibbs sampler draws beta (flat prior, intercepts integrated out), u_j given beta, sigma^2 from RSS /
       chi-square(n), tau^2 from (sum u^2 + b) / chi-square(J + 1), b a tenth of the residual variance, which keeps the
       posterior proper with few clusters.
    2. Missing values are x beta* + u_j* + e*; for clusters without an observed row u_j* is drawn from N(0, tau*^2).
    3. With `match` (`2l.pmm`) the values of `donors` observed rows whose expected values are nearest are taken instead.

    Warning: slopes are the same in all clusters. Cluster means are not added as predictors.

    Attributes:
        match: whether imputed values are donors' values.
        donors: number of donors, with equal probabilities.
    """

    match: bool = False
    donors: int = 5

    def __post_init__(self) -> None:
        arguments.flag("match", self.match)
        arguments.whole("donors", self.donors, 1, 1000, example=" donors")

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        return "2l.pmm" if self.match else "2l.norm"

    def suits(self, observed: Observed) -> bool:
        """Whether the values are numbers."""
        return observed.classes == 0

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Values, or donors' values, with all parameters drawn."""
        level, missing = _level(observed, features)
        generator = rng.generator()
        state = _started(level)
        for _ in range(SWEEPS):
            state = _swept(level, state, generator)
        if not self.match:
            return np.asarray(unknown @ state.beta + state.u[missing] + np.sqrt(state.sigma2) * rng.normal())
        fit = _expected(level)
        return taken(observed, features @ fit.beta + fit.u[level.cluster], unknown @ state.beta + state.u[missing],
                     self.donors, rng)  # fmt: skip

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """Best linear unbiased predictions, with variances by EM (Laird & Ware 1982)."""
        level, missing = _level(observed, features)
        fit = _expected(level)
        return np.asarray(unknown @ fit.beta + fit.u[missing])


def uses_clusters(imputer: object) -> bool:
    """Whether an imputer's model has cluster intercepts, so that it gets the clusters of the rows."""
    return isinstance(getattr(imputer, "model", None), TwoLevel)


def _level(observed: Observed, features: Matrix) -> tuple[_Level, Places]:
    """The observed rows, and the clusters of the rows to fill.

    Raises:
        CannotImpute: no policy defines clusters, or all rows are in one cluster.
    """
    if observed.clusters is None:
        raise CannotImpute("2l.norm and 2l.pmm need the clusters of rows: state CLUSTER in the column's policy")
    seen, missing = observed.clusters
    count = int(max(seen.max(initial=-1), missing.max(initial=-1))) + 1
    sizes = np.bincount(seen, minlength=count).astype(np.float64)
    if np.count_nonzero(sizes) < 2:
        raise CannotImpute(
            "all observed rows are in one cluster, so the variation between clusters is unknown: leave CLUSTER out"
        )
    sums = np.stack([np.bincount(seen, column, count).astype(np.float64) for column in features.T], axis=1)
    totals = np.bincount(seen, observed.values, count).astype(np.float64)
    return _Level(features, observed.values, seen, sizes, sums, totals), missing


def _started(level: _Level) -> _State:
    """Starting values: least squares, with half of the residual variance between clusters."""
    fit = regression(level.x.T @ level.x, level.x.T @ level.y, float(level.y @ level.y), len(level.y))
    half = max(fit.rss / fit.df / 2, 1e-12)
    return _State(fit.beta, np.zeros(len(level.sizes)), half, half)


def _swept(level: _Level, state: _State, generator: np.random.Generator) -> _State:
    """One sweep of the Gibbs sampler."""
    n, count = len(level.y), len(level.sizes)
    fit = level.fit(state.sigma2, state.tau2)
    beta = fit.beta + np.sqrt(state.sigma2) * (fit.root @ generator.standard_normal(len(fit.beta)))
    left = level.y - level.x @ beta
    precision = level.sizes / state.sigma2 + 1 / state.tau2
    u = level.over(left) / state.sigma2 / precision + generator.standard_normal(count) / np.sqrt(precision)
    errors = left - u[level.cluster]
    sigma2 = float(errors @ errors) / generator.chisquare(n)
    tau2 = (float(u @ u) + 0.1 * sigma2) / generator.chisquare(count + 1)
    return _State(beta, u, max(sigma2, 1e-12), max(tau2, 1e-12))


def _expected(level: _Level) -> _State:
    """EM estimates of the variances, and the expected coefficients and intercepts given them."""
    state = _started(level)
    n, count = len(level.y), len(level.sizes)
    for _ in range(EXPECTED):
        beta = level.fit(state.sigma2, state.tau2).beta
        precision = level.sizes / state.sigma2 + 1 / state.tau2
        left = level.y - level.x @ beta
        u = level.over(left) / state.sigma2 / precision
        errors = left - u[level.cluster]
        sigma2 = (float(errors @ errors) + float((level.sizes / precision).sum())) / n
        tau2 = float((u @ u + (1 / precision).sum()) / count)
        state = _State(beta, u, max(sigma2, 1e-12), max(tau2, 1e-12))
    return state
