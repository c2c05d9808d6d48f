"""Conditions on donors: rows of the same group, and earlier rows."""

from dataclasses import dataclass

import numpy as np

from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Ints, Ranges


@dataclass(frozen=True, slots=True)
class Condition:
    """The donors in an order in which those permitted for a row are contiguous.

    Attributes:
        order: (n,) row numbers in that order.
        keys: (n,) ascending keys of the rows in that order.
        groups: (n,) group by row number; negative where unknown, which matches no other row.
        ranks: (n,) rank of the time by row number; the number of times where it is unknown.
        times: number of different times; 0 without a condition on time.
    """

    order: Ints
    keys: Ints
    groups: Ints
    ranks: Ints
    times: int

    def ranges(self, rows: Ints) -> Ranges:
        """The permitted donors of rows: of the same group and, with a condition on time, strictly earlier."""
        groups, ranks = self.groups[rows], self.ranks[rows]
        first = groups * (self.times + 1)
        last = first + (ranks if self.times else 1)
        begins, ends = np.searchsorted(self.keys, first), np.searchsorted(self.keys, last)
        nobody = groups < 0
        if self.times:
            nobody |= ranks == self.times
        return Ranges(np.arange(len(rows) + 1, dtype=np.int64), np.where(nobody, 0, begins), np.where(nobody, 0, ends))


def condition(count: int, groups: Ints | None, times: Floats | None) -> Condition | None:
    """The condition that donors are in the same group, are earlier, or both; None where there is none.

    Args:
        count: number of rows, n.
        groups: (n,) codes, negative where unknown. A row of an unknown group has no donors.
        times: (n,) NaN where unknown. A row of unknown time neither has donors nor is one.
    """
    if groups is None and times is None:
        return None
    codes = np.zeros(count, np.int64) if groups is None else groups.astype(np.int64)
    known = np.unique(times[~np.isnan(times)]) if times is not None else np.empty(0)
    ranks = np.zeros(count, np.int64)
    if times is not None:
        ranks = np.where(np.isnan(times), len(known), np.searchsorted(known, times)).astype(np.int64)
    moments = max(len(known), 1) if times is not None else 0
    if times is not None and not len(known):
        ranks[:] = moments
    keys = codes * (moments + 1) + ranks
    order = np.argsort(keys, kind="stable")
    return Condition(order, keys[order], codes, ranks, moments)
