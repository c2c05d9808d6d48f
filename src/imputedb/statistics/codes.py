"""Whether whole numbers with few levels are codes of categories, judged by rows that a rule has not seen.

A code of gender or region is a number by accident: its mean is no code, and no line goes through what goes with it.
Numbers of children, or scores that rise with something, are numbers. The levels and what goes with them decide:

1. Two levels are a category.
2. Levels 0, 1, 2, 3 and on with hardly a gap, their frequencies with a single peak, are a count: numbers.
3. The mean of another column is learnt by level from half of the rows, as a line through the levels and as a mean for
   each. Where on the other half the means are better by `SURE` standard errors and by `WORTH` of what they explain,
   the levels are codes. Where no column says so, and a line tells something of one, they are numbers.
4. Where nothing is told, six levels or more with hardly a gap and with a single peak are numbers (a score), others
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
class Related:
    """Another column by level of the one that is judged, in two halves of the rows.

    Attributes:
        rows: (2, levels) where both are observed.
        means: (2, levels) of the other column; anything where there are no rows.
        variances: (2, levels) the same.
    """

    rows: Vector
    means: Vector
    variances: Vector


def candidate(distinct: int, observed: int) -> bool:
    """Whether a column of whole numbers may be one of codes."""
    return 2 <= distinct <= MOST_LEVELS and observed >= ROWS_A_LEVEL * distinct


def coded(levels: Vector, counts: Vector, others: Sequence[Related]) -> bool:
    """Whether levels, in rising order and with their frequencies, are codes."""
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
    """Whether frequencies rise, then fall; steps of two standard errors are counted, others are chance."""
    steps = np.diff(counts)
    steps = np.sign(steps[np.abs(steps) > 2 * np.sqrt(counts[1:] + counts[:-1])])
    return bool((np.diff(steps) <= 0).all())


def _compared(levels: Vector, other: Related) -> tuple[bool, bool]:
    """Whether on the second half means by level are better than a line, and a line better than nothing."""
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


def _gain(other: Related, better: Vector, worse: Vector) -> tuple[float, float]:
    """By how much the squared error of the second half falls, and the standard error of that."""
    n, y, variance = other.rows[1], other.means[1], other.variances[1]
    apart = better - worse
    gain = n @ (apart * (2 * y - better - worse))
    return float(gain), float(2 * np.sqrt(n @ (apart**2 * variance)))
