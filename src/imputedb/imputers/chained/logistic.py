"""Logistic regression of a column with two values."""

from dataclasses import dataclass

import numpy as np

from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import LEARN_ROWS, Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.multinomial import fitted


@dataclass(frozen=True, slots=True)
class Logistic:
    """Bayesian logistic regression (Rubin 1987, page 169; White, Daniel & Royston 2010; mice's `logreg`).

    1. The rows are augmented, so that separated classes leave the coefficients finite.
    2. beta and its covariance V by Newton's method; beta* is drawn from Normal(beta, V).
    3. A missing value is 1 with probability 1 / (1 + exp(-x beta*)).

    Warning: the augmentation shrinks a little towards equal classes, noticeably in samples of a few dozen rows.
    """

    name = "logistic"

    def suits(self, observed: Observed) -> bool:
        """Whether the column has two values."""
        return observed.classes == 2

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """0 or 1, drawn by probability, from drawn coefficients."""
        beta, root = _fitted(observed, features, unknown, rng.fits)
        drawn = beta + root @ rng.generator().standard_normal(len(beta))
        return np.asarray(rng.uniform() < logistic(unknown @ drawn + _shift(observed)), np.float64)

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The more probable value."""
        beta, _ = _fitted(observed, features, unknown)
        return np.asarray(unknown @ beta + _shift(observed) > 0, np.float64)


def _shift(observed: Observed) -> Vector | float:
    """The difference of stated log-odds between 1 and 0."""
    return 0.0 if observed.log_odds is None else observed.log_odds[:, 1] - observed.log_odds[:, 0]


def _fitted(
    observed: Observed, features: Matrix, unknown: Matrix, fits: dict[str, Vector] | None = None
) -> tuple[Vector, Matrix]:
    rows, place = observed.sample(LEARN_ROWS), f"logistic {features.shape[1]}"
    data = augmented(features[rows], observed.values[rows], 2, observed.everyone(features, unknown))
    beta, root = fitted(*data, 2, None if fits is None else fits.get(place))
    if fits is not None:
        fits[place] = beta
    return beta[0], root


def logistic(x: Vector) -> Vector:
    """1 / (1 + exp(-x)), for any x."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))
