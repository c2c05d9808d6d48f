"""Pooled predictions of models fitted to each draw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE, freedom
from imputedb.inference.distribution import two_sided
from imputedb.inference.rubin import Interval, Pooled, pooled


@dataclass(frozen=True, slots=True)
class Prediction:
    """A pooled prediction: the mean, and the interval of a new value.

    Attributes:
        mean: pooled mean of the outcome.
        noise: mean residual variance over draws.
    """

    mean: Pooled
    noise: float

    @property
    def df(self) -> float:
        """Degrees of freedom for a new value: Barnard-Rubin with lambda = (1 + 1/m) B / (T + noise)."""
        whole = self.mean.total + self.noise
        share = (1 + 1 / self.mean.m) * self.mean.between / whole if whole else 0.0
        return freedom(share, self.mean.m, self.mean.df_complete, self.mean.rule)

    def interval(self, level: float = 0.95) -> Interval:
        """The prediction interval of a new value."""
        if self.mean.m == 1:
            return Interval(math.nan, math.nan)
        half = two_sided(level, self.df) * math.sqrt(self.mean.total + self.noise)
        return Interval(self.mean.estimate - half, self.mean.estimate + half)


def prediction(
    fits: Sequence[float],
    errors: Sequence[float],
    sigmas: Sequence[float] | None = None,
    df_complete: float = INFINITE,
    *,
    df: str = "barnard-rubin",
) -> Prediction:
    """The pooled prediction of m draws.

    Args:
        fits: (m,) predicted means.
        errors: (m,) their standard errors.
        sigmas: (m,) residual standard deviations; without them the interval is that of the mean.
        df_complete: residual degrees of freedom of the model.
        df: definition of degrees of freedom.

    Raises:
        DataError: lengths differ or a value is not finite.
    """
    if sigmas is not None and len(sigmas) != len(fits):
        raise DataError(f"{len(fits)} fits and {len(sigmas)} residual deviations: give as many of each")
    mean = pooled(np.asarray(fits, np.float64), np.asarray(errors, np.float64) ** 2, df_complete, df=df)
    noise = 0.0 if sigmas is None else float(np.mean(np.asarray(sigmas, np.float64) ** 2))
    return Prediction(mean, noise)
