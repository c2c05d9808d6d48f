"""Approximate search: donors are in lists around centres, of which a query searches the nearest ones only.

An inverted file (Jegou, Douze & Schmid 2011, section IV). Its lists are ranges of the exact search's donors, so that
distances are exact, for any metric, and over the coordinates that are present. decisions/neighbours.md compares it
with faiss, which does not support missing coordinates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.column import Attribute, placed
from imputedb.neighbours.metric import Floats, Space
from imputedb.neighbours.search import Cells, Donors, Ints, Progress, Ranges

ROUNDS = 4
"""Of Lloyd's algorithm: what more of them would gain, a few more probes gain more cheaply."""
TRAINED = 32
"""Rows a list that centres are learnt from."""
LEVELS = 4096
"""Categories beyond these do not move a centre."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows in lists around centres.

    Attributes:
        centres: (lists, d) coordinates, NaN where no row of a list has one.
        order: (n,) row numbers, list by list.
        offsets: (lists + 1,) start of each list in that order.
        lists: (n,) list of each row, by row number.
        probes: number of lists that a query searches.
        recall: measured share of the exact nearest neighbours found in these.
    """

    centres: Floats
    order: Ints
    offsets: Ints
    lists: Ints
    probes: int
    recall: float

    def ranges(self, nearest: Ints) -> Ranges:
        """The lists that queries search, as ranges of positions.

        Args:
            nearest: (q, p) lists, as `nearest_lists` gives them.
        """
        sorted_lists = np.sort(nearest, axis=1)
        offsets = np.arange(len(nearest) + 1, dtype=np.int64) * nearest.shape[1]
        return Ranges(offsets, self.offsets[sorted_lists].ravel(), self.offsets[sorted_lists + 1].ravel())


def nearest_lists(space: Space, centres: Floats, queries: Floats, weights: Floats, count: int) -> Ints:
    """(q, count) the lists whose centres are nearest to each query; the first lists where no coordinate is shared."""
    donors = Donors(space, centres.T, len(centres))
    cells = _one_each(len(queries))
    all_rows = np.ones(len(centres), np.uint8)
    rows = donors.nearest(queries, cells, [all_rows], count, weights).rows.astype(np.int64)
    lost = (rows < 0).any(axis=1)
    rows[lost] = np.arange(count)
    return rows


def _one_each(count: int) -> Cells:
    numbers = np.arange(count + 1, dtype=np.int64)
    return Cells(numbers[:-1], numbers, np.zeros(count, np.int32))


def learnt_centres(space: Space, sample: Floats, weights: Floats, lists: int) -> Floats:
    """(lists, d) centres by Lloyd's algorithm: means of numbers, most frequent categories (Huang 1998)."""
    centres = sample[np.linspace(0, len(sample) - 1, lists).astype(np.int64)].copy()
    for _ in range(ROUNDS):
        members = nearest_lists(space, centres, sample, weights, 1)[:, 0]
        for place, coordinate in enumerate(space.coordinates):
            _move(centres[:, place], sample[:, place], members, graded=coordinate.measure.graded)
    return centres


def _move(centres: Floats, values: Floats, members: Ints, *, graded: bool) -> None:
    there = ~np.isnan(values)
    values, members = values[there], members[there]
    counts = np.bincount(members, minlength=len(centres))
    if graded:
        sums = np.bincount(members, weights=values, minlength=len(centres))
        centres[counts > 0] = sums[counts > 0] / counts[counts > 0]
        return
    levels, codes = np.unique(values, return_inverse=True)
    if len(levels) > LEVELS:
        return
    table = np.bincount(members * len(levels) + codes, minlength=len(centres) * len(levels))
    winners = levels[table.reshape(len(centres), len(levels)).argmax(axis=1)] if len(levels) else values
    centres[counts > 0] = winners[counts > 0]


def blocks(count: int, size: int) -> Iterator[Ints]:
    """The numbers 0 to count - 1 in blocks."""
    for first in range(0, count, size):
        yield np.arange(first, min(first + size, count), dtype=np.int64)


def partitioned(
    space: Space,
    attributes: Sequence[Attribute],
    weights: Floats,
    lists: int,
    order: Ints,
    progress: Progress | None = None,
) -> Partition:
    """The rows in lists, without the number of probes and the recall, which are measured later.

    Args:
        space: the metric.
        attributes: the columns.
        weights: (d,) weights of the coordinates.
        lists: number of lists.
        order: (n,) row numbers in a random order that does not depend on the order of the rows.
        progress: called with the share that is done.
    """
    count = len(order)
    centres = learnt_centres(space, placed(space, attributes, order[: lists * TRAINED]), weights, lists)
    own = np.empty(count, np.int64)
    for rows in blocks(count, 1 << 10 if count < 1 << 14 else 1 << 12 if count < 1 << 17 else 1 << 14):
        own[rows] = nearest_lists(space, centres, placed(space, attributes, rows), weights, 1)[:, 0]
        if progress:
            progress(float(rows[-1] + 1) / count)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=lists))]).astype(np.int64)
    return Partition(centres, np.argsort(own, kind="stable"), offsets, own, lists, 1.0)


def recalled(exact: NDArray[np.int32], lists: Ints, nearest: Ints) -> Floats:
    """(lists,) the share of exact neighbours that are found by searching 1, 2, ... lists.

    Args:
        exact: (q, k) row numbers, -1 where there are fewer.
        lists: (n,) list of each row.
        nearest: (q, lists) lists in order of their distance to each query.
    """
    there = exact >= 0
    homes = lists[np.where(there, exact, 0)]
    places = np.argsort(nearest, axis=1)
    ranks = np.take_along_axis(places, homes, axis=1)
    found = np.bincount(ranks[there], minlength=nearest.shape[1])
    return np.asarray(np.cumsum(found) / max(int(there.sum()), 1))
