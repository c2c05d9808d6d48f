"""Selection of the few columns that predict a target nearly as well as all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers import random
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.applying import summed
from imputedb.models.boosting import Boosted, Growth, boost, first_scores
from imputedb.models.function import Sum
from imputedb.models.training_data import TrainingData, most_frequent_categories

GIVEN_UP = 0.01
"""Share of what all columns explain that the selected ones may leave unexplained."""

SURELY = 2.0
"""Standard errors by which trees of all columns must beat the mean; otherwise no column is selected."""

GROWTH = Growth(rounds=40, leaves=8, rate=0.3, patience=4)

FEW = 20
"""Number of known cells below which nothing is selected and all columns are kept."""


@dataclass(frozen=True, slots=True)
class Screening:
    """The selected predictors of a target.

    Attributes:
        places: their places among the features, the most important first; empty where none beats the mean.
        lost_share: the share of what all columns explain that these do not, measured on hidden cells.
    """

    places: tuple[int, ...]
    lost_share: float


def screened(data: TrainingData, seed: int) -> Screening:
    """The fewest columns that explain a target nearly as well as all do.

    1. Boosted trees are fitted to all columns, with one fold held out. The importance of a column is the rise of the
       held-out loss when its values are permuted (Breiman 2001, section 10).
    2. Columns are taken in order of importance until trees of these alone explain all but `GIVEN_UP` of what all
       explain.
    """
    some = most_frequent_categories(data)[1] if data.classes else _standardised(data)
    held = some.fold == 0
    if len(some.y) < FEW or len(np.unique(some.y)) < 2 or not held.any() or held.all():
        return Screening(tuple(f for f in range(len(data.features)) if f != data.target), 0.0)
    every = _FittedTrees(some, held)
    explained = every.baseline_loss - every.loss
    if explained <= SURELY * every.standard_error:
        return Screening((), 0.0)
    losses = {f: every.without(f, seed) - every.loss for f in every.used}
    order = sorted((f for f, loss in losses.items() if loss > 0), key=lambda f: (-losses[f], f))
    count = max(1, sum(losses[f] > GIVEN_UP * explained for f in order))
    while count < len(order):
        left = 1 - (every.baseline_loss - _FittedTrees(_only_columns(some, order[:count]), held).loss) / explained
        if left <= GIVEN_UP:
            return Screening(tuple(order[:count]), max(left, 0.0))
        count += 1
    return Screening(tuple(order), 0.0)


def _standardised(data: TrainingData) -> TrainingData:
    spread = float(np.std(data.y)) or 1.0
    return replace(data, y=(data.y - float(data.y.mean())) / spread)


def _only_columns(data: TrainingData, places: Sequence[int]) -> TrainingData:
    """The same rows, with all columns but some hidden."""
    x = np.full_like(data.x, np.nan)
    x[list(places)] = data.x[list(places)]
    return replace(data, x=x)


class _FittedTrees:
    """Boosted trees of training data.

    Attributes:
        baseline_loss: the mean held-out loss of a constant: the mean, or the shares of categories.
        loss: the mean held-out loss of the trees.
        standard_error: the standard error of the difference.
        used: places of the features that the trees split by.
    """

    def __init__(self, data: TrainingData, held: NDArray[np.bool_]) -> None:
        classes = len(np.unique(data.y)) if data.classes else 0
        first = first_scores(data, np.where(held, 0.0, data.weight), classes)
        start = np.repeat(first[:, None], len(data.y), axis=1)
        self.data, self.first, self.held = data, first, np.flatnonzero(held)
        self.found: Boosted = boost(data, start, held, GROWTH, classes)
        plain, lost = self._held_out_losses(start[:, self.held]), self._held_out_losses(self.found.scores[:, self.held])
        self.baseline_loss, self.loss = float(plain.mean()), float(lost.mean())
        self.standard_error = float((plain - lost).std() / np.sqrt(len(plain)))
        splits = {int(f) for forest in self.found.forests for f in np.unique(forest.features)}
        self.used = sorted(splits - {-1})

    def without(self, feature: int, seed: int) -> float:
        """The mean held-out loss when the values of a column are permuted."""
        x: Matrix = self.data.x[:, self.held].copy()
        x[feature] = x[feature, np.argsort(random.uniform(self.held.astype(np.uint64), seed, feature, "dealt"))]
        at = np.arange(len(self.held))
        forests = self.found.forests
        sums = [Sum(float(one), (), 0.0, forest) for one, forest in zip(self.first, forests, strict=True)]
        return float(self._held_out_losses(np.stack([summed(one, x, at) for one in sums])).mean())

    def _held_out_losses(self, scores: Matrix) -> Vector:
        return _losses(self.data.y[self.held], scores, categories=self.data.classes > 0)


def _losses(y: Vector, scores: Matrix, *, categories: bool) -> Vector:
    """(n,) squared errors of numbers, negative log-likelihoods of categories."""
    if not categories:
        return np.asarray((y - scores[0]) ** 2)
    every = np.concatenate([np.zeros((1, len(y))), scores]) if len(scores) == 1 else scores
    most = every.max(axis=0)
    total = most + np.log(np.exp(every - most).sum(axis=0))
    return np.asarray(total - every[y.astype(np.intp), np.arange(len(y))])
