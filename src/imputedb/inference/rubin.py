"""Rubin's rules for one parameter: m estimates and their variances give one estimate, its error and its interval."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE, freedom, known_rule, reiter2003
from imputedb.inference.distribution import t_two_sided, two_sided

Vector = NDArray[np.float64]

MUCH = 0.5
"""Of a variance that is between draws."""

FEWEST = 1.0
"""Degrees of freedom of an interval worth telling: the 97.5 % quantile of t is 13 at 1, 200 at .5, 1e15 at .1."""


class Interval(NamedTuple):
    """A confidence interval; NaN at both ends where there is none."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pooled:
    """A pooled estimate (Rubin 1987, section 3.1; Barnard & Rubin 1999).

    Attributes:
        estimate: mean of the m estimates, Q-bar.
        within: mean of their variances, W.
        between: variance of the estimates over draws, B, divisor m - 1; NaN when m is 1.
        m: number of draws.
        df_complete: complete-data degrees of freedom.
        rule: definition of degrees of freedom.
        synthetic: whether observed values are replaced too (partially synthetic data; Reiter 2003).
    """

    estimate: float
    within: float
    between: float
    m: int
    df_complete: float = INFINITE
    rule: str = "barnard-rubin"
    synthetic: bool = False

    @property
    def total(self) -> float:
        """Total variance T = W + (1 + 1/m) B; for synthetic data W + B / m."""
        factor = 1 / self.m if self.synthetic else 1 + 1 / self.m
        return self.within + factor * self.between

    @property
    def se(self) -> float:
        """Standard error, the square root of T."""
        return math.sqrt(self.total)

    @property
    def riv(self) -> float:
        """Relative increase in variance, r = (1 + 1/m) B / W; infinite when W is 0 and B is not."""
        if self.between == 0:
            return 0.0
        extra = (1 + 1 / self.m) * self.between
        return extra / self.within if self.within else (math.inf if extra > 0 else math.nan)

    @property
    def lambda_(self) -> float:
        """Share of the total variance that is due to missing values, (1 + 1/m) B / T."""
        if self.between == 0:
            return 0.0
        extra = (1 + 1 / self.m) * self.between
        return extra / (self.within + extra)

    @property
    def df(self) -> float:
        """Degrees of freedom; NaN when m is 1."""
        if self.m == 1:
            return math.nan
        if self.synthetic:
            return reiter2003(self.within, self.between, self.m)
        return freedom(self.lambda_, self.m, self.df_complete, self.rule)

    @property
    def fmi(self) -> float:
        """Fraction of missing information by the degrees of freedom in use (mice; mitml with complete-data df)."""
        return _fmi(self.lambda_, self.df)

    @property
    def fmi_large_sample(self) -> float:
        """Fraction of missing information by Rubin's 1987 df (as in SAS, Stata, mitools); 0 when the draws agree."""
        return _fmi(self.lambda_, math.nan if self.m == 1 else freedom(self.lambda_, self.m, rule="rubin1987"))

    @property
    def relative_efficiency(self) -> float:
        """Efficiency of m draws against infinitely many, 1 / (1 + FMI / m) (Rubin 1987, page 114)."""
        return 1 / (1 + self.fmi / self.m)

    @property
    def mc_error(self) -> float:
        """Monte Carlo standard error of the estimate, the square root of B / m: its variation between seeds."""
        return math.sqrt(self.between / self.m)

    @property
    def statistic(self) -> float:
        """t of the hypothesis that the parameter is 0."""
        return self.t(0.0)

    @property
    def p_value(self) -> float:
        """Two-sided p of the hypothesis that the parameter is 0."""
        return t_two_sided(self.statistic, self.df)

    def t(self, hypothesis: float) -> float:
        """(estimate - hypothesis) / se; NaN where the standard error is 0 or unknown."""
        return (self.estimate - hypothesis) / self.se if self.se > 0 else math.nan

    def interval(self, level: float = 0.95) -> Interval:
        """The confidence interval: NaN when m is 1, the whole line when there are no degrees of freedom."""
        if self.m == 1 or math.isnan(self.estimate):
            return Interval(math.nan, math.nan)
        if self.total == 0:
            return Interval(self.estimate, self.estimate)
        half = two_sided(level, self.df) * self.se
        return Interval(self.estimate - half, self.estimate + half)

    @property
    def defined(self) -> bool:
        """Whether m is above 1 and there are enough degrees of freedom for a useful interval."""
        return self.m > 1 and (self.total == 0 or self.df >= FEWEST)

    @property
    def reason(self) -> str | None:
        """The reason why a part is undefined; None where nothing is."""
        if self.m == 1:
            return "m = 1: one draw cannot show how much draws differ, so there is no interval"
        if self.within == 0 and self.between > 0:
            return "the variance within draws is 0: all uncertainty is between draws, and FMI is undefined"
        if not self.defined:
            few = f"the sample is too small: {self.df:.2g} degrees of freedom"
            return (
                few if self.lambda_ < MUCH else f"draws differ so much that {self.df:.2g} degrees of freedom are left"
            )
        return None


