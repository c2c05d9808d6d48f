"""What is known of one number of an answer that was pooled over draws."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.distribution import two_sided
from imputedb.inference.rubin import Interval, Pooled, Vector, pooled
from imputedb.inference.scale import IDENTITY, Scale
from imputedb.inference.score_interval import Score

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
    scale: Scale | Score = IDENTITY
    question: Question = "population"
    level: float = 0.95
    share: float = 1.0
    within: bool = True
    reason: str | None = None

    @property
    def estimate(self) -> float:
        """The number, back on its own scale."""
        return self.pooled.estimate if isinstance(self.scale, Score) else self.scale.back(self.pooled.estimate)

    @property
    def se(self) -> float:
        """Standard error, NaN where there is no interval.

        It is by the delta method where the scale is not the identity, and half of the interval over its quantile where
        nothing, or everything, was counted.
        """
        if not self._has_interval:
            return math.nan
        error = self._asked.se
        if isinstance(self.scale, Score):
            return error or self._half / two_sided(self.level, self._asked.df)
        return error / self.scale.slope(self.estimate) if error else 0.0

    @property
    def _half(self) -> float:
        low, high = self.interval()
        return (high - low) / 2

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
        asked, level = self._asked, self.level if level is None else level
        if isinstance(self.scale, Score):
            if asked.total == 0 and self.question == "answer":
                return Interval(asked.estimate, asked.estimate)
            return self.scale.interval(asked.estimate, asked.total, two_sided(level, asked.df))
        low, high = asked.interval(level)
        return Interval(self.scale.back(low), self.scale.back(high))

    @property
    def _has_interval(self) -> bool:
        return self.pooled.m > 1 and (self.question == "answer" or (self.within and self._asked.defined))

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
    scale: Scale | Score,
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
    infinite = variances is not None and bool(np.isinf(variances).any())
    known = variances is not None and not infinite and bool((variances >= 0).all()) and df > 0
    usable, there, slopes = _moved(numbers, scale)
    moved: Vector = np.zeros(len(numbers))
    if variances is not None and known:
        moved = variances * slopes**2
    if not known and reason is None:
        reason = "its variance is infinite" if infinite else "the group has too few rows to show a variance"
    if len(numbers) == 1:
        reason = _ONE_DRAW
    one = pooled(there, moved, df if known else INFINITE)
    if known and question == "population" and one.m > 1 and not one.defined:
        reason = f"undefined, because {one.reason}"
    return Estimate(one, usable, question, level, share, known, reason)


def _moved(numbers: Vector, scale: Scale | Score) -> tuple[Scale | Score, Vector, Vector]:
    """The scale that suits all numbers, the numbers there, and its slopes at them."""
    if isinstance(scale, Score):
        return scale, numbers, np.ones(len(numbers))
    usable = scale if scale.low < numbers.min() and numbers.max() < scale.high else IDENTITY
    values = numbers.tolist()
    return usable, np.array([usable.there(q) for q in values]), np.array([usable.slope(q) for q in values])


def unbounded(numbers: Vector, question: Question, level: float, share: float) -> Estimate:
    """A number that is infinite in some draw, and so has no interval."""
    alone = Pooled(float(numbers.sum()), 0.0, math.nan, 1)
    return Estimate(alone, IDENTITY, question, level, share, within=False, reason="infinite in a draw")
