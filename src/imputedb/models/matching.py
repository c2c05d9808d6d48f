"""Functions for random draws: donors for numbers by predictive mean matching, categories by their probabilities."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector
from imputedb.models import logit
from imputedb.models.applying import expected, summed
from imputedb.models.boosting import Growth, boost
from imputedb.models.function import Cases, Constant, Function, Joint, Matched, Scores, Spread, Sum
from imputedb.models.lesson import Lesson, frequent
from imputedb.models.ridge import ridge
from imputedb.models.sums import in_units

NEAREST = 5
"""Number of nearest donors to draw from."""

FEWEST = 100
"""Smallest number of donors in a group of similar precision."""

RESIDUALS = 256
"""Largest number of residuals of a function that adds one to a prediction."""

LEAVES = 8
"""Largest number of groups of similar precision."""


def drawn(lesson: Lesson, times: NDArray[np.intp], known: NDArray[np.bool_], growth: Growth) -> Function:
    """A function for random draws, fitted to a bootstrap of the rows.

    1. A linear function, and boosted trees on its residuals, are fitted to the bootstrap.
    2. For numbers, donors are the rows of the bootstrap where the target is observed, each as often as it stands there;
       the distribution of residuals is thus resampled too. A tree fitted to the absolute errors groups rows by the
       precision of their predictions. A row with few values therefore takes donors with large errors.

    Args:
        lesson: all rows.
        times: (n,) how often each row stands in the bootstrap.
        known: (n,) whether the target is observed.
        growth: the hyperparameters of the trees.
    """
    if len(np.unique(lesson.y[times > 0])) < 2:
        return _one(lesson, times)
    if lesson.classes:
        return _categories(replace(lesson, weight=times.astype(np.float64)), growth)
    donors = np.where(known, times, 0)
    return matched(lesson, _number(lesson, times, growth), donors if donors.any() else known.astype(np.intp))


def spread(lesson: Lesson, times: NDArray[np.intp], growth: Growth) -> Function:
    """A function that draws a number around a prediction, fitted to a bootstrap of the rows.

    Residuals are those of the rows outside the bootstrap, or of all rows where none is outside, less their mean.
    """
    if len(np.unique(lesson.y[times > 0])) < 2:
        return _one(lesson, times)
    centre = _number(lesson, times, growth)
    apart = np.flatnonzero(times == 0)
    apart = apart if len(apart) else lesson.everyone
    wrong = lesson.y[apart] - summed(centre, lesson.x, apart)
    shares = (np.arange(min(len(wrong), RESIDUALS)) + 0.5) / min(len(wrong), RESIDUALS)
    residuals = np.quantile(wrong - wrong.mean(), shares)
    return Spread(centre, tuple(residuals.tolist()), float(lesson.y.min()), float(lesson.y.max()))


def _number(lesson: Lesson, times: NDArray[np.intp], growth: Growth) -> Sum:
    """A linear function and boosted trees on its residuals, fitted to a bootstrap."""
    middle, deviation = float(np.average(lesson.y, weights=times)), float(np.std(lesson.y))
    weight, none = times.astype(np.float64), np.zeros(len(lesson.y), bool)
    standard = replace(lesson, y=(lesson.y - middle) / deviation, weight=weight)
    line = ridge(lesson.features, lesson.x, standard.y, weight)
    found = boost(standard, summed(line, lesson.x, lesson.everyone)[None], none, growth, 0)
    forest = found.forests[0] if found.rounds else None
    return in_units(Sum(line.intercept, line.terms, 0.0, forest), middle, deviation)


def _categories(lesson: Lesson, growth: Growth) -> Scores:
    """Linear scores and boosted trees that start from them; trees alone would draw all rows too much alike."""
    line = logit.scores(lesson)
    if len(line.codes) < 2:
        return line
    _, some = frequent(lesson)
    binary = len(line.codes) == 2
    started = line.sums[1:] if binary else line.sums
    first = np.stack([summed(one, some.x, some.everyone) for one in started])
    found = boost(some, first, np.zeros(len(some.y), bool), growth, len(line.codes))
    if not found.rounds:
        return line
    grown = [replace(one, forest=forest) for one, forest in zip(started, found.forests, strict=True)]
    return Scores(line.codes, (line.sums[0], *grown) if binary else tuple(grown))


def _one(lesson: Lesson, times: NDArray[np.intp]) -> Constant:
    """The only value in a bootstrap, or that of the first row where the bootstrap is empty."""
    return Constant(float(lesson.y[times > 0][0] if (times > 0).any() else lesson.y[0]))


def matched(lesson: Lesson, centre: Sum | Cases | Joint, donors: NDArray[np.intp]) -> Matched:
    """Predictive mean matching among donors of similar precision.

    Args:
        lesson: all rows.
        centre: the prediction.
        donors: (n,) how often each row is a donor.
    """
    found = expected(centre, lesson.x, lesson.everyone)
    sure, leaf = _sure(lesson, np.abs(lesson.y - found), donors)
    places = np.repeat(lesson.everyone, donors)
    order = places[np.lexsort((lesson.y[places], found[places], leaf[places]))]
    starts = np.searchsorted(leaf[order], np.arange(int(leaf.max()) + 2))
    return Matched(centre, sure, starts.astype(np.int64), found[order], lesson.y[order], NEAREST)


def _sure(lesson: Lesson, wrong: Vector, donors: NDArray[np.intp]) -> tuple[Sum, NDArray[np.intp]]:
    """A tree fitted to prediction errors, its values the numbers of its leaves; and the leaf of each row."""
    some = donors > 0
    root = np.sqrt(wrong / (wrong[some].mean() or 1.0))
    middle = float(np.average(root, weights=donors))
    growth = Growth(rounds=1, leaves=LEAVES, min_leaf=max(FEWEST, int(some.sum()) // 16), rate=1.0, l2=0.0)
    task = replace(lesson, y=root, weight=donors.astype(np.float64))
    forest = boost(task, np.full((1, len(root)), middle), np.zeros(len(root), bool), growth, 0).forests[0]
    leaves = np.flatnonzero(forest.features < 0)
    numbers = forest.thresholds.copy()
    numbers[leaves] = np.arange(len(leaves))
    sure = Sum(0.0, (), 0.0, forest.with_thresholds(numbers))
    return sure, summed(sure, lesson.x, lesson.everyone).astype(np.intp)
