"""Linear functions and boosted trees, combined by their accuracy on hidden cells."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.applying import summed
from imputedb.models.boosting import Growth, boost, first_scores
from imputedb.models.function import Function, Scores, Sum
from imputedb.models.mean import centre
from imputedb.models.quality import Quality, quality_of_categories, quality_of_numbers
from imputedb.models.ridge import ridge
from imputedb.models.sums import in_units, mixed
from imputedb.models.training_data import FOLDS, TrainingData, most_frequent_categories

FEW = 20
"""Number of known cells below which a column is given its mean."""

SLOW = 20_000
"""Number of rows beyond which accuracy is measured on one fold only."""

CLEARLY = 0.03
"""Share of the squared error that a mixture has to save to be worth both functions."""


@dataclass(frozen=True, slots=True)
class FittedFunction:
    """The function of a target's expected value.

    Attributes:
        function: the function.
        quality: its accuracy on hidden cells.
        rounds: the number of boosting rounds that improved it.
    """

    function: Function
    quality: Quality
    rounds: int


def expected(data: TrainingData, growth: Growth = Growth()) -> FittedFunction:  # noqa: B008
    """The function of a target's expected value.

    1. Rows are split into folds. Trees are boosted without one fold, until they no longer improve on it: from the mean
       and, for numbers, also from a linear function.
    2. Predictions of held-out rows decide the weights of both (stacked regressions, Breiman 1996). The mean is used
       where their mixture is no more accurate than it.
    3. The functions are fitted again to all rows, with about as many rounds as improved them.
    """
    if len(data.y) < FEW or len(np.unique(data.y)) < 2:
        return constant(data)
    found = _expected_category(data, growth) if data.classes else _expected_number(data, growth)
    return found if found.quality.error < found.quality.baseline_error else replace(constant(data), rounds=found.rounds)


def constant(data: TrainingData) -> FittedFunction:
    """The mean, or the mode, as a function."""
    plain = centre(data.features[data.target], data.y)
    values = np.full(len(data.y), plain.value)
    if data.classes:
        return FittedFunction(plain, quality_of_categories(data.y, values, data.pattern_weight, plain.value, "mean"), 0)
    return FittedFunction(plain, quality_of_numbers(data.y, values, data.pattern_weight, "mean"), 0)


def _folds(data: TrainingData) -> range:
    return range(FOLDS if len(data.y) <= SLOW else 1)


def _expected_number(data: TrainingData, growth: Growth) -> FittedFunction:
    middle, spread = float(np.average(data.y, weights=data.weight)), float(np.std(data.y))
    standard = replace(data, y=(data.y - middle) / spread)
    folds = _folds(data)
    seen = np.isin(data.fold, folds)
    apart = np.zeros((2, len(data.y)))
    rounds = np.zeros((2, len(folds)))
    for fold in folds:
        held = data.fold == fold
        for place, linear in enumerate((True, False)):
            _, scores, count = _fitted_sum(standard, held, growth, linear=linear)
            apart[place, held], rounds[place, fold] = scores[held], count
    weights = _stacking_weights(apart[:, seen], standard.y[seen], data.weight[seen])
    none, sums = np.zeros(len(data.y), bool), []
    for place, linear in enumerate((True, False)):
        if weights[place] == 0:
            sums.append(Sum(0.0))
            continue
        most = replace(growth, rounds=int(np.ceil(1.1 * rounds[place].mean())))
        sums.append(_fitted_sum(standard, none, most, linear=linear)[0])
    scored = scored_rows(data, seen)
    quality = quality_of_numbers(standard.y[scored], weights @ apart[:, scored], data.pattern_weight[scored], "tree")
    function = in_units(mixed(sums, weights.tolist(), 0.0), middle, spread)
    return FittedFunction(function, quality, int(np.ceil(rounds[0].mean())))


def scored_rows(data: TrainingData, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) the held-out rows that are like rows which miss the target; all held-out rows where none is."""
    found = held & (data.pattern_weight > 0)
    return found if found.any() else held


def _stacking_weights(apart: Matrix, y: Vector, weight: Vector) -> Vector:
    """(2,) the weights of two predictions: the better one alone, unless a mixture is clearly better."""
    from scipy.optimize import nnls

    root = np.sqrt(weight)
    goal, both = y * root, apart * root
    single = np.clip((both @ goal) / np.maximum((both**2).sum(axis=1), 1e-300), 0, 1)
    left = ((goal - single[:, None] * both) ** 2).sum(axis=1)
    mixture, norm = nnls(both.T, goal)
    if norm**2 < (1 - CLEARLY) * left.min():
        return np.asarray(np.minimum(mixture, 1.0))
    return np.where(np.arange(2) == left.argmin(), single, 0.0)


def _fitted_sum(
    data: TrainingData, held: NDArray[np.bool_], growth: Growth, *, linear: bool
) -> tuple[Sum, Vector, int]:
    """A sum fitted to the rows that are not held out, its values at all rows, and its number of rounds."""
    weight = np.where(held, 0.0, data.weight)
    line = ridge(data.features, data.x, data.y, weight) if linear else Sum(first_scores(data, weight, 0)[0])
    found = boost(data, summed(line, data.x, data.all_rows)[None], held, growth, 0)
    whole = Sum(float(line.intercept), line.terms, 0.0, found.forests[0] if found.rounds else None)
    return whole, found.scores[0], found.rounds


def _expected_category(data: TrainingData, growth: Growth) -> FittedFunction:
    codes, some = most_frequent_categories(data)
    folds = _folds(some)
    seen = np.isin(some.fold, folds)
    apart, rounds = np.zeros(len(some.y)), []
    for fold in folds:
        held = some.fold == fold
        found = boost(some, _initial_scores(some, len(codes), held), held, growth, len(codes))
        apart[held] = _predicted_category(found.scores)[held]
        rounds.append(found.rounds)
    count = int(np.ceil(1.1 * np.mean(rounds)))
    function = scores(data, replace(growth, rounds=count))
    scored = scored_rows(some, seen)
    most = float(np.bincount(some.y.astype(np.intp), some.weight).argmax())
    return FittedFunction(
        function, quality_of_categories(some.y[scored], apart[scored], some.pattern_weight[scored], most, "tree"), count
    )


def scores(data: TrainingData, growth: Growth) -> Scores:
    """The scores of the most frequent categories: logarithms of their probabilities up to a constant."""
    codes, some = most_frequent_categories(data)
    if len(codes) < 2:
        return Scores(codes, (Sum(0.0),))
    none = np.zeros(len(some.y), bool)
    start = _initial_scores(some, len(codes), none)
    found = boost(some, start, none, growth, len(codes))
    trees = found.forests if found.rounds else (None,) * len(found.forests)
    sums = [Sum(float(one[0]), (), 0.0, forest) for one, forest in zip(start, trees, strict=True)]
    return Scores(codes, (Sum(0.0), sums[0]) if len(codes) == 2 else tuple(sums))


def _initial_scores(data: TrainingData, classes: int, held: NDArray[np.bool_]) -> Matrix:
    first = first_scores(data, np.where(held, 0.0, data.weight), classes)
    return np.repeat(first[:, None], len(data.y), axis=1)


def _predicted_category(found: Matrix) -> Vector:
    """(n,) the category with the largest score; of equal scores, the first."""
    if len(found) == 1:
        return np.asarray(found[0] > 0, np.float64)
    return np.asarray(found.argmax(axis=0), np.float64)
