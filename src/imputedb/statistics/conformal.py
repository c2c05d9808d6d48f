"""Split-conformal thresholds: errors of single values, from cells whose true values are known.

They need no assumption on the model: if a further cell is exchangeable with the n calibration cells, its interval or
set contains the true value with probability at least `level` (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, theorem
2.2).
"""

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def needed(level: float, sides: int) -> int:
    """The least number of calibration cells for a finite threshold: n + 1 >= sides / (1 - level)."""
    return math.ceil(round(sides / (1 - level), 9)) - 1


def two_sided(errors: Vector, level: float) -> tuple[float, float]:
    """What to add to a value for the lower and the upper end of its interval.

    Each side fails with probability at most (1 - level) / 2, so that a skewed column has a skewed interval.

    Args:
        errors: (n,) true less imputed values; at least `needed(level, 2)`.
        level: confidence level of the intervals.
    """
    return -upper(-errors, (1 + level) / 2), upper(errors, (1 + level) / 2)


def upper(scores: Vector, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores; a further one exceeds it with probability <= 1 - level."""
    rank = math.ceil(round((len(scores) + 1) * level, 9))
    if rank > len(scores):
        return math.inf
    return float(np.partition(scores, rank - 1)[rank - 1])
