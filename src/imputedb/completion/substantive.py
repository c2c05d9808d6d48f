"""Substantive models: posterior draws of their parameters, and likelihoods of outcomes."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imputedb.imputers.chained import logistic, multinomial, regression
from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import Matrix, Vector

SEPARATED = 15.0
"""Size of a coefficient, for features of variance 1, above which the outcome counts as separated."""


class Drawn(Protocol):
    """A model with parameters drawn from their posterior."""

    def log_chance(self, y: Vector, x: Matrix) -> Vector:
        """(n,) log density of the outcomes, relative to its maximum."""

    def outcome(self, x: Matrix, normal: Vector, uniform: Vector) -> Vector:
        """(n,) random outcomes."""


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
        """Log probability of the observed outcomes."""
        with np.errstate(all="ignore"):
            return np.asarray(-np.logaddexp(0.0, np.where(y > 0, -1, 1) * (x @ self.beta)))

    def outcome(self, x: Matrix, normal: Vector, uniform: Vector) -> Vector:  # noqa: ARG002
        """0 or 1."""
        return np.asarray(uniform < logistic.logistic(x @ self.beta), np.float64)


def drawn(model: str, x: Matrix, y: Vector, generator: np.random.Generator) -> Drawn:
    """The model `ols` or `logit` with parameters drawn from their posterior under a flat prior."""
    if model == "ols":
        return Linear(*regression.of_rows(x, y).drawn(generator))
    (beta,), root = multinomial.fitted(x, y, np.ones(len(y)), 2)
    if not np.isfinite(beta).all() or np.abs(beta).max(initial=0.0) > SEPARATED:
        (beta,), root = multinomial.fitted(*augmented(x, y, 2), 2)
    return Logit(beta + root @ generator.standard_normal(len(beta)))
