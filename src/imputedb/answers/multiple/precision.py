"""How wide the intervals of an answer are beside its numbers, and how many draws make them narrow enough."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from imputedb.inference.estimate import Estimate

FIRST = 20
"""Draws that tell how wide intervals will be: of fewer, those go on to more whose intervals are not too narrow."""
LADDER = (20, 50, 100, 200, 500, 1000)
"""Numbers of draws that are tried."""
WORTH = 1.05
"""Within which factor of the narrowest intervals more draws are not worth their time."""


def half_width(estimates: Iterable[Estimate]) -> float:
    """Half the width of the widest interval beside its number; infinite where a number has none, or is 0."""
    return max((_relative(one) for one in estimates), default=0.0)


def _relative(one: Estimate) -> float:
    low, high = one.interval()
    half = (high - low) / 2
    if half == 0:
        return 0.0
    found = half / abs(one.estimate) if one.estimate else math.inf
    return math.inf if math.isnan(found) else found


def expected(estimates: Iterable[Estimate], m: int) -> float:
    """The same with another number of draws, their variance between draws being what it is."""
    return half_width([replace(one, pooled=replace(one.pooled, m=m)) for one in estimates])


def draws_for(estimates: Sequence[Estimate], goal: float, most: int) -> int:
    """The least number of draws that is expected to make intervals as narrow as asked for.

    Where none does, so many that more would be no narrower by more than `WORTH`.
    """
    steps = [m for m in LADDER if m <= most] or [most]
    widths = [expected(estimates, m) for m in steps]
    enough = goal if min(widths) <= goal else WORTH * widths[-1]
    return next((m for m, width in zip(steps, widths, strict=True) if width <= enough), steps[-1])
