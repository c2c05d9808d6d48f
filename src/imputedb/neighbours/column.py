"""Columns as coordinates of rows, and the metric fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.metric import Floats, Lacking, MetricName, Scaling, Space, fitted
from imputedb.neighbours.metric import Measure as Measure
from imputedb.neighbours.search import Ints


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column as a coordinate.

    Attributes:
        values: (n,) numbers, booleans or codes of categories; arbitrary where missing.
        missing: (n,) True where the value is missing.
        measure: how differences of its values are measured.
        named: whether values are codes of categories, which have no mean.
    """

    values: NDArray[np.generic]
    missing: NDArray[np.bool_]
    measure: Measure = Measure.NUMERIC
    named: bool = False

    def located(self, rows: Ints | slice = slice(None)) -> Floats:
        """Values of some rows as doubles, NaN where they are missing."""
        values = self.values[rows].astype(np.float64)
        values[self.missing[rows]] = np.nan
        return values

    @property
    def averages(self) -> bool:
        """Whether its values have a mean and a median."""
        return self.measure.graded and not self.named

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(n,) True where the value is present and not NaN."""
        if self.values.dtype.kind == "f":
            return ~self.missing & ~np.isnan(self.values.astype(np.float64, copy=False))
        return ~self.missing


def space_of(
    attributes: Sequence[Attribute],
    metric: MetricName,
    scaling: Scaling | None = None,
    lacking: Lacking = "ignored",
    rows: Ints | slice = slice(None),
) -> Space:
    """The metric fitted to some rows of the attributes."""
    return fitted((a.located(rows) for a in attributes), [a.measure for a in attributes], metric, scaling, lacking)


def placed(space: Space, attributes: Sequence[Attribute], rows: Ints | slice = slice(None)) -> Floats:
    """(q, d) coordinates of some rows."""
    columns = zip(space.coordinates, attributes, strict=True)
    count = len(attributes[0].missing[rows]) if isinstance(rows, slice) else len(rows)
    points = np.empty((count, len(attributes)))
    for place, (coordinate, attribute) in enumerate(columns):
        points[:, place] = coordinate.placed(attribute.located(rows))
    return points
