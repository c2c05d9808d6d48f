"""What neighbours say of a cell: a value, and how much they agree."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Ints

Weighting = Literal["uniform", "distance"]


def shares(distances: Floats, weighting: Weighting) -> Floats:
    """(c, k) the weight of each neighbour, 0 where there is none: 1, or 1 / distance.

    Of neighbours at distance 0 each weighs 1 and all others nothing, as in scikit-learn.
    """
    there = np.isfinite(distances)
    if weighting == "uniform":
        return there.astype(np.float64)
    exact = distances == 0
    with np.errstate(divide="ignore"):
        weights = np.where(there, 1 / distances, 0.0)
    return np.where(exact.any(axis=1, keepdims=True), exact.astype(np.float64), weights)


def mean(values: Floats, weights: Floats) -> Floats:
    """(c,) weighted means; NaN where no neighbour weighs anything."""
    heard = np.where(weights > 0, values, 0.0)  # an infinite value that weighs nothing is none
    with np.errstate(invalid="ignore"):
        averages: Floats = np.einsum("ck,ck->c", heard, weights) / weights.sum(axis=1)
    return averages


def median(values: Floats, weights: Floats) -> Floats:
    """(c,) weighted medians: where the weight below reaches one half; midway where it does exactly.

    Of equal weights this is the ordinary median.
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
    """(c, k) the weight of all neighbours that say the same as this one; 0 where there is none."""
    same = values[:, :, None] == values[:, None, :]
    total: Floats = np.einsum("cij,cj->ci", same, weights)
    return np.where(weights > 0, total, 0.0)


def mode(values: Floats, weights: Floats) -> Ints:
    """(c,) the place of a neighbour that says what most weight says; of several, the nearest one's."""
    return np.asarray(np.argmax(np.round(votes(values, weights), 12), axis=1))


def drawn(weights: Floats, uniform: Floats) -> Ints:
    """(c,) the place of one neighbour each, picked by its weight with a uniform number in [0, 1)."""
    below = np.cumsum(weights, axis=1)
    return np.asarray(np.argmax(below > uniform[:, None] * below[:, -1:], axis=1))


def variance(values: Floats, weights: Floats) -> Floats:
    """(c,) sample variance of the neighbours that weigh anything, divisor one less than their number; NaN of one."""
    there = weights > 0
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(there, values, 0.0).sum(axis=1) / count
        squares = np.where(there, (values - centre[:, None]) ** 2, 0.0).sum(axis=1)
        return np.asarray(np.where(count > 1, squares / (count - 1), np.nan))


def entropy(values: Floats, weights: Floats) -> Floats:
    """(c,) -sum(p log p) over the neighbours' shares of votes, in nats; 0 where all agree."""
    same = votes(values, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=1, keepdims=True)
        terms = np.where(weights > 0, weights / total * np.log(same / total), 0.0)
    return np.asarray(np.abs(terms.sum(axis=1)))


def effective(weights: Floats) -> Floats:
    """(c,) the number of equally weighted neighbours that would be as good: (sum w)^2 / sum w^2 (Kish 1965)."""
    squares = (weights**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(squares > 0, weights.sum(axis=1) ** 2 / squares, 0.0))


def bootstrap(observed: NDArray[np.bool_], uniform: Floats) -> NDArray[np.uint8]:
    """(n,) how often each donor is in a bootstrap of them: Poisson(1) counts, from a uniform number each.

    Without it draws would not know that the donors themselves are a sample (approximate Bayesian bootstrap, Rubin &
    Schenker 1986), and variances between imputations come out too small.
    """
    table = np.cumsum(np.exp(-1) / np.cumprod([1, 1, 2, 3, 4, 5, 6, 7, 8]))
    counts = np.where(observed, np.searchsorted(table, uniform, side="right"), 0).astype(np.uint8)
    return counts if counts.any() else observed.astype(np.uint8)
