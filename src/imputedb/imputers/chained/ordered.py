"""Ordered logistic regression of a column of ordered categories."""

from dataclasses import dataclass

import numpy as np

from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import LEARN_ROWS, Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.logistic import logistic
from imputedb.imputers.chained.multinomial import picked

STEPS = 100
CONVERGED = 1e-10


@dataclass(frozen=True, slots=True)
class Ordered:
    """Bayesian proportional-odds regression (McCullagh 1980; mice's `polr`, with parameters drawn).

    1. The rows are augmented against separation (White, Daniel & Royston 2010).
    2. P(y <= k) = 1 / (1 + exp(-(zeta_k - x beta))); zeta and beta by Newton's method with halved steps.
    3. (zeta, beta)* is drawn from Normal with the inverse of the information, the zetas then sorted.
    4. A class is drawn by its probability.

    Levels are in their declared order (ENUM), or else sorted. Warning: all cut points share one slope (proportional
    odds); if a predictor raises the odds of both extremes, use `multinomial`.

    Attributes:
        declared: whether it is restricted to columns with a declared order.
    """

    declared: bool = False

    name = "ordered"

    def suits(self, observed: Observed) -> bool:
        """Whether there are at least two categories, with a declared order if that is required."""
        return observed.classes >= 2 and (observed.ordered or not self.declared)

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Classes, drawn by probability, from drawn parameters."""
        theta, root, present = _fitted(observed, features, unknown, rng.fits)
        cuts = len(present) - 1
        drawn = theta + root @ rng.generator().standard_normal(len(theta))
        drawn[:cuts] = np.sort(drawn[:cuts])
        chance = _weighted(chances(unknown, drawn, cuts), observed, present)
        return np.asarray(present[picked(chance, rng.uniform()).astype(np.intp)], np.float64)

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The most probable class."""
        theta, _, present = _fitted(observed, features, unknown)
        chance = _weighted(chances(unknown, theta, len(present) - 1), observed, present)
        return np.asarray(present[chance.argmax(axis=1)], np.float64)


def _weighted(chance: Matrix, observed: Observed, present: Vector) -> Matrix:
    """Probabilities of the observed levels, multiplied by their stated odds."""
    return chance if observed.log_odds is None else chance * np.exp(observed.log_odds[:, present])


def _fitted(
    observed: Observed, features: Matrix, unknown: Matrix, fits: dict[str, Vector] | None = None
) -> tuple[Vector, Matrix, Vector]:
    present, codes = np.unique(observed.values, return_inverse=True)
    rows = observed.sample(LEARN_ROWS)
    if len(present) == 1:
        return np.zeros(features.shape[1] - 1), np.zeros((features.shape[1] - 1,) * 2), present.astype(np.intp)
    data = augmented(features[rows], codes[rows].astype(np.float64), len(present), observed.everyone(features, unknown))
    before = None if fits is None else fits.get(f"ordered {len(present)} {features.shape[1]}")
    theta, root = fitted(*data, len(present), before)
    if fits is not None:
        fits[f"ordered {len(present)} {features.shape[1]}"] = theta
    return theta, root, present.astype(np.intp)


def chances(features: Matrix, theta: Vector, cuts: int) -> Matrix:
    """(n, cuts + 1) probabilities of the levels; theta holds the cut points, then the slopes."""
    below = logistic(theta[:cuts][None, :] - (features[:, 1:] @ theta[cuts:])[:, None])
    edges = np.concatenate([np.zeros((len(below), 1)), below, np.ones((len(below), 1))], axis=1)
    return np.maximum(np.diff(edges, axis=1), 0.0)


def fitted(
    features: Matrix, codes: Vector, weights: Vector, classes: int, start: Vector | None = None
) -> tuple[Vector, Matrix]:
    """Cut points and slopes (classes - 1 + p,), and a root of their covariance; features have ones first."""
    cuts = classes - 1
    theta = np.zeros(cuts + features.shape[1] - 1)
    share = np.cumsum(np.bincount(codes.astype(np.intp), weights=weights, minlength=classes))[:-1] / weights.sum()
    theta[:cuts] = np.log(share / (1 - share))
    if start is not None:
        theta = start
    best = _loglik(features, codes, weights, theta, cuts)
    for _ in range(STEPS):
        slope, information = _derivatives(features, codes, weights, theta, cuts)
        step, size, found = np.linalg.solve(information, slope), 1.0, best
        while size > 1e-6:
            found = _loglik(features, codes, weights, theta + size * step, cuts)
            if found >= best:
                break
            size /= 2
        if found < best:
            break
        gained, best, theta = found - best, found, theta + size * step
        if gained < CONVERGED * (abs(best) + 1):
            break
    lower = np.linalg.cholesky(_derivatives(features, codes, weights, theta, cuts)[1])
    return theta, np.linalg.inv(lower).T


def _loglik(features: Matrix, codes: Vector, weights: Vector, theta: Vector, cuts: int) -> float:
    if (np.diff(theta[:cuts]) <= 0).any():
        return -np.inf
    chance = chances(features, theta, cuts)[np.arange(len(codes)), codes.astype(np.intp)]
    return float(weights @ np.log(np.maximum(chance, 1e-300)))


def _derivatives(features: Matrix, codes: Vector, weights: Vector, theta: Vector, cuts: int) -> tuple[Vector, Matrix]:
    """Gradient and observed information: log P = log(F(u) - F(v)), u and v linear in the parameters.

    With logistic F the ratios F'(u) / P and F'(v) / P have forms without a difference of near-equal numbers, so that
    rows far from their class leave the information positive definite.
    """
    eta = features[:, 1:] @ theta[cuts:]
    upper, u = _edge(features, codes, theta, cuts, eta)
    lower, v = _edge(features, codes - 1, theta, cuts, eta)
    apart = -np.expm1(v - u)
    a, b = logistic(-u) / (logistic(-v) * apart), logistic(v) / (logistic(u) * apart)
    slope = upper.T @ (weights * a) - lower.T @ (weights * b)
    mixed = upper.T @ (lower * (weights * a * b)[:, None])
    information = (
        upper.T @ (upper * (weights * a * (a - 1 + 2 * logistic(u)))[:, None])
        + lower.T @ (lower * (weights * b * (b + 1 - 2 * logistic(v)))[:, None])
        - mixed
        - mixed.T
    )
    information[np.diag_indices_from(information)] += 1e-10 * max(float(np.trace(information)), 1e-10)
    return slope, information


def _edge(features: Matrix, cut: Vector, theta: Vector, cuts: int, eta: Vector) -> tuple[Matrix, Vector]:
    """The derivatives of the upper (or lower) cut point of each row's class, and its linear predictor."""
    place = cut.astype(np.intp)
    inside = (place >= 0) & (place < cuts)
    row = np.zeros((len(cut), len(theta)))
    row[inside, place[inside]] = 1.0
    row[:, cuts:] = -features[:, 1:] * inside[:, None]
    stands = theta[:cuts][np.clip(place, 0, cuts - 1)] - eta
    return row, np.where(inside, stands, np.where(place < 0, -np.inf, np.inf))
