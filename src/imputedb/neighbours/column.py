"""One column of a table as neighbours are told by it, and the rows they are sought among."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.metric import Floats, Lacking, MetricName, Scaling, Space, fitted
from imputedb.neighbours.metric import Measure as Measure
from imputedb.neighbours.search import Ints


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column.

    Attributes:
        values: (n,) numbers, booleans or codes of categories; missing ones hold anything.
        missing: (n,) True where the value is missing.
        measure: how its values differ.
        named: whether values are codes of categories, of which there is no mean.
    """

    values: NDArray[np.generic]
    missing: NDArray[np.bool_]
    measure: Measure = Measure.NUMERIC
    named: bool = False

    def located(self, rows: Ints | slice = slice(None)) -> Floats:
        """Values of some rows as floats, NaN where they are missing."""
        values = self.values[rows].astype(np.float64)
        values[self.missing[rows]] = np.nan
        return values

    @property
    def averages(self) -> bool:
        """Whether its values have a mean and a median."""
        return self.measure.graded and not self.named

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(n,) True where the value is there; NaN is not."""
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
