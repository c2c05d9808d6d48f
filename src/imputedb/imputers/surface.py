"""What a regression expects of a column, where it is observed and where it is missing, and the donors that are near.

The regression is the straight line through the column (straight.py), with the squares of the numbers that it surely
bends with: of y = x^2 a line sees nothing. It is counted in the column's own units, of numbers that are drawn on a
scale too, where the largest values weigh most.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.pmm import TIED
from imputedb.imputers.chained.regression import of_rows
from imputedb.imputers.random import uniform
from imputedb.imputers.straight import ROWS_A_COEFFICIENT, SURE, Line

DONORS = 5

RESIDUALS = 25
"""Quantiles of the residuals that an expectation in the column's own units is the mean over."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A line and what it bends with.

    Attributes:
        ends: (n,) and (g,) its values, of observed rows and of gaps.
        bends: (n, k) and (g, k) the standardised numbers that it bends with.
        weights: (k,) how much each of these moves it.
    """

    ends: tuple[Vector, Vector]
    bends: tuple[Matrix, Matrix]
    weights: Vector

    def expected(self, found: Line) -> tuple[Vector, Vector]:
        """(n,) and (g,) what is expected in the column's own units: on a scale the mean over residuals (Duan 1983)."""
        if found.back is None:
            return self.ends
        left = np.quantile(found.y - self.ends[0], (np.arange(RESIDUALS) + 0.5) / RESIDUALS)
        known, wanted = (np.mean([found.own(end + one) for one in left], axis=0) for end in self.ends)
        return known, wanted

    def near(self) -> NDArray[np.intp]:
        """(g, donors) the nearest donors: by what is expected and, where that bends, by what it bends with."""
        if not len(self.weights):
            known, wanted = self.ends
            return ladder(known).nearest(wanted)
        from scipy import spatial

        donors, gaps = (
            np.column_stack([end, bends * self.weights]) for end, bends in zip(self.ends, self.bends, strict=True)
        )
        return np.asarray(spatial.cKDTree(donors).query(gaps, min(DONORS, len(donors)))[1], np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Donors in the order of their predictions: the nearest to any prediction are successive ones.

    Attributes:
        order: (n,) the donors, ties in random order.
        between: (n - donors,) predictions up to which donors from each place on are the nearest.
        donors: how many are taken, `DONORS` unless there are fewer.
    """

    order: NDArray[np.intp]
    between: Vector
    donors: int

    def first(self, wanted: Vector) -> NDArray[np.intp]:
        """(k,) where in the order the nearest donors to some predictions begin."""
        return np.searchsorted(self.between, wanted)

    def nearest(self, wanted: Vector) -> NDArray[np.intp]:
        """(k, donors) the nearest donors to some predictions."""
        return np.asarray(self.order[self.first(wanted)[:, None] + np.arange(self.donors)])

    def means(self, values: Vector, wanted: Vector) -> Vector:
        """(k,) the mean value of the donors that are nearest to each prediction.

        Args:
            values: (n,) of all donors.
            wanted: (k,) predictions.
        """
        sums = np.convolve(values[self.order], np.ones(self.donors), "valid")
        return np.asarray(sums[self.first(wanted)] / self.donors)


def ladder(known: Vector) -> Ladder:
    """The donors of some predictions in their order."""
    ties = uniform(np.arange(len(known), dtype=np.uint64), "line")
    tied = known + TIED * (np.abs(known).max() or 1.0) * ties
    order = np.argsort(tied)
    line, donors = tied[order], min(DONORS, len(known))
    return Ladder(order, (line[:-donors] + line[donors:]) / 2, donors)


def surface(found: Line) -> Surface:
    """The line, with the squares that are sure."""
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


def _straight(found: Line) -> Surface:
    none = np.zeros((len(found.y), 0)), np.zeros((len(found.gaps), 0))
    return Surface(found.ends, none, np.zeros(0))


def _sure(x: Matrix, y: Vector, count: int) -> NDArray[np.bool_]:
    """Which of the last coefficients are sure, by errors that are robust to unequal variances (White 1980)."""
    fit = of_rows(x, y)
    bread = np.linalg.pinv(x.T @ x)
    meat = x * (y - x @ fit.beta)[:, None]
    error = np.sqrt(np.maximum(np.diag(bread @ (meat.T @ meat) @ bread), 0.0))
    return np.asarray(np.abs(fit.beta[-count:]) > SURE * error[-count:])
