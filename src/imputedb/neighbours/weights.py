"""Weights of coordinates for a target, learnt from observed cells."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.column import Attribute
from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Ints

BINS = 16
ROWS = 20_000
FLOOR = 0.01
"""What a coordinate that explains nothing still weighs beside one that explains all: it breaks ties."""


class WeightLearner:
    """A learner of weights: the share of the target's variance that a coordinate alone explains.

    1. Every coordinate is cut into at most 16 classes at its quantiles; categories are classes. Rows with a missing
       value are left out.
    2. eta^2 = between-class sum of squares / total sum of squares (Pearson 1905), less its expectation by chance. For a
       categorical target it is computed over the indicators, which gives Goodman and Kruskal's tau.
    3. The weight is max(eta^2, 0.01); that of the target itself is 0.

    Warning: coordinates are judged one by one. Two redundant ones both count in full.

    Args:
        attributes: columns of the table.
        order: (n,) row numbers in a random order; at most 20,000 rows are read.
    """

    def __init__(self, attributes: Sequence[Attribute], order: Ints) -> None:
        self._attributes = attributes
        self._rows = order[:ROWS]
        self._classes: list[Ints] | None = None

    def weights(self, target: int) -> Floats:
        """(d,) the weights of the coordinates."""
        if self._classes is None:
            self._classes = [_classes(a.located(self._rows), graded=a.measure.graded) for a in self._attributes]
        wanted, there = _indicators(self._attributes[target], self._rows)
        found = [max(_explained(classes[there], wanted), FLOOR) for classes in self._classes]
        found[target] = 0.0
        return np.array(found)


def _indicators(attribute: Attribute, rows: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """The target's observed values, for categories as indicators of the most frequent ones; and where it is observed.

    Infinite values are left out, since their variance is undefined.
    """
    values = attribute.located(rows)
    there = np.isfinite(values)
    if attribute.measure.graded:
        return values[there][:, None], there
    levels, codes = np.unique(values[there], return_inverse=True)
    common = np.argsort(-np.bincount(codes, minlength=len(levels)), kind="stable")[: 2 * BINS]
    return np.asarray(codes[:, None] == common[None, :], np.float64), there


def _classes(values: Floats, *, graded: bool) -> Ints:
    """(r,) the class of each value, -1 where it is missing."""
    there = ~np.isnan(values)
    classes = np.full(len(values), -1, np.int64)
    if graded and there.any():
        edges = np.unique(np.quantile(values[there], np.linspace(0, 1, BINS + 1)[1:-1]))
        classes[there] = np.searchsorted(edges, values[there], side="right")
    elif there.any():
        classes[there] = np.unique(values[there], return_inverse=True)[1]
    return classes


def _explained(classes: Ints, wanted: Floats) -> float:
    there = classes >= 0
    classes, wanted = classes[there], wanted[there]
    count = len(classes)
    if count < 2:
        return 0.0
    counts = np.bincount(classes)
    used = counts > 0
    centred = wanted - wanted.mean(axis=0)
    total = float((centred**2).sum())
    sums = np.stack([np.bincount(classes, weights=column) for column in centred.T], axis=1)
    between = float((sums[used] ** 2 / counts[used, None]).sum())
    spare = count - int(used.sum())
    if total <= 0 or spare <= 0:
        return 0.0
    return 1 - (1 - between / total) * (count - 1) / spare
