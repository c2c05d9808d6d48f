"""Doubly robust sums and averages: consistent if the outcome model or the model of being observed is right."""

import math
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import QueryError
from imputedb.inference.distribution import two_sided
from imputedb.inference.rubin import Interval
from imputedb.inference.scale import IDENTITY, LOGIT, Scale
from imputedb.notes import Question

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_LEFT = 0.1
"""A row's share of the weights is taken to be 0.9 at most where residuals are widened by it."""


@dataclass(frozen=True, slots=True, eq=False)
class PartlyObserved:
    """A quantity by row, partly observed, with the predictions of two models.

    Attributes:
        values: (n,) the quantity; arbitrary where it is not observed.
        observed: (n,) whether it is observed.
        expected: (n,) f, expectation by a model that was not fitted to the row.
        chance: (n,) e in (0, 1], probability of being observed, by a model that was not fitted to the row.
    """

    values: Vector
    observed: Flags
    expected: Vector
    chance: Vector

    def within(self, rows: Flags) -> "PartlyObserved":
        """The same quantity where `rows` holds, and a known 0 elsewhere."""
        return PartlyObserved(
            np.where(rows, self.values, 0.0),
            self.observed | ~rows,
            np.where(rows, self.expected, 0.0),
            np.where(rows, self.chance, 1.0),
        )

    def minus(self, factor: float, other: "PartlyObserved") -> "PartlyObserved":
        """The difference of this quantity and a multiple of another, which is observed in the same rows."""
        values, expected = self.values - factor * other.values, self.expected - factor * other.expected
        return replace(self, values=values, expected=expected)


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """The total of a quantity: expected values, corrected by observed residuals.

    Attributes:
        scores: (n,) psi, whose sum is the total.
        error: variance of the total about that of the complete table.
        spare: excess of `error` over its plain estimate.
        df: degrees of freedom of the error: effective number of observed rows that represent missing ones, less one.
    """

    scores: Vector
    error: float = 0.0
    spare: float = 0.0
    df: float = math.inf

    @property
    def total(self) -> float:
        """The sum of the scores."""
        return float(self.scores.sum())

    def sampling(self, rows: float) -> float:
        """The sampling variance of the total; n var(psi), where n is `rows`, the number of rows that may not be 0."""
        centred = self.scores - self.total / len(self.scores)
        return float(centred @ centred) * rows / (rows - 1) + self.spare


def known(values: Vector) -> PartlyObserved:
    """A quantity that is observed in every row."""
    return PartlyObserved(values, np.ones(len(values), bool), values, np.ones(len(values)))


def corrected(part: PartlyObserved, *, alike: bool = True) -> Corrected:
    """Augmented inverse probability weighting (Robins, Rotnitzky & Zhao 1994) with normalised weights.

    An observed value counts as it is, a missing one as f + r, where r is the mean of the observed residuals z - f with
    weights w = (1 - e) / e. The weights make observed rows represent the missing ones that resemble them. If they sum
    to the number of missing values, this is psi = f + R (z - f) / e (Robins, Sued, Lei-Gomez & Rotnitzky 2007 on
    normalising). Without missing values nothing changes, and no observed row represents more than all missing ones. The
    mean is consistent if f or e is; the scores are its influence function, so that n var(psi) is the sampling variance.

    The error about the complete table's total is the sum of z - f - r over missing rows. Its variance is estimated by
    the sum of w (1 + w) (z - f - r)^2 over observed rows: w for the missing values, w^2 for the mean that replaces
    them. A few heavy weights would make that too small, so residuals are divided by 1 less their share of the weights
    (HC3; MacKinnon & White 1985). With `alike` it is also at least what residuals of one common variance would give.
    Both variances rely on e: if only f is right, the estimate is consistent, and the interval approximate.
    """
    missing = int(np.count_nonzero(~part.observed))
    if not missing:
        return Corrected(part.values.astype(np.float64))
    weights = np.where(part.observed, (1 - part.chance) / part.chance, 0.0)
    if not weights.sum() > 0:
        return Corrected(np.where(part.observed, part.values, part.expected), math.nan, math.nan, 0.0)
    share = weights / weights.sum()
    weights = missing * share
    residuals = np.where(part.observed, part.values - part.expected, 0.0)
    shift = float(share @ residuals)
    spread = np.where(part.observed, residuals - shift, 0.0)
    scores = np.where(part.observed, part.values + weights * spread, part.expected + shift)
    cautious = (spread / np.maximum(1 - share, LEAST_LEFT)) ** 2
    variances = weights * (1 + weights)
    error = float(variances @ cautious)
    if alike:
        error = max(error, float(share @ cautious) * float(variances.sum()))
    return Corrected(scores, error, error - float(variances @ spread**2), 1 / float(share @ share) - 1)


