"""Ridge regressions on splines of numbers and on indicators, for values and for missingness."""

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.design import design
from imputedb.imputers.chained.logistic import logistic
from imputedb.imputers.rows import Rows

Flags = NDArray[np.bool_]

KNOTS = (0.05, 0.35, 0.65, 0.95)
"""Quantiles at which the knots of a spline are (Harrell 2015, table 2.3)."""

RIDGE = 1.0
"""Precision of the coefficients' normal prior, for features and residuals of variance 1."""

STEPS = 50
CONVERGED = 1e-8


def features(rows: Rows) -> Matrix:
    """(n, p) an intercept, and features of mean 0 and variance 1.

    A number is included linearly, and by its normal score q (the normal quantile of its rank, which is robust to
    outliers): q^2 and a restricted cubic spline of q with four knots (Stone & Koo 1985). A category is included as
    indicators. Missing cells are 0, with indicators of missingness (D'Agostino & Rubin 2000).

    Warning: there are no interactions.
    """
    ones = np.ones((len(rows.keys), 1))
    if not rows.columns:
        return ones
    made = design(rows.columns)
    blocks = [made.x[:, 1:]]
    for place, part in enumerate(made.parts.values()):
        if not part.classes:
            blocks.append(bends(made.x[:, part.places.start], ~made.missing[:, place]))
    missing = {column.tobytes(): column for column in made.missing.T if column.any()}
    if missing:
        blocks.append(np.column_stack(list(missing.values())).astype(np.float64))
    whole = np.concatenate(blocks, axis=1)
    deviation = whole.std(axis=0)
    varied = deviation > 1e-9
    return np.concatenate([ones, (whole[:, varied] - whole[:, varied].mean(axis=0)) / deviation[varied]], axis=1)


def bends(x: Vector, present: Flags) -> Matrix:
    """(n, 3) the nonlinear terms of a number, by its normal scores; none for fewer than four distinct values."""
    found, places, counts = np.unique(x[present], return_inverse=True, return_counts=True)
    if len(found) < 4:
        return np.empty((len(x), 0))
    scores = _normal_quantiles((np.cumsum(counts) - counts / 2) / counts.sum())
    q = np.zeros(len(x))
    q[present] = scores[places]
    return np.where(present[:, None], np.column_stack([q**2, spline(q, np.quantile(q[present], KNOTS))]), 0.0)


def _normal_quantiles(probabilities: Vector) -> Vector:
    from scipy import special

    return np.asarray(special.ndtri(probabilities))


def spline(x: Vector, knots: Vector) -> Matrix:
    """(n, knots - 2) the nonlinear terms of a restricted cubic spline, which is linear beyond the outer knots."""
    knots = np.unique(knots)
    if len(knots) < 3:
        return np.empty((len(x), 0))
    cubes = np.maximum(x[:, None] - knots, 0.0) ** 3
    ends = knots[-1] - knots[-2]
    before, last = (knots[-1] - knots[:-2]) / ends, (knots[-2] - knots[:-2]) / ends
    terms = cubes[:, :-2] - cubes[:, -2:-1] * before + cubes[:, -1:] * last
    return np.asarray(terms / (knots[-1] - knots[0]) ** 2)


def regression(x: Matrix, y: Vector) -> Vector:
    """(p,) the coefficients of a ridge regression; the intercept is not shrunk."""
    return np.asarray(np.linalg.solve(x.T @ x + np.diag(_ridge(x)), x.T @ y))


def classification(x: Matrix, y: Vector) -> Vector:
    """(p,) the coefficients of a logistic ridge regression by Newton's method, finite even under separation."""
    ridge, beta = _ridge(x), np.zeros(x.shape[1])
    share = float(np.clip(y.mean() if len(y) else 0.5, 1e-6, 1 - 1e-6))
    beta[0] = np.log(share / (1 - share))
    for _ in range(STEPS):
        chance = logistic(x @ beta)
        information = x.T @ (x * (chance * (1 - chance))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(information, x.T @ (y - chance) - ridge * beta)
        beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < CONVERGED * (1 + np.abs(beta).max()):
            break
    return beta


def _ridge(x: Matrix) -> Vector:
    return np.concatenate([[1e-9], np.full(x.shape[1] - 1, RIDGE)])
