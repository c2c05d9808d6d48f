"""Linear models of numbers, learnt from mean products, with donors for predictive mean matching."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imputedb.imputers import random
from imputedb.models.applying import expected
from imputedb.models.function import Function, JointNormal, PatternCases
from imputedb.models.linear import by_pattern
from imputedb.models.matching import mean_matching
from imputedb.models.material import Material
from imputedb.models.mean import centre
from imputedb.models.moments import Moments, moments
from imputedb.models.quality import Quality, quality_of_numbers
from imputedb.models.target import Target
from imputedb.models.training_data import TrainingData, folds
from imputedb.models.tree import scored_rows


def lines(material: Material, places: Sequence[int]) -> dict[int, Target]:
    """By target, linear functions of the features that a row has.

    Their accuracy is measured on rows that the measured functions were not fitted to. Where these are no more accurate
    than the mean, the expected value is the mean.
    """
    if not places:
        return {}
    known, apart = moments(material.rows, material.settings.draws, material.settings.seed), _training_moments(material)
    products, found = list(known.drawn), {}
    for place in places:
        met = ~material.missing_patterns(place)
        task = material.training_data(place, own=True)
        quality = _quality(task, by_pattern(apart, apart.expected, place, met), material.settings.method)
        best: Function = centre(material.features[place], material.observed(place))
        if quality.method != "mean":
            best = _with_donors(task, by_pattern(known, known.expected, place, met), material, 0)
        before = material.targets_before(place)
        given, after = ~material.missing_patterns(place, before), material.training_data(place, before)
        drawn = [
            _with_donors(after, by_pattern(known, one, place, given), material, d) for d, one in enumerate(products, 1)
        ]
        found[place] = Target(place, best, tuple(drawn), quality)
    return found


def _training_moments(material: Material) -> Moments:
    """Mean products of the rows outside the first fold."""
    fold = folds(material.rows.keys, material.settings.seed)
    some = np.flatnonzero(fold > 0)
    return moments(material.rows.at(some) if len(some) else material.rows, 0, material.settings.seed)


def _quality(task: TrainingData, function: PatternCases | JointNormal, by: str) -> Quality:
    held = np.flatnonzero(scored_rows(task, task.fold == 0)) if (task.fold == 0).any() else task.all_rows
    one = task.features[task.target]
    found = quality_of_numbers(
        task.y[held], one.closed(expected(function, task.x, held)), task.pattern_weight[held], by
    )
    return found if found.error < found.baseline_error else replace(found, error=found.baseline_error, method="mean")


def _with_donors(task: TrainingData, line: PatternCases | JointNormal, material: Material, draw: int) -> Function:
    """The linear function or, for `pmm`, its donors: a bootstrap of the rows in a draw, otherwise all rows."""
    if material.settings.method != "pmm":
        return line
    times = np.ones(len(task.y), np.intp)
    if draw:
        place = task.target
        keys = material.rows.keys[~material.missing[place]]
        some = random.poisson(keys, material.settings.seed, material.features[place].column.name, draw, "bootstrap")
        times = some if some.any() else times
    return mean_matching(task, line, times)
