"""The search for the nearest donors of cells."""

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
    """Cells to search donors for, row by row.

    Attributes:
        rows: (q,) rows with at least one cell.
        offsets: (q + 1,) start of each row's cells.
        targets: (c,) target of each cell, as a position among the targets.
    """

    rows: Ints
    offsets: Ints
    targets: NDArray[np.int32]

    @property
    def row_of_cell(self) -> Ints:
        """(c,) the row of each cell."""
        return np.repeat(self.rows, np.diff(self.offsets))


def cells_of(gaps: Sequence[NDArray[np.bool_]], rows: Ints | None = None) -> Cells:
    """The missing cells of the targets, in some rows or in all.

    Args:
        gaps: by target, (n,) whether it is missing.
        rows: row numbers; all unless given.
    """
    flags = np.stack([gap if rows is None else gap[rows] for gap in gaps], axis=1)
    wanting = np.flatnonzero(flags.any(axis=1))
    flags = flags[wanting]
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int64)
    there = wanting if rows is None else rows[wanting]
    return Cells(there.astype(np.int64), offsets, np.nonzero(flags)[1].astype(np.int32))


@dataclass(frozen=True, slots=True)
class Ranges:
    """The permitted donors of each query: ascending, disjoint ranges of positions in the donors' order.

    Attributes:
        offsets: (q + 1,) start of each query's ranges.
        begins: (r,) first positions.
        ends: (r,) positions after the last.
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
        rows: (c, k) row numbers, nearest first and ties by number; -1 where there are fewer.
        distances: (c, k) distances, infinite where there are fewer.
    """

    rows: NDArray[np.int32]
    distances: Floats


class Donors:
    """Rows to compare queries with, identified by row numbers.

    Args:
        space: fitted metric.
        columns: (n,) coordinates, column by column.
        count: number of rows, n.
        order: row numbers in the order in which they are stored; by default ascending.
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
        """Number of donors."""
        return self._native.rows

    def arranged(self, copies: Copies) -> Copies:
        """The multiplicities of donors, given by row number, in the order in which the donors are stored."""
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
            queries: (q, d) coordinates of the rows of `cells`, NaN where missing.
            cells: cells to search for.
            copies: by target, (n,) multiplicity of each donor, 0 where it has no value, as `arranged` gives it.
            k: number of donors for each cell.
            weights: (d,) weights of the coordinates, at least 0.
            ranges: permitted donors of each row of `cells`; by default all.
            threads: number of threads; 0 for one per core.
            progress: called with the share that is done; an exception in it stops the work, as Ctrl-C does.
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
