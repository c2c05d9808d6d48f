"""Tails and quantiles of Student's t, F and chi-square, from SciPy, which is imported on first use."""

import math

from imputedb import arguments


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t at a probability; infinite where df is 0."""
    from scipy import special

    if df <= 0:
        return math.copysign(math.inf, probability - 0.5)
    if math.isinf(df):
        return float(special.ndtri(probability))
    return float(special.stdtrit(df, probability))


def two_sided(level: float, df: float) -> float:
    """The quantile of |t| at a level: half the width of an interval in standard errors.

    Raises:
        QueryError: the level is not between 0 and 1.
    """
    return t_quantile(0.5 + arguments.share("level", level) / 2, df)


def t_two_sided(statistic: float, df: float) -> float:
    """P(|t| > |statistic|); NaN where df is 0 or the statistic is NaN."""
    from scipy import special

    if not df > 0 or math.isnan(statistic):
        return math.nan
    if math.isinf(df):
        return float(2 * special.ndtr(-abs(statistic)))
    return float(2 * special.stdtr(df, -abs(statistic)))


def f_tail(statistic: float, df1: float, df2: float) -> float:
    """P(F > statistic); df2 may be infinite."""
    from scipy import special

    if math.isnan(statistic) or math.isnan(df2):
        return math.nan
    if math.isinf(df2):
        return chi_square_tail(statistic * df1, df1)
    return float(special.fdtrc(df1, df2, max(statistic, 0.0)))


def chi_square_tail(statistic: float, df: float) -> float:
    """P(chi-square > statistic)."""
    from scipy import special

    return float(special.chdtrc(df, max(statistic, 0.0)))
