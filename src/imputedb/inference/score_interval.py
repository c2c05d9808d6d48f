"""Score intervals of totals and shares: they never leave the values that there can be."""

import math
from dataclasses import dataclass

from imputedb.inference.rubin import Interval

_WIDEST = 1e150  # whose square is a number


@dataclass(frozen=True, slots=True)
class Score:
    """The scale of a total or a share: its variance at a value v is taken to be proportional to v (1 - v / top).

    The interval is where the score test does not refuse: Wilson's (1927) of a share, with the pooled variance as Lott
    and Reiter (2020) have it, and the corresponding one of a count. It never leaves 0 and top, and has a width where
    nothing, or everything, was counted.

    Attributes:
        top: the largest value that there can be, infinite of counts without one.
        dispersion: the factor where the estimate lies at an end, at which no variance is seen.
    """

    top: float
    dispersion: float

    name = "score"

    def interval(self, estimate: float, variance: float, quantile: float) -> Interval:
        """The values v with (estimate - v)^2 <= quantile^2 factor v (1 - v / top)."""
        top = self.top if estimate <= self.top else math.inf
        seen = estimate * (1 - estimate / top)
        factor = variance / seen if seen > 0 and variance > 0 else self.dispersion
        wide = min(quantile**2 * factor, _WIDEST)
        a, b = 1 + wide / top, estimate + wide / 2
        root = math.sqrt(max(b * b - a * estimate**2, 0.0))
        low = estimate**2 / (b + root) if b + root > 0 else 0.0  # without cancellation near 0
        return Interval(low, min((b + root) / a, top))
