"""What policies permit of the missing cells of a column."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.imputers.rows import Cells
from imputedb.imputers.series import Series
from imputedb.statistics.policy import DEFAULT, Policy


class Derivation(Protocol):
    """How a column is computed from others of its row (DERIVED AS)."""

    @property
    def parts(self) -> tuple[Column, ...]:
        """The columns that it is computed from."""

    def __call__(self, cells: Mapping[Column, Cells], like: Cells) -> Cells:
        """The column, of its parts and as those cells of its own have values."""


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """What may be done about the missing cells of one column.

    Attributes:
        policy: what was said of it.
        barred: the columns at hand that it may not be predicted from.
        times: (n,) the times of the rows; predicted is from earlier ones. None for all.
        weights: (n,) how many rows each stands for; None where all are alike.
        series: how rows stand in an order within groups; None where they stand in none.
        clusters: (n,) of which cluster each row is; None where nobody says.
        meant: (n,) where the column is NULL and that means something of its own; None where it nowhere does.
        derivation: how the column is computed; None where it is imputed.
    """

    policy: Policy = DEFAULT
    barred: Columns = NO_COLUMNS
    times: Cells | None = None
    derivation: Derivation | None = None
    weights: Cells | None = None
    series: Series | None = None
    clusters: Cells | None = None
    meant: NDArray[np.bool_] | None = None

    def at(self, places: NDArray[np.intp]) -> "Permit":
        """What is permitted in some rows, in the order given."""
        return replace(
            self,
            times=self.times and self.times.at(places),
            weights=self.weights and self.weights.at(places),
            series=self.series and self.series.at(places),
            clusters=self.clusters and self.clusters.at(places),
            meant=None if self.meant is None else self.meant[places],
        )


FREE = Permit()


def barred(policy: Policy, column: Column, same: Collection[Column], derived: Collection[Column] = ()) -> Columns:
    """The columns that one may not be predicted from.

    Args:
        policy: of the column.
        column: the column.
        same: the columns at hand of the table that it is of, under whatever alias.
        derived: columns at hand of rows that a query has made, of which nobody knows what they were computed from.
    """
    if not policy.chooses_predictors:
        return NO_COLUMNS
    return frozenset({c for c in same if not policy.predicts(c.name)} | set(derived)) - {column}
