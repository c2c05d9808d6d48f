"""The arguments of aggregates as quantities of rows, for answers without imputation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Columns
from imputedb.sql.ast import Tree
from imputedb.sql.functions import COUNTS, MEANS, SUMS

Vector = NDArray[np.float64]


Flags = NDArray[np.bool_]


KINDS = {
    **dict.fromkeys(COUNTS, "count"),
    **dict.fromkeys(MEANS, "avg"),
    **dict.fromkeys(SUMS, "sum"),
    "variance": "var_samp",
    "stddev": "stddev_samp",
    **{name: name for name in ("min", "max", "var_samp", "var_pop", "stddev_samp", "stddev_pop")},
    **{name: name for name in ("corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept")},
}
"""The kind of aggregate by name of the function."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A number of every row, or a condition as 0 and 1.

    Attributes:
        values: (n,) values; arbitrary where not observed.
        observed: (n,) whether all columns that it reads are observed.
        reads: incomplete columns among these.
    """

    values: Vector
    observed: Flags
    reads: Columns = NO_COLUMNS

    def times(self, other: "Quantity") -> "Quantity":
        """The product; for conditions, their conjunction."""
        return Quantity(self.values * other.values, self.observed & other.observed, self.reads | other.reads)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An output of a query: an aggregate, perhaps with a FILTER.

    Attributes:
        kind: name in lower case, `count` for COUNT(*) too.
        arguments: its arguments; none for COUNT(*), two for a correlation.
        condition: condition of FILTER (WHERE ...); None without one.
        text: text of the call.
    """

    kind: str
    arguments: tuple[Tree, ...]
    condition: Tree | None
    text: str

    @property
    def argument(self) -> Tree | None:
        """The first argument."""
        return self.arguments[0] if self.arguments else None
