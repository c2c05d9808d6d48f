"""Functions fitted to rows, not to cross-products: trees, and regressions of categories."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers import random
from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.chained.crossproducts import threads
from imputedb.imputers.protocol import Progress
from imputedb.imputers.tree import Tree
from imputedb.models import logit, matching, tree
from imputedb.models.boosting import growth_within
from imputedb.models.function import Function
from imputedb.models.material import Material
from imputedb.models.target import Target
from imputedb.models.training_data import CATEGORIES, training_data
from imputedb.models.tree import FittedFunction

T = TypeVar("T")

DRAWN_ROWS = 20_000
"""Largest number of rows that functions for random draws are fitted to."""

DRAWN_ROUNDS = 40
"""Largest number of boosting rounds of functions for random draws."""


def over_rows(material: Material, places: Sequence[int], progress: Progress) -> dict[int, Target]:
    """By target, the function of its expected value and those for its random draws.

    The functions of a draw are fitted to one completed draw of the rows, made by chained trees. A row that misses
    several columns is thus drawn from rows where these are known, whatever caused them to be missing. Each fit is to a
    bootstrap of the completed rows. Bootstrap and completed draws together reflect the uncertainty of the functions.
    """
    if not places:
        return {}
    with _WorkerPool(len(places) * (1 + material.settings.draws), progress) as workers:
        expected = workers.all(_expected, [(material, place) for place in places])
        rounds = [min(one.rounds, DRAWN_ROUNDS) for one in expected]
        drawn: list[list[Function]] = [[] for _ in places]
        for draw, (whole, some) in enumerate(_completed(material), start=1):
            turns = [(material, draw, place, whole, some, count) for place, count in zip(places, rounds, strict=True)]
            for functions, function in zip(drawn, workers.all(_drawn, turns), strict=True):
                functions.append(function)
    return {
        place: Target(place, one.function, tuple(functions), one.quality)
        for place, one, functions in zip(places, expected, drawn, strict=True)
    }


class _WorkerPool:
    """Threads that fit functions; they stop when the call that waits for them ends."""

    def __init__(self, count: int, progress: Progress) -> None:
        self.pool = ThreadPoolExecutor(threads())
        self.progress, self.share, self.step = progress, 0.0, 1 / count
        self.stopped = False

    def __enter__(self) -> "_WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True
        self.pool.shutdown(cancel_futures=True)

    def all(self, task: Callable[..., T], turns: Sequence[tuple[object, ...]]) -> list[T]:
        """The results of a task, one for each tuple of arguments; a callback is added as the last argument."""
        waiting = [self.pool.submit(task, *turn, self._watch) for turn in turns]
        return [self._result(one) for one in waiting]

    def _result(self, waiting: "Future[T]") -> T:
        self.progress(self.share)
        found = waiting.result()
        self.share += self.step
        return found

    def _watch(self, _: float) -> None:
        if self.stopped:
            raise CancelledError


def _expected(material: Material, place: int, watch: Progress) -> FittedFunction:
    task = material.training_data(place, own=True, watch=watch)
    if material.settings.method != "tree":
        return logit.expected(task)
    return tree.expected(task, growth_within(material.settings.leaves, _categories(task.classes)))


def _categories(classes: int) -> int:
    return min(classes, CATEGORIES)


def _completed(material: Material) -> Iterator[tuple[Matrix, NDArray[np.intp]]]:
    """Completed draws of the rows, or of a sample of them, by chained trees; each with the places of its rows."""
    keys, settings, features = material.rows.keys, material.settings, material.features
    some = np.arange(len(keys))
    if len(some) > DRAWN_ROWS:
        some = np.sort(np.argpartition(random.mixed(keys), DRAWN_ROWS)[:DRAWN_ROWS])
    rows, gaps, x = material.rows.at(some), material.missing[:, some], material.x[:, some]
    lacking = [f for f, missing in enumerate(gaps) if missing.any() and not missing.all()]
    columns = {}
    for one, missing in zip(features, gaps, strict=True):
        if not missing.all():
            cells = rows.columns[one.column]
            columns[one.column] = cells.like(cells.values, missing)
    names = [features[f].column for f in lacking]
    prepared = Tree().prepared(replace(rows, columns=columns), names)
    for values in prepared.run_many(settings.seed, range(1, settings.draws + 1)):
        whole = x.copy()
        for f, column in zip(lacking, names, strict=True):
            whole[f, gaps[f]] = values[column].astype(np.float64)
        yield whole, some


def _drawn(
    material: Material,
    draw: int,
    place: int,
    whole: Matrix,
    some: NDArray[np.intp],
    rounds: int,
    watch: Progress,
) -> Function:
    """A function for one draw of a target, given the targets before it."""
    keys, what = material.rows.keys[some], (material.settings.seed, material.features[place].column.name, draw)
    gaps = material.missing_patterns(place, material.targets_before(place))
    task = training_data(material.features, whole, whole[place], place, keys, gaps, *what, own=False, watch=watch)
    times = random.poisson(keys, *what, "bootstrap")
    if material.settings.method != "tree":
        return logit.drawn(task, times)
    leaves = material.settings.leaves
    growth = growth_within(leaves, _categories(task.classes), rounds)
    if leaves is not None and not task.classes:
        return matching.residual_draw(task, times, growth)
    return matching.drawn(task, times, ~material.missing[place, some], growth)
