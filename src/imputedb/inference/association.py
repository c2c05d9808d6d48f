"""Pooling of correlations and R-squared on Fisher's z, where they are nearly normal."""

import math
from collections.abc import Sequence

import numpy as np

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.rubin import pooled
from imputedb.inference.scale import FISHER, OnScale, Scale


def correlation(
    values: Sequence[float],
    rows: int,
    *,
    partialled: int = 0,
    df_complete: float | None = None,
    df: str = "barnard-rubin",
) -> OnScale:
    """The pooled correlation of m draws: on Fisher's z, variance 1 / (n - 3 - q), n - 2 - q complete-data df.

    Args:
        values: correlation of each draw, inside (-1, 1).
        rows: number of rows, n.
        partialled: number of variables that a partial correlation holds constant, q.
        df_complete: complete-data degrees of freedom, if others than n - 2 - q.
        df: definition of degrees of freedom.

    Raises:
        DataError: a correlation is -1 or 1, or there are fewer than 4 + q rows.
    """
    left = rows - 3 - partialled
    if left < 1:
        raise DataError(f"{rows} rows are too few for a correlation with {partialled} partialled out: 4 + q are needed")
    for draw, value in enumerate(values, 1):
        if not -1 < value < 1:
            raise DataError(f"the correlation of draw {draw} is {value}: Fisher's z needs it inside (-1, 1)")
    z = np.arctanh(np.asarray(values, np.float64))
    complete = rows - 2 - partialled if df_complete is None else df_complete
    return OnScale(pooled(z, np.full(len(z), 1 / left), complete, df=df), FISHER)


def _root_there(q: float) -> float:
    return math.copysign(math.atanh(math.sqrt(abs(q))), q)


def _root_slope(q: float) -> float:
    root = math.sqrt(abs(q))
    return 1 / (2 * root * (1 - q * q)) if root else math.inf


R_SQUARED = Scale("r-squared", _root_there, _root_slope, lambda z: math.tanh(max(z, 0.0)) ** 2, low=-1.0, high=1.0)
"""atanh of the root, with the sign of an adjusted R-squared; what falls below 0 comes back as 0."""


def r_squared(
    values: Sequence[float], rows: int, *, df_complete: float = INFINITE, df: str = "barnard-rubin"
) -> OnScale:
    """The pooled R-squared of m draws, plain or adjusted: its root on Fisher's z, variance 1 / (n - 3) (Harel 2009).

    Warning: the interval is that of a squared correlation, too wide near 0 and rough in small samples.

    Raises:
        DataError: a value is 1 or more, or there are fewer than four rows.
    """
    if rows < 4:
        raise DataError(f"{rows} rows are too few for an R-squared: 4 are needed")
    for draw, value in enumerate(values, 1):
        if not -1 < value < 1:
            raise DataError(f"the R-squared of draw {draw} is {value}: it must be below 1")
    z = np.array([_root_there(value) for value in values])
    return OnScale(pooled(z, np.full(len(z), 1 / (rows - 3)), df_complete, df=df), R_SQUARED)
