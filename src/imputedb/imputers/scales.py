"""Scales for models of skewed or heavy-tailed numbers, chosen by the likelihood of held-out cells.

A model that minimises squared errors mostly fits the largest incomes; errors of small ones hardly count. On a suitable
scale, errors have equal variance. Scales are used only for draws that return observed values, so that nothing is
transformed back and no mean is biased. Expected values are predicted on the original numbers.

1. Numbers that are neither skewed nor heavy-tailed keep their scale, whatever the other columns are.
2. Otherwise a linear model on the normal scores of other columns is fitted to three quarters of a bounded sample, on
   each scale: as it is, cube root, logarithm (if nothing is negative; with zeros, after adding half the smallest
   positive value).
3. Another scale is chosen if it increases the log-likelihood of the held-out quarter, with the Jacobian of the scale
   (Box & Cox 1964), by more than one standard error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind

SEEN = 1000
"""Maximum number of rows in the sample."""

FEWEST = 40
"""Minimum number of observed values for the choice of a scale."""

SKEWED, TAILED = 1.0, 6.0
"""Absolute skewness and kurtosis (3 for a normal distribution) up to which numbers keep their scale."""

BESIDE = 12
"""Maximum number of predictors of the linear model."""

Name = Literal["cube root", "logarithm"]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone transformation of numbers.

    Attributes:
        name: `cube root` or `logarithm`.
        plus: number that is added before the logarithm.
    """

    name: Name
    plus: float = 0.0

    def __call__(self, values: Vector) -> Vector:
        """(n,) the transformed numbers."""
        if self.name == "cube root":
            return np.cbrt(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(values + self.plus)

    def inverse(self, values: Vector) -> Vector:
        """(n,) the inverse transformation."""
        if self.name == "cube root":
            return np.asarray(values**3)
        return np.asarray(np.exp(np.minimum(values, 700.0)) - self.plus)

    def log_derivative(self, values: Vector) -> Vector:
        """(n,) logarithms of the derivatives."""
        if self.name == "cube root":
            return np.asarray(-np.log(3.0) - 2 / 3 * np.log(np.abs(values)))
        return -np.log(values + self.plus)


def scales(rows: Rows, targets: Sequence[Column]) -> Mapping[Column, Scale]:
    """The scales by target; targets that keep their own scale are absent."""
    found: dict[Column, Scale] = {}
    for column in targets:
        cells = rows.columns[column]
        if cells.kind not in (Kind.INTEGER, Kind.NUMBER):
            continue
        places = _seen(rows, column)
        values = cells.values[places].astype(np.float64)
        if len(values) < FEWEST or not np.isfinite(values).all() or not is_irregular(values):
            continue
        scale = _chosen(rows, column, places, values)
        if scale is not None:
            found[column] = scale
    return found


def scaled(cells: Cells, scale: Scale) -> Cells:
    """The cells of a column on a scale."""
    missing = _empty(cells)
    return Cells(scale(np.where(missing, np.nan, cells.values.astype(np.float64))), missing, Kind.NUMBER)


def distinct(cells: Cells, scale: Scale) -> tuple[Array, Vector]:
    """The distinct observed values of a column in ascending order, and the same on a scale."""
    values = np.unique(cells.values[~_empty(cells)])
    return values, scale(values.astype(np.float64))


def _empty(cells: Cells) -> NDArray[np.bool_]:
    """(n,) cells that hold no number, missing or NaN."""
    return cells.missing | np.isnan(cells.values.astype(np.float64))


def unscaled(values: Array, known: Array, line: Vector) -> Array:
    """The exact observed values for some values on a scale; `known` and `line` come from `distinct`."""
    return known[np.minimum(np.searchsorted(line, values.astype(np.float64)), len(line) - 1)]


def _seen(rows: Rows, column: Column) -> NDArray[np.intp]:
    places = np.flatnonzero(rows.training(column))
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "scale"), SEEN)[:SEEN]])
    return places


def is_irregular(values: Vector) -> bool:
    """Whether numbers are skewed or heavy-tailed."""
    largest = float(np.abs(values).max())
    plain = values / largest if largest > 0 else values
    apart = plain - plain.mean()
    deviation = float(np.sqrt((apart**2).mean()))
    if deviation <= 0:
        return False
    z = apart / deviation
    return bool(abs((z**3).mean()) > SKEWED or (z**4).mean() > TAILED)


def _chosen(rows: Rows, column: Column, places: NDArray[np.intp], values: Vector) -> Scale | None:
    x = predictor_matrix(rows, column, places)
    held = keyed(rows.keys[places], "held") % np.uint64(4) == 0
    judged = held & (values != 0)  # many zeros say nothing about the scale
    if np.count_nonzero(judged) < FEWEST // 4 or not (~held).any():
        return None
    plain = _likelihood(x, values, np.zeros(len(values)), held)[judged]
    best: tuple[float, Scale | None] = (0.0, None)
    for scale in _candidates(values):
        with np.errstate(divide="ignore"):
            gained = _likelihood(x, scale(values), scale.log_derivative(values), held)[judged] - plain
        total, error = float(gained.sum()), float(gained.std() * np.sqrt(len(gained)))
        if np.isfinite(total) and total > error and total > best[0]:
            best = total, scale
    return best[1]


def _candidates(values: Vector) -> list[Scale]:
    found = [Scale("cube root")]
    if values.min() >= 0 and (values > 0).any():
        found.append(Scale("logarithm", 0.0 if values.min() > 0 else float(values[values > 0].min()) / 2))
    return found


def _likelihood(x: Vector, y: Vector, slope: Vector, held: NDArray[np.bool_]) -> Vector:
    """(n,) log-densities under a linear model with normal errors, fitted to the rows that are not held out."""
    beta = np.linalg.lstsq(x[~held], y[~held], rcond=None)[0]
    left = y - x @ beta
    deviation = max(float(np.sqrt((left[~held] ** 2).mean())), 1e-300)
    return np.asarray(-0.5 * (left / deviation) ** 2 - np.log(deviation) + slope)


def predictor_matrix(rows: Rows, column: Column, places: NDArray[np.intp]) -> Vector:
    """(n, p) predictors: ones, normal scores of other columns, and indicators of the most frequent category."""
    parts = [np.ones(len(places))]
    others = [c for c in rows.columns if c != column and rows.columns[c].kind is not Kind.OPAQUE]
    for other in sorted(others, key=str)[:BESIDE]:
        cells = rows.columns[other]
        values, missing = cells.values[places].astype(np.float64), cells.missing[places]
        if missing.all():
            continue
        if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
            levels, counts = np.unique(values[~missing], return_counts=True)
            part = (values == levels[counts.argmax()]).astype(np.float64)
        else:
            part = _scores(values, missing)
        part[missing] = 0.0
        if part.std() > 0:
            parts.append(part)
    return np.stack(parts, axis=1)


def _scores(values: Vector, missing: NDArray[np.bool_]) -> Vector:
    from scipy import special

    ranks = np.searchsorted(np.sort(values[~missing]), values, side="left") + 0.5
    return np.asarray(special.ndtri(np.clip(ranks / (np.count_nonzero(~missing) + 1), 1e-9, 1 - 1e-9)))
