"""The EM algorithm for mean and covariance of incomplete normal rows, accelerated, on sums by pattern."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Place = tuple[Matrix, Matrix]
"""A mean (c,) and a covariance (c, c)."""

CHUNK = 256
"""Patterns at a time, so that memory is bounded and a Ctrl-C is met soon."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Maximum likelihood estimates under multivariate normality.

    Attributes:
        mean: (c,) mean.
        covariance: (c, c), divisor n.
        loglik: log-likelihood of the observed values.
        iterations: number of EM steps.
        settled: whether the algorithm has converged.
    """

    mean: Matrix
    covariance: Matrix
    loglik: float
    iterations: int
    settled: bool = True


def em(
    values: Matrix, *, tolerance: float = 1e-10, most: int = 1_000, progress: Callable[[float], object] | None = None
) -> Moments:
    """Mean and covariance by expectation-maximisation (Dempster, Laird & Rubin 1977), accelerated.

    1. Rows with the same pattern of missingness are summarised by their number, sums and cross-products.
    2. Two EM steps give a direction for a longer step (SQUAREM, scheme S3; Varadhan & Roland 2008). Where that gives no
       covariance matrix, or a lower likelihood, the second EM step is taken instead.
    3. The algorithm ends when an EM step changes no standardised moment by more than `tolerance`.

    Args:
        values: (n, c) values, NaN where missing; every column varies and every row has an observed value.
        tolerance: largest change of a standardised moment at convergence.
        most: largest number of EM steps.
        progress: called with the share that is done, by orders of magnitude of that change.
    """
    centre, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    sums = _Sums.of((values - centre) / scale)
    place: Place = (np.zeros(values.shape[1]), np.eye(values.shape[1]))
    taken, longest, change = 0, 1.0, np.inf
    while taken < most:
        first = sums.step(*place)
        second = sums.step(*first)
        taken += 2
        change = _change(first, second)
        if progress:
            progress(float(np.clip(np.log10(max(change, tolerance)) / np.log10(tolerance), 0, 1)))
        if change < tolerance:
            place = second
            break
        place, longest = _further(sums, (place, first, second), longest)
    mean, covariance = place
    loglik = sums.loglik(mean, covariance) - float((~np.isnan(values)).sum(axis=0) @ np.log(scale))
    return Moments(mean * scale + centre, covariance * np.outer(scale, scale), loglik, taken, change < tolerance)


def _change(one: Place, other: Place) -> float:
    return float(max(np.abs(a - b).max() for a, b in zip(one, other, strict=True)))


def _further(sums: "_Sums", way: tuple[Place, Place, Place], longest: float) -> tuple[Place, float]:
    """A longer step in the direction of two EM steps, and the largest length of the next one.

    The second EM step is taken where the longer one fails.
    """
    start, first, second = way
    r = [b - a for a, b in zip(start, first, strict=True)]
    v = [c - b - step for b, c, step in zip(first, second, r, strict=True)]
    curved = sum(float((part**2).sum()) for part in v)
    length = min(np.sqrt(sum(float((part**2).sum()) for part in r) / curved), longest) if curved else 1.0
    if length <= 1:
        return second, 4 * longest
    mean, covariance = (a + 2 * length * b + length**2 * c for a, b, c in zip(start, r, v, strict=True))
    try:
        better = sums.loglik(mean, covariance) >= sums.loglik(*second)
    except np.linalg.LinAlgError:
        better = False
    if not better:
        return second, max(1.0, length / 4)
    return (mean, covariance), 4 * longest if length == longest else longest


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sufficient statistics of the rows by pattern of missingness.

    Attributes:
        seen: (p, c) whether a pattern observes a column.
        counts: (p,) number of rows.
        first: (p, c) sums of observed values, 0 elsewhere.
        second: (p, c, c) sums of cross-products of observed values, 0 elsewhere.
    """

    seen: NDArray[np.bool_]
    counts: Matrix
    first: Matrix
    second: Matrix

    @classmethod
    def of(cls, values: Matrix) -> "_Sums":
        """The statistics of (n, c) rows."""
        groups = patterns(np.isnan(values))
        parts = [np.where(flags, 0.0, values[rows]) for flags, rows in groups]
        return cls(
            np.array([~flags for flags, _ in groups]),
            np.array([float(len(rows)) for _, rows in groups]),
            np.array([part.sum(axis=0) for part in parts]),
            np.array([part.T @ part for part in parts]),
        )

    def step(self, mean: Matrix, covariance: Matrix) -> Place:
        """One EM step: mean and covariance of the rows with missing values replaced by conditional expectations."""
        first, second = np.zeros_like(mean), np.zeros_like(covariance)
        for seen, counts, sums, products in self._chunks():
            given = _inverses(seen, covariance)
            to = covariance @ given * ~seen[:, :, None] + np.eye(len(mean)) * seen[:, :, None]  # x to its expectation
            offset = ~seen * (mean - (to @ (seen * mean)[:, :, None])[:, :, 0])
            expected = (to @ sums[:, :, None])[:, :, 0]
            both = ~seen[:, :, None] & ~seen[:, None, :]
            spread = np.where(both, covariance - covariance @ given @ covariance, 0.0)
            cross = expected[:, :, None] * offset[:, None, :]
            squares = to @ products @ to.transpose(0, 2, 1) + cross + cross.transpose(0, 2, 1)
            squares += counts[:, None, None] * (offset[:, :, None] * offset[:, None, :] + spread)
            first += (expected + counts[:, None] * offset).sum(axis=0)
            second += squares.sum(axis=0)
        n = self.counts.sum()
        new = second / n - np.outer(first / n, first / n)
        return first / n, (new + new.T) / 2

    def loglik(self, mean: Matrix, covariance: Matrix) -> float:
        """The log-likelihood of the observed values.

        Raises:
            LinAlgError: the matrix is not positive definite.
        """
        np.linalg.cholesky(covariance)
        total = 0.0
        for seen, counts, sums, products in self._chunks():
            given = _inverses(seen, covariance)
            at = seen * mean
            off = products - sums[:, :, None] * at[:, None, :] - at[:, :, None] * sums[:, None, :]
            off += counts[:, None, None] * at[:, :, None] * at[:, None, :]
            _, size = np.linalg.slogdet(_masked(seen, covariance))
            total -= float((counts * (seen.sum(axis=1) * np.log(2 * np.pi) + size)).sum() + (given * off).sum()) / 2
        return total

    def _chunks(self) -> Iterator[tuple[NDArray[np.bool_], Matrix, Matrix, Matrix]]:
        for begin in range(0, len(self.counts), CHUNK):
            some = slice(begin, begin + CHUNK)
            yield self.seen[some], self.counts[some], self.first[some], self.second[some]


def _masked(seen: NDArray[np.bool_], covariance: Matrix) -> Matrix:
    """(p, c, c) the covariance of each pattern's observed columns, the identity elsewhere."""
    both = seen[:, :, None] & seen[:, None, :]
    found: Matrix = np.where(both, covariance, np.eye(len(covariance)))
    return found


def _inverses(seen: NDArray[np.bool_], covariance: Matrix) -> Matrix:
    """(p, c, c) the inverse of that covariance, 0 where a pattern does not observe both columns."""
    both = seen[:, :, None] & seen[:, None, :]
    return np.asarray(np.linalg.inv(_masked(seen, covariance)) * both, np.float64)


def patterns(missing: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """The patterns of missingness, with the rows of each."""
    found, place = np.unique(missing, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(place.ravel()))[:-1])
    return list(zip(found, parts, strict=True))
