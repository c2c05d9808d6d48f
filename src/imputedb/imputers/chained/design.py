"""The design matrix for linear models: ones, standardised numbers, indicators of categories."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.rows import Array, Cells
from imputedb.statistics.table import Kind

LEVELS = 16
"""Maximum number of indicators of a category; rarer levels share the baseline."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The columns of the matrix that represent one column of the table.

    Attributes:
        places: positions of these columns: one for a number, one for each level with an indicator.
        centre: mean of the observed values of a number.
        scale: their standard deviation, 1 where they do not vary.
        levels: codes that have an indicator; empty for a number.
        baseline: the code without an indicator, the most frequent one.
        classes: number of categories, 2 for booleans, 0 for numbers.
    """

    places: slice
    centre: float
    scale: float
    levels: NDArray[np.intp]
    baseline: int
    classes: int

    def encoded(self, values: Vector) -> Matrix:
        """(n, width) the values as columns of the matrix."""
        if self.classes:
            return np.asarray((values[:, None] == self.levels).astype(np.float64))
        return (values[:, None] - self.centre) / self.scale

    def decoded(self, block: Matrix) -> Vector:
        """(n,) the values that columns of the matrix represent; for indicators, the level of the largest one."""
        if not self.classes:
            return np.asarray(block[:, 0] * self.scale + self.centre)
        rest = 1 - block.sum(axis=1, keepdims=True)
        codes = np.concatenate([[self.baseline], self.levels])
        return np.asarray(codes[np.concatenate([rest, block], axis=1).argmax(axis=1)].astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The design matrix of some rows.

    Attributes:
        x: (n, q) the matrix, ones first; 0 where the value is missing.
        missing: (n, c) whether the value of a column of the table is missing, in the order of `parts`.
        parts: by column of the table.
    """

    x: Matrix
    missing: NDArray[np.bool_]
    parts: Mapping[Column, Part]

    def flags(self, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(P, q) missing columns of the matrix, in the rows at some positions."""
        found = np.zeros((len(starts), self.x.shape[1]), bool)
        for place, part in enumerate(self.parts.values()):
            found[:, part.places] = self.missing[starts, place, None]
        return found


def design(columns: Mapping[Column, Cells], learn: NDArray[np.bool_] | None = None) -> Design:
    """The matrix of some columns, with centres and scales from the rows to learn from."""
    rows = len(next(iter(columns.values())).missing)
    parts: dict[Column, Part] = {}
    place = 1
    for column, cells in columns.items():
        observed = ~cells.missing if learn is None else learn & ~cells.missing
        parts[column] = _part(cells, cells.values[observed], place)
        place = parts[column].places.stop
    x = np.ones((rows, place))
    for column, part in parts.items():
        cells = columns[column]
        block = part.encoded(np.where(cells.missing, part.centre, cells.values.astype(np.float64)))
        block[cells.missing] = 0.0
        x[:, part.places] = block
    return Design(x, np.stack([columns[column].missing for column in parts], axis=1), parts)


def _part(cells: Cells, observed: Array, place: int) -> Part:
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        classes = len(cells.levels) if cells.kind is Kind.CATEGORY else 2
        counts = np.bincount(observed.astype(np.intp), minlength=classes)
        order = np.argsort(-counts, kind="stable")
        levels = np.sort(order[1 : LEVELS + 1][counts[order[1 : LEVELS + 1]] > 0])
        return Part(slice(place, place + len(levels)), 0.0, 1.0, levels, int(order[0]), classes)
    centre, scale = _centre_and_scale(observed.astype(np.float64))
    return Part(slice(place, place + 1), centre, scale if scale > 0 else 1.0, np.empty(0, np.intp), 0, 0)


def _centre_and_scale(numbers: Vector) -> tuple[float, float]:
    """Mean and standard deviation; very large numbers are first scaled by a power of 2, which is exact."""
    if not len(numbers):
        return 0.0, 0.0
    largest = float(np.abs(numbers).max())
    size = 1.0 if not 0 < largest < np.inf or 1e-140 < largest < 1e140 else 2.0 ** (int(np.frexp(largest)[1]) - 1)
    scaled = numbers / size
    return float(scaled.mean()) * size, float(scaled.std()) * size


def closed(values: Vector, observed: Array, *, bounded: bool) -> Array:
    """Values in the column's own type, integers rounded; within the type's range or, if `bounded`, the column's."""
    kind = observed.dtype
    if bounded:
        low, high = observed.min(), observed.max()
        inside = np.clip(values, float(low), float(high))
        # the ends are copied: 64-bit integers are not exact as doubles
        with np.errstate(invalid="ignore"):
            found = (np.rint(inside) if kind.kind in "iu" else inside).astype(kind)
        return np.where(values <= float(low), low, np.where(values >= float(high), high, found)).astype(kind)
    if kind.kind in "iu":
        limit = np.iinfo(str(kind))
        return np.clip(np.rint(values), float(limit.min), np.nextafter(float(limit.max), 0)).astype(kind)
    return values.astype(kind)
