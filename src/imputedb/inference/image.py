"""Intervals of functions that choose: their values where their numbers lie in intervals of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.inference.rubin import Interval


@dataclass(frozen=True, slots=True)
class Image:
    """The values that a function has around pooled numbers.

    A function that chooses, such as `greatest(mean, 5)`, is not normal near its threshold. Where its numbers lie in a
    region of a level, its value is one of those that it has in the region, so that the interval from the least to the
    largest of them has at least that level.

    Attributes:
        centre: value at the pooled numbers.
        error: standard error.
        rings: levels in increasing order, each with the least and the largest value in its region.
    """

    centre: float
    error: float
    rings: Sequence[tuple[float, Interval]]

    name = "image"

    def interval(self, level: float) -> Interval:
        """The interval of the least level that is not below the given one; of the highest where there is none."""
        found = [interval for known, interval in self.rings if known >= level]
        return found[0] if found else self.rings[-1][1]
