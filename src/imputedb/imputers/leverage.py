"""Columns of which few rows decide what straight lines through them tell."""

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
"""Rows, and the share of a column's sum of squares above which these have nearly all leverage."""

LEAST = 30
"""Rows of which so few may have as much by chance."""

_NUMBERS = (Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP)


def leverage(imputer: Imputer, rows: Rows, targets: Sequence[Column]) -> Iterator[Note]:
    """What is said of columns that predict targets by straight lines and have rows that are far from all others.

    The leverage of a row on a line through one column is 1 / n + (x - mean)^2 / sum (x - mean)^2 (Belsley, Kuh and
    Welsch 1980, section 2.1). Where all other rows are alike a few tell what they can, as of a rare category.
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
    """The value that is farthest from others, where few rows have nearly all leverage."""
    values: NDArray[np.float64] = cells.values[~cells.missing].astype(np.float64)
    values = values[np.isfinite(values)]
    if len(values) < LEAST:
        return None
    largest = float(np.abs(values).max()) or 1.0  # squares of what is left are finite
    squares = np.square(values / largest - np.mean(values / largest))
    order = np.argpartition(squares, -ROWS)
    others = values[order[:-ROWS]]
    if squares[order[-ROWS:]].sum() <= MUCH * squares.sum() or others.min() == others.max():
        return None
    return float(values[squares.argmax()])
