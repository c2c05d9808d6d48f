"""Distances between rows of mixed columns, over the coordinates that both rows have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError, QueryError

Floats = NDArray[np.float64]

MetricName = Literal["gower", "euclidean", "manhattan", "cosine"]
Scaling = Literal["range", "robust", "deviation", "none"]
Lacking = Literal["ignored", "expected"]
METRICS: tuple[MetricName, ...] = get_args(MetricName)
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)


class Measure(Enum):
    """How two values of a column differ."""

    NUMERIC = "numeric"
    """By their difference."""
    LOG = "log"
    """By the difference of their logarithms; values must be positive."""
    ORDINAL = "ordinal"
    """By the difference of their ranks among the levels, as R's `daisy` has it."""
    NOMINAL = "nominal"
    """By 1 unless they are equal; a symmetric binary column is one of these."""
    ASYMMETRIC = "asymmetric"
    """Presence (1) or absence (0): where both are absent nothing is said."""

    @property
    def graded(self) -> bool:
        """Whether differences are numeric."""
        return self in (Measure.NUMERIC, Measure.LOG, Measure.ORDINAL)


_ABSOLUTE, _CLIPPED, _SQUARED, _NOMINAL, _ASYMMETRIC, _PRODUCT, _MATCHED = range(7)
_GRADED_PART = {"gower": _CLIPPED, "euclidean": _SQUARED, "manhattan": _ABSOLUTE, "cosine": _PRODUCT}
_ROBUST = (0.05, 0.95)
"""Quantiles whose distance is the robust range."""


@dataclass(frozen=True, slots=True)
class Coordinate:
    """The scaling of one column: values less `centre`, over `scale`; fitted values were between `low` and `high`."""

    measure: Measure
    centre: float
    scale: float
    low: float
    high: float

    def placed(self, values: Floats) -> Floats:
        """(n,) scaled values, NaN where they are missing."""
        if not self.measure.graded:
            return values
        return (_graded(values, self.measure) - self.centre) / self.scale

    def outside(self, values: Floats) -> int:
        """Number of values beyond the fitted range; Gower's distance clips differences to them at 1."""
        graded = _graded(values, self.measure)
        return int(np.count_nonzero((graded < self.low) | (graded > self.high))) if self.measure.graded else 0


def _graded(values: Floats, measure: Measure) -> Floats:
    if measure is not Measure.LOG:
        return values
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(values)


@dataclass(frozen=True, slots=True)
class Space:
    """A metric that is fitted to columns.

    With d_k the difference at coordinate k, w_k its weight, and sums over the coordinates that both rows have:

    - gower: sum(w_k d_k) / sum(w_k) (Gower 1971), differences over the range, clipped at 1
    - euclidean: sqrt(W / sum(w_k) * sum(w_k d_k^2)), W the weight of all coordinates (Dixon 1979)
    - manhattan: W / sum(w_k) * sum(w_k |d_k|)
    - cosine: 1 - <x, y> / (|x| |y|), categories as indicator vectors

    Without a shared coordinate there is no distance. A mean over few shared coordinates may be small by chance, so that
    rows with many missing values seem near. Where differences are `assumed`, a coordinate that only the query has
    counts with the mean difference of two random rows; not for the cosine metric.
    """

    metric: MetricName
    coordinates: tuple[Coordinate, ...]
    assumed: tuple[float, ...] = ()

    @property
    def expected(self) -> Floats:
        """(d,) the difference to assume where a donor lacks a coordinate; (0,) where such coordinates are ignored."""
        return np.array(self.assumed, np.float64)

    @property
    def parts(self) -> NDArray[np.int32]:
        """(d,) the kernel's code of each coordinate."""
        return np.array([self._part(c.measure) for c in self.coordinates], np.int32)

    def _part(self, measure: Measure) -> int:
        if measure.graded:
            return _GRADED_PART[self.metric]
        if self.metric == "cosine":
            return _MATCHED
        return _ASYMMETRIC if measure is Measure.ASYMMETRIC else _NOMINAL

    def distances(self, means: Floats, weights: Floats) -> Floats:
        """Distances from the kernel's means over shared coordinates; infinite where none is shared."""
        match self.metric:
            case "euclidean":
                return np.asarray(np.sqrt(means * weights.sum()))
            case "manhattan":
                return np.asarray(means * weights.sum())
            case _:
                return means


