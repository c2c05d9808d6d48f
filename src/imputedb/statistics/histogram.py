"""Distributions of a column's observed values."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantiles:
    """An equi-depth histogram: `bounds[i]` is the i-th of evenly spaced quantiles, minimum and maximum included."""

    bounds: tuple[float, ...]
    distinct: int

    def below(self, value: float) -> float:
        """Share of the observed values that are less than `value`."""
        return self._position(value, bisect_left)

    def up_to(self, value: float) -> float:
        """Share of the observed values that are at most `value`."""
        return self._position(value, bisect_right)

    def equal(self, value: float) -> float:
        """Share of the observed values that equal `value`: at least one of the distinct ones within the range."""
        if not self.bounds or not self.bounds[0] <= value <= self.bounds[-1]:
            return 0.0
        return max(self.up_to(value) - self.below(value), 1 / max(self.distinct, 1))

    def _position(self, value: float, bisect: Callable[[Sequence[float], float], int]) -> float:
        bounds = self.bounds
        if not bounds or value < bounds[0]:
            return 0.0
        if value > bounds[-1]:
            return 1.0
        place = bisect(bounds, value)
        if place == 0 or place == len(bounds):
            return float(place > 0)
        low, high = bounds[place - 1], bounds[place]
        return (place - 1 + _within(value, low, high)) / (len(bounds) - 1)


def _within(value: float, low: float, high: float) -> float:
    """The relative position of a value in a bin; one half in a bin without a lower end."""
    if value >= high:
        return 1.0
    if math.isinf(low):
        return float(value > low) / 2
    return (value / 2 - low / 2) / (high / 2 - low / 2)  # halves: the difference of two large numbers may be infinite


@dataclass(frozen=True, slots=True)
class Frequencies:
    """The most frequent values with their shares; the remaining share is spread evenly over all other values."""

    shares: Mapping[str, float]
    distinct: int

    @property
    def exhaustive(self) -> bool:
        """Whether these are all values; `distinct` is an estimate, and a sample may have fewer values."""
        return self.distinct < 2 * len(self.shares) and math.isclose(sum(self.shares.values()), 1, abs_tol=1e-12)

    def equal(self, value: str) -> float:
        """Share of the observed values that equal `value`."""
        if value in self.shares:
            return self.shares[value]
        others = self.distinct - len(self.shares)
        return (1 - sum(self.shares.values())) / others if others > 0 else 0.0


Histogram = Quantiles | Frequencies


def quantiles(values: Sequence[float], distinct: int) -> Quantiles:
    """The histogram of evenly spaced quantiles."""
    return Quantiles(tuple(float(v) for v in values), distinct)
