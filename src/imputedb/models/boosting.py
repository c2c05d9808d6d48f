"""Gradient-boosted trees (Friedman 2001), grown by the native kernel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.kernel import _kernel
from imputedb.models.function import Forest
from imputedb.models.training_data import TrainingData

SQUARED, LOGISTIC, SOFTMAX = range(3)


@dataclass(frozen=True, slots=True)
class Growth:
    """Hyperparameters of boosting.

    Attributes:
        rounds: the largest number of rounds.
        patience: rounds without a smaller held-out loss after which boosting ends.
        leaves: the largest number of leaves of a tree.
        depth: the largest depth of a tree.
        min_leaf: the smallest number of rows in a leaf.
        rate: the learning rate.
        l2: the L2 penalty on the values of leaves, as a number of rows.
    """

    rounds: int = 100
    patience: int = 8
    leaves: int = 16
    depth: int = 8
    min_leaf: int = 10
    rate: float = 0.2
    l2: float = 1.0


def growth_within(leaves: int | None, classes: int, most: int | None = None) -> Growth:
    """Hyperparameters under an approximate bound on the leaves of all scores together.

    Args:
        leaves: the bound; None for no bound.
        classes: the number of categories; 0 for numbers.
        most: the largest number of rounds; None for what the bound on leaves allows.
    """
    if leaves is None:
        return Growth() if most is None else Growth(rounds=most)
    each = max(1, leaves // (classes if classes > 2 else 1))
    size = next((one for one in (16, 8, 4) if each >= 4 * one), 4)
    rounds = max(1, each // size)
    return Growth(rounds=rounds if most is None else min(rounds, most), leaves=size, rate=min(0.8, 2 / rounds))


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """Boosted trees and their scores.

    Attributes:
        forests: one for each score.
        losses: the mean loss of the held-out rows, before the first round and after each.
        scores: (scores, n) after the last round that is kept; rows that are neither trained on nor held out keep their
            first scores.
    """

    forests: tuple[Forest, ...]
    losses: tuple[float, ...]
    scores: Matrix

    @property
    def rounds(self) -> int:
        """Number of rounds that are kept."""
        return len(self.forests[0].roots)


def boost(
    data: TrainingData,
    start: Matrix,
    held: NDArray[np.bool_],
    growth: Growth,
    classes: int,
) -> Boosted:
    """Trees that improve the first scores of training data.

    Held-out rows are not trained on. Their loss decides when boosting ends; without such rows all rounds are run.

    Args:
        data: the training data.
        start: (scores, n) the first scores; numbers and two categories have one score, more categories one each.
        held: (n,) whether a row is held out.
        growth: the hyperparameters.
        classes: the number of categories; 0 for numbers.
    """
    loss = SQUARED if not classes else LOGISTIC if classes == 2 else SOFTMAX
    scores = np.ascontiguousarray(start, np.float64).copy()
    forests, losses = _kernel.boost(
        np.ascontiguousarray(data.x).ravel(),
        data.levels,
        data.y,
        np.where(held, 0.0, data.weight),
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
        data.watch,
    )
    return Boosted(tuple(map(Forest.of, forests)), tuple(losses), scores)


def first_scores(data: TrainingData, weight: Vector, classes: int) -> Vector:
    """(scores,) constants where boosting starts: the mean, the log odds of two categories, or logarithms of shares."""
    if not classes:
        return np.array([np.average(data.y, weights=weight)])
    shares = np.bincount(data.y.astype(np.intp), weight, classes) / weight.sum() + 1e-6
    if classes == 2:
        return np.array([np.log(shares[1] / shares[0])])
    return np.asarray(np.log(shares))
