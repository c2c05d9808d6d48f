"""Training data of one target: rows where it is observed, with missing values like those of the rows to impute."""

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
"""Largest number of categories that are told apart, the most frequent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The training data of one target.

    Attributes:
        features: the columns.
        target: the place of the target among the features.
        x: (features, n) the rows, NaN where a value is missing or hidden; the target's own line is NaN.
        y: (n,) the target.
        weight: (n,) the weights of rows.
        fold: (n,) the fold of each row, below `FOLDS`; copies of a row are in the same fold.
        like: (n,) weights under which rows lack as many values as the rows that miss the target.
        watch: a callback that is called during training; an exception in it ends training.
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
        """Number of the target's categories; 0 for numbers."""
        return self.features[self.target].classes

    @property
    def levels(self) -> NDArray[np.int32]:
        """(features,) numbers of levels; 0 for numbers."""
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
    """Training data of a target: the rows where it is known, with missing values as in the rows where it is not.

    Each row takes the missing values of a random row that misses the target. A function learnt from such rows gives the
    expected value given what an incomplete row has.

    Args:
        features: the columns.
        x: (features, n) the rows.
        y: (n,) the target; NaN where it is unknown.
        target: its place among the features.
        keys: (n,) the keys of the rows.
        gaps: (g, features) what is missing in each row that misses the target.
        what: the purpose of the random numbers, the seed first.
        own: whether each row is also used with its own missing values only; both copies then have weight 1/2.
        watch: a callback that is called during training.
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
    """(n,) weights of mean 1 under which rows lack as many values as those that miss the target.

    The target itself counts as lacking in all of them.
    """
    if not len(gaps):
        return np.ones(x.shape[1])
    lacking, wanted = np.isnan(x).sum(axis=0), gaps.sum(axis=1)
    size = len(x) + 1
    have, want = np.bincount(lacking, minlength=size), np.bincount(wanted, minlength=size) / len(wanted)
    found = (want / np.maximum(have, 1))[lacking]
    return found / found.mean() if found.any() else np.ones(x.shape[1])


def folds(keys: Keys, seed: int | str) -> NDArray[np.intp]:
    """(n,) the cross-validation fold of each row, below `FOLDS`."""
    return (random.uniform(keys, seed, "fold") * FOLDS).astype(np.intp)


def frequent(lesson: Lesson) -> tuple[tuple[int, ...], Lesson]:
    """The most frequent categories, and the rows that have one of them, coded by place among these."""
    counts = np.bincount(lesson.y.astype(np.intp), lesson.weight, lesson.classes)
    codes = np.sort(np.argsort(-counts, kind="stable")[: min(CATEGORIES, np.count_nonzero(counts))])
    places = np.full(lesson.classes, -1.0)
    places[codes] = np.arange(len(codes))
    y = places[lesson.y.astype(np.intp)]
    kept = y >= 0
    own = lesson.weight[kept], lesson.fold[kept], lesson.like[kept], lesson.watch
    return tuple(codes.tolist()), Lesson(lesson.features, lesson.target, lesson.x[:, kept], y[kept], *own)
