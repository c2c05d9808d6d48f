"""Worst-case bounds of aggregates: the least and the largest answer for any missing values."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.inference.rubin import Interval

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOTHING = Interval(math.nan, math.nan)


@dataclass(frozen=True, slots=True, eq=False)
class RowBounds:
    """The possible values of each row, and the rows that may belong to an aggregate.

    Worst-case bounds (Manski 1989; Horowitz & Manski 2000) assume nothing about why values are missing, only what they
    may be. They are sharp: some completion of the cells attains each. They are not confidence intervals and do not
    narrow with more rows.

    Attributes:
        low: (n,) least possible value of each row; its value where that is observed.
        high: (n,) largest possible value of each row.
        certain: (n,) rows that belong for any missing values.
        possible: (n,) rows that belong for some missing values only.
    """

    low: Vector
    high: Vector
    certain: Flags
    possible: Flags

    def count(self) -> Interval:
        """COUNT: the certain rows, up to certain and possible ones."""
        least = int(np.count_nonzero(self.certain))
        return Interval(least, least + int(np.count_nonzero(self.possible)))

    def total(self) -> Interval:
        """SUM: a possible row is included where that moves the bound."""
        low, high = self.low[self.possible], self.high[self.possible]
        return Interval(
            float(self.low[self.certain].sum() + np.minimum(low, 0).sum()),
            float(self.high[self.certain].sum() + np.maximum(high, 0).sum()),
        )

    def average(self) -> Interval:
        """AVG, for zeros and ones a proportion: possible rows are included, the extreme ones first."""
        if not (self.certain | self.possible).any():
            return NOTHING
        low = _least_mean(self.low[self.certain], self.low[self.possible])
        return Interval(low, -_least_mean(-self.high[self.certain], -self.high[self.possible]))

    def least(self) -> Interval:
        """MIN."""
        if not (self.certain | self.possible).any():
            return NOTHING
        low = float(self.low[self.certain | self.possible].min())
        if self.certain.any():
            return Interval(low, float(self.high[self.certain].min()))
        return Interval(low, float(self.high[self.possible].max()))

    def largest(self) -> Interval:
        """MAX."""
        least = RowBounds(-self.high, -self.low, self.certain, self.possible).least()
        return Interval(-least.high, -least.low)


def _least_mean(certain: Vector, possible: Vector) -> float:
    sums = certain.sum() + np.concatenate([[0.0], np.cumsum(np.sort(possible))])
    counts = len(certain) + np.arange(len(sums))
    there = counts > 0
    return float((sums[there] / counts[there]).min())


def limits(
    observed: Vector, deviations: float | None = None, low: float | None = None, high: float | None = None
) -> Interval:
    """The possible values of a missing cell.

    Args:
        observed: observed values of the column.
        deviations: k for the mean -+ k standard deviations; None for the least and largest observed value.
        low: declared lower bound, which takes precedence.
        high: declared upper bound, which takes precedence.

    Raises:
        DataError: nothing is observed and a bound is not declared, or k is negative.
    """
    if low is not None and high is not None:
        return Interval(low, high)
    if not len(observed):
        raise DataError("no value is observed: declare the least and the largest one, by a policy's RANGE")
    if deviations is None:
        found = Interval(float(observed.min()), float(observed.max()))
    elif deviations < 0:
        raise DataError(f"{deviations} standard deviations: give a number that is not negative")
    else:
        half = deviations * float(observed.std(ddof=1)) if len(observed) > 1 else 0.0
        found = Interval(float(observed.mean()) - half, float(observed.mean()) + half)
    reach = Interval(found.low if low is None else low, found.high if high is None else high)
    if reach.low > reach.high:
        raise DataError("no value is observed within the range that is declared: declare its other end too")
    return reach
