"""Functions that are learnt from rows, each with the gaps of others laid over it."""

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
from imputedb.models.boosting import within
from imputedb.models.function import Function
from imputedb.models.lesson import CATEGORIES, lesson
from imputedb.models.material import Material
from imputedb.models.target import Target
from imputedb.models.tree import Learnt

T = TypeVar("T")

DRAWN_ROWS = 20_000
"""Rows that functions which draw are learnt from, at most."""

DRAWN_ROUNDS = 40
"""Trees of functions which draw, at most."""


def over_rows(material: Material, places: Sequence[int], progress: Progress) -> dict[int, Target]:
    """Expected functions and those that draw, by target.

    What draws is learnt from rows with nothing missing, one draw of them for each: so a row that misses several columns
    is drawn as it would be if these were known for the rows that it is learnt from, whatever went missing because of
    them. Of such rows a bootstrap is taken, which with what differs between them is what is unknown of the function.
    """
    if not places:
        return {}
    with _Workers(len(places) * (1 + material.how.draws), progress) as workers:
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


class _Workers:
    """Threads that learn some functions, and stop when the call that waits for them does."""

    def __init__(self, count: int, progress: Progress) -> None:
        self.pool = ThreadPoolExecutor(threads())
        self.progress, self.share, self.step = progress, 0.0, 1 / count
        self.stopped = False

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True
        self.pool.shutdown(cancel_futures=True)

    def all(self, task: Callable[..., T], turns: Sequence[tuple[object, ...]]) -> list[T]:
        """What a task gives for each turn; it is told of the watch, last."""
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


def _expected(material: Material, place: int, watch: Progress) -> Learnt:
    task = material.lesson(place, own=True, watch=watch)
    if material.how.method != "tree":
        return logit.expected(task)
    return tree.expected(task, within(material.how.leaves, _categories(task.classes)))


def _categories(classes: int) -> int:
    return min(classes, CATEGORIES)


def _completed(material: Material) -> Iterator[tuple[Matrix, NDArray[np.intp]]]:
    """Draws of the rows with nothing missing, by chained trees, and the places of these rows."""
    keys, how, features = material.rows.keys, material.how, material.features
    some = np.arange(len(keys))
    if len(some) > DRAWN_ROWS:
        some = np.sort(np.argpartition(random.mixed(keys), DRAWN_ROWS)[:DRAWN_ROWS])
    rows, gaps, x = material.rows.at(some), material.gaps[:, some], material.x[:, some]
    lacking = [f for f, gone in enumerate(gaps) if gone.any() and not gone.all()]
    columns = {}
    for one, gone in zip(features, gaps, strict=True):
        if not gone.all():
            cells = rows.columns[one.column]
            columns[one.column] = cells.like(cells.values, gone)
    names = [features[f].column for f in lacking]
    prepared = Tree().prepared(replace(rows, columns=columns), names)
    for values in prepared.run_many(how.seed, range(1, how.draws + 1)):
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
    """A function that draws a target, given those before it."""
    keys, what = material.rows.keys[some], (material.how.seed, material.features[place].column.name, draw)
    gaps = material.gap_patterns(place, material.before(place))
    task = lesson(material.features, whole, whole[place], place, keys, gaps, *what, own=False, watch=watch)
    times = random.poisson(keys, *what, "bootstrap")
    if material.how.method != "tree":
        return logit.drawn(task, times)
    leaves = material.how.leaves
    growth = within(leaves, _categories(task.classes), rounds)
    if leaves is not None and not task.classes:
        return matching.spread(task, times, growth)
    return matching.drawn(task, times, ~material.gaps[place, some], growth)
