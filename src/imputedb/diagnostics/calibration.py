"""The split of hidden cells for split-conformal intervals: one half calibrates thresholds, one checks coverage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import DataError
from imputedb.execution.table import StoredRows
from imputedb.imputers.random import keyed
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Rows
from imputedb.statistics.conformal import needed

Flags = NDArray[np.bool_]
Pattern = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Halves:
    """The missing and hidden cells of a column, by pattern of missingness.

    Attributes:
        patterns: (n,) number of each row's pattern.
        names: by pattern, the other columns that are missing.
        missing: (n,) whether the cell is truly missing.
        calibrates: (n,) whether it is hidden and in the half that calibrates.
        checks: (n,) whether it is hidden and in the half that checks.
    """

    patterns: NDArray[np.intp]
    names: Sequence[Pattern]
    missing: Flags
    calibrates: Flags
    checks: Flags


def unfilled(request: Request, target: Column, given: Array) -> Flags:
    """(n,) the cells that a policy leaves missing."""
    missing = request.rows.columns[target].missing
    found = np.zeros(len(missing), bool)
    found[missing] = np.ma.getmaskarray(given)
    return found


def halved(after: Rows, target: Column, gaps: Flags, flag: Flags, unfilled: Flags, seed: int) -> Halves:
    """The patterns as the imputer sees them, and the hidden cells in two halves by a hash of their rows' keys."""
    others = [column for column in after.columns if column != target and after.columns[column].missing.any()]
    lacking = np.array([after.columns[column].missing for column in others], bool).reshape(len(others), len(flag)).T
    if others:
        distinct, patterns = np.unique(lacking, axis=0, return_inverse=True)
    else:
        distinct, patterns = np.zeros((1, 0), bool), np.zeros(len(flag), np.intp)
    names = [tuple(column.name for column, absent in zip(others, row, strict=True) if absent) for row in distinct]
    half = keyed(after.keys, seed, "half") >> np.uint64(63) == 0
    missing, flag = gaps & ~unfilled, flag & ~unfilled
    return Halves(np.ravel(patterns), names, missing, flag & half, flag & ~half)


def check_enough(table: StoredRows, target: Column, split: Halves, level: float, sides: int) -> None:
    """Refuses a confidence level for which too few cells are hidden.

    Raises:
        DataError: there are too few hidden cells; the message has their number and the number needed.
    """
    least, there = needed(level, sides), int(split.calibrates.sum())
    if there < least or not split.checks.any():
        raise DataError(
            f"{there} hidden cells of {table.table.name}.{target.name} are too few for a level of {level:g}, "
            f"which needs {least}: ask for a lower level, a larger share, or have more rows"
        )


def by_pattern(split: Halves, least: int) -> Iterable[tuple[int, Flags, bool]]:
    """For each pattern with missing or checking cells: number, calibrating cells, and whether patterns were pooled."""
    for number in np.unique(split.patterns[split.missing | split.checks]):
        mine = split.calibrates & (split.patterns == number)
        pooled = int(mine.sum()) < least
        yield int(number), split.calibrates if pooled else mine, pooled
