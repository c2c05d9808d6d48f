"""How much each coordinate should weigh for a target, learnt from the observed cells."""

from collections.abc import Sequence

import numpy as np

from imputedb.neighbours.attribute import Attribute
from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Ints

BINS = 16
ROWS = 20_000
FLOOR = 0.01
"""What a coordinate that explains nothing still weighs beside one that explains all: it breaks ties."""


def learnt(attributes: Sequence[Attribute], target: int, order: Ints) -> Floats:
    """(d,) the share of a target's variance that each coordinate alone explains, the adjusted correlation ratio.

    1. Every coordinate is cut into at most 16 classes at its quantiles, categories as they are; a missing value is no
       class, and its rows do not count.
    2. eta^2 = between-class sum of squares / total sum of squares (Pearson 1905), less what chance explains; of a
       target of categories the same over their indicators, which is Goodman and Kruskal's tau.
    3. The weight is max(eta^2, 0.01); the target itself weighs nothing.

    Warning: a coordinate is judged alone. Two that say the same both count in full.

    Args:
        attributes: the columns.
        target: the place of the target among them.
        order: (n,) row numbers in a random order; at most 20,000 rows are looked at.
    """
    rows = order[:ROWS]
    rows = rows[attributes[target].observed[rows]]
    wanted = _indicators(attributes[target], rows)
    weights = [
        0.0 if place == target else max(_explained(attribute, rows, wanted), FLOOR)
        for place, attribute in enumerate(attributes)
    ]
    return np.array(weights)


def _indicators(attribute: Attribute, rows: Ints) -> Floats:
    values = attribute.located(rows)
    if attribute.measure.graded:
        return values[:, None]
    levels, codes = np.unique(values, return_inverse=True)
    common = np.argsort(-np.bincount(codes, minlength=len(levels)), kind="stable")[: 2 * BINS]
    return np.asarray(codes[:, None] == common[None, :], np.float64)


def _explained(attribute: Attribute, rows: Ints, wanted: Floats) -> float:
    values = attribute.located(rows)
    there = ~np.isnan(values)
    values, wanted = values[there], wanted[there]
    if len(values) < 2:
        return 0.0
    classes = _classes(values, graded=attribute.measure.graded)
    counts = np.bincount(classes)
    centred = wanted - wanted.mean(axis=0)
    total = float((centred**2).sum())
    sums = np.stack([np.bincount(classes, weights=column) for column in centred.T], axis=1)
    between = float((sums[counts > 0] ** 2 / counts[counts > 0, None]).sum())
    spare = len(values) - np.count_nonzero(counts)
    if total <= 0 or spare <= 0:
        return 0.0
    return 1 - (1 - between / total) * (len(values) - 1) / spare


def _classes(values: Floats, *, graded: bool) -> Ints:
    if not graded:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)