def _fmi(share: float, df: float) -> float:
    """lambda (df + 1) / (df + 3) + 2 / (df + 3); undefined at lambda = 1."""
    if share == 1:
        return math.nan
    return share if math.isinf(df) else (share * (df + 1) + 2) / (df + 3)


def pooled(
    estimates: Sequence[float] | Vector,
    variances: Sequence[float] | Vector,
    df_complete: float = INFINITE,
    *,
    df: str = "barnard-rubin",
    synthetic: bool = False,
) -> Pooled:
    """The pooled estimate of (m,) estimates and their (m,) variances.

    Raises:
        DataError: lengths differ, there is no estimate, or a value is not finite or a variance negative.
        QueryError: the degrees of freedom are not `barnard-rubin`, `rubin1987` or `normal`.
    """
    known_rule(df)
    q, u = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    _check(q, u)
    if not df_complete > 0:
        raise DataError(f"the complete data have {df_complete} degrees of freedom: give a number above 0")
    # centred on the first estimate, so that equal estimates have exactly zero variance between them
    centre = float(q[0])
    shifted = q - centre
    between = float(shifted.var(ddof=1)) if len(q) > 1 else math.nan
    return Pooled(centre + float(shifted.mean()), float(u.mean()), between, len(q), float(df_complete), df, synthetic)


def _check(q: Vector, u: Vector) -> None:
    if q.ndim != 1 or q.shape != u.shape or not len(q):
        raise DataError(f"{q.shape} estimates and {u.shape} variances: give as many of each, one a draw")
    for what, values in (("estimate", q), ("variance", u)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise DataError(
                f"the {what} of draw {bad[0] + 1} is {values[bad[0]]}: leave that draw out, or mend its fit"
            )
    if (u < 0).any():
        place = int(np.flatnonzero(u < 0)[0])
        raise DataError(f"the variance of draw {place + 1} is {u[place]}: a variance is not negative")


def jackknife(
    statistic: Callable[[Pooled], float],
    estimates: Sequence[float] | Vector,
    variances: Sequence[float] | Vector,
    df_complete: float = INFINITE,
    *,
    df: str = "barnard-rubin",
) -> float:
    """The Monte Carlo error of any pooled statistic by the jackknife over draws; NaN when m is below 3.

    The square root of (m - 1) / m times the sum of squares about the mean (White, Royston & Wood 2011, section 7).
    """
    q, u = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    m = len(q)
    if m < 3:
        return math.nan
    left = np.array(
        [statistic(pooled(np.delete(q, j), np.delete(u, j), df_complete, df=df)) for j in range(m)], np.float64
    )
    return float(np.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum()))


def monte_carlo_errors(
    estimates: Sequence[float] | Vector, variances: Sequence[float] | Vector, df_complete: float = INFINITE
) -> Mapping[str, float]:
    """Jackknife Monte Carlo errors of the estimate, its standard error, and the FMI."""
    wanted: Mapping[str, Callable[[Pooled], float]] = {
        "estimate": lambda one: one.estimate,
        "se": lambda one: one.se,
        "fmi": lambda one: one.fmi,
    }
    return {name: jackknife(what, estimates, variances, df_complete) for name, what in wanted.items()}
