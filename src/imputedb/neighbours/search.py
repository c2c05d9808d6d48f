"""Which donors are nearest to which cells."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.kernel import _kernel
from imputedb.neighbours.metric import Floats, Space

Ints = NDArray[np.int64]
Copies = NDArray[np.uint8]
Progress = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that want neighbours, row by row.

    Attributes:
        rows: (q,) the rows that have at least one.
        offsets: (q + 1,) where each row's cells begin.
        targets: (c,) the target of each cell, as a place among the targets.
    """

    rows: Ints
    offsets: Ints
    targets: NDArray[np.int32]

    @property
    def row_of_cell(self) -> Ints:
        """(c,) the row of each cell."""
        return np.repeat(self.rows, np.diff(self.offsets))


def cells_of(gaps: Sequence[NDArray[np.bool_]], rows: Ints | None = None) -> Cells:
    """The missing cells of the targets, of some rows or of all.

    Args:
        gaps: per target, (n,) True where it is missing.
        rows: the rows to look at.
    """
    flags = np.stack([gap if rows is None else gap[rows] for gap in gaps], axis=1)
    wanting = np.flatnonzero(flags.any(axis=1))
    flags = flags[wanting]
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int64)
    there = wanting if rows is None else rows[wanting]
    return Cells(there.astype(np.int64), offsets, np.nonzero(flags)[1].astype(np.int32))


@dataclass(frozen=True, slots=True)
class Ranges:
    """The donors each query may look at: ranges of places in the donors' order, ascending, none overlapping.

    Attributes:
        offsets: (q + 1,) where each query's ranges begin.
        begins: (r,) first places.
        ends: (r,) places after the last.
    """

    offsets: Ints
    begins: Ints
    ends: Ints


def everywhere(queries: int, donors: int) -> Ranges:
    """All donors, for every query."""
    return Ranges(
        np.arange(queries + 1, dtype=np.int64), np.zeros(queries, np.int64), np.full(queries, donors, np.int64)
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest donors of cells.

    Attributes:
        rows: (c, k) their row numbers, nearest first and ties by number, -1 where there are no more.
        distances: (c, k) infinite where there are no more.
    """

    rows: NDArray[np.int32]
    distances: Floats


class Donors:
    """Rows to compare others with, known by their row numbers.

    Args:
        space: the fitted metric.
        columns: (n,) placed coordinates, one after the other.
        count: how many rows, n.
        order: the row numbers in the order they are kept in; all in their own order unless given.
    """

    def __init__(self, space: Space, columns: Iterable[Floats], count: int, order: Ints | None = None) -> None:
        self.space = space
        self.order = order
        numbers = np.arange(count, dtype=np.int32) if order is None else order.astype(np.int32)
        self._native = _kernel.Donors(len(space.coordinates), numbers)
        for place, column in enumerate(columns):
            self._native.put(place, np.ascontiguousarray(column if order is None else column[order]))

    @property
    def count(self) -> int:
        """How many there are."""
        return self._native.rows

    def arranged(self, copies: Copies) -> Copies:
        """How often each row counts as a donor, by row number, in the order the donors are kept in."""
        return np.ascontiguousarray(copies if self.order is None else copies[self.order], np.uint8)

    def nearest(
        self,
        queries: Floats,
        cells: Cells,
        copies: Sequence[Copies],
        k: int,
        weights: Floats,
        *,
        ranges: Ranges | None = None,
        threads: int = 0,
        progress: Progress | None = None,
    ) -> Found:
        """The k nearest donors of each cell.

        Args:
            queries: (q, d) coordinates of the rows of `cells`, NaN where one is missing.
            cells: what wants neighbours.
            copies: per target, (n,) how often each donor counts, 0 where it has no value, as `arranged` gives them.
            k: donors a cell.
            weights: (d,) of the coordinates, at least 0.
            ranges: the donors that each row of `cells` may look at; all unless given.
            threads: 0 for one a core.
            progress: told the share that is done; an exception in it stops the work, as Ctrl-C does.
        """
        count = len(cells.targets)
        rows, means = np.empty(count * k, np.int32), np.empty(count * k, np.float64)
        ranges = ranges or everywhere(len(cells.rows), self._native.rows)
        self._native.nearest(
            np.ascontiguousarray(queries, np.float64).ravel(),
            self.space.parts,
            np.ascontiguousarray(weights, np.float64),
            self.space.expected,
            ranges.offsets,
            ranges.begins,
            ranges.ends,
            cells.offsets,
            cells.targets,
            list(copies),
            k,
            threads or os.cpu_count() or 1,
            rows,
            means,
            progress,
        )
        return Found(rows.reshape(count, k), self.space.distances(means, weights).reshape(count, k))
