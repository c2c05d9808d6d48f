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
    """What policies permit for the missing cells of one column.

    Attributes:
        policy: policy of the column.
        barred: columns that may not be used as predictors.
        times: (n,) times of the rows, of which only earlier ones are used; None for all.
        weights: (n,) weights of the rows; None for equal ones.
        series: order of the rows within groups; None without an order.
        clusters: (n,) cluster of each row; None without clusters.
        meant: (n,) where a NULL has a meaning of its own; None where there is none.
        derivation: computation of a derived column; None where it is imputed.
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
        """The permit for some rows, in the order given."""
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
    """The columns that may not be used as predictors of a column.

    Args:
        policy: policy of the column.
        column: the column.
        same: available columns of the column's table, under any alias.
        derived: available columns that a query has computed, of unknown origin.
    """
    if not policy.chooses_predictors:
        return NO_COLUMNS
    return frozenset({c for c in same if not policy.predicts(c.name)} | set(derived)) - {column}
