"""Linear models of numbers, learnt from mean products, with donors for predictive mean matching."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imputedb.imputers import random
from imputedb.models.applying import expected
from imputedb.models.function import Cases, Function, Joint
from imputedb.models.lesson import Lesson, folds
from imputedb.models.linear import by_pattern
from imputedb.models.matching import matched
from imputedb.models.material import Material
from imputedb.models.mean import centre
from imputedb.models.moments import Moments, moments
from imputedb.models.quality import Quality, of_numbers
from imputedb.models.target import Target
from imputedb.models.tree import counted


def lines(material: Material, places: Sequence[int]) -> dict[int, Target]:
    """By target, linear functions of the features that a row has.

    Their accuracy is measured on rows that the measured functions were not fitted to. Where these are no more accurate
    than the mean, the expected value is the mean.
    """
    if not places:
        return {}
    known, apart = moments(material.rows, material.how.draws, material.how.seed), _apart(material)
    products, found = list(known.drawn), {}
    for place in places:
        met = ~material.gap_patterns(place)
        task = material.lesson(place, own=True)
        quality = _quality(task, by_pattern(apart, apart.expected, place, met), material.how.method)
        best: Function = centre(material.features[place], material.observed(place))
        if quality.by != "mean":
            best = _function(task, by_pattern(known, known.expected, place, met), material, 0)
        before = material.before(place)
        given, after = ~material.gap_patterns(place, before), material.lesson(place, before)
        drawn = [
            _function(after, by_pattern(known, one, place, given), material, d) for d, one in enumerate(products, 1)
        ]
        found[place] = Target(place, best, tuple(drawn), quality)
    return found


def _apart(material: Material) -> Moments:
    """Mean products of the rows outside the first fold."""
    fold = folds(material.rows.keys, material.how.seed)
    some = np.flatnonzero(fold > 0)
    return moments(material.rows.at(some) if len(some) else material.rows, 0, material.how.seed)


def _quality(task: Lesson, function: Cases | Joint, by: str) -> Quality:
    held = np.flatnonzero(counted(task, task.fold == 0)) if (task.fold == 0).any() else task.everyone
    one = task.features[task.target]
    found = of_numbers(task.y[held], one.closed(expected(function, task.x, held)), task.like[held], by)
    return found if found.error < found.plain else replace(found, error=found.plain, by="mean")


def _function(task: Lesson, line: Cases | Joint, material: Material, draw: int) -> Function:
    """The linear function or, for `pmm`, its donors: a bootstrap of the rows in a draw, otherwise all rows."""
    if material.how.method != "pmm":
        return line
    times = np.ones(len(task.y), np.intp)
    if draw:
        place = task.target
        keys = material.rows.keys[~material.gaps[place]]
        some = random.poisson(keys, material.how.seed, material.features[place].column.name, draw, "bootstrap")
        times = some if some.any() else times
    return matched(task, line, times)
