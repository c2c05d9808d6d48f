"""A number of an answer, pooled over draws."""

import math
from dataclasses import dataclass

import numpy as np

from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.distribution import two_sided
from imputedb.inference.image import Image
from imputedb.inference.rubin import Interval, Pooled, Vector, pooled
from imputedb.inference.scale import IDENTITY, Scale
from imputedb.inference.score_interval import Score
from imputedb.notes import Question

_ONE_DRAW = "one draw has it: how much draws differ is not to be seen"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pooled number.

    Attributes:
        pooled: pooled value on its scale; its within-variance is 0 where `within` is false.
        scale: scale of pooling; an image where the number is a function of what was pooled.
        question: what the interval is about: the population or the answer.
        level: confidence level.
        share: share of the draws that have the number; less than 1 for a group that some draws lack.
        within: whether the variance within a draw is known.
        reason: reason why a part is undefined; None where nothing is.
    """

    pooled: Pooled
    scale: Scale | Score | Image = IDENTITY
    question: Question = "population"
    level: float = 0.95
    share: float = 1.0
    within: bool = True
    reason: str | None = None

    @property
    def estimate(self) -> float:
        """The estimate on its original scale."""
        match self.scale:
            case Image():
                return self.scale.centre
            case Score():
                return self.pooled.estimate
            case _:
                return self.scale.back(self.pooled.estimate)

    @property
    def se(self) -> float:
        """The standard error; NaN where there is no interval.

        On other scales than the identity it is by the delta method; for a count or share at its bound, half the
        interval over its quantile.
        """
        if not self._has_interval:
            return math.nan
        if isinstance(self.scale, Image):
            return self.scale.error
        error = self._pooled_for_question.se
        if isinstance(self.scale, Score):
            return error or self._half / two_sided(self.level, self._pooled_for_question.df)
        return error / self.scale.slope(self.estimate) if error else 0.0

    @property
    def _half(self) -> float:
        low, high = self.interval()
        return (high - low) / 2

    @property
    def df(self) -> float:
        """Degrees of freedom of the interval; m - 1 about the answer, where only missing values are uncertain."""
        return self._pooled_for_question.df if self._has_interval else math.nan

    @property
    def fmi(self) -> float:
        """Fraction of missing information about the population; 0 where the draws agree."""
        if self.pooled.between == 0:
            return 0.0
        return self.pooled.fmi if self.within else math.nan

    def interval(self, level: float | None = None) -> Interval:
        """The confidence interval, at its own level or another; NaN at both ends where there is none."""
        if not self._has_interval:
            return Interval(math.nan, math.nan)
        pooled, level = self._pooled_for_question, self.level if level is None else level
        if isinstance(self.scale, Image):
            return self.scale.interval(level)
        if isinstance(self.scale, Score):
            if pooled.total == 0 and self.question == "answer":
                return Interval(pooled.estimate, pooled.estimate)
            return self.scale.interval(pooled.estimate, pooled.total, two_sided(level, pooled.df))
        low, high = pooled.interval(level)
        return Interval(self.scale.back(low), self.scale.back(high))

    def away(self, errors: float) -> float:
        """The value so many standard errors from the estimate, on the scale of pooling."""
        if isinstance(self.scale, Scale):
            pooled = self._pooled_for_question
            return self.scale.back(pooled.estimate + errors * pooled.se)
        found = self.estimate + errors * self.se
        return min(max(found, 0.0), self.scale.top) if isinstance(self.scale, Score) else found

    @property
    def _has_interval(self) -> bool:
        return self.pooled.m > 1 and (self.question == "answer" or (self.within and self._pooled_for_question.defined))

    @property
    def _pooled_for_question(self) -> Pooled:
        """About the complete table's answer only imputed values are uncertain: (1 + 1/m) B, with m - 1 df."""
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
    """A number of an answer, pooled.

    Args:
        numbers: (k,) estimates of the draws that have it.
        variances: (k,) variances within a draw; None or NaN where unknown.
        df: complete-data degrees of freedom.
        scale: scale to pool on, if all estimates lie inside its range.
        question: what the interval is about: the population or the answer.
        level: confidence level.
        share: share of the draws that have the number.
        reason: reason why it has no interval about a population.
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
    """The scale that suits all numbers, the numbers on that scale, and the derivatives there."""
    if isinstance(scale, Score):
        return scale, numbers, np.ones(len(numbers))
    usable = scale if scale.low < numbers.min() and numbers.max() < scale.high else IDENTITY
    values = numbers.tolist()
    return usable, np.array([usable.there(q) for q in values]), np.array([usable.slope(q) for q in values])


def unbounded(numbers: Vector, question: Question, level: float, share: float) -> Estimate:
    """A number that is infinite in some draw, and therefore has no interval."""
    alone = Pooled(float(numbers.sum()), 0.0, math.nan, 1)
    return Estimate(alone, IDENTITY, question, level, share, within=False, reason="infinite in a draw")
