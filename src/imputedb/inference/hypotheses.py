"""Joint tests of several parameters: D1 to D4.

D1 uses estimates and covariances, D2 chi-squares only, D3 and D4 likelihood ratios. Prefer D1 and D4; D2 uses the
least information and is rough with few draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.distribution import f_tail
from imputedb.inference.multivariate import Several


@dataclass(frozen=True, slots=True)
class JointTest:
    """A pooled F test.

    Attributes:
        method: D1, D2, D3 or D4.
        statistic: F.
        df1: number of parameters tested.
        df2: degrees of freedom of the denominator.
        riv: relative increase in variance due to missing values.
        warning: what makes the result doubtful; None where nothing does.
    """

    method: str
    statistic: float
    df1: int
    df2: float
    riv: float
    warning: str | None = None

    @property
    def p_value(self) -> float:
        """P(F > statistic)."""
        return f_tail(self.statistic, self.df1, self.df2)


def d1(parameters: Several, values: Sequence[float] | None = None, *, small_sample: bool | None = None) -> JointTest:
    """Wald test that the parameters equal `values`, zero unless given (Li, Raghunathan & Rubin 1991).

    F = q' W^-1 q / (k (1 + r)). With finite complete-data degrees of freedom the denominator is that of Reiter (2007)
    unless `small_sample` is False.

    Raises:
        DataError: there is one draw only, or the covariance within draws is singular.
    """
    m, k = parameters.m, len(parameters.terms)
    _needs_draws(m)
    off = parameters.estimate - (0.0 if values is None else np.asarray(values, np.float64))
    try:
        r = max(parameters.riv, 0.0)
        distance = float(off @ np.linalg.solve(parameters.within, off))
    except np.linalg.LinAlgError as error:
        raise DataError(
            f"the covariance of {', '.join(parameters.terms)} is singular: one of them follows from the others, or has "
            "no variance; test fewer terms"
        ) from error
    statistic = distance / (k * (1 + r))
    small = parameters.df_complete != INFINITE if small_sample is None else small_sample
    df2 = _reiter2007(k, m, r, parameters.df_complete) if small else _li1991(k, m, r)
    doubt = small and k * (m - 1) <= 4
    warning = f"{m} draws are too few for {k} parameters: k (m - 1) is not above 4" if doubt else None
    return JointTest("D1", statistic, k, df2, r, warning)


def _li1991(k: int, m: int, r: float) -> float:
    t = k * (m - 1)
    if r == 0:
        return INFINITE
    return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2


def _reiter2007(k: int, m: int, r: float, complete: float) -> float:
    """Reiter (2007), equation 5; at k (m - 1) = 4 its limit, below that the large-sample form."""
    t = k * (m - 1)
    if t == 4 and r > 0:
        return 4.0
    if t <= 4 or complete == INFINITE:
        return _li1991(k, m, r)
    a, star = r * t / (t - 2), (complete + 1) / (complete + 3) * complete
    c0, c1, c2 = 1 / (t - 4), star - 2 * (1 + a), star - 4 * (1 + a)
    z = (
        1 / c2
        + c0 * (a**2 * c1 / ((1 + a) ** 2 * c2))
        + c0 * (8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2))
        + c0 * (4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3)
        + c0 * (8 * a**2 / c2**2)
    )
    return 4 + 1 / z


def d2(chi_squares: Sequence[float], k: int) -> JointTest:
    """A test from the m chi-squares of k parameters (Li, Meng, Raghunathan & Rubin 1991).

    Raises:
        DataError: there is one draw only, or a chi-square is negative.
    """
    d = np.asarray(chi_squares, np.float64)
    m = len(d)
    _needs_draws(m)
    if (d < 0).any():
        raise DataError(f"a chi-square is {d.min()}: chi-squares are not negative")
    r = float((1 + 1 / m) * np.sqrt(d).var(ddof=1)) if np.ptp(d) else 0.0
    statistic = (float(d.mean()) / k - (m + 1) / (m - 1) * r) / (1 + r)
    df2 = k ** (-3 / m) * (m - 1) * (1 + 1 / r) ** 2 if r > 0 else INFINITE
    warning = "the draws differ more than the parameters: F is below 0" if statistic < 0 else None
    return JointTest("D2", statistic, k, df2, r, warning)


def d3(own: Sequence[float], at_pooled: Sequence[float], k: int) -> JointTest:
    """A test from likelihood ratios (Meng & Rubin 1992).

    Args:
        own: (m,) 2 (log L full - log L null), each at the draw's own estimates.
        at_pooled: (m,) the same at the pooled parameters, residual variances included.
        k: number of parameters tested.

    Raises:
        DataError: there is one draw only.
    """
    m = len(own)
    _needs_draws(m)
    at_own, at_mean = float(np.mean(own)), float(np.mean(at_pooled))
    rise = (m + 1) / (k * (m - 1)) * (at_own - at_mean)
    r = max(rise, 0.0)
    warning = "likelihood ratios rise at the pooled parameters, so none is missing by them: r is taken as 0"
    return JointTest("D3", at_mean / (k * (1 + r)), k, _li1991(k, m, r), r, warning if rise < 0 else None)


@dataclass(frozen=True, slots=True)
class Robust:
    """What the robust form of D4 needs: twice the log-likelihoods of the full model.

    Attributes:
        own: mean over draws of 2 log L at each draw's estimates.
        stacked: 2 log L of the stacked draws at their own estimates, divided by m.
        parameters: number of parameters of the full model, h.
    """

    own: float
    stacked: float
    parameters: int


def d4(own: Sequence[float], stacked: float, k: int, *, robust: Robust | None = None) -> JointTest:
    """A test from likelihood ratios on stacked draws (Chan & Meng 2022).

    Args:
        own: (m,) 2 (log L full - log L null) of each draw.
        stacked: the same for all draws in one data set, divided by m.
        k: number of parameters tested.
        robust: if given, the increase in variance is estimated by the full model, which is valid for any hypothesis.

    Raises:
        DataError: there is one draw only.
    """
    m = len(own)
    _needs_draws(m)
    if robust is None:
        width, rise = k, float(np.mean(own)) - stacked
    else:
        width, rise = robust.parameters, robust.own - robust.stacked
    r = max((m + 1) / (width * (m - 1)) * rise, 0.0)
    df2 = width * (m - 1) * (1 + 1 / r) ** 2 if r > 0 else INFINITE
    return JointTest("D4", stacked / (k * (1 + r)), k, df2, r)


def wald(parameters: Several) -> list[float]:
    """The m Wald chi-squares of the parameters, for D2."""
    return [float(q @ np.linalg.solve(u, q)) for q, u in zip(parameters.estimates, parameters.covariances, strict=True)]


def _needs_draws(m: int) -> None:
    if m < 2:
        raise DataError(f"{m} draw cannot show how much draws differ: a pooled test needs two")
