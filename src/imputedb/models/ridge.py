"""Ridge regression on rows with missing values; these have an indicator and a coefficient of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.models.feature import Feature
from imputedb.models.function import CategoryTerm, NumberTerm, Sum

LEVELS = 16
"""Largest number of a category's levels with a coefficient, the most frequent ones."""

PENALTY = 1.0
"""Ridge penalty, as a number of rows at one standard deviation."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The columns of a feature in the design matrix.

    Attributes:
        feature: its place among the features.
        centre: the mean of a number.
        scale: the standard deviation of a number.
        levels: the levels of a category that have a column.
        start: the first of its columns; the last one indicates a missing value.
    """

    feature: int
    centre: float
    scale: float
    levels: tuple[int, ...]
    start: int

    @property
    def width(self) -> int:
        return 1 + (len(self.levels) if self.levels else 1)


def matrix(features: Sequence[Feature], x: Matrix, weight: Vector) -> tuple[Matrix, list[_Place]]:
    """(n, q) design matrix: ones, standardised numbers, indicators of levels and of missing values; and its columns."""
    places: list[_Place] = []
    columns = [np.ones(x.shape[1])]
    for number, feature in enumerate(features):
        values = x[number]
        missing = np.isnan(values)
        seen = weight * ~missing
        if not seen.any():
            continue
        filled = np.where(missing, 0.0, values)
        if feature.classes:
            counts = np.bincount(filled.astype(np.intp), seen, feature.classes)
            levels = tuple(sorted(np.argsort(-counts, kind="stable")[: min(LEVELS, (counts > 0).sum())].tolist()))
            places.append(_Place(number, 0.0, 1.0, levels, len(columns)))
            columns += [((filled == level) & ~missing).astype(np.float64) for level in levels]
        else:
            total = seen.sum()
            centre = float(seen @ filled / total)
            scale = float(np.sqrt(seen @ (filled - centre) ** 2 / total)) or 1.0
            places.append(_Place(number, centre, scale, (), len(columns)))
            columns.append(np.where(missing, 0.0, (filled - centre) / scale))
        columns.append(missing.astype(np.float64))
    return np.stack(columns, axis=1), places


def terms(places: Sequence[_Place], features: Sequence[Feature], beta: Vector) -> tuple[NumberTerm | CategoryTerm, ...]:
    """Coefficients of the design matrix as terms of a sum."""
    found: list[NumberTerm | CategoryTerm] = []
    for place in places:
        own = beta[place.start : place.start + place.width]
        if place.levels:
            values = np.zeros(features[place.feature].classes)
            values[list(place.levels)] = own[:-1]
            found.append(CategoryTerm(place.feature, tuple(values.tolist()), float(own[-1])))
        else:
            found.append(NumberTerm(place.feature, place.centre, float(own[0] / place.scale), float(own[-1])))
    return tuple(found)


def ridge(features: Sequence[Feature], x: Matrix, y: Vector, weight: Vector) -> Sum:
    """The least-squares linear function, with a slight ridge penalty on all coefficients but the intercept."""
    used = weight > 0
    design, places = matrix(features, x[:, used], weight[used])
    weighed = design * weight[used][:, None]
    gram = weighed.T @ design
    gram[np.diag_indices(len(gram))] += np.where(np.arange(len(gram)) > 0, PENALTY, 1e-9)
    beta = _solved(gram, weighed.T @ y[used])
    return Sum(float(beta[0]), terms(places, features, beta))


def _solved(gram: Matrix, cross: Vector) -> NDArray[np.float64]:
    return np.asarray(np.linalg.solve(gram, cross))
