"""Observed cells hidden in the patterns in which cells are missing, so that what fills them in can be measured."""

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
    """The rows with more cells missing."""
    columns = dict(rows.columns)
    for column, flag in flags.items():
        cells = columns[column]
        columns[column] = cells.like(cells.values, cells.missing | flag)
    return replace(rows, columns=columns)


def own(rows: Rows, targets: Sequence[Column], share: float, seed: int, models: Flags) -> dict[Column, Flags]:
    """What is hidden of each target when the missingness of some rows is laid over others.

    Args:
        rows: the n rows.
        targets: whose cells are hidden.
        share: of the rows that are laid over.
        seed: which rows, and with whose missingness.
        models: (n,) the rows whose missingness is laid over others, picked at random.

    Raises:
        DataError: there is no such row.
    """
    places = np.flatnonzero(models)
    if not len(places):
        raise DataError("the table has no missing value, so no pattern of its own: hide cells with 'mcar'")
    picked = places[(uniform(rows, seed, "model") * len(places)).astype(np.intp)]
    chosen = uniform(rows, seed, "hide") < share
    return {c: spared(rows.columns[c], chosen & rows.columns[c].missing[picked]) for c in targets}


def spared(cells: Cells, flags: Flags) -> Flags:
    """What can be hidden: observed cells, as long as half of them stay."""
    flags = flags & ~cells.missing
    observed = int((~cells.missing).sum())
    return flags if flags.sum() <= observed / 2 else np.zeros(len(flags), bool)


def uniform(rows: Rows, *what: int | str) -> NDArray[np.float64]:
    """(n,) a number in [0, 1) a row, by what it is for."""
    return np.asarray((keyed(rows.keys, *what) >> np.uint64(11)).astype(np.float64) * 2.0**-53)
