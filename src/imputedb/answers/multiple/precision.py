"""The relative width of an answer's intervals, and the number of draws for a given width."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from imputedb.inference.estimate import Estimate

FIRST = 20
"""Number of draws from which widths are predicted; with fewer, chance would select intervals that are too narrow."""
LADDER = (20, 50, 100, 200, 500, 1000)
"""Numbers of draws that are tried."""
WORTH = 1.05
"""Factor of the narrowest width within which more draws are not worth their time."""


def half_width(estimates: Iterable[Estimate]) -> float:
    """The largest relative half-width of the intervals; infinite without an interval or for an estimate of 0."""
    return max((_relative(one) for one in estimates), default=0.0)


def _relative(one: Estimate) -> float:
    low, high = one.interval()
    half = (high - low) / 2
    if half == 0:
        return 0.0
    found = half / abs(one.estimate) if one.estimate else math.inf
    return math.inf if math.isnan(found) else found


def expected(estimates: Iterable[Estimate], m: int) -> float:
    """The expected half-width with m draws, if the variance between draws stays the same."""
    return half_width([replace(one, pooled=replace(one.pooled, m=m)) for one in estimates])


def draws_for(estimates: Sequence[Estimate], goal: float, most: int) -> int:
    """The least number of draws whose expected half-width reaches the goal.

    If none does, the least number whose width is within a factor `WORTH` of the narrowest.
    """
    steps = [m for m in LADDER if m <= most] or [most]
    widths = [expected(estimates, m) for m in steps]
    enough = goal if min(widths) <= goal else WORTH * widths[-1]
    return next((m for m, width in zip(steps, widths, strict=True) if width <= enough), steps[-1])
