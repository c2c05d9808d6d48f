"""Notes on columns in which few rows decide the slopes of linear models."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.rows import Cells, Rows
from imputedb.imputers.stretched import Stretched
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

ROWS, MUCH = 3, 0.9
"""A number of rows, and the share of a column's sum of squares above which these rows have nearly all leverage."""

LEAST = 30
"""Minimum number of rows; with fewer, high leverage may be due to chance."""

_NUMBERS = (Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP)


def leverage(imputer: Imputer, rows: Rows, targets: Sequence[Column]) -> Iterator[Note]:
    """Notes on predictors of linear models that have a few values far from all others.

    The leverage of a row on a line through one column is 1 / n + (x - mean)^2 / sum (x - mean)^2 (Belsley, Kuh and
    Welsch 1980, section 2.1). There is no note if all other values are equal, as in the indicator of a rare category.
    """
    if not isinstance(imputer, Chained | Stretched):
        return
    for column, cells in sorted(rows.columns.items(), key=lambda one: str(one[0])):
        if cells.kind not in _NUMBERS or list(targets) == [column]:
            continue
        found = _farthest(cells)
        if found is not None:
            words = (
                f": few rows, the farthest one {found:.6g}, are so far from all others that they alone decide what a "
                "straight line through it tells: mend them, or take tree, which goes by the order of values"
            )
            yield Note(NoteKind.LEVERAGE, column, column, words)


def _farthest(cells: Cells) -> float | None:
    """The most extreme value, if a few rows have nearly all leverage; None otherwise."""
    values: NDArray[np.float64] = cells.values[~cells.missing].astype(np.float64)
    values = values[np.isfinite(values)]
    if len(values) < LEAST:
        return None
    largest = float(np.abs(values).max()) or 1.0  # scaled so that squares are finite
    squares = np.square(values / largest - np.mean(values / largest))
    order = np.argpartition(squares, -ROWS)
    others = values[order[:-ROWS]]
    if squares[order[-ROWS:]].sum() <= MUCH * squares.sum() or others.min() == others.max():
        return None
    return float(values[squares.argmax()])
