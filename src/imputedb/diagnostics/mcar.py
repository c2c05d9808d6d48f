"""Little's test of values missing completely at random, on means and covariance by EM."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.inference.distribution import chi_square_tail

Matrix = NDArray[np.float64]
NEVER_PROVES = "a large p does not show that values are missing completely at random, let alone at random"


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Maximum likelihood under multivariate normality.

    Attributes:
        mean: (c,).
        covariance: (c, c), divisor n.
        loglik: of the observed values.
        iterations: until nothing changed.
    """

    mean: Matrix
    covariance: Matrix
    loglik: float
    iterations: int


@dataclass(frozen=True, slots=True)
class McarTest:
    """Little's test (1988).

    Attributes:
        statistic: d^2, chi-square where values are missing completely at random and normal.
        df: its degrees of freedom.
        patterns: number of patterns of missingness.
        effect: square root of d^2 / n: how far the patterns' means lie apart, whatever the number of rows.
        dropped: columns that were left out, constant or combinations of others.
        caution: what the test cannot say.
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


def little(values: Matrix, names: Sequence[str]) -> McarTest:
    """Whether means differ between patterns of missingness more than chance has it.

    d^2 = sum over patterns of n_j (mean_j - mu)' Sigma^-1 (mean_j - mu), on what each observes; df = sum p_j - p.

    Args:
        values: (n, c) numbers, NaN where missing; rows with nothing observed say nothing.
        names: of the columns.

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
    moments = em(x)
    total, free, groups = 0.0, 0, _patterns(np.isnan(x))
    for flags, rows in groups:
        seen = ~flags
        off = x[np.ix_(rows, seen)].mean(axis=0) - moments.mean[seen]
        total += len(rows) * float(off @ np.linalg.solve(moments.covariance[np.ix_(seen, seen)], off))
        free += int(seen.sum())
    return McarTest(total, free - x.shape[1], len(groups), float(np.sqrt(total / len(x))), dropped)


def em(values: Matrix, *, tolerance: float = 1e-13, most: int = 20_000) -> Moments:
    """Mean and covariance by expectation-maximisation (Dempster, Laird & Rubin 1977), run until nothing changes.

    Args:
        values: (n, c), NaN where missing; every column varies and every row has an observed value.
        tolerance: largest change of a standardised moment at the end.
        most: iterations at most.
    """
    centre, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    x = (values - centre) / scale
    n, c = x.shape
    groups = [(flags, rows, np.where(np.isnan(x[rows]), 0.0, x[rows])) for flags, rows in _patterns(np.isnan(x))]
    mean, covariance, iterations = np.zeros(c), np.eye(c), 0
    while iterations < most:
        iterations += 1
        first, second = np.zeros(c), np.zeros((c, c))
        for flags, rows, part in groups:
            filled, spread = _expected(flags, part, mean, covariance)
            first += filled.sum(axis=0)
            second += filled.T @ filled + len(rows) * spread
        new_mean = first / n
        new = second / n - np.outer(new_mean, new_mean)
        change = max(np.abs(new_mean - mean).max(), np.abs(new - covariance).max())
        mean, covariance = new_mean, new
        if change < tolerance:
            break
    loglik = sum(_loglik(flags, part, mean, covariance, scale) for flags, _, part in groups)
    return Moments(mean * scale + centre, covariance * np.outer(scale, scale), loglik, iterations)


def _expected(flags: NDArray[np.bool_], part: Matrix, mean: Matrix, covariance: Matrix) -> tuple[Matrix, Matrix]:
    """Rows of a pattern with their missing values expected, and the covariance that is left of these."""
    spread = np.zeros_like(covariance)
    if not flags.any():
        return part, spread
    seen = ~flags
    weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, flags)])
    filled = part.copy()
    filled[:, flags] = mean[flags] + (part[:, seen] - mean[seen]) @ weights
    spread[np.ix_(flags, flags)] = covariance[np.ix_(flags, flags)] - covariance[np.ix_(flags, seen)] @ weights
    return filled, spread


def _loglik(flags: NDArray[np.bool_], part: Matrix, mean: Matrix, covariance: Matrix, scale: Matrix) -> float:
    seen = ~flags
    lower = np.linalg.cholesky(covariance[np.ix_(seen, seen)])
    z = np.linalg.solve(lower, (part[:, seen] - mean[seen]).T)
    constant = np.log(2 * np.pi) * seen.sum() / 2 + np.log(np.diag(lower)).sum() + np.log(scale[seen]).sum()
    return float(-len(part) * constant - 0.5 * (z**2).sum())


def _patterns(missing: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    found, place = np.unique(missing, axis=0, return_inverse=True)
    place = place.ravel()
    return [(flags, np.flatnonzero(place == number)) for number, flags in enumerate(found)]


def _independent(values: Matrix) -> list[int]:
    """Columns that vary and are no combination of those before them, missing values at their column's mean."""
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
