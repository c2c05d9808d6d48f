"""Boosted trees on the kernel, as sums."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.kernel import _kernel
from imputedb.models.function import Forest
from imputedb.models.lesson import Lesson

SQUARED, LOGISTIC, SOFTMAX = range(3)


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown.

    Attributes:
        rounds: at most.
        patience: rounds that may bring nothing on held rows before it ends.
        leaves: of a tree.
        depth: of a tree.
        min_leaf: rows of a leaf at least.
        rate: share of a leaf's step that is taken.
        l2: rows that say a leaf's step is 0.
    """

    rounds: int = 100
    patience: int = 8
    leaves: int = 16
    depth: int = 8
    min_leaf: int = 10
    rate: float = 0.2
    l2: float = 1.0


def within(leaves: int | None, classes: int, most: int | None = None) -> Growth:
    """How trees are grown whose leaves are at most so many, about, of all scores of so many classes together.

    Args:
        leaves: at most; None for no bound.
        classes: of a category; 0 of numbers.
        most: rounds, where no bound on leaves says fewer.
    """
    if leaves is None:
        return Growth() if most is None else Growth(rounds=most)
    each = max(1, leaves // (classes if classes > 2 else 1))
    size = next((one for one in (16, 8, 4) if each >= 4 * one), 4)
    rounds = max(1, each // size)
    return Growth(rounds=rounds if most is None else min(rounds, most), leaves=size, rate=min(0.8, 2 / rounds))


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """What boosting gives.

    Attributes:
        forests: one a score.
        losses: of the held rows, before and after each round.
        scores: (scores, n) of all rows, after the last round that counts.
    """

    forests: tuple[Forest, ...]
    losses: tuple[float, ...]
    scores: Matrix

    @property
    def rounds(self) -> int:
        """How many count."""
        return len(self.forests[0].roots)


def boost(
    lesson: Lesson,
    start: Matrix,
    held: NDArray[np.bool_],
    growth: Growth,
    classes: int,
) -> Boosted:
    """Trees on what is left of a lesson by (scores, n) first scores: one score of numbers, and of two classes.

    The held rows teach nothing, and say when to end; without them all rounds are run.
    """
    loss = SQUARED if not classes else LOGISTIC if classes == 2 else SOFTMAX
    scores = np.ascontiguousarray(start, np.float64).copy()
    forests, losses = _kernel.boost(
        np.ascontiguousarray(lesson.x).ravel(),
        lesson.levels,
        lesson.y,
        np.where(held, 0.0, lesson.weight),
        held.astype(np.uint8),
        scores.ravel(),
        loss,
        len(start),
        growth.rounds,
        growth.patience,
        growth.leaves,
        growth.depth,
        growth.min_leaf,
        growth.rate,
        growth.l2,
        lesson.watch,
    )
    return Boosted(tuple(map(Forest.of, forests)), tuple(losses), scores)


def first_scores(lesson: Lesson, weight: Vector, classes: int) -> Vector:
    """(scores,) where boosting starts: the mean, or logarithms of shares."""
    if not classes:
        return np.array([np.average(lesson.y, weights=weight)])
    shares = np.bincount(lesson.y.astype(np.intp), weight, classes) / weight.sum() + 1e-6
    if classes == 2:
        return np.array([np.log(shares[1] / shares[0])])
    return np.asarray(np.log(shares))
