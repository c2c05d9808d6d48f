"""Functions for random draws: donors for numbers by predictive mean matching, categories by their probabilities."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector
from imputedb.models import logit
from imputedb.models.applying import expected, summed
from imputedb.models.boosting import Growth, boost
from imputedb.models.function import (
    Constant,
    Function,
    JointNormal,
    MeanMatching,
    PatternCases,
    ResidualDraw,
    Scores,
    Sum,
)
from imputedb.models.ridge import ridge
from imputedb.models.sums import in_units
from imputedb.models.training_data import TrainingData, most_frequent_categories

NEAREST = 5
"""Number of nearest donors to draw from."""

FEWEST = 100
"""Smallest number of donors in a group of similar precision."""

RESIDUALS = 256
"""Largest number of residuals of a function that adds one to a prediction."""

LEAVES = 8
"""Largest number of groups of similar precision."""


def drawn(data: TrainingData, times: NDArray[np.intp], known: NDArray[np.bool_], growth: Growth) -> Function:
    """A function for random draws, fitted to a bootstrap of the rows.

    1. A linear function, and boosted trees on its residuals, are fitted to the bootstrap.
    2. For numbers, donors are the rows of the bootstrap where the target is observed, each as often as it stands there;
       the distribution of residuals is thus resampled too. A tree fitted to the absolute errors groups rows by the
       precision of their predictions. A row with few values therefore takes donors with large errors.

    Args:
        data: all rows.
        times: (n,) how often each row stands in the bootstrap.
        known: (n,) whether the target is observed.
        growth: the hyperparameters of the trees.
    """
    if len(np.unique(data.y[times > 0])) < 2:
        return _only_value(data, times)
    if data.classes:
        return _boosted_scores(replace(data, weight=times.astype(np.float64)), growth)
    donors = np.where(known, times, 0)
    return mean_matching(data, _boosted_sum(data, times, growth), donors if donors.any() else known.astype(np.intp))


def residual_draw(data: TrainingData, times: NDArray[np.intp], growth: Growth) -> Function:
    """A function that draws a number around a prediction, fitted to a bootstrap of the rows.

    Residuals are those of the rows outside the bootstrap, or of all rows where none is outside, less their mean.
    """
    if len(np.unique(data.y[times > 0])) < 2:
        return _only_value(data, times)
    centre = _boosted_sum(data, times, growth)
    apart = np.flatnonzero(times == 0)
    apart = apart if len(apart) else data.all_rows
    wrong = data.y[apart] - summed(centre, data.x, apart)
    shares = (np.arange(min(len(wrong), RESIDUALS)) + 0.5) / min(len(wrong), RESIDUALS)
    residuals = np.quantile(wrong - wrong.mean(), shares)
    return ResidualDraw(centre, tuple(residuals.tolist()), float(data.y.min()), float(data.y.max()))


def _boosted_sum(data: TrainingData, times: NDArray[np.intp], growth: Growth) -> Sum:
    """A linear function and boosted trees on its residuals, fitted to a bootstrap."""
    middle, deviation = float(np.average(data.y, weights=times)), float(np.std(data.y))
    weight, none = times.astype(np.float64), np.zeros(len(data.y), bool)
    standard = replace(data, y=(data.y - middle) / deviation, weight=weight)
    line = ridge(data.features, data.x, standard.y, weight)
    found = boost(standard, summed(line, data.x, data.all_rows)[None], none, growth, 0)
    forest = found.forests[0] if found.rounds else None
    return in_units(Sum(line.intercept, line.terms, 0.0, forest), middle, deviation)


def _boosted_scores(data: TrainingData, growth: Growth) -> Scores:
    """Linear scores and boosted trees that start from them; trees alone would draw all rows too much alike."""
    line = logit.scores(data)
    if len(line.codes) < 2:
        return line
    _, some = most_frequent_categories(data)
    binary = len(line.codes) == 2
    started = line.sums[1:] if binary else line.sums
    first = np.stack([summed(one, some.x, some.all_rows) for one in started])
    found = boost(some, first, np.zeros(len(some.y), bool), growth, len(line.codes))
    if not found.rounds:
        return line
    grown = [replace(one, forest=forest) for one, forest in zip(started, found.forests, strict=True)]
    return Scores(line.codes, (line.sums[0], *grown) if binary else tuple(grown))


def _only_value(data: TrainingData, times: NDArray[np.intp]) -> Constant:
    """The only value in a bootstrap, or that of the first row where the bootstrap is empty."""
    return Constant(float(data.y[times > 0][0] if (times > 0).any() else data.y[0]))


def mean_matching(
    data: TrainingData, centre: Sum | PatternCases | JointNormal, donors: NDArray[np.intp]
) -> MeanMatching:
    """Predictive mean matching among donors of similar precision.

    Args:
        data: all rows.
        centre: the prediction.
        donors: (n,) how often each row is a donor.
    """
    found = expected(centre, data.x, data.all_rows)
    sure, leaf = _precision_groups(data, np.abs(data.y - found), donors)
    places = np.repeat(data.all_rows, donors)
    order = places[np.lexsort((data.y[places], found[places], leaf[places]))]
    starts = np.searchsorted(leaf[order], np.arange(int(leaf.max()) + 2))
    return MeanMatching(centre, sure, starts.astype(np.int64), found[order], data.y[order], NEAREST)


def _precision_groups(data: TrainingData, wrong: Vector, donors: NDArray[np.intp]) -> tuple[Sum, NDArray[np.intp]]:
    """A tree fitted to prediction errors, its values the numbers of its leaves; and the leaf of each row."""
    some = donors > 0
    root = np.sqrt(wrong / (wrong[some].mean() or 1.0))
    middle = float(np.average(root, weights=donors))
    growth = Growth(rounds=1, leaves=LEAVES, min_leaf=max(FEWEST, int(some.sum()) // 16), rate=1.0, l2=0.0)
    task = replace(data, y=root, weight=donors.astype(np.float64))
    forest = boost(task, np.full((1, len(root)), middle), np.zeros(len(root), bool), growth, 0).forests[0]
    leaves = np.flatnonzero(forest.features < 0)
    numbers = forest.thresholds.copy()
    numbers[leaves] = np.arange(len(leaves))
    sure = Sum(0.0, (), 0.0, forest.with_thresholds(numbers))
    return sure, summed(sure, data.x, data.all_rows).astype(np.intp)
