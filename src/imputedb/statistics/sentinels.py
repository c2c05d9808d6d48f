"""Numbers that lie so far from all others of a column that they are likely codes for a missing value."""

from collections.abc import Sequence
from dataclasses import dataclass

FAR = 0.1
"""Of the range of all other values: how far from them a code lies that stands for a missing one."""

FAR_FROM_ZERO = 0.2
"""The same of 0, which is a value more often than a code."""

APART = 2.0
"""Of the mean distance between different other values: the same."""

LEVELS = 3
"""Different other values, at least: of fewer nobody can tell what lies far."""

TOGETHER = 4
"""Codes on one side, at most."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The values of a column that no survey writes for a missing one: both ends, and how many different ones."""

    low: float
    high: float
    levels: int

    def beyond(self, codes: Sequence[float]) -> list[float]:
        """The codes that lie far outside, of each side a few: many are values like the others."""
        below = [code for code in codes if code < self.low]
        above = [code for code in codes if code > self.high]
        found = []
        if below and len(below) <= TOGETHER and self._is_far(self.low - below[-1], below[-1]):
            found += below
        if above and len(above) <= TOGETHER and self._is_far(above[0] - self.high, above[0]):
            found += above
        return found

    def _is_far(self, gap: float, code: float) -> bool:
        if code <= -7 and self.low >= 0:
            return True
        width = self.high - self.low
        return gap > max((FAR if code else FAR_FROM_ZERO) * width, APART * width / (self.levels - 1))
