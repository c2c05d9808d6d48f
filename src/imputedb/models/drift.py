"""Drift of rows from those that a model was fitted to: the population stability index of each column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.feature import Feature

BINS = 10
"""Bins of a numeric column, each with about as many rows."""

LEVELS = 30
"""Categories with a bin of their own, the most frequent ones; all others share a bin."""

MUCH = 0.25
"""Of a population stability index, by convention."""

SMOOTHED = 0.5
"""Rows added to each bin, so that an empty bin does not make the index infinite."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bins of one column, fixed when the model is fitted.

    Attributes:
        feature: the place of the column among the features.
        edges: (k,) for numbers, the edges of the bins, from the smallest to the largest observed value.
        levels: (l,) for categories, the codes with a bin of their own, rising.
        counts: (bins,) rows in each bin at the fit: in the bins of values, then of other values (numbers out of range,
            rare categories), then of missing ones.
    """

    feature: int
    edges: Vector
    levels: NDArray[np.int64]
    counts: NDArray[np.int64]


def bins(features: Sequence[Feature], x: Matrix) -> tuple[Bins, ...]:
    """The bins of all columns, with the counts of (features, n) rows."""
    found = []
    for place, feature in enumerate(features):
        values = x[place][~np.isnan(x[place])]
        edges, levels = np.zeros(0), np.zeros(0, np.int64)
        if feature.classes:
            counts = np.bincount(values.astype(np.intp), minlength=feature.classes)
            levels = np.sort(np.argsort(-counts, kind="stable")[:LEVELS]).astype(np.int64)
        elif len(values):
            edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
        empty = Bins(place, edges, levels, np.zeros(0, np.int64))
        found.append(Bins(place, edges, levels, counted(empty, x[place])))
    return tuple(found)


def counted(known: Bins, values: Vector) -> NDArray[np.int64]:
    """(bins,) counts of values; NaN stands for missing ones and for categories that the model does not know."""
    missing = np.isnan(values)
    seen = values[~missing]
    if len(known.levels):
        place = np.searchsorted(known.levels, seen)
        inside = known.levels[np.minimum(place, len(known.levels) - 1)] == seen
        size = len(known.levels)
    else:
        size = max(len(known.edges) - 1, len(known.edges) and 1)
        place = np.clip(np.searchsorted(known.edges, seen, "left") - 1, 0, max(size - 1, 0))
        inside = (seen >= known.edges[0]) & (seen <= known.edges[-1]) if size else np.zeros(len(seen), bool)
    counts = np.bincount(np.where(inside, place, size), minlength=size + 1)
    return np.concatenate([counts, [missing.sum()]]).astype(np.int64)


def index(then: NDArray[np.int64], now: NDArray[np.int64]) -> float | None:
    """The population stability index between counts of the same bins: the sum of (q - p) ln(q / p).

    Here p and q are the shares of each bin at the fit and now, after `SMOOTHED` rows were added to every bin. By
    convention .1 is little and .25 is much. None where either has no rows.
    """
    if not then.sum() or not now.sum():
        return None
    p, q = (one + SMOOTHED for one in (then, now))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())
