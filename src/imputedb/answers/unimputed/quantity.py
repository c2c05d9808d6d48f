"""What an aggregate is of, row by row, and the aggregates that are answered without imputing."""

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
"""By the name of a function the kind of aggregate that it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A number, or a condition as 0 and 1, of every row.

    Attributes:
        values: (n,) anything where it is not observed.
        observed: (n,) whether every column that it reads is.
        reads: the incomplete columns among those.
    """

    values: Vector
    observed: Flags
    reads: Columns = NO_COLUMNS

    def times(self, other: "Quantity") -> "Quantity":
        """The product: of conditions, both."""
        return Quantity(self.values * other.values, self.observed & other.observed, self.reads | other.reads)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One output of a query: an aggregate of something, maybe of some rows.

    Attributes:
        kind: its name in lower case, `count` for COUNT(*) too.
        arguments: what it is of; none of COUNT(*), two of a correlation.
        condition: of FILTER (WHERE ...); None of none.
        text: as it was written.
    """

    kind: str
    arguments: tuple[Tree, ...]
    condition: Tree | None
    text: str

    @property
    def argument(self) -> Tree | None:
        """The first argument."""
        return self.arguments[0] if self.arguments else None
