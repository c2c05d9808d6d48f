"""Aggregation of neighbours' values: an estimate, and measures of agreement."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Ints

Weighting = Literal["uniform", "distance"]


def shares(distances: Floats, weighting: Weighting) -> Floats:
    """(c, k) the weight of each neighbour, 0 where there is none: 1, or 1 / distance.

    If neighbours are at distance 0, each of them has weight 1 and all others 0, as in scikit-learn.
    """
    there = np.isfinite(distances)
    if weighting == "uniform":
        return there.astype(np.float64)
    exact = distances == 0
    with np.errstate(divide="ignore"):
        weights = np.where(there, 1 / distances, 0.0)
    return np.where(exact.any(axis=1, keepdims=True), exact.astype(np.float64), weights)


def mean(values: Floats, weights: Floats) -> Floats:
    """(c,) weighted means; NaN where all weights are 0."""
    heard = np.where(weights > 0, values, 0.0)  # an infinite value of weight 0 is ignored
    with np.errstate(invalid="ignore"):
        averages: Floats = np.einsum("ck,ck->c", heard, weights) / weights.sum(axis=1)
    return averages


def median(values: Floats, weights: Floats) -> Floats:
    """(c,) weighted medians: where the cumulative weight reaches one half; the midpoint where it equals one half.

    For equal weights this is the ordinary median.
    """
    order = np.argsort(np.where(weights > 0, values, np.inf), axis=1, kind="stable")
    sorted_values = np.take_along_axis(values, order, axis=1)
    below = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    half = below[:, -1:] / 2
    low = np.argmax(below >= half * (1 - 1e-12), axis=1)
    high = np.argmax(below > half * (1 + 1e-12), axis=1)
    rows = np.arange(len(values))
    middle: Floats = (sorted_values[rows, low] + sorted_values[rows, high]) / 2
    return np.where(below[:, -1] > 0, middle, np.nan)


def votes(values: Floats, weights: Floats) -> Floats:
    """(c, k) the total weight of all neighbours with the same value as this one; 0 where there is none."""
    same = values[:, :, None] == values[:, None, :]
    total: Floats = np.einsum("cij,cj->ci", same, weights)
    return np.where(weights > 0, total, 0.0)


def mode(values: Floats, weights: Floats) -> Ints:
    """(c,) the position of a neighbour with the value of largest total weight; ties go to the nearest."""
    return np.asarray(np.argmax(np.round(votes(values, weights), 12), axis=1))


def drawn(weights: Floats, uniform: Floats) -> Ints:
    """(c,) the position of one neighbour, chosen by weight with a uniform number in [0, 1)."""
    below = np.cumsum(weights, axis=1)
    return np.asarray(np.argmax(below > uniform[:, None] * below[:, -1:], axis=1))


def variance(values: Floats, weights: Floats) -> Floats:
    """(c,) the sample variance of neighbours with positive weight (divisor n - 1); NaN for a single one."""
    there = weights > 0
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(there, values, 0.0).sum(axis=1) / count
        squares = np.where(there, (values - centre[:, None]) ** 2, 0.0).sum(axis=1)
        return np.asarray(np.where(count > 1, squares / (count - 1), np.nan))


def entropy(values: Floats, weights: Floats) -> Floats:
    """(c,) the entropy -sum(p log p) of the shares of votes, in nats; 0 where all agree."""
    same = votes(values, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=1, keepdims=True)
        terms = np.where(weights > 0, weights / total * np.log(same / total), 0.0)
    return np.asarray(np.abs(terms.sum(axis=1)))


def effective(weights: Floats) -> Floats:
    """(c,) the effective number of equally weighted neighbours, (sum w)^2 / sum w^2 (Kish 1965)."""
    squares = (weights**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(squares > 0, weights.sum(axis=1) ** 2 / squares, 0.0))


def bootstrap(observed: NDArray[np.bool_], uniform: Floats) -> NDArray[np.uint8]:
    """(n,) the multiplicity of each donor in a bootstrap sample: Poisson(1) counts, from one uniform number each.

    Without it draws would not include that the donors are a sample (approximate Bayesian bootstrap, Rubin & Schenker
    1986), and the variance between draws would be too small.
    """
    table = np.cumsum(np.exp(-1) / np.cumprod([1, 1, 2, 3, 4, 5, 6, 7, 8]))
    counts = np.where(observed, np.searchsorted(table, uniform, side="right"), 0).astype(np.uint8)
    return counts if counts.any() else observed.astype(np.uint8)
