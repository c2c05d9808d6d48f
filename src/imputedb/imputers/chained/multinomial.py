"""Multinomial regression of a column of unordered categories."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import Matrix, Observed, Randomness, Vector
from imputedb.kernel import _kernel

PARAMETERS = 300
"""Maximum number of coefficients; a column that needs more takes the next suitable model."""

LEARN_ROWS = 10_000
_TAKEN: tuple[Literal["C_CONTIGUOUS"], Literal["WRITEABLE"]] = ("C_CONTIGUOUS", "WRITEABLE")
"""Types of arrays for the kernel."""


@dataclass(frozen=True, slots=True)
class Multinomial:
    """Bayesian multinomial regression (baseline-category logits; mice's `polyreg`, with parameters drawn).

    1. The rows are augmented against separation (White, Daniel & Royston 2010).
    2. Coefficients of all classes but the first by Newton's method, V the inverse of the information.
    3. B* is drawn from Normal(B, V): mice draws no parameters here, so its draws are not proper.
    4. A class is drawn by its probability.

    Warning: coefficients of a class with few observations depend mostly on the augmentation.
    """

    name = "multinomial"
    parameters = PARAMETERS

    def suits(self, observed: Observed) -> bool:
        """Whether there are at least two categories."""
        return observed.classes >= 2

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Classes, drawn by probability, from drawn coefficients."""
        beta, root = _fitted(observed, features, unknown, rng.fits)
        noise = root @ rng.generator().standard_normal(root.shape[1])
        return picked(chances(unknown, beta + noise.reshape(beta.shape), observed.log_odds), rng.uniform())

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The most probable class."""
        beta, _ = _fitted(observed, features, unknown)
        return np.asarray(chances(unknown, beta, observed.log_odds).argmax(axis=1), np.float64)


def picked(probabilities: Matrix, uniform: Vector) -> Vector:
    """(n,) one class for each row, drawn by its probability."""
    shares = np.cumsum(probabilities, axis=1)
    place = (shares < uniform[:, None] * shares[:, -1:]).sum(axis=1)
    return np.asarray(np.minimum(place, probabilities.shape[1] - 1), np.float64)


def _fitted(
    observed: Observed, features: Matrix, unknown: Matrix, fits: dict[str, Vector] | None = None
) -> tuple[Matrix, Matrix]:
    rows, place = observed.sample(LEARN_ROWS), f"multinomial {features.shape[1]}"
    data = augmented(features[rows], observed.values[rows], observed.classes, observed.everyone(features, unknown))
    found = fitted(*data, observed.classes, None if fits is None else fits.get(place))
    if fits is not None:
        fits[place] = found[0]
    return found


def chances(features: Matrix, beta: Matrix, log_odds: Matrix | None = None) -> Matrix:
    """(n, classes) probabilities, given (classes - 1, p) coefficients."""
    score = np.concatenate([np.zeros((len(features), 1)), features @ beta.T], axis=1)
    if log_odds is not None:
        score = score + log_odds
    score -= score.max(axis=1, keepdims=True)
    weight = np.exp(score)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def fitted(
    features: Matrix, codes: Vector, weights: Vector, classes: int, start: Matrix | None = None
) -> tuple[Matrix, Matrix]:
    """Coefficients (classes - 1, p) and a root of their covariance, by Newton's method with halved steps.

    Raises:
        LinAlgError: the information matrix is singular or not finite.
    """
    width = features.shape[1]
    beta = np.zeros((classes - 1, width)) if start is None else start.copy()
    root = np.empty(((classes - 1) * width,) * 2)
    x, y, each = (np.require(one, np.float64, _TAKEN).ravel() for one in (features, codes, weights))
    if not _kernel.fit_logits(x, y, each, classes, beta.ravel(), root.ravel()):
        raise np.linalg.LinAlgError("the information of the coefficients is singular")
    return beta, root
