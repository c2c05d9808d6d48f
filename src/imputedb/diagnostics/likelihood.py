"""Maximum likelihood for incomplete normal columns: means, covariances, correlations and regressions without draws."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.diagnostics.em import em
from imputedb.errors import DataError, UnknownName
from imputedb.inference.degrees_of_freedom import INFINITE
from imputedb.inference.distribution import t_two_sided, two_sided
from imputedb.inference.rubin import FEWEST, Interval
from imputedb.inference.scale import FISHER, IDENTITY, LOG, Scale
from imputedb.notes import Question

Matrix = NDArray[np.float64]

_STEP = 1e-5  # for numerical derivatives by standardised moments of an exact score


@dataclass(frozen=True, slots=True)
class Likely:
    """A maximum likelihood estimate.

    Attributes:
        estimate: the estimate.
        se: standard error, by the observed information and the delta method.
        fmi: fraction of missing information, 1 - the complete-data variance over this one.
        scale: scale on which the interval is symmetric.
        level: confidence level.
        question: what the interval is about: the population.
        reason: reason why there is no interval; None where there is one.
        df: degrees of freedom of the interval, for observed data (Barnard & Rubin 1999).
    """

    estimate: float
    se: float
    fmi: float
    scale: Scale = IDENTITY
    level: float = 0.95
    question: Question = "population"
    reason: str | None = None
    df: float = INFINITE

    def times(self, factor: float) -> "Likely":
        """The estimate in other units."""
        return replace(self, estimate=self.estimate * factor, se=self.se * factor)

    @property
    def p_value(self) -> float:
        """Two-sided p of the hypothesis that the parameter is 0."""
        return t_two_sided(self.estimate / self.se, self.df) if self.se > 0 else math.nan

    def interval(self, level: float | None = None) -> Interval:
        """The interval by Student's t; NaN with less than one degree of freedom."""
        if not self.scale.low < self.estimate < self.scale.high or math.isnan(self.se) or self.df < FEWEST:
            return Interval(math.nan, math.nan)
        half = two_sided(self.level if level is None else level, self.df) * self.se * self.scale.slope(self.estimate)
        middle = self.scale.there(self.estimate)
        return Interval(self.scale.back(middle - half), self.scale.back(middle + half))


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """The normal distribution of maximum likelihood (Little & Rubin 2019, chapter 11).

    Warning: it assumes that values are missing at random given the columns, and that relations are linear. Means and
    regressions are robust to other distributions; standard errors of covariances are not.

    Attributes:
        names: names of the c columns.
        mean: (c,) mean.
        covariance: (c, c), divisor n.
        errors: covariance of the means and then of the covariances (i >= j), by the observed information.
        rows: number of rows with any observed value, n.
        level: confidence level.
    """

    names: tuple[str, ...]
    mean: Matrix
    covariance: Matrix
    errors: Matrix
    rows: int
    level: float = 0.95

    def average(self, name: str) -> Likely:
        """The mean of a column."""
        place = self._place(name)
        return self._of(lambda mean, _: mean[place])

    def covary(self, one: str, other: str) -> Likely:
        """The covariance of two columns, or the variance of one."""
        i, j = self._place(one), self._place(other)
        return self._of(lambda _, spread: spread[i, j], LOG if i == j else IDENTITY)

    def deviation(self, name: str) -> Likely:
        """The standard deviation of a column."""
        i = self._place(name)
        return self._of(lambda _, spread: math.sqrt(spread[i, i]), LOG)

    def correlation(self, one: str, other: str) -> Likely:
        """The correlation of two columns, with its interval on Fisher's z."""
        i, j = self._place(one), self._place(other)
        return self._of(lambda _, spread: spread[i, j] / math.sqrt(spread[i, i] * spread[j, j]), FISHER)

    def regression(self, outcome: str, predictors: Sequence[str]) -> dict[str, Likely]:
        """The linear regression of a column on others, by term, with `(Intercept)` first."""
        y, x = self._place(outcome), [self._place(name) for name in predictors]

        def slopes(spread: Matrix) -> Matrix:
            return np.asarray(np.linalg.solve(spread[np.ix_(x, x)], spread[x, y]))

        k = len(x) + 1
        found = {"(Intercept)": self._of(lambda mean, spread: float(mean[y] - mean[x] @ slopes(spread)), fitted=k)}
        for place, name in enumerate(predictors):
            found[name] = self._of(lambda _, spread, place=place: float(slopes(spread)[place]), fitted=k)  # type: ignore[misc]
        return found

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise UnknownName(f"no column {name!r} with numbers that vary; there are {', '.join(self.names)}")
        return self.names.index(name)

    def _of(self, function: Callable[[Matrix, Matrix], float], scale: Scale = IDENTITY, fitted: int = 1) -> Likely:
        """A function of the moments, with its error by the delta method; each of `fitted` parameters costs one df."""
        at = _packed(self.mean, self.covariance)
        sizes = np.sqrt(np.diag(self.covariance))
        steps = _STEP * _packed(sizes, np.outer(sizes, sizes))
        slope = np.zeros(len(at))
        for place, step in enumerate(steps):
            above, below = at.copy(), at.copy()
            above[place] += step
            below[place] -= step
            slope[place] = (function(*_unpacked(above)) - function(*_unpacked(below))) / (2 * step)
        variance = float(slope @ self.errors @ slope)
        complete = float(slope @ _complete(self.covariance, self.rows) @ slope)
        missing = max(0.0, 1 - complete / variance) if variance > 0 else 0.0
        error = math.sqrt(variance) if variance >= 0 else math.nan
        whole = float(self.rows - fitted)
        df = (whole + 1) / (whole + 3) * whole * (1 - missing) if whole > 0 else 0.0
        return Likely(float(function(self.mean, self.covariance)), error, missing, scale, self.level, df=df)


