"""Batches: rows between two statements of the engine, identified by the row ids of the scans that they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Fill, Scan
from imputedb.imputers.rows import EVERY, Array


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a relation as row ids of scans, with values that are not stored.

    Attributes:
        scans: scans of the relation, by alias.
        rows: (n,) row ids by alias.
        kept: (n,) values of columns that are read above and are held as arrays.
        given: (n,) imputed values of other columns that are read above, where values are missing.
        filled: expressions for the missing cells of these columns.
        draws: (n,) draw index of each row, `EVERY` for a row that all draws share; None where all rows are shared.
        whole: whether these are all rows of a single scan, in its order.
    """

    scans: tuple[Scan, ...]
    rows: Mapping[str, NDArray[np.int64]]
    kept: Mapping[Column, Array] = field(default_factory=dict)
    given: Mapping[Column, Array] = field(default_factory=dict)
    filled: Mapping[Column, Fill] = field(default_factory=dict)
    draws: NDArray[np.int32] | None = None
    whole: bool = False

    @property
    def count(self) -> int:
        """Number of rows, n."""
        return len(next(iter(self.rows.values())))

    @property
    def shared(self) -> NDArray[np.bool_]:
        """(n,) whether all draws share a row."""
        return np.ones(self.count, bool) if self.draws is None else self.draws == EVERY

    def repeats(self, alias: str) -> bool:
        """Whether a join repeats stored rows of a scan within one draw."""
        return len(self.scans) > 1 and has_repeats(self.rows[alias][self.shared])

    def at(self, alias: str, order: NDArray[np.intp] | None) -> NDArray[np.int64] | None:
        """The row ids of the rows at some positions; None for all rows of a whole scan."""
        if order is None:
            return None if self.whole else self.rows[alias]
        return self.rows[alias][order]


def has_repeats(ids: NDArray[np.int64]) -> bool:
    """Whether an id occurs more than once."""
    if not len(ids):
        return False
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids):  # counting is sixty times as fast as sorting
        return int(np.bincount(ids - low).max()) > 1
    return len(np.unique(ids)) < len(ids)
