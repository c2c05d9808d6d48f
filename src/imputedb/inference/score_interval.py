"""Score intervals of totals and shares, which never leave the possible values."""

import math
from dataclasses import dataclass

from imputedb.inference.rubin import Interval

_WIDEST = 1e150  # the square of this number is still finite


@dataclass(frozen=True, slots=True)
class Score:
    """The score interval of a total or a share, whose variance at a value v is proportional to v (1 - v / top).

    The interval has the values that the score test does not reject: Wilson's (1927) for a share, with the pooled
    variance as in Lott and Reiter (2020), and the corresponding one for a count. It stays within 0 and top, and has a
    positive width even if no row, or every row, was counted.

    Attributes:
        top: largest possible value; infinite for unbounded counts.
        dispersion: factor where the estimate is at a bound, at which the observed variance is 0.
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
