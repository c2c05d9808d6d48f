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
class TrainingData:
    """The training data of one target.

    Attributes:
        features: the columns.
        target: the place of the target among the features.
        x: (features, n) the rows, NaN where a value is missing or hidden; the target's own line is NaN.
        y: (n,) the target.
        weight: (n,) the weights of rows.
        fold: (n,) the fold of each row, below `FOLDS`; copies of a row are in the same fold.
        pattern_weight: (n,) weights under which rows lack as many values as the rows that miss the target.
        watch: a callback that is called during training; an exception in it ends training.
    """

    features: Sequence[Feature]
    target: int
    x: Matrix
    y: Vector
    weight: Vector
    fold: NDArray[np.intp]
    pattern_weight: Vector
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
    def all_rows(self) -> NDArray[np.int64]:
        """(n,) places of all rows."""
        return np.arange(len(self.y))


def training_data(
    features: Sequence[Feature],
    x: Matrix,
    y: Vector,
    target: int,
    keys: Keys,
    gaps: NDArray[np.bool_],
    *what: int | str,
    own: bool,
    watch: Progress | None = None,
) -> TrainingData:
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
    masked = x[:, known].copy()
    if len(gaps):
        picked = (random.uniform(mine, *what, "gaps") * len(gaps)).astype(np.intp)
        masked[gaps[picked].T] = np.nan
    masked[target] = np.nan
    fold = folds(mine, what[0])
    if not own or not len(gaps):
        return TrainingData(
            features, target, masked, y[known], np.ones(len(known)), fold, _pattern_weights(masked, gaps), watch
        )
    plain = x[:, known].copy()
    plain[target] = np.nan
    both = np.concatenate([plain, masked], axis=1)
    weight = np.full(2 * len(known), 0.5)
    return TrainingData(
        features, target, both, np.tile(y[known], 2), weight, np.tile(fold, 2), _pattern_weights(both, gaps), watch
    )


def _pattern_weights(x: Matrix, gaps: NDArray[np.bool_]) -> Vector:
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


def most_frequent_categories(data: TrainingData) -> tuple[tuple[int, ...], TrainingData]:
    """The most frequent categories, and the rows that have one of them, coded by place among these."""
    counts = np.bincount(data.y.astype(np.intp), data.weight, data.classes)
    codes = np.sort(np.argsort(-counts, kind="stable")[: min(CATEGORIES, np.count_nonzero(counts))])
    places = np.full(data.classes, -1.0)
    places[codes] = np.arange(len(codes))
    y = places[data.y.astype(np.intp)]
    kept = y >= 0
    own = data.weight[kept], data.fold[kept], data.pattern_weight[kept], data.watch
    return tuple(codes.tolist()), TrainingData(data.features, data.target, data.x[:, kept], y[kept], *own)
