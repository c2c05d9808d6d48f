"""Cardinality estimation, Algorithm 1 of the paper: effects of operators on rows and missing counts.

The paper carries a histogram for each column through a plan and rescales all of them when the cardinality changes. All
histograms of a relation are scaled by one factor, so that their shapes never change. An estimate therefore consists
of a number of rows and the set of columns that are still dirty; a dirty column is missing in the same share of the
rows as in its stored table.
"""

from collections.abc import Iterable


def dropped(rows: float, missing_shares: Iterable[float]) -> float:
    """Rows left by `Drop_C`: every histogram is cut to the smallest observed count among C."""
    return rows * (1 - max(missing_shares, default=0.0))


def filtered(rows: float, selectivity: float) -> float:
    """Rows left by a selection."""
    return rows * selectivity


def joined(left: float, right: float, selectivity: float) -> float:
    """Rows of a join: System R's |l| |r| / max(distinct) for each equality (Selinger et al. 1979).

    The original took the smaller side for two keys and the larger side otherwise; distinct counts give both results
    there, and better ones elsewhere.
    """
    return left * right * selectivity
