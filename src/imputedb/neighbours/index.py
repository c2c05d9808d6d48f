"""An index of a table's rows for searches of neighbours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours import cost
from imputedb.neighbours.column import Attribute, placed, space_of
from imputedb.neighbours.condition import Condition
from imputedb.neighbours.metric import Floats, Space
from imputedb.neighbours.partition import Partition, nearest_lists, partitioned, recalled
from imputedb.neighbours.search import Cells, Copies, Donors, Found, Ints, Progress
from imputedb.neighbours.settings import Settings

SAMPLE = 400
"""Rows by which the number of probes is chosen; as many others measure the recall."""


class Index:
    """Rows with a metric, searched exactly, or approximately through a partition.

    Attributes:
        space: fitted metric.
        attributes: the columns.
        condition: condition on donors; None for none.
        partition: lists of an approximate search; None for an exact search.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        settings: Settings,
        *,
        condition: Condition | None = None,
        partition: Partition | None = None,
        space: Space | None = None,
    ) -> None:
        self.attributes = attributes
        self.space = space or space_of(attributes, settings.metric, settings.scaling, settings.lacking)
        self.condition = condition
        self.partition = partition
        order = partition.order if partition else condition.order if condition else None
        self._donors = self._kept(order)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.attributes[0].missing)

    def _kept(self, order: Ints | None) -> Donors:
        columns = zip(self.space.coordinates, self.attributes, strict=True)
        located = (coordinate.placed(attribute.located()) for coordinate, attribute in columns)
        return Donors(self.space, located, self.count if order is None else len(order), order)

    def arranged(self, copies: Copies) -> Copies:
        """The multiplicities of donors, given by row number, in the order that searches need."""
        return self._donors.arranged(copies)

    def exact(self, points: Floats, cells: Cells, copies: Sequence[Copies], k: int, weights: Floats) -> Found:
        """The k nearest of all donors, regardless of partition and condition."""
        return self._donors.nearest(points, cells, copies, k, weights)

    def nearest(
        self,
        cells: Cells,
        copies: Sequence[Copies],
        k: int,
        weights: Floats,
        *,
        queries: Floats | None = None,
        threads: int = 0,
        progress: Progress | None = None,
    ) -> Found:
        """The k nearest donors of each cell.

        For cells whose target is so rarely observed that the searched lists held fewer than k donors, an approximate
        search is repeated exactly.

        Args:
            cells: cells to search for; their rows are the index's own unless `queries` are given.
            copies: by target, (n,) multiplicity of each row as a donor, as `arranged` gives it.
            k: number of donors for each cell.
            weights: (d,) weights of the coordinates.
            queries: (q, d) coordinates of the rows of `cells`, where they are not the index's own.
            threads: number of threads; 0 for one per core.
            progress: called with the share that is done.
        """
        points = placed(self.space, self.attributes, cells.rows) if queries is None else queries
        if self.partition is None:
            ranges = self.condition.ranges(cells.rows) if self.condition else None
            return self._donors.nearest(
                points, cells, copies, k, weights, ranges=ranges, threads=threads, progress=progress
            )
        lists = nearest_lists(self.space, self.partition.centres, points, weights, self.partition.probes)
        ranges = self.partition.ranges(lists)
        found = self._donors.nearest(
            points, cells, copies, k, weights, ranges=ranges, threads=threads, progress=progress
        )
        self._search_narrow(found, points, cells, copies, k, weights)
        return found

    def _search_narrow(
        self, found: Found, points: Floats, cells: Cells, copies: Sequence[Copies], k: int, weights: Floats
    ) -> None:
        short = found.rows[:, -1] < 0
        query_of_cell = np.repeat(np.arange(len(cells.rows)), np.diff(cells.offsets))
        for target in np.unique(cells.targets[short]):
            wanted = np.flatnonzero(short & (cells.targets == target))
            assert self.partition is not None
            places = np.flatnonzero(copies[target])
            donors = self._kept(self.partition.order[places])
            counts = copies[target][places]
            numbers = np.arange(len(wanted) + 1, dtype=np.int64)
            alone = Cells(numbers[:-1], numbers, np.zeros(len(wanted), np.int32))
            again = donors.nearest(points[query_of_cell[wanted]], alone, [counts], k, weights)
            found.rows[wanted], found.distances[wanted] = again.rows, again.distances


