"""Logistic regression of a column of two values."""

from dataclasses import dataclass

import numpy as np

from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import LEARN_ROWS, Matrix, Observed, Randomness, Vector

STEPS = 50
CONVERGED = 1e-9


@dataclass(frozen=True, slots=True)
class Logistic:
    """Bayesian logistic regression (Rubin 1987, page 169; White, Daniel & Royston 2010; mice's `logreg`).

    1. The rows are augmented, so that separated classes leave the coefficients finite.
    2. beta and its covariance V by iteratively reweighted least squares; beta* is drawn from Normal(beta, V).
    3. A missing value is 1 with probability 1 / (1 + exp(-x beta*)).

    Warning: the augmentation shrinks a little towards equal classes, which shows in samples of a few dozen rows.
    """

    name = "logistic"

    def suits(self, observed: Observed) -> bool:
        """Two values."""
        return observed.classes == 2

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """0 or 1 by probability, from drawn coefficients."""
        beta, root = _fitted(observed, features, unknown, rng.fits)
        drawn = beta + root @ rng.generator().standard_normal(len(beta))
        return np.asarray(rng.uniform() < logistic(unknown @ drawn + _shift(observed)), np.float64)

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The more probable value."""
        beta, _ = _fitted(observed, features, unknown)
        return np.asarray(unknown @ beta + _shift(observed) > 0, np.float64)


def _shift(observed: Observed) -> Vector | float:
    """What is added to the log-odds of a 1."""
    return 0.0 if observed.log_odds is None else observed.log_odds[:, 1] - observed.log_odds[:, 0]


def _fitted(
    observed: Observed, features: Matrix, unknown: Matrix, fits: dict[str, Vector] | None = None
) -> tuple[Vector, Matrix]:
    rows, place = observed.sample(LEARN_ROWS), f"logistic {features.shape[1]}"
    data = augmented(features[rows], observed.values[rows], 2, observed.everyone(features, unknown))
    found = fitted(*data, None if fits is None else fits.get(place))
    if fits is not None:
        fits[place] = found[0]
    return found


def logistic(x: Vector) -> Vector:
    """1 / (1 + exp(-x)), for any x."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def fitted(features: Matrix, codes: Vector, weights: Vector, start: Vector | None = None) -> tuple[Vector, Matrix]:
    """Coefficients (p,) and a root (p, p) of their covariance, by iteratively reweighted least squares."""
    beta = np.zeros(features.shape[1]) if start is None else start
    for _ in range(STEPS):
        chance = logistic(features @ beta)
        information = _information(features, weights * chance * (1 - chance))
        step = np.linalg.solve(information, features.T @ (weights * (codes - chance)))
        beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < CONVERGED * (1 + np.abs(beta).max()):
            break
    chance = logistic(features @ beta)
    lower = np.linalg.cholesky(_information(features, weights * chance * (1 - chance)))
    return beta, np.linalg.inv(lower).T


def _information(features: Matrix, curvature: Vector) -> Matrix:
    found = features.T @ (features * curvature[:, None])
    # a trace of ridge, so that a collinear predictor stops nothing
    found[np.diag_indices_from(found)] += 1e-10 * max(float(np.trace(found)), 1e-10)
    return np.asarray(found)
