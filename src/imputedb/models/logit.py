"""Multinomial logistic regression with a slight ridge penalty, on rows with missing values."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.applying import expected as best
from imputedb.models.function import Function, Scores, Sum
from imputedb.models.quality import quality_of_categories
from imputedb.models.ridge import PENALTY, matrix, terms
from imputedb.models.training_data import TrainingData, most_frequent_categories
from imputedb.models.tree import FEW, FittedFunction, constant, scored_rows

STEPS = 100


def expected(data: TrainingData) -> FittedFunction:
    """A function for the most probable category; the mode, where the regression is no more accurate."""
    if len(data.y) < FEW or len(np.unique(data.y)) < 2:
        return constant(data)
    held = data.fold == 0
    apart = scores(replace(data, weight=np.where(held, 0.0, data.weight)))
    scored = scored_rows(data, held)
    plain = constant(data)
    most = float(best(plain.function, data.x, np.zeros(1, np.int64))[0])
    quality = quality_of_categories(
        data.y[scored], best(apart, data.x, np.flatnonzero(scored)), data.pattern_weight[scored], most, "logit"
    )
    return FittedFunction(scores(data), quality, 0) if quality.error < quality.baseline_error else plain


def drawn(data: TrainingData, times: NDArray[np.intp]) -> Function:
    """A function to draw categories from, fitted to a bootstrap in which row i stands `times[i]` times."""
    return scores(replace(data, weight=times.astype(np.float64)))


def scores(data: TrainingData) -> Scores:
    """Linear scores of the most frequent categories (baseline-category logits).

    A ridge penalty on all coefficients but intercepts keeps them finite where categories are separable.
    """
    codes, some = most_frequent_categories(data)
    used = some.weight > 0
    design, places = matrix(some.features, some.x[:, used], some.weight[used])
    beta = _fitted(design, some.y[used].astype(np.intp), some.weight[used], len(codes))
    sums = [Sum(float(one[0]), terms(places, some.features, one)) for one in beta]
    return Scores(codes, tuple(sums))


def _fitted(design: Matrix, y: NDArray[np.intp], weight: Vector, classes: int) -> Matrix:
    """(classes, q) coefficients; those of the first category are 0."""
    from scipy.optimize import minimize

    rows, q = design.shape
    indicators = np.zeros((rows, classes))
    indicators[np.arange(rows), y] = 1
    shrunk = PENALTY * (np.arange(q) > 0)

    def loss(flat: Vector) -> tuple[float, Vector]:
        beta = flat.reshape(classes - 1, q)
        score = np.concatenate([np.zeros((rows, 1)), design @ beta.T], axis=1)
        score -= score.max(axis=1, keepdims=True)
        total = np.log(np.exp(score).sum(axis=1))
        chance = np.exp(score - total[:, None])
        value = weight @ (total - score[np.arange(rows), y]) + (shrunk * beta**2).sum() / 2
        slope = ((chance - indicators)[:, 1:] * weight[:, None]).T @ design + shrunk * beta
        return float(value), slope.ravel()

    if classes < 2:
        return np.zeros((1, q))
    found = minimize(loss, np.zeros((classes - 1) * q), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.concatenate([np.zeros((1, q)), found.x.reshape(classes - 1, q)])