def built(
    attributes: Sequence[Attribute],
    targets: Sequence[int],
    settings: Settings,
    weights: Sequence[Floats],
    order: Ints,
    *,
    condition: Condition | None = None,
    often: bool = False,
    space: Space | None = None,
    progress: Progress | None = None,
) -> Index:
    """An index of all rows, partitioned where that is requested or estimated to be faster.

    The partition is discarded where the required recall needs so many lists that an exact search is faster. That
    happens where many coordinates are missing, or are uninformative. With a condition on donors the search is exact,
    and reads permitted donors only.

    Args:
        attributes: columns of the rows.
        targets: positions of the columns whose missing cells will be searched for.
        settings: settings of the search.
        weights: by target, (d,) weights of the coordinates; lists are learnt with their mean.
        order: (n,) row numbers in a random order.
        condition: condition on donors; None for none.
        often: whether many single cells will be searched for, so that a partition pays.
        space: the metric; by default it is fitted to all rows.
        progress: called with the share that is done.
    """
    incomplete = np.count_nonzero(np.logical_or.reduce([~attributes[target].observed for target in targets]))
    queries = float(len(order) if often else incomplete)
    approximate = settings.search == "approximate" or (
        settings.search == "auto" and cost.approximate_pays(queries, len(order), len(attributes), _lacking(attributes))
    )
    if not approximate or condition or len(order) < 2 * settings.k or not queries:
        return Index(attributes, settings, condition=condition, space=space)
    space = space or space_of(attributes, settings.metric, settings.scaling, settings.lacking)
    common = np.asarray(np.mean(weights, axis=0))
    partition = partitioned(space, attributes, common, cost.lists_of(len(order)), order, progress)
    index = Index(attributes, settings, partition=partition, space=space)
    measured = _measured(index, partition, targets, settings, weights, order)
    index.partition = measured
    looked_at = measured.probes / len(measured.centres)
    if settings.search == "auto" and looked_at > cost.WORTHWHILE:
        return Index(attributes, settings, space=space)
    return index


def _lacking(attributes: Sequence[Attribute]) -> float:
    """The mean share of missing values over the columns."""
    return float(np.mean([1 - attribute.observed.mean() for attribute in attributes]))


def _measured(
    index: Index,
    partition: Partition,
    targets: Sequence[int],
    settings: Settings,
    weights: Sequence[Floats],
    order: Ints,
) -> Partition:
    """The partition with as many probes as the recall requires on one sample, and the recall on another sample."""
    tuning, testing = [], []
    every = max(10, 2 * SAMPLE // len(targets))
    for target, own in zip(targets, weights, strict=True):
        exact, nearest = _sampled(index, partition, target, settings.k, own, order, every)
        half = max(1, len(nearest) // 2)
        tuning.append(recalled(exact[:half], partition.lists, nearest[:half]))
        testing.append(recalled(exact[-half:], partition.lists, nearest[-half:]))
    curve, check = np.mean(tuning, axis=0), np.mean(testing, axis=0)
    probes = int(np.searchsorted(curve, settings.recall * (1 - 1e-12))) + 1
    probes = min(probes, len(partition.centres))
    return replace(partition, probes=probes, recall=float(check[probes - 1]))


def _sampled(
    index: Index, partition: Partition, target: int, k: int, weights: Floats, order: Ints, count: int
) -> tuple[NDArray[np.int32], Ints]:
    """Exact neighbours of a sample of a target's missing cells (observed ones if none is missing), and their lists."""
    observed = index.attributes[target].observed
    rows = (order if observed.all() else order[~observed[order]])[:count]
    points = placed(index.space, index.attributes, rows)
    points[:, target] = np.nan
    numbers = np.arange(len(rows) + 1, dtype=np.int64)
    cells = Cells(rows, numbers, np.zeros(len(rows), np.int32))
    copies = [index.arranged(observed.astype(np.uint8))]
    exact = index.exact(points, cells, copies, k, weights)
    return exact.rows, nearest_lists(index.space, partition.centres, points, weights, len(partition.centres))
