"""A regression's expected values of a column, where it is observed and where it is missing, and the nearest donors.

The regression is the column's line (straight.py) with significant squares of its numeric predictors, since a line
cannot follow y = x^2. Expected values are in the column's own units, in which the largest values weigh most, also for
numbers that are drawn on a scale.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.pmm import TIED
from imputedb.imputers.chained.regression import of_rows
from imputedb.imputers.random import uniform
from imputedb.imputers.regression_line import ROWS_A_COEFFICIENT, SURE, RegressionLine

DONORS = 5

RESIDUALS = 25
"""Number of residual quantiles over which an expected value in the column's own units is averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A regression line with significant squares.

    Attributes:
        ends: (n,) and (g,) fitted values of observed rows, and of rows that miss the column.
        bends: (n, k) and (g, k) the standardised predictors with a significant square.
        weights: (k,) standard deviation of each one's contribution to the fitted values.
    """

    ends: tuple[Vector, Vector]
    bends: tuple[Matrix, Matrix]
    weights: Vector

    def expected(self, found: RegressionLine) -> tuple[Vector, Vector]:
        """(n,) and (g,) expected values in the column's own units; on a scale, averaged over residuals (Duan 1983)."""
        if found.back is None:
            return self.ends
        left = np.quantile(found.y - self.ends[0], (np.arange(RESIDUALS) + 0.5) / RESIDUALS)
        known, wanted = (np.mean([found.in_own_units(end + one) for one in left], axis=0) for end in self.ends)
        return known, wanted

    def near(self) -> NDArray[np.intp]:
        """(g, donors) the nearest donors, by fitted value and by the predictors with a significant square."""
        if not len(self.weights):
            known, wanted = self.ends
            return sorted_donors(known).nearest(wanted)
        from scipy import spatial

        donors, gaps = (
            np.column_stack([end, bends * self.weights]) for end, bends in zip(self.ends, self.bends, strict=True)
        )
        return np.asarray(spatial.cKDTree(donors).query(gaps, min(DONORS, len(donors)))[1], np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class SortedDonors:
    """Donors sorted by their predictions, so that the nearest donors of a prediction are contiguous.

    Attributes:
        order: (n,) the donors by prediction, ties in random order.
        between: (n - donors,) predictions that separate one group of nearest donors from the next.
        donors: number of donors for each prediction, `DONORS` unless there are fewer.
    """

    order: NDArray[np.intp]
    between: Vector
    donors: int

    def first_nearest(self, wanted: Vector) -> NDArray[np.intp]:
        """(k,) the position in the order of the first nearest donor of each prediction."""
        return np.searchsorted(self.between, wanted)

    def nearest(self, wanted: Vector) -> NDArray[np.intp]:
        """(k, donors) the nearest donors of each prediction."""
        return np.asarray(self.order[self.first_nearest(wanted)[:, None] + np.arange(self.donors)])

    def means(self, values: Vector, wanted: Vector) -> Vector:
        """(k,) the mean value of the nearest donors of each prediction.

        Args:
            values: (n,) values of all donors.
            wanted: (k,) predictions.
        """
        sums = np.convolve(values[self.order], np.ones(self.donors), "valid")
        return np.asarray(sums[self.first_nearest(wanted)] / self.donors)


def sorted_donors(known: Vector) -> SortedDonors:
    """The donors sorted by their predictions."""
    ties = uniform(np.arange(len(known), dtype=np.uint64), "line")
    tied = known + TIED * (np.abs(known).max() or 1.0) * ties
    order = np.argsort(tied)
    line, donors = tied[order], min(DONORS, len(known))
    return SortedDonors(order, (line[:-donors] + line[donors:]) / 2, donors)


def surface(found: RegressionLine) -> Surface:
    """The line with its significant squares."""
    numbers = [j for j in range(1, found.x.shape[1]) if len(np.unique(found.x[:, j])) > 2]
    if not numbers or len(found.y) < ROWS_A_COEFFICIENT * (found.x.shape[1] + len(numbers)):
        return _straight(found)
    centre, spread = found.x[:, numbers].mean(axis=0), found.x[:, numbers].std(axis=0)
    here, there = ((x[:, numbers] - centre) / np.maximum(spread, 1e-300) for x in (found.x, found.gaps))
    sure = np.flatnonzero(_sure(np.column_stack([found.x, here**2]), found.y, len(numbers)))
    if not len(sure):
        return _straight(found)
    here, there = here[:, sure], there[:, sure]
    x, gaps = np.column_stack([found.x, here**2]), np.column_stack([found.gaps, there**2])
    beta = of_rows(x, found.y).beta
    lines = beta[[numbers[place] for place in sure]] * spread[sure]
    moved = (here * lines + here**2 * beta[-len(sure) :]).std(axis=0)
    return Surface((x @ beta, gaps @ beta), (here, there), moved)


def _straight(found: RegressionLine) -> Surface:
    none = np.zeros((len(found.y), 0)), np.zeros((len(found.gaps), 0))
    return Surface(found.fitted_values, none, np.zeros(0))


def _sure(x: Matrix, y: Vector, count: int) -> NDArray[np.bool_]:
    """Which of the last coefficients are significant, by standard errors robust to unequal variances (White 1980)."""
    fit = of_rows(x, y)
    bread = np.linalg.pinv(x.T @ x)
    meat = x * (y - x @ fit.beta)[:, None]
    error = np.sqrt(np.maximum(np.diag(bread @ (meat.T @ meat) @ bread), 0.0))
    return np.asarray(np.abs(fit.beta[-count:]) > SURE * error[-count:])
