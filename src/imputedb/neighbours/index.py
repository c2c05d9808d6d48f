"""A table's rows, ready to be asked for the neighbours of cells."""

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
    """Rows and a metric over them, searched exactly, or approximately through a partition.

    Attributes:
        space: the fitted metric.
        attributes: the columns.
        condition: who may be a donor to whom, if not everybody.
        partition: the lists of an approximate search; None where the search is exact.
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
        """How many rows."""
        return len(self.attributes[0].missing)

    def _kept(self, order: Ints | None) -> Donors:
        columns = zip(self.space.coordinates, self.attributes, strict=True)
        located = (coordinate.placed(attribute.located()) for coordinate, attribute in columns)
        return Donors(self.space, located, self.count if order is None else len(order), order)

    def arranged(self, copies: Copies) -> Copies:
        """How often each row counts as a donor, by row number, as the searches want it."""
        return self._donors.arranged(copies)

    def exact(self, points: Floats, cells: Cells, copies: Sequence[Copies], k: int, weights: Floats) -> Found:
        """The k nearest of all donors, whatever the partition or condition."""
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

        An approximate search looks again, exactly, for cells whose target is observed so rarely that the lists it
        looked into held fewer than k donors.

        Args:
            cells: what wants neighbours; its rows are the index's own unless `queries` are given.
            copies: per target, (n,) how often each row counts as a donor of it, as `arranged` gives it.
            k: donors a cell.
            weights: (d,) of the coordinates.
            queries: (q, d) coordinates of the rows of `cells`, where they are not the index's own.
            threads: 0 for one a core.
            progress: told the share that is done.
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
    """An index of all rows, partitioned where that is asked for or estimated to be cheaper.

    Lists are given up again where the recall needs so many of them that looking at all donors is cheaper: many
    coordinates are missing then, or say little. Under a condition the search is exact: it looks only at the donors
    that may be looked at.

    Args:
        attributes: the columns.
        targets: places of those whose missing cells will be asked about.
        settings: how.
        weights: per target, (d,) of the coordinates; lists are learnt by their mean.
        order: (n,) row numbers in a random order.
        condition: who may be a donor to whom.
        often: whether cells will be asked about one by one and again and again, so that learning lists pays.
        space: the metric, fitted to all rows unless given.
        progress: told the share that is done.
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
    """The mean share of the columns that is missing."""
    return float(np.mean([1 - attribute.observed.mean() for attribute in attributes]))


def _measured(
    index: Index,
    partition: Partition,
    targets: Sequence[int],
    settings: Settings,
    weights: Sequence[Floats],
    order: Ints,
) -> Partition:
    """The partition with as many probes as the recall needs on one sample, and the recall on another."""
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
    """Of some missing cells of a target, or known ones where none is: exact neighbours, and lists, nearest first."""
    observed = index.attributes[target].observed
    rows = (order if observed.all() else order[~observed[order]])[:count]
    points = placed(index.space, index.attributes, rows)
    points[:, target] = np.nan
    numbers = np.arange(len(rows) + 1, dtype=np.int64)
    cells = Cells(rows, numbers, np.zeros(len(rows), np.int32))
    copies = [index.arranged(observed.astype(np.uint8))]
    exact = index.exact(points, cells, copies, k, weights)
    return exact.rows, nearest_lists(index.space, partition.centres, points, weights, len(partition.centres))
