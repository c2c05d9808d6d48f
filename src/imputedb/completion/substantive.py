"""Substantive models, which an analysis will fit: their parameters drawn, and how likely outcomes are by them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imputedb.imputers.chained import logistic, regression
from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import Matrix, Vector

SEPARATED = 15.0
"""Coefficients of features of variance 1 beyond this say that they separate the outcome."""


class Drawn(Protocol):
    """A model with parameters drawn from their posterior."""

    def log_chance(self, y: Vector, x: Matrix) -> Vector:
        """(n,) the logarithm of the density of outcomes, over the largest that there is."""

    def outcome(self, x: Matrix, normal: Vector, uniform: Vector) -> Vector:
        """(n,) outcomes by chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """y = x beta + e, e normal."""

    beta: Vector
    sigma: float

    def log_chance(self, y: Vector, x: Matrix) -> Vector:
        """-(y - x beta)^2 / 2 sigma^2."""
        with np.errstate(all="ignore"):
            return np.asarray(-0.5 * ((y - x @ self.beta) / self.sigma) ** 2)

    def outcome(self, x: Matrix, normal: Vector, uniform: Vector) -> Vector:  # noqa: ARG002
        """x beta + e."""
        return np.asarray(x @ self.beta + self.sigma * normal)


@dataclass(frozen=True, slots=True, eq=False)
class Logit:
    """y is 1 with probability 1 / (1 + exp(-x beta))."""

    beta: Vector

    def log_chance(self, y: Vector, x: Matrix) -> Vector:
        """The logarithm of the probability of what was seen."""
        with np.errstate(all="ignore"):
            return np.asarray(-np.logaddexp(0.0, np.where(y > 0, -1, 1) * (x @ self.beta)))

    def outcome(self, x: Matrix, normal: Vector, uniform: Vector) -> Vector:  # noqa: ARG002
        """0 or 1."""
        return np.asarray(uniform < logistic.logistic(x @ self.beta), np.float64)


def drawn(model: str, x: Matrix, y: Vector, generator: np.random.Generator) -> Drawn:
    """The model `ols` or `logit` of rows, with parameters drawn from their posterior, flat a priori."""
    if model == "ols":
        return Linear(*regression.of_rows(x, y).drawn(generator))
    beta, root = logistic.fitted(x, y, np.ones(len(y)))
    if not np.isfinite(beta).all() or np.abs(beta).max(initial=0.0) > SEPARATED:
        beta, root = logistic.fitted(*augmented(x, y, 2))
    return Logit(beta + root @ generator.standard_normal(len(beta)))
