"""What is known of one number of an answer that was pooled over draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imputedb.inference.freedom import INFINITE
from imputedb.inference.rubin import Interval, Pooled, Vector, pooled
from imputedb.inference.scale import IDENTITY, Scale

Question = Literal["population", "answer"]
"""`population`: the table is a sample of one (Rubin's rules in full); `answer`: what would the query say if nothing
were missing, only the missing values being uncertain."""

_ONE_DRAW = "one draw has it: how much draws differ is not to be seen"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pooled number.

    Attributes:
        pooled: on its scale; its within-variance is 0 where `within` says that it is not known.
        scale: that it was pooled on.
        question: what the interval is about.
        level: of its confidence.
        share: of the draws that have it, which for a group may be less than 1.
        within: whether its variance within a draw is known.
        reason: why a part of it is undefined, None where nothing is.
    """

    pooled: Pooled
    scale: Scale = IDENTITY
    question: Question = "population"
    level: float = 0.95
    share: float = 1.0
    within: bool = True
    reason: str | None = None

    @property
    def estimate(self) -> float:
        """The number, back on its own scale."""
        return self.scale.back(self.pooled.estimate)

    @property
    def se(self) -> float:
        """Standard error, by the delta method where the scale is not the identity; NaN where there is no interval."""
        if not self._has_interval:
            return math.nan
        error = self._asked.se
        return error / self.scale.slope(self.estimate) if error else 0.0

    @property
    def df(self) -> float:
        """Degrees of freedom of the interval: of m draws, m - 1 where only missing values are uncertain."""
        return self._asked.df if self._has_interval else math.nan

    @property
    def fmi(self) -> float:
        """Fraction of missing information about the population; 0 where nothing missing matters."""
        if self.pooled.between == 0:
            return 0.0
        return self.pooled.fmi if self.within else math.nan

    def interval(self, level: float | None = None) -> Interval:
        """The interval, at the level that was asked for or another; NaN at both ends where there is none."""
        if not self._has_interval:
            return Interval(math.nan, math.nan)
        low, high = self._asked.interval(level or self.level)
        return Interval(self.scale.back(low), self.scale.back(high))

    @property
    def _has_interval(self) -> bool:
        return self.pooled.m > 1 and (self.question == "answer" or self.within)

    @property
    def _asked(self) -> Pooled:
        """For the complete table's answer, (1 + 1/m) B with m - 1 degrees of freedom: nothing else is uncertain."""
        if self.question == "population":
            return self.pooled
        return Pooled(self.pooled.estimate, 0.0, self.pooled.between, self.pooled.m, rule="rubin1987")


def estimated(
    numbers: Vector,
    variances: Vector | None,
    df: float,
    scale: Scale,
    question: Question,
    level: float,
    share: float,
    reason: str | None,
) -> Estimate:
    """A number of an answer.

    Args:
        numbers: (k,) the estimates of the draws that have it.
        variances: (k,) theirs within a draw; None or NaN where not known.
        df: degrees of freedom that complete data would have.
        scale: to pool on, where all estimates lie inside it.
        question: what the interval is about.
        level: of its confidence.
        share: of the draws that have it.
        reason: why it has no interval for a population.
    """
    values = numbers.tolist()
    usable = scale if scale.low < min(values) and max(values) < scale.high else IDENTITY
    infinite = variances is not None and bool(np.isinf(variances).any())
    known = variances is not None and not infinite and bool((variances >= 0).all()) and df > 0
    there = [usable.there(q) for q in values]
    moved: Sequence[float] = [0.0] * len(values)
    if variances is not None and known:
        moved = [u * usable.slope(q) ** 2 for q, u in zip(values, variances.tolist(), strict=True)]
    if not known and reason is None:
        reason = "its variance is infinite" if infinite else "the group has too few rows to show a variance"
    if len(numbers) == 1:
        reason = _ONE_DRAW
    one = pooled(there, moved, df if known else INFINITE)
    return Estimate(one, usable, question, level, share, known, reason)


def unbounded(numbers: Vector, question: Question, level: float, share: float) -> Estimate:
    """A number that is infinite in some draw, and so has no interval."""
    alone = Pooled(float(numbers.sum()), 0.0, math.nan, 1)
    return Estimate(alone, IDENTITY, question, level, share, within=False, reason="infinite in a draw")