def likelihood(values: Matrix, names: Sequence[str], level: float = 0.95) -> Likelihood:
    """The maximum likelihood estimates, by EM, of (n, c) columns with NaN where missing.

    Raises:
        DataError: a column is constant, or columns are linearly dependent, so that there is no maximum.
    """
    x = values[~np.isnan(values).all(axis=1)]
    if not len(x) or (~np.isfinite(np.nanstd(x, axis=0)) | (np.nanstd(x, axis=0) == 0)).any():
        raise DataError("maximum likelihood needs columns whose observed values vary and are finite")
    centre, size = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    z = (x - centre) / size
    try:
        found = em(z)
        information = -_curvature(z, _packed(found.mean, found.covariance))
        errors = np.linalg.inv(information)
    except np.linalg.LinAlgError as error:
        raise DataError(
            "columns determine one another, so that the likelihood has no maximum: leave one out"
        ) from error
    if not (np.isfinite(errors).all() and (np.diag(errors) > 0).all()):
        raise DataError("the likelihood is flat: columns determine one another, or two are never observed together")
    back = _packed(size, np.outer(size, size))
    mean, covariance = found.mean * size + centre, found.covariance * np.outer(size, size)
    return Likelihood(tuple(names), mean, covariance, errors * np.outer(back, back), len(x), level)


def _packed(mean: Matrix, covariance: Matrix) -> Matrix:
    return np.concatenate([mean, covariance[np.tril_indices(len(mean))]])


def _unpacked(theta: Matrix) -> tuple[Matrix, Matrix]:
    c = int((math.sqrt(9 + 8 * len(theta)) - 3) / 2)
    spread = np.zeros((c, c))
    spread[np.tril_indices(c)] = theta[c:]
    return theta[:c], spread + spread.T - np.diag(np.diag(spread))


def _complete(covariance: Matrix, rows: int) -> Matrix:
    """The covariance of the moments for complete normal data: S / n, and (S_ik S_jl + S_il S_jk) / n."""
    c = len(covariance)
    i, j = np.tril_indices(c)
    pairs = covariance[np.ix_(i, i)] * covariance[np.ix_(j, j)] + covariance[np.ix_(i, j)] * covariance[np.ix_(j, i)]
    whole = np.zeros((c + len(i), c + len(i)))
    whole[:c, :c], whole[c:, c:] = covariance, pairs
    return whole / rows


def _curvature(x: Matrix, at: Matrix) -> Matrix:
    """The Hessian of the observed log-likelihood, by differences of the score."""
    missing = np.isnan(x)
    flags, place = np.unique(missing, axis=0, return_inverse=True)
    parts = [(~one, x[place.ravel() == number][:, ~one]) for number, one in enumerate(flags)]
    sums = [
        (seen, len(part), part.mean(axis=0), np.cov(part.T, ddof=0).reshape(seen.sum(), -1)) for seen, part in parts
    ]
    columns = []
    for spot in range(len(at)):
        step = np.zeros(len(at))
        step[spot] = _STEP
        columns.append((_score(sums, at + step) - _score(sums, at - step)) / (2 * _STEP))
    whole = np.stack(columns, axis=1)
    return np.asarray((whole + whole.T) / 2)


def _score(sums: Sequence[tuple[NDArray[np.bool_], int, Matrix, Matrix]], theta: Matrix) -> Matrix:
    """The score: n A d and n (A (S + d d') A - A) / 2 for each pattern, d = mean - mu, A the inverse covariance."""
    mean, spread = _unpacked(theta)
    by_mean, by_spread = np.zeros(len(mean)), np.zeros_like(spread)
    for seen, n, centre, scatter in sums:
        inverse = np.linalg.inv(spread[np.ix_(seen, seen)])
        off = centre - mean[seen]
        by_mean[seen] += n * inverse @ off
        by_spread[np.ix_(seen, seen)] += n / 2 * (inverse @ (scatter + np.outer(off, off)) @ inverse - inverse)
    both = by_spread + by_spread.T - np.diag(np.diag(by_spread))  # an entry off the diagonal occurs twice
    return _packed(by_mean, both)
