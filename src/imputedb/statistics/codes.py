"""The decision whether whole numbers with few levels are codes of categories, validated on held-out rows.

A code of gender or region is a number by convention: its mean has no meaning, and its relation to other columns is not
a line. Numbers of children, or scores that rise with other columns, are numbers. The rule:

1. Two levels are a category.
2. Levels 0, 1, 2, 3, ... with few gaps, and frequencies with a single peak, are a count: numbers.
3. On half of the rows, the mean of another column is estimated by level, and as a line in the levels. If on the other
   half the means by level are better, by `SURE` standard errors and by `WORTH` of what they explain, the levels are
   codes. If no column says so, and the line is better than a constant for one, they are numbers.
4. Without evidence, six or more levels with few gaps and a single peak are numbers (a score), all others are
   codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MOST_LEVELS = 10
"""Levels of codes at most; what has more is a number."""

ROWS_A_LEVEL = 10
"""Observed values for each level, at least: of fewer nobody knows."""

COUNTED, SCORED = 4, 6
"""Levels, at least, of a count from 0 and of a score."""

GAPS = 1.5
"""Whole numbers from the least to the largest for each level, at most, where levels have no gap to speak of."""

SURE, WORTH = 3.0, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class RelatedColumn:
    """Another column by level, in two halves of the rows.

    Attributes:
        rows: (2, levels) number of rows in which both columns are observed.
        means: (2, levels) mean of the other column; arbitrary where there are no rows.
        variances: (2, levels) variance of the other column.
    """

    rows: Vector
    means: Vector
    variances: Vector


def candidate(distinct: int, observed: int) -> bool:
    """Whether a column of whole numbers may consist of codes."""
    return 2 <= distinct <= MOST_LEVELS and observed >= ROWS_A_LEVEL * distinct


def coded(levels: Vector, counts: Vector, others: Sequence[RelatedColumn]) -> bool:
    """Whether levels, in ascending order and with their frequencies, are codes."""
    if len(levels) <= 2:
        return True
    regular = levels[-1] - levels[0] < GAPS * len(levels) and _one_peak(counts)
    if regular and levels[0] == 0 and len(levels) >= COUNTED:
        return False
    found = [_compared(levels, other) for other in others]
    if any(crooked for crooked, _ in found):
        return True
    return not any(straight for _, straight in found) and not (regular and len(levels) >= SCORED)


def _one_peak(counts: Vector) -> bool:
    """Whether frequencies rise and then fall; only steps of at least two standard errors count."""
    steps = np.diff(counts)
    steps = np.sign(steps[np.abs(steps) > 2 * np.sqrt(counts[1:] + counts[:-1])])
    return bool((np.diff(steps) <= 0).all())


def _compared(levels: Vector, other: RelatedColumn) -> tuple[bool, bool]:
    """Whether on the second half means by level are better than a line, and a line better than a constant."""
    n, y = other.rows[0], other.means[0]
    if np.count_nonzero(n) < 3:
        return False, False
    centre, middle = np.average(levels, weights=n), np.average(y, weights=n)
    spread = float(n @ (levels - centre) ** 2)
    slope = float(n @ ((levels - centre) * y)) / spread if spread > 0 else 0.0
    line = middle + slope * (levels - centre)
    means = np.where(n > 0, y, line)
    nothing = np.full(len(levels), middle)
    bent, bent_error = _gain(other, means, line)
    whole, _ = _gain(other, means, nothing)
    straight, straight_error = _gain(other, line, nothing)
    return bent > max(SURE * bent_error, WORTH * whole), straight > SURE * straight_error


def _gain(other: RelatedColumn, better: Vector, worse: Vector) -> tuple[float, float]:
    """The reduction of the squared error on the second half, and its standard error."""
    n, y, variance = other.rows[1], other.means[1], other.variances[1]
    apart = better - worse
    gain = n @ (apart * (2 * y - better - worse))
    return float(gain), float(2 * np.sqrt(n @ (apart**2 * variance)))
