"""Bayesian linear regression from cross-products, which suffice for any number of rows."""

from dataclasses import dataclass

import numpy as np

from imputedb.imputers.chained.column_model import Matrix, Vector

COLLINEAR = 1e-7
"""Unexplained share of a predictor's variance, given the others, below which it counts as collinear."""


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A fitted linear model.

    Attributes:
        beta: (p,) least squares coefficients.
        root: (p, p) a root of V, the inverse of X'X.
        rss: residual sum of squares.
        df: rows minus coefficients, at least 1.
        note: what the fit left out; None for nothing.
    """

    beta: Vector
    root: Matrix
    rss: float
    df: float
    note: str | None = None

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return float(np.sqrt(self.rss / self.df))

    def drawn(self, generator: np.random.Generator) -> tuple[Vector, float]:
        """Coefficients and residual deviation from their posterior (Rubin 1987, page 167).

        sigma*^2 = RSS / chi-square(df), beta* = beta + sigma* V^(1/2) z.
        """
        sigma = float(np.sqrt(self.rss / generator.chisquare(self.df)))
        return self.beta + sigma * (self.root @ generator.standard_normal(len(self.beta))), sigma


def regression(gram: Matrix, cross: Vector, square: float, rows: float) -> Regression:
    """The regression of y on X, given X'X (p, p), X'y (p,), y'y and the number of rows. X has a column of ones first.

    Directions in which the predictors do not vary (collinear, constant) get coefficients of zero. With too few rows for
    the predictors only the mean is fitted.
    """
    p = len(cross)
    if rows < p + 2:
        return _mean(cross, square, rows, p)
    scale = np.sqrt(np.diag(gram))
    scale[scale == 0] = 1.0
    root, note = _root(gram / np.outer(scale, scale))
    root = root / scale[:, None]
    beta = root @ (root.T @ cross)
    # a difference of large numbers is at least their rounding error
    rss = max(float(square - cross @ beta), 1e-14 * square)
    return Regression(beta, root, rss, max(rows - p, 1.0), note)


def _mean(cross: Vector, square: float, rows: float, p: int) -> Regression:
    beta, root = np.zeros(p), np.zeros((p, p))
    beta[0] = cross[0] / rows
    root[0, 0] = 1 / np.sqrt(rows)
    rss = max(float(square - rows * beta[0] ** 2), 0.0)
    return Regression(beta, root, rss, max(rows - 1, 1.0), f"{rows:g} rows are too few for {p} coefficients: its mean")


def _root(gram: Matrix) -> tuple[Matrix, str | None]:
    """A root of the inverse of a matrix with unit diagonal, and a note on directions without variance, left out."""
    try:
        lower = np.linalg.cholesky(gram)
        if np.diag(lower).min() ** 2 > COLLINEAR:
            return np.linalg.inv(lower).T, None
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(gram)
    kept = values > COLLINEAR * values[-1]
    inverse = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return vectors * inverse, f"{int((~kept).sum())} predictors are combinations of others: left out"


def of_rows(features: Matrix, values: Vector) -> Regression:
    """The regression of values on rows of features."""
    return regression(features.T @ features, features.T @ values, float(values @ values), len(values))
