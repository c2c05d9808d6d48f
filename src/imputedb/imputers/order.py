"""Rows in the order of their keys, so that an answer does not depend on the order in which they came."""

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.imputer import Array, Rows


def by_key(rows: Rows) -> tuple[Rows, NDArray[np.intp]]:
    """The rows in the order of their keys, those that are learnt from first, and the places that they had."""
    if rows.learn is None and np.all(rows.keys[:-1] <= rows.keys[1:]):
        return rows, np.arange(len(rows.keys))
    turn = np.argsort(rows.keys, kind="stable") if rows.learn is None else np.lexsort((rows.keys, ~rows.learn))
    columns = {column: cells.at(turn) for column, cells in rows.columns.items()}
    return Rows(columns, rows.keys[turn], None if rows.learn is None else rows.learn[turn]), turn


def taught(rows: Rows) -> Rows:
    """The rows that are learnt from, alone."""
    if rows.learn is None:
        return rows
    places = np.flatnonzero(rows.learn)
    return Rows({column: cells.at(places) for column, cells in rows.columns.items()}, rows.keys[places])


def turned_back(missing: NDArray[np.bool_], turn: NDArray[np.intp], values: Array) -> Array:
    """Values of the sorted rows' missing cells, in the order of the rows as they were given.

    Args:
        missing: (n,) the missing cells as they were given.
        turn: (n,) what `by_key` gave.
        values: of the missing cells, in the order of the keys.
    """
    whole = np.zeros(len(turn), values.dtype)
    whole[turn[missing[turn]]] = values
    return whole[missing]
