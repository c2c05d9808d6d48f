"""Rows that a function of one target is learnt from, with the gaps of rows that it will be asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers import random
from imputedb.imputers.chained.column_model import Keys, Matrix, Vector
from imputedb.imputers.protocol import Progress
from imputedb.models.feature import Feature

FOLDS = 3

CATEGORIES = 64
"""Categories that are told apart, the most frequent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one target is learnt from.

    Attributes:
        features: of the rows.
        target: the place of the one that is learnt.
        x: (features, n) the rows, NaN where a value is missing or hidden; the target's own line is NaN.
        y: (n,) the target.
        weight: (n,) how much each row counts.
        fold: (n,) a number below `FOLDS`; copies of a row have the same.
        like: (n,) how much each row stands for those that miss the target, by how much these lack.
        watch: told that learning is under way; what it raises stops it.
    """

    features: Sequence[Feature]
    target: int
    x: Matrix
    y: Vector
    weight: Vector
    fold: NDArray[np.intp]
    like: Vector
    watch: Progress | None = None

    @property
    def classes(self) -> int:
        """Number of the target's categories, 0 of numbers."""
        return self.features[self.target].classes

    @property
    def levels(self) -> NDArray[np.int32]:
        """(features,) number of levels, 0 of numbers."""
        return np.array([one.classes for one in self.features], np.int32)

    @property
    def everyone(self) -> NDArray[np.int64]:
        """(n,) places of all rows."""
        return np.arange(len(self.y))


def lesson(
    features: Sequence[Feature],
    x: Matrix,
    y: Vector,
    target: int,
    keys: Keys,
    gaps: NDArray[np.bool_],
    *what: int | str,
    own: bool,
    watch: Progress | None = None,
) -> Lesson:
    """Rows in which a target is known, each with the gaps of a row in which it is not laid over it.

    So that what is learnt is what a row of such gaps needs: an expected value given what it has.

    Args:
        features: of the rows.
        x: (features, n) the rows.
        y: (n,) the target; NaN where it is not known.
        target: its place among the features.
        keys: (n,) of the rows.
        gaps: (g, features) what is missing in the rows that miss the target.
        what: what random numbers are for, the seed first.
        watch: told that learning is under way.
        own: whether the rows are learnt from with their own gaps too, at half the weight each.
    """
    known = np.flatnonzero(~np.isnan(y))
    mine = keys[known]
    laid = x[:, known].copy()
    if len(gaps):
        picked = (random.uniform(mine, *what, "gaps") * len(gaps)).astype(np.intp)
        laid[gaps[picked].T] = np.nan
    laid[target] = np.nan
    fold = folds(mine, what[0])
    if not own or not len(gaps):
        return Lesson(features, target, laid, y[known], np.ones(len(known)), fold, _like(laid, gaps), watch)
    plain = x[:, known].copy()
    plain[target] = np.nan
    both = np.concatenate([plain, laid], axis=1)
    weight = np.full(2 * len(known), 0.5)
    return Lesson(features, target, both, np.tile(y[known], 2), weight, np.tile(fold, 2), _like(both, gaps), watch)


def _like(x: Matrix, gaps: NDArray[np.bool_]) -> Vector:
    """(n,) what rows are weighed by to lack as many values as those that miss the target, which is one of them."""
    if not len(gaps):
        return np.ones(x.shape[1])
    lacking, wanted = np.isnan(x).sum(axis=0), gaps.sum(axis=1)
    size = len(x) + 1
    have, want = np.bincount(lacking, minlength=size), np.bincount(wanted, minlength=size) / len(wanted)
    found = (want / np.maximum(have, 1))[lacking]
    return found / found.mean() if found.any() else np.ones(x.shape[1])


def folds(keys: Keys, seed: int | str) -> NDArray[np.intp]:
    """(n,) the fold of each row, a number below `FOLDS`."""
    return (random.uniform(keys, seed, "fold") * FOLDS).astype(np.intp)


def frequent(lesson: Lesson) -> tuple[tuple[int, ...], Lesson]:
    """The most frequent categories, and the rows that have one of them, by its place among these."""
    counts = np.bincount(lesson.y.astype(np.intp), lesson.weight, lesson.classes)
    codes = np.sort(np.argsort(-counts, kind="stable")[: min(CATEGORIES, np.count_nonzero(counts))])
    places = np.full(lesson.classes, -1.0)
    places[codes] = np.arange(len(codes))
    y = places[lesson.y.astype(np.intp)]
    kept = y >= 0
    own = lesson.weight[kept], lesson.fold[kept], lesson.like[kept], lesson.watch
    return tuple(codes.tolist()), Lesson(lesson.features, lesson.target, lesson.x[:, kept], y[kept], *own)
