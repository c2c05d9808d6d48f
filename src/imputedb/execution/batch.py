"""Batches: rows between two statements of the engine, as the row ids of the stored rows that they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Fill, Scan
from imputedb.imputers.rows import EVERY, Array


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a relation, as the row ids of the scans that they come from, with values that are not stored.

    Attributes:
        scans: those scans, by alias.
        rows: (n,) row ids by alias.
        kept: (n,) the values of columns that are wanted above and come through arrays as they are.
        given: (n,) what imputers gave for other columns that are wanted above, where values are missing.
        filled: what fills the missing cells of those.
        draws: (n,) the draw that each row is of, `EVERY` where it is the same in all; None where all rows are.
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
        """n, the number of rows."""
        return len(next(iter(self.rows.values())))

    @property
    def shared(self) -> NDArray[np.bool_]:
        """(n,) which rows are the same in every draw."""
        return np.ones(self.count, bool) if self.draws is None else self.draws == EVERY

    def repeats(self, alias: str) -> bool:
        """Whether one draw has a stored row of a scan more than once, because a join repeats it."""
        return len(self.scans) > 1 and has_repeats(self.rows[alias][self.shared])

    def at(self, alias: str, order: NDArray[np.intp] | None) -> NDArray[np.int64] | None:
        """Row ids of the rows at some places; None for all rows of a whole scan."""
        if order is None:
            return None if self.whole else self.rows[alias]
        return self.rows[alias][order]


def has_repeats(ids: NDArray[np.int64]) -> bool:
    """Whether an id stands there more than once."""
    if not len(ids):
        return False
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids):  # counted: sorting takes sixty times as long
        return int(np.bincount(ids - low).max()) > 1
    return len(np.unique(ids)) < len(ids)