@dataclass(frozen=True, slots=True)
class Robust:
    """A doubly robust estimate.

    Attributes:
        estimate: the estimate.
        error: variance about the complete table's answer.
        error_df: degrees of freedom of `error`.
        sampling: variance over samples from the population.
        sampling_df: degrees of freedom of `sampling` (Satterthwaite 1946).
        scale: scale on which the interval is symmetric.
        question: what the interval is about: the population or the answer.
        level: confidence level.
        reason: reason why there is no interval; None where there is one.
    """

    estimate: float
    error: float = math.nan
    error_df: float = math.nan
    sampling: float = math.nan
    sampling_df: float = math.nan
    scale: Scale = IDENTITY
    question: Question = "population"
    level: float = 0.95
    reason: str | None = None

    @property
    def variance(self) -> float:
        """The variance that the interval uses; NaN where there is no interval."""
        return self.error if self.question == "answer" else self.sampling

    @property
    def se(self) -> float:
        """Standard error."""
        return math.sqrt(self.variance)

    @property
    def df(self) -> float:
        """Degrees of freedom of the interval."""
        return self.error_df if self.question == "answer" else self.sampling_df

    @property
    def fmi(self) -> float:
        """Share of the sampling variance that is due to missing values."""
        if math.isnan(self.sampling):
            return math.nan
        return min(self.error / self.sampling, 1.0) if self.sampling > 0 else 0.0

    def interval(self, level: float | None = None) -> Interval:
        """The confidence interval, at its own level or another; NaN at both ends where there is none."""
        if math.isnan(self.estimate) or math.isnan(self.variance):
            return Interval(math.nan, math.nan)
        if self.variance == 0:
            return Interval(self.estimate, self.estimate)
        half = two_sided(self.level if level is None else level, self.df) * self.se
        if not self.scale.low < self.estimate < self.scale.high:
            return Interval(max(self.estimate - half, self.scale.low), min(self.estimate + half, self.scale.high))
        middle, wide = self.scale.there(self.estimate), half * self.scale.slope(self.estimate)
        return Interval(self.scale.back(middle - wide), self.scale.back(middle + wide))


def total(part: PartlyObserved, question: Question = "population", level: float = 0.95) -> Robust:
    """SUM of a quantity, and COUNT as the SUM of an indicator.

    About the population: n times its mean, where n is the number of the table's rows.

    Raises:
        QueryError: the question is unknown.
    """
    found = corrected(part, alike=not _is_condition(part.values[part.observed]))
    return _robust(Robust(found.total, question=_known(question), level=level), found, 1.0, len(part.values))


def average(
    part: PartlyObserved, members: PartlyObserved, question: Question = "population", level: float = 0.95
) -> Robust:
    """AVG over the rows that belong: the ratio of two totals, with a linearised variance.

    Args:
        part: the quantity, 0 in rows that do not belong; observed where both it and membership are.
        members: 1 in rows that belong, 0 in others; `known`, or observed in the same rows as `part`.
        question: what the interval is about: the population or the answer.
        level: confidence level.

    Raises:
        QueryError: the question is unknown.
    """
    above, below = corrected(part), corrected(members).total
    plain = Robust(math.nan, question=_known(question), level=level)
    if not below > 0:
        return replace(plain, reason="no row belongs: there is nothing to average")
    mean = above.total / below
    seen = part.values[part.observed & (members.values > 0)]
    proportion = _is_condition(seen)
    linear = corrected(part.minus(mean, members), alike=not proportion)
    if proportion:
        plain, mean = replace(plain, scale=LOGIT), min(max(mean, 0.0), 1.0)
    return _robust(replace(plain, estimate=mean), linear, below, below)


def _is_condition(seen: Vector) -> bool:
    """Whether all values are 0 or 1, so that their variance depends on the mean."""
    return len(seen) > 0 and bool(np.isin(seen, (0.0, 1.0)).all())


def _robust(plain: Robust, found: Corrected, size: float, rows: float) -> Robust:
    """The estimate with the variances of a total, divided by the square of `size`; `rows` is the number of its rows."""
    if math.isnan(found.error):
        return replace(plain, reason="nothing is observed: the imputer alone speaks")
    if found.df < 0.5 or rows < 2:
        return replace(plain, reason="one observed row cannot show how rows differ")
    error, sampling = found.error / size**2, found.sampling(rows) / size**2
    parts = (sampling - error) ** 2 / (rows - 1) + error**2 / found.df
    df = sampling**2 / parts if parts > 0 else math.inf
    return replace(plain, error=error, error_df=found.df, sampling=sampling, sampling_df=df)


def _known(question: Question) -> Question:
    if question not in get_args(Question):
        raise QueryError(f"no interval {question!r}; there are {', '.join(map(repr, get_args(Question)))}")
    return question