def fitted(
    columns: Iterable[Floats],
    measures: Sequence[Measure],
    metric: MetricName,
    scaling: Scaling | None = None,
    lacking: Lacking = "ignored",
) -> Space:
    """A metric fitted to columns, with NaN where values are missing.

    Args:
        columns: (n,) columns, each read once; categories as codes, ordinal ones in their order.
        measures: how differences of each column are measured.
        metric: name of the distance.
        scaling: divisor of numeric differences: the `range`, the `robust` range between the 5 % and 95 % quantiles, the
            standard `deviation`, or none; by default the range for Gower's distance and the deviation for others.
        lacking: whether a coordinate that a donor lacks is `ignored`, or counts with the `expected` difference.

    Raises:
        QueryError: there is no such metric or scaling.
        DataError: a column that is compared by logarithms has a value that is not positive.
    """
    if metric not in METRICS:
        raise QueryError(f"no metric {metric!r}; there are {', '.join(METRICS)}")
    if scaling is not None and scaling not in SCALINGS:
        raise QueryError(f"no scaling {scaling!r}; there are {', '.join(SCALINGS)}")
    scaling = scaling or ("range" if metric == "gower" else "deviation")
    ignored = lacking == "ignored" or metric == "cosine" or Measure.ASYMMETRIC in measures
    coordinates, assumed = [], []
    for values, measure in zip(columns, measures, strict=True):
        coordinates.append(_coordinate(values, measure, scaling))
        if not ignored:
            assumed.append(_expected(coordinates[-1].placed(values), coordinates[-1], metric))
    return Space(metric, tuple(coordinates), tuple(assumed))


def _expected(values: Floats, coordinate: Coordinate, metric: MetricName) -> float:
    """The mean difference of two random rows: 1 - sum(p^2) for categories, Gini's mean difference for numbers."""
    observed = np.sort(values[~np.isnan(values)])
    count = len(observed)
    if count < 2:
        return 0.0
    if not coordinate.measure.graded:
        shares = np.unique(observed, return_counts=True)[1] / count
        return float(1 - (shares**2).sum())
    if metric == "euclidean":
        return float(2 * observed.var())
    ranks = 2.0 * np.arange(1, count + 1) - count - 1
    return float(2 * (ranks * observed).sum() / (count * (count - 1)))


def _coordinate(values: Floats, measure: Measure, scaling: Scaling) -> Coordinate:
    if not measure.graded:
        return Coordinate(measure, 0.0, 1.0, -np.inf, np.inf)
    observed = values[~np.isnan(values)]
    if measure is Measure.LOG and (observed <= 0).any():
        raise DataError(f"{observed[observed <= 0][0]:g} has no logarithm: compare that column as numeric")
    graded = _graded(observed, measure)
    if not len(graded):
        return Coordinate(measure, 0.0, 1.0, -np.inf, np.inf)
    low, high = float(graded.min()), float(graded.max())
    if measure is Measure.ORDINAL and scaling == "robust":
        scaling = "range"
    centre, scale = _centre_and_scale(graded, scaling)
    return Coordinate(measure, centre, scale if scale > 0 and np.isfinite(scale) else 1.0, low, high)


def _centre_and_scale(graded: Floats, scaling: Scaling) -> tuple[float, float]:
    low, high = float(graded.min()), float(graded.max())
    match scaling:
        case "range":
            return low, high - low
        case "robust":
            inner_low, inner_high = np.quantile(graded, _ROBUST)
            return (float(inner_low), float(inner_high - inner_low)) if inner_high > inner_low else (low, high - low)
        case "deviation":
            return float(graded.mean()), float(graded.std())
        case _:
            return 0.0, 1.0
