"""Scales of pooling: estimates are pooled where they are nearly normal, and transformed back."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.rubin import Interval, Pooled, pooled


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone transformation, its derivative, and its inverse."""

    name: str
    there: Callable[[float], float]
    slope: Callable[[float], float]
    back: Callable[[float], float]
    low: float = -math.inf
    high: float = math.inf


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


IDENTITY = Scale("identity", lambda q: q, lambda _: 1.0, lambda z: z)
LOG = Scale("log", math.log, lambda q: 1 / q, lambda z: math.exp(min(z, 709.0)), low=0.0)
LOGIT = Scale("logit", lambda q: math.log(q / (1 - q)), lambda q: 1 / (q * (1 - q)), _logistic, low=0.0, high=1.0)
FISHER = Scale("fisher", math.atanh, lambda q: 1 / (1 - q * q), math.tanh, low=-1.0, high=1.0)


@dataclass(frozen=True, slots=True)
class OnScale:
    """An estimate that was pooled on another scale.

    Attributes:
        pooled: pooled value on that scale.
        scale: the scale.
    """

    pooled: Pooled
    scale: Scale

    @property
    def estimate(self) -> float:
        """The estimate on its original scale."""
        return self.scale.back(self.pooled.estimate)

    @property
    def se(self) -> float:
        """The standard error on the original scale by the delta method; the interval is more accurate."""
        return self.pooled.se / self.scale.slope(self.estimate)

    def interval(self, level: float = 0.95) -> Interval:
        """The confidence interval, transformed back."""
        low, high = self.pooled.interval(level)
        return Interval(self.scale.back(low), self.scale.back(high))


def pooled_on(
    scale: Scale,
    estimates: Sequence[float],
    variances: Sequence[float],
    df_complete: float = INFINITE,
    *,
    df: str = "barnard-rubin",
) -> OnScale:
    """Pools estimates on a scale; the given variances, on the original scale, are transformed by the delta method.

    Raises:
        DataError: an estimate is outside the scale's domain, such as a proportion of 0 on the logit.
    """
    for draw, estimate in enumerate(estimates, 1):
        if not scale.low < estimate < scale.high:
            raise DataError(f"the estimate of draw {draw} is {estimate}: the {scale.name} scale needs it between "
                            f"{scale.low} and {scale.high}; pool it on the identity scale")  # fmt: skip
    there = [scale.there(q) for q in estimates]
    moved = [u * scale.slope(q) ** 2 for q, u in zip(estimates, variances, strict=True)]
    return OnScale(pooled(np.array(there), np.array(moved), df_complete, df=df), scale)
