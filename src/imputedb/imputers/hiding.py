"""Observed cells hidden in the patterns of missing cells, to measure the error of imputers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import DataError
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Cells, Rows

Flags = NDArray[np.bool_]


def hidden(rows: Rows, flags: Mapping[Column, Flags]) -> Rows:
    """The rows with further cells marked as missing."""
    columns = dict(rows.columns)
    for column, flag in flags.items():
        cells = columns[column]
        columns[column] = cells.like(cells.values, cells.missing | flag)
    return replace(rows, columns=columns)


def cells_by_pattern(
    rows: Rows, targets: Sequence[Column], share: float, seed: int, models: Flags
) -> dict[Column, Flags]:
    """The cells to hide of each target, if some rows are given the missingness of others.

    Args:
        rows: the n rows.
        targets: columns whose cells are hidden.
        share: share of the rows that are given another row's missingness.
        seed: seed for the choice of these rows, and of the others.
        models: (n,) the rows whose missingness is copied, picked at random.

    Raises:
        DataError: there is no row to copy from.
    """
    places = np.flatnonzero(models)
    if not len(places):
        raise DataError("the table has no missing value, so no pattern of its own: hide cells with 'mcar'")
    picked = places[(uniform(rows, seed, "model") * len(places)).astype(np.intp)]
    chosen = uniform(rows, seed, "hide") < share
    return {c: if_enough_left(rows.columns[c], chosen & rows.columns[c].missing[picked]) for c in targets}


def if_enough_left(cells: Cells, flags: Flags) -> Flags:
    """The cells to hide; none if these are more than half of the observed ones."""
    flags = flags & ~cells.missing
    observed = int((~cells.missing).sum())
    return flags if flags.sum() <= observed / 2 else np.zeros(len(flags), bool)


def uniform(rows: Rows, *what: int | str) -> NDArray[np.float64]:
    """(n,) uniform numbers in [0, 1) by row, keyed by their use."""
    return np.asarray((keyed(rows.keys, *what) >> np.uint64(11)).astype(np.float64) * 2.0**-53)
