"""The mean imputer: a column's mean, or its most frequent category."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind


@dataclass(frozen=True, slots=True)
class Mean:
    """A column's mean over its stored table (for categories and booleans the mode), from statistics, in SQL.

    1. Statistics give the centre of a column: its mean rounded to the column's type, or its most frequent value.
    2. Where the value is missing the engine reads `COALESCE(column, centre)`.

    It is fast and non-blocking. Warning: it reduces variances and biases associations towards zero (van Buuren 2018,
    section 1.3.3); averages are unbiased only if values are missing completely at random.
    """

    name = "mean"
    uses_predictors = False
    proper = False
    draws = False

    def time(self, work: Work) -> float:
        """The time of a COALESCE for each cell."""
        return 2e-6 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = (|C| + Σ spread) / |Attr|: none of the columns' variance is explained.

        This is the paper's Σ (1 + Var(c)) / Card without units, on one scale with trees: the lost share of a row.
        """
        loss = (work.targets + work.spread) / work.attributes
        return float(loss / (1 + loss))

    def constant(self, centre: str) -> str:
        """The centre itself."""
        return centre

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,  # noqa: ARG002
        progress: Progress | None = None,  # noqa: ARG002
        *,
        drawn: Collection[Column] = (),  # noqa: ARG002
        draw: int = 0,  # noqa: ARG002
    ) -> Mapping[Column, Array]:
        """The mean or mode of the observed cells, for rows as arrays; all draws are equal."""
        return {column: _centred(rows.columns[column], rows.training(column)) for column in targets}


def _centred(cells: Cells, training: NDArray[np.bool_]) -> Array:
    observed = cells.values[training]
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        values, counts = np.unique(observed, return_counts=True)
        centre = values[np.argmax(counts)]
    else:
        numbers = observed.astype(np.float64)
        finite = numbers[np.isfinite(numbers)]
        centre = np.mean(finite if len(finite) else numbers[:1])
        if np.issubdtype(cells.values.dtype, np.integer):
            centre = np.rint(centre)
    return np.full(int(cells.missing.sum()), centre).astype(cells.values.dtype)
