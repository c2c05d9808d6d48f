"""The scale that a skewed or heavy-tailed number is modelled on, chosen by cells that are known and were held out.

A model of squared errors sees of incomes little but the largest: errors of small ones hardly count. On a scale that
suits, errors are alike everywhere. Only draws that give observed values back take a scale here: whatever it is, what
is drawn needs no transforming back, so that no mean is off for it. Means are predicted on the numbers as they are.

1. Numbers that are neither skewed nor heavy-tailed stay as they are, without a look at other columns.
2. Else a straight line through the normal scores of other columns is fitted to three quarters of a bounded sample, by
   each scale: as it is, cube root, logarithm (of what is not negative; beside zeros, half the least one is added).
3. A quarter is held out. Its log-likelihood by each, with the Jacobian of the scale (Box & Cox 1964), decides: another
   scale is taken where it gains more than one standard error.
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
"""Rows that are looked at, at most."""

FEWEST = 40
"""Observed values, at least, for a scale to be chosen."""

SKEWED, TAILED = 1.0, 6.0
"""Skewness, by size, and kurtosis (3 of a normal distribution) up to which numbers stay as they are."""

BESIDE = 12
"""Other columns that the line goes through, at most."""

Name = Literal["cube root", "logarithm"]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """A way to stretch numbers that keeps their order.

    Attributes:
        name: `cube root` or `logarithm`.
        plus: what is added before the logarithm.
    """

    name: Name
    plus: float = 0.0

    def __call__(self, values: Vector) -> Vector:
        """(n,) the numbers on this scale."""
        if self.name == "cube root":
            return np.cbrt(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(values + self.plus)

    def back(self, values: Vector) -> Vector:
        """(n,) numbers on this scale as they were."""
        if self.name == "cube root":
            return np.asarray(values**3)
        return np.asarray(np.exp(np.minimum(values, 700.0)) - self.plus)

    def slope(self, values: Vector) -> Vector:
        """(n,) logarithms of the derivatives."""
        if self.name == "cube root":
            return np.asarray(-np.log(3.0) - 2 / 3 * np.log(np.abs(values)))
        return -np.log(values + self.plus)


def scales(rows: Rows, targets: Sequence[Column]) -> Mapping[Column, Scale]:
    """The scales of targets that are better modelled on another than their own."""
    found: dict[Column, Scale] = {}
    for column in targets:
        cells = rows.columns[column]
        if cells.kind not in (Kind.INTEGER, Kind.NUMBER):
            continue
        places = _seen(rows, column)
        values = cells.values[places].astype(np.float64)
        if len(values) < FEWEST or not np.isfinite(values).all() or not odd(values):
            continue
        scale = _chosen(rows, column, places, values)
        if scale is not None:
            found[column] = scale
    return found


def scaled(cells: Cells, scale: Scale) -> Cells:
    """The cells of a column on a scale; those that are missing hold nothing."""
    gone = _empty(cells)
    return Cells(scale(np.where(gone, np.nan, cells.values.astype(np.float64))), gone, Kind.NUMBER)


def distinct(cells: Cells, scale: Scale) -> tuple[Array, Vector]:
    """Every observed value of a column once, in rising order, and where it stands on a scale."""
    values = np.unique(cells.values[~_empty(cells)])
    return values, scale(values.astype(np.float64))


def _empty(cells: Cells) -> NDArray[np.bool_]:
    """(n,) the cells that hold no number."""
    return cells.missing | np.isnan(cells.values.astype(np.float64))


def unscaled(values: Array, known: Array, line: Vector) -> Array:
    """The values, to the last bit, that some are on a scale; of all that are known, as `distinct` gives them."""
    return known[np.minimum(np.searchsorted(line, values.astype(np.float64)), len(line) - 1)]


def _seen(rows: Rows, column: Column) -> NDArray[np.intp]:
    places = np.flatnonzero(rows.training(column))
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "scale"), SEEN)[:SEEN]])
    return places


def odd(values: Vector) -> bool:
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
    x = beside(rows, column, places)
    held = keyed(rows.keys[places], "held") % np.uint64(4) == 0
    judged = held & (values != 0)  # a mass at zero says nothing of a scale
    if np.count_nonzero(judged) < FEWEST // 4 or not (~held).any():
        return None
    plain = _likelihood(x, values, np.zeros(len(values)), held)[judged]
    best: tuple[float, Scale | None] = (0.0, None)
    for scale in _candidates(values):
        with np.errstate(divide="ignore"):
            gained = _likelihood(x, scale(values), scale.slope(values), held)[judged] - plain
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
    """(n,) log-densities by a line with normal errors that is fitted to what is not held out."""
    beta = np.linalg.lstsq(x[~held], y[~held], rcond=None)[0]
    left = y - x @ beta
    deviation = max(float(np.sqrt((left[~held] ** 2).mean())), 1e-300)
    return np.asarray(-0.5 * (left / deviation) ** 2 - np.log(deviation) + slope)


def beside(rows: Rows, column: Column, places: NDArray[np.intp]) -> Vector:
    """(n, p) ones and normal scores of other columns, of categories whether they are the most frequent."""
    parts = [np.ones(len(places))]
    others = [c for c in rows.columns if c != column and rows.columns[c].kind is not Kind.OPAQUE]
    for other in sorted(others, key=str)[:BESIDE]:
        cells = rows.columns[other]
        values, gone = cells.values[places].astype(np.float64), cells.missing[places]
        if gone.all():
            continue
        if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
            levels, counts = np.unique(values[~gone], return_counts=True)
            part = (values == levels[counts.argmax()]).astype(np.float64)
        else:
            part = _scores(values, gone)
        part[gone] = 0.0
        if part.std() > 0:
            parts.append(part)
    return np.stack(parts, axis=1)


def _scores(values: Vector, gone: NDArray[np.bool_]) -> Vector:
    from scipy import special

    ranks = np.searchsorted(np.sort(values[~gone]), values, side="left") + 0.5
    return np.asarray(special.ndtri(np.clip(ranks / (np.count_nonzero(~gone) + 1), 1e-9, 1 - 1e-9)))
