"""Rows in the order of their keys, so that an answer does not depend on the order in which they came."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.imputer import Array, Rows


def by_key(rows: Rows) -> tuple[Rows, NDArray[np.intp] | None]:
    """The rows in the order of their keys, those that are learnt from first, and the places that they had.

    None instead of places where they were in that order.
    """
    rises = rows.keys[:-1] <= rows.keys[1:]
    if rows.learn is not None:
        rises = (rises & (rows.learn[:-1] == rows.learn[1:])) | (rows.learn[:-1] & ~rows.learn[1:])
    if rises.all():
        return rows, None
    turn = np.argsort(rows.keys, kind="stable") if rows.learn is None else np.lexsort((rows.keys, ~rows.learn))
    return rows.at(turn), turn


def taught(rows: Rows) -> Rows:
    """The rows that are learnt from, alone."""
    if rows.learn is None:
        return rows
    return replace(rows.at(np.flatnonzero(rows.learn)), learn=None)


def turned_back(missing: NDArray[np.bool_], turn: NDArray[np.intp] | None, values: Array) -> Array:
    """Values of the sorted rows' missing cells, in the order of the rows as they were given.

    Args:
        missing: (n,) the missing cells as they were given.
        turn: (n,) what `by_key` gave.
        values: of the missing cells, in the order of the keys.
    """
    if turn is None:
        return values
    whole = np.zeros(len(turn), values.dtype)
    whole[turn[missing[turn]]] = values
    return whole[missing]
