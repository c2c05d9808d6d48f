"""Algorithm 1 of the paper: what operators do to cardinalities and missing counts.

The paper carries a histogram a column through a plan and rescales all of them whenever the cardinality changes. All
histograms of a relation are scaled by one factor, so their shapes never change: a relation's estimate is fully given by
its rows and by the set of columns that are still dirty, a dirty column missing in the same share of the rows as in its
stored table. That is what is kept here.
"""

from collections.abc import Iterable


def dropped(rows: float, missing_shares: Iterable[float]) -> float:
    """Rows left by `Drop_C`: every histogram is cut to the smallest observed count among C."""
    return rows * (1 - max(missing_shares, default=0.0))


def filtered(rows: float, selectivity: float) -> float:
    """Rows left by a selection."""
    return rows * selectivity


def joined(left: float, right: float, selectivity: float) -> float:
    """Rows of a join: System R's |l| |r| / max(distinct) an equality (Selinger et al. 1979).

    The original took the smaller side for two keys and the larger otherwise; distinct counts give both where they hold
    and do better elsewhere.
    """
    return left * right * selectivity
