"""Hidden cells, halved: thresholds of intervals are learnt from one half, and checked on the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import DataError
from imputedb.execution.table import Stored
from imputedb.imputers.random import keyed
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Rows
from imputedb.statistics.conformal import needed

Flags = NDArray[np.bool_]
Pattern = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Halves:
    """The cells of a column in three parts: missing ones, hidden ones that calibrate, hidden ones that check.

    Attributes:
        patterns: (n,) numbers of the rows' patterns.
        names: of each pattern, the other columns that are missing.
        missing: (n,) truly missing.
        calibrates: (n,) hidden, the half that thresholds are learnt from.
        checks: (n,) hidden, the other half.
    """

    patterns: NDArray[np.intp]
    names: Sequence[Pattern]
    missing: Flags
    calibrates: Flags
    checks: Flags


def unfilled(asked: Request, target: Column, given: Array) -> Flags:
    """(n,) the cells that nothing may be predicted for, as a policy says."""
    missing = asked.rows.columns[target].missing
    found = np.zeros(len(missing), bool)
    found[missing] = np.ma.getmaskarray(given)
    return found


def halved(after: Rows, target: Column, gaps: Flags, flag: Flags, unfilled: Flags, seed: int) -> Halves:
    """Patterns as the imputer sees them, and hidden cells halved by a hash of their rows' keys."""
    others = [column for column in after.columns if column != target and after.columns[column].missing.any()]
    lacking = np.array([after.columns[column].missing for column in others], bool).reshape(len(others), len(flag)).T
    if others:
        distinct, patterns = np.unique(lacking, axis=0, return_inverse=True)
    else:
        distinct, patterns = np.zeros((1, 0), bool), np.zeros(len(flag), np.intp)
    names = [tuple(column.name for column, gone in zip(others, row, strict=True) if gone) for row in distinct]
    half = keyed(after.keys, seed, "half") >> np.uint64(63) == 0
    asked, flag = gaps & ~unfilled, flag & ~unfilled
    return Halves(np.ravel(patterns), names, asked, flag & half, flag & ~half)


def check_enough(table: Stored, target: Column, split: Halves, level: float, sides: int) -> None:
    """Refuses a level for which too few cells are hidden.

    Raises:
        DataError: the message says how many there are, and how many the level needs.
    """
    least, there = needed(level, sides), int(split.calibrates.sum())
    if there < least or not split.checks.any():
        raise DataError(
            f"{there} hidden cells of {table.table.name}.{target.name} are too few for a level of {level:g}, "
            f"which needs {least}: ask for a lower level, a larger share, or have more rows"
        )


def by_pattern(split: Halves, least: int) -> Iterable[tuple[int, Flags, bool]]:
    """Of each pattern with a missing or a checking cell: its number, the cells that calibrate it, whether pooled."""
    for number in np.unique(split.patterns[split.missing | split.checks]):
        mine = split.calibrates & (split.patterns == number)
        pooled = int(mine.sum()) < least
        yield int(number), split.calibrates if pooled else mine, pooled
