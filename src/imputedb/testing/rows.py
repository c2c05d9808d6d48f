"""Rows for checks of imputers: whole numbers, numbers and categories that depend on each other, with missing values."""

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind

WHOLE, NUMBER, TEXT = Column("t", "a"), Column("t", "b"), Column("t", "s")
EVERY = (WHOLE, NUMBER, TEXT)


def rows(n: int = 200, seed: int = 0) -> Rows:
    """n rows of three columns, each 30 % missing completely at random; keys are in no order."""
    rng = np.random.default_rng(seed)
    b = rng.normal(0, 1, n)
    cells = {
        WHOLE: Cells(np.rint(b * 3).astype(np.int64), rng.random(n) < 0.3, Kind.INTEGER),
        NUMBER: Cells(b, rng.random(n) < 0.3, Kind.NUMBER),
        TEXT: Cells((b > 0).astype(np.int32), rng.random(n) < 0.3, Kind.CATEGORY, ("n", "p")),
    }
    return Rows(cells, rng.permutation(n).astype(np.uint64))


def changed(given: Rows, column: Column, values: Array) -> Rows:
    """The same rows with other stored values in a column."""
    cells = given.columns[column]
    columns = {**given.columns, column: cells.like(values, cells.missing)}
    return Rows(columns, given.keys, given.learn)


def copied(given: Rows) -> Rows:
    """The same rows in new arrays."""
    columns = {column: cells.like(cells.values.copy(), cells.missing.copy()) for column, cells in given.columns.items()}
    return Rows(columns, given.keys.copy(), given.learn)


def whole(given: Rows, column: Column, values: Array) -> Array:
    """A column with values in place of missing ones."""
    cells = given.columns[column]
    found = cells.values.copy()
    found[cells.missing] = values
    return found


def differ(a: Array, b: Array) -> NDArray[np.bool_]:
    """(n,) whether the values of two columns differ."""
    return np.asarray(a != b)
