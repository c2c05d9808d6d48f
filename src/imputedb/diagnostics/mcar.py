"""Little's test of values missing completely at random."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.diagnostics.em import em, patterns
from imputedb.errors import DataError
from imputedb.inference.distribution import chi_square_tail

Matrix = NDArray[np.float64]
UNSETTLED = "the means and covariances had not settled, as where columns are never observed together"
NEVER_PROVES = "a large p does not show that values are missing completely at random, let alone at random"


@dataclass(frozen=True, slots=True)
class McarTest:
    """Little's test (1988).

    Attributes:
        statistic: d^2, chi-square distributed if values are normal and missing completely at random.
        df: degrees of freedom.
        patterns: number of patterns of missingness.
        effect: square root of d^2 / n: distance of the patterns' means, independent of the number of rows.
        dropped: columns that were left out: constant, or linear combinations of others.
        caution: limits of the test.
    """

    statistic: float
    df: int
    patterns: int
    effect: float
    dropped: tuple[str, ...] = ()
    caution: str = NEVER_PROVES

    @property
    def p_value(self) -> float:
        """P(chi-square > statistic); NaN where there is one pattern only."""
        return chi_square_tail(self.statistic, self.df) if self.df > 0 else float("nan")


def little(values: Matrix, names: Sequence[str], progress: Callable[[float], object] | None = None) -> McarTest:
    """The test whether means differ between patterns of missingness.

    d^2 = sum over patterns of n_j (mean_j - mu)' Sigma^-1 (mean_j - mu), on observed columns; df = sum p_j - p.

    Args:
        values: (n, c) numbers, NaN where missing; rows without observed values are ignored.
        names: names of the columns.
        progress: called with the share that is done.

    Raises:
        DataError: no column is left to test.
    """
    values = values[~np.isnan(values).all(axis=1)]
    kept = _independent(values)
    if not kept:
        raise DataError("no column varies: Little's test has nothing to compare")
    dropped = tuple(name for place, name in enumerate(names) if place not in kept)
    x = values[:, kept]
    x = x[~np.isnan(x).all(axis=1)]
    moments = em(x, progress=progress)
    total, free, groups = 0.0, 0, patterns(np.isnan(x))
    for flags, rows in groups:
        seen = ~flags
        off = x[np.ix_(rows, seen)].mean(axis=0) - moments.mean[seen]
        total += len(rows) * float(off @ np.linalg.solve(moments.covariance[np.ix_(seen, seen)], off))
        free += int(seen.sum())
    caution = NEVER_PROVES if moments.settled else f"{NEVER_PROVES}; {UNSETTLED}"
    return McarTest(total, free - x.shape[1], len(groups), float(np.sqrt(total / len(x))), dropped, caution)


def _independent(values: Matrix) -> list[int]:
    """The columns that vary and are linearly independent of those before them, with missing values at the mean."""
    seen = np.isfinite(values)
    counts = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, values, 0.0).sum(axis=0) / counts
    x = np.where(seen, values - mean, 0.0)
    size = np.sqrt((x**2).sum(axis=0))
    kept: list[int] = []
    basis: list[Matrix] = []
    for place in range(x.shape[1]):
        if size[place] == 0 or not np.isfinite(size[place]):
            continue
        rest = x[:, place] / size[place]
        for direction in basis + basis:
            rest = rest - direction * (direction @ rest)
        length = np.sqrt(rest @ rest)
        if length > 1e-6:
            kept.append(place)
            basis.append(rest / length)
    return kept
