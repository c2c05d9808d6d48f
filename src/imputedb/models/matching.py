"""Functions that draw: donors by what is predicted of them, categories by their probabilities."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector
from imputedb.models.applying import expected, summed
from imputedb.models.boosting import Growth, boost
from imputedb.models.function import Cases, Constant, Function, Joint, Matched, Sum
from imputedb.models.lesson import Lesson
from imputedb.models.ridge import ridge
from imputedb.models.sums import in_units
from imputedb.models.tree import scores

NEAREST = 5
"""Donors that are drawn from."""

FEWEST = 200
"""Rows that are not in a bootstrap, at least, for them alone to be its donors."""

LEAVES = 8
"""Groups of rows of which predictions are about as sure, at most."""


def drawn(lesson: Lesson, times: NDArray[np.intp], known: NDArray[np.bool_], rounds: int) -> Function:
    """A function that draws, learnt from a bootstrap of the rows.

    1. A linear function and trees on what it leaves are learnt from the bootstrap.
    2. Of numbers, donors are the rows that are not in it, of which predictions are therefore as wrong as of any row.
       A tree of how wrong they are groups rows whose predictions are about as sure, so that a row of which little is
       known takes values that differ as much as those of such rows do.

    Args:
        lesson: all rows.
        times: (n,) how often each is in the bootstrap.
        known: (n,) whether the target is observed.
        rounds: of trees.
    """
    if len(np.unique(lesson.y[times > 0])) < 2:
        return _one(lesson, times)
    growth = Growth(rounds=rounds)
    some = replace(lesson, weight=times.astype(np.float64))
    none = np.zeros(len(lesson.y), bool)
    if lesson.classes:
        return scores(some, growth)
    middle, spread = float(np.average(lesson.y, weights=times)), float(np.std(lesson.y))
    standard = replace(some, y=(lesson.y - middle) / spread)
    line = ridge(lesson.features, lesson.x, standard.y, some.weight)
    found = boost(standard, summed(line, lesson.x, lesson.everyone)[None], none, growth, 0)
    forest = found.forests[0] if found.rounds else None
    whole = in_units(Sum(line.intercept, line.terms, 0.0, forest), middle, spread)
    donors = known & (times == 0)
    if donors.sum() < FEWEST:
        donors = known
    return matched(lesson, whole, donors)


def _one(lesson: Lesson, times: NDArray[np.intp]) -> Constant:
    """The only value that a bootstrap has, or the first of the rows where it has none."""
    return Constant(float(lesson.y[times > 0][0] if (times > 0).any() else lesson.y[0]))


def matched(lesson: Lesson, centre: Sum | Cases | Joint, donors: NDArray[np.bool_]) -> Matched:
    """Donors by what is predicted of them, in groups of rows of which that is about as sure."""
    found = expected(centre, lesson.x, lesson.everyone)
    sure, leaf = _sure(lesson, np.abs(lesson.y - found), donors)
    places = np.flatnonzero(donors)
    order = places[np.lexsort((lesson.y[places], found[places], leaf[places]))]
    starts = np.searchsorted(leaf[order], np.arange(int(leaf.max()) + 2))
    return Matched(centre, sure, starts.astype(np.int64), found[order], lesson.y[order], NEAREST)


def _sure(lesson: Lesson, wrong: Vector, donors: NDArray[np.bool_]) -> tuple[Sum, NDArray[np.intp]]:
    """A tree of how wrong predictions are, whose values are the numbers of its leaves; and the leaf of each row."""
    size = int(donors.sum())
    root = np.sqrt(wrong / (wrong[donors].mean() or 1.0))
    middle = float(root[donors].mean())
    growth = Growth(rounds=1, leaves=LEAVES, min_leaf=max(FEWEST // 2, size // 16), rate=1.0, l2=0.0)
    task = replace(lesson, y=root, weight=donors.astype(np.float64))
    forest = boost(task, np.full((1, len(root)), middle), np.zeros(len(root), bool), growth, 0).forests[0]
    leaves = np.flatnonzero(forest.features < 0)
    numbers = forest.thresholds.copy()
    numbers[leaves] = np.arange(len(leaves))
    sure = Sum(0.0, (), 0.0, forest.with_thresholds(numbers))
    return sure, summed(sure, lesson.x, lesson.everyone).astype(np.intp)
