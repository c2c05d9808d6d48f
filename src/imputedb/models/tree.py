"""Linear functions and boosted trees, combined by their accuracy on hidden cells."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.applying import summed
from imputedb.models.boosting import Growth, boost, first_scores
from imputedb.models.function import Function, Scores, Sum
from imputedb.models.lesson import FOLDS, Lesson, frequent
from imputedb.models.mean import centre
from imputedb.models.quality import Quality, of_categories, of_numbers
from imputedb.models.ridge import ridge
from imputedb.models.sums import in_units, mixed

FEW = 20
"""Number of known cells below which a column is given its mean."""

SLOW = 20_000
"""Number of rows beyond which accuracy is measured on one fold only."""

CLEARLY = 0.03
"""Share of the squared error that a mixture has to save to be worth both functions."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """The function of a target's expected value.

    Attributes:
        function: the function.
        quality: its accuracy on hidden cells.
        rounds: the number of boosting rounds that improved it.
    """

    function: Function
    quality: Quality
    rounds: int


def expected(lesson: Lesson, growth: Growth = Growth()) -> Learnt:  # noqa: B008
    """The function of a target's expected value.

    1. Rows are split into folds. Trees are boosted without one fold, until they no longer improve on it: from the mean
       and, for numbers, also from a linear function.
    2. Predictions of held-out rows decide the weights of both (stacked regressions, Breiman 1996). The mean is used
       where their mixture is no more accurate than it.
    3. The functions are fitted again to all rows, with about as many rounds as improved them.
    """
    if len(lesson.y) < FEW or len(np.unique(lesson.y)) < 2:
        return constant(lesson)
    found = _of_categories(lesson, growth) if lesson.classes else _of_numbers(lesson, growth)
    return found if found.quality.error < found.quality.plain else replace(constant(lesson), rounds=found.rounds)


def constant(lesson: Lesson) -> Learnt:
    """The mean, or the mode, as a function."""
    plain = centre(lesson.features[lesson.target], lesson.y)
    values = np.full(len(lesson.y), plain.value)
    if lesson.classes:
        return Learnt(plain, of_categories(lesson.y, values, lesson.like, plain.value, "mean"), 0)
    return Learnt(plain, of_numbers(lesson.y, values, lesson.like, "mean"), 0)


def _folds(lesson: Lesson) -> range:
    return range(FOLDS if len(lesson.y) <= SLOW else 1)


def _of_numbers(lesson: Lesson, growth: Growth) -> Learnt:
    middle, spread = float(np.average(lesson.y, weights=lesson.weight)), float(np.std(lesson.y))
    standard = replace(lesson, y=(lesson.y - middle) / spread)
    folds = _folds(lesson)
    seen = np.isin(lesson.fold, folds)
    apart = np.zeros((2, len(lesson.y)))
    rounds = np.zeros((2, len(folds)))
    for fold in folds:
        held = lesson.fold == fold
        for place, linear in enumerate((True, False)):
            _, scores, count = _grown(standard, held, growth, linear=linear)
            apart[place, held], rounds[place, fold] = scores[held], count
    weights = _weights(apart[:, seen], standard.y[seen], lesson.weight[seen])
    none, sums = np.zeros(len(lesson.y), bool), []
    for place, linear in enumerate((True, False)):
        if weights[place] == 0:
            sums.append(Sum(0.0))
            continue
        most = replace(growth, rounds=int(np.ceil(1.1 * rounds[place].mean())))
        sums.append(_grown(standard, none, most, linear=linear)[0])
    scored = counted(lesson, seen)
    quality = of_numbers(standard.y[scored], weights @ apart[:, scored], lesson.like[scored], "tree")
    function = in_units(mixed(sums, weights.tolist(), 0.0), middle, spread)
    return Learnt(function, quality, int(np.ceil(rounds[0].mean())))


def counted(lesson: Lesson, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) the held-out rows that are like rows which miss the target; all held-out rows where none is."""
    found = held & (lesson.like > 0)
    return found if found.any() else held


def _weights(apart: Matrix, y: Vector, weight: Vector) -> Vector:
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


def _grown(lesson: Lesson, held: NDArray[np.bool_], growth: Growth, *, linear: bool) -> tuple[Sum, Vector, int]:
    """A sum fitted to the rows that are not held out, its values at all rows, and its number of rounds."""
    weight = np.where(held, 0.0, lesson.weight)
    line = ridge(lesson.features, lesson.x, lesson.y, weight) if linear else Sum(first_scores(lesson, weight, 0)[0])
    found = boost(lesson, summed(line, lesson.x, lesson.everyone)[None], held, growth, 0)
    whole = Sum(float(line.intercept), line.terms, 0.0, found.forests[0] if found.rounds else None)
    return whole, found.scores[0], found.rounds


def _of_categories(lesson: Lesson, growth: Growth) -> Learnt:
    codes, some = frequent(lesson)
    folds = _folds(some)
    seen = np.isin(some.fold, folds)
    apart, rounds = np.zeros(len(some.y)), []
    for fold in folds:
        held = some.fold == fold
        found = boost(some, _start(some, len(codes), held), held, growth, len(codes))
        apart[held] = _best(found.scores)[held]
        rounds.append(found.rounds)
    count = int(np.ceil(1.1 * np.mean(rounds)))
    function = scores(lesson, replace(growth, rounds=count))
    scored = counted(some, seen)
    most = float(np.bincount(some.y.astype(np.intp), some.weight).argmax())
    return Learnt(function, of_categories(some.y[scored], apart[scored], some.like[scored], most, "tree"), count)


def scores(lesson: Lesson, growth: Growth) -> Scores:
    """The scores of the most frequent categories: logarithms of their probabilities up to a constant."""
    codes, some = frequent(lesson)
    if len(codes) < 2:
        return Scores(codes, (Sum(0.0),))
    none = np.zeros(len(some.y), bool)
    start = _start(some, len(codes), none)
    found = boost(some, start, none, growth, len(codes))
    trees = found.forests if found.rounds else (None,) * len(found.forests)
    sums = [Sum(float(one[0]), (), 0.0, forest) for one, forest in zip(start, trees, strict=True)]
    return Scores(codes, (Sum(0.0), sums[0]) if len(codes) == 2 else tuple(sums))


def _start(lesson: Lesson, classes: int, held: NDArray[np.bool_]) -> Matrix:
    first = first_scores(lesson, np.where(held, 0.0, lesson.weight), classes)
    return np.repeat(first[:, None], len(lesson.y), axis=1)


def _best(found: Matrix) -> Vector:
    """(n,) the category with the largest score; of equal scores, the first."""
    if len(found) == 1:
        return np.asarray(found[0] > 0, np.float64)
    return np.asarray(found.argmax(axis=0), np.float64)
