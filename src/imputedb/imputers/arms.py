"""Repeated measures of a trial as normal distributions, one for each arm, with draws of their parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import CannotImpute
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.regression import regression

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The conditional normal distribution of T visits given q covariates.

    Attributes:
        coefficients: (q, T) of the visits' means on the covariates, a column of ones first.
        covariance: (T, T) of the visits, given the covariates.
    """

    coefficients: Matrix
    covariance: Matrix

    def given(self, x: Matrix, values: Matrix, seen: Flags) -> tuple[Matrix, Matrix]:
        """Conditional means (n, k) and covariance (k, k) of the k unobserved visits, given the observed ones.

        Args:
            x: (n, q) covariates.
            values: (n, T) visits; values of unobserved visits are ignored.
            seen: (T,) which visits are observed.
        """
        means = x @ self.coefficients
        across = self.covariance[np.ix_(~seen, seen)]
        slopes = slopes_on(self.covariance[np.ix_(seen, seen)], across)
        expected = means[:, ~seen] + (values[:, seen] - means[:, seen]) @ slopes
        left = self.covariance[np.ix_(~seen, ~seen)] - across @ slopes
        return expected, (left + left.T) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """The rows of one arm, from which its parameters are estimated.

    Attributes:
        name: the arm, as it is written.
        x: (n, q) covariates, ones first.
        y: (n, T) visits; values of missing cells are arbitrary.
        missing: (n, T) which visits are missing.
        visits: the names of the T visits.
    """

    name: str
    x: Matrix
    y: Matrix
    missing: Flags
    visits: Sequence[str]

    @property
    def between(self) -> Flags:
        """(n, T) the missing visits that an observed visit follows."""
        return self.missing & (np.arange(self.y.shape[1]) < last(self.missing)[:, None])

    def chain(self, cycles: int, chance: np.random.Generator) -> Iterator[Moments]:
        """Draws of the parameters from their posterior, one each cycle (monotone data augmentation; Schafer 1997,
        section 6.5).

        1. Gaps between observed visits are filled in, so that missingness is monotone. They start at the mean of their
           visit.
        2. Each visit is regressed on covariates and earlier visits, over the rows that reach it; coefficients and
           variance are drawn (Rubin 1987, page 167). For monotone data that is the posterior, without a chain.
        3. The regressions make one normal distribution. Gaps between observed visits are drawn from it given all
           observed visits.

        Args:
            cycles: number of cycles; one is enough where missingness is monotone.
            chance: generator of random numbers.

        Raises:
            CannotImpute: too few rows reach a visit.
        """
        y, between = self.y.copy(), self.between
        if between.any():
            observed = np.ma.masked_array(self.y, self.missing).mean(axis=0).filled(0.0)
            y[between] = np.broadcast_to(observed, y.shape)[between]
        gaps = gaps_between(self.missing)
        for _ in range(cycles if between.any() else 1):
            moments = self._moments(y, chance)
            fill_between(moments, self.x, y, gaps, chance.standard_normal(y.shape) if gaps else y)
            yield moments

    def expected(self) -> Moments:
        """The least squares estimates, for monotone missingness."""
        return self._moments(self.y, None)

    def _moments(self, y: Matrix, chance: np.random.Generator | None) -> Moments:
        """The parameters of the joint distribution, from regressions of each visit on the earlier ones.

        With y = A'x + C y + e, C strictly lower triangular: (I - C)^-1 A' are the coefficients of the means, and
        (I - C)^-1 D (I - C)^-T is the covariance. Visits that no row of the arm reaches are left at 0.
        """
        q, count = self.x.shape[1], y.shape[1]
        reach = last(self.missing)
        intercepts, slopes, variances = np.zeros((count, q)), np.zeros((count, count)), np.zeros(count)
        for visit in range(count):
            rows = reach > visit
            if not rows.any():
                break
            before = np.concatenate([self.x[rows], y[rows, :visit]], axis=1)
            self._check(visit, int(rows.sum()), before.shape[1])
            here = y[rows, visit]
            fit = regression(before.T @ before, before.T @ here, float(here @ here), len(here))
            beta, sigma = fit.drawn(chance) if chance else (fit.beta, fit.sigma)
            intercepts[visit], slopes[visit, :visit], variances[visit] = beta[:q], beta[q:], sigma**2
        inverse = np.linalg.inv(np.eye(count) - slopes)
        return Moments((inverse @ intercepts).T, inverse @ np.diag(variances) @ inverse.T)

    def _check(self, visit: int, rows: int, coefficients: int) -> None:
        if rows < coefficients + 2:
            raise CannotImpute(
                f"{rows} rows of arm {self.name} reach {self.visits[visit]}: too few for the {coefficients} "
                "coefficients of its regression on earlier visits and covariates; name fewer visits or covariates"
            )


def last(missing: Flags) -> NDArray[np.intp]:
    """(n,) the number of visits up to the last observed one of each row."""
    places = np.arange(1, missing.shape[1] + 1)
    return np.asarray(np.where(missing, 0, places).max(axis=1), np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Rows with the same pattern of missingness, in which observed visits follow missing ones.

    Attributes:
        rows: positions of the rows.
        seen: (T,) observed visits.
        between: (T,) missing visits before the last observed one.
    """

    rows: NDArray[np.intp]
    seen: Flags
    between: Flags


def gaps_between(missing: Flags) -> list[Gaps]:
    """The gaps between observed visits, by pattern of (n, T) flags."""
    between = missing & (np.arange(missing.shape[1]) < last(missing)[:, None])
    patterns = np.unique(missing[between.any(axis=1)], axis=0)
    rows = [np.flatnonzero((missing == pattern).all(axis=1)) for pattern in patterns]
    return [Gaps(some, ~pattern, between[some[0]]) for some, pattern in zip(rows, patterns, strict=True)]


def fill_between(moments: Moments, x: Matrix, y: Matrix, gaps: Sequence[Gaps], noise: Matrix) -> None:
    """Imputes the gaps between observed visits in `y`, given all observed visits; `noise` is standard normal."""
    for one in gaps:
        rows, here = one.rows, one.between
        means, covariance = moments.given(x[rows], y[rows], one.seen)
        wanted = here[~one.seen]
        drawn = means[:, wanted] + noise[np.ix_(rows, here)] @ root(covariance[np.ix_(wanted, wanted)]).T
        y[np.ix_(rows, here)] = drawn


def slopes_on(seen: Matrix, across: Matrix) -> Matrix:
    """(s, k) coefficients of k unseen visits on s seen ones, given their covariances (s, s) and (k, s)."""
    return np.asarray(np.linalg.pinv(seen, rcond=1e-12, hermitian=True) @ across.T)


def root(covariance: Matrix) -> Matrix:
    """A root R of a covariance, R R'; directions without variance have zeros."""
    values, vectors = np.linalg.eigh(covariance)
    found: Vector = np.sqrt(np.maximum(values, 0.0))
    return np.asarray(vectors * found)
