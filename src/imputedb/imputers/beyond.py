"""Gaps beyond their donors, and donors that are too few: what is said of draws that take donors' values.

Of gaps beyond: what a regression expects there, less what it expects of the nearest donors.

Donors' values cannot follow a relation to where no donor is; what is lost shifts the mean, and flattens slopes. The
regression is the straight line through the column (straight.py), with the squares of the numbers that it surely bends
with: of y = x^2 a line sees nothing. What is lost is counted in the column's own units, of numbers that are drawn on a
scale too, where the largest values weigh most.

Of few donors: an interval of a skewed column needs many, and what is missing lies on those that are near.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.pmm import nearest
from imputedb.imputers.chained.regression import of_rows
from imputedb.imputers.random import uniform
from imputedb.imputers.straight import ROWS_A_COEFFICIENT, SURE, Line
from imputedb.notes import Note, NoteKind
from imputedb.statistics.skewness import PER_INFLUENCES, PER_SKEWNESS, by_chance, weighted

DONORS = 5

BEYOND = 0.5
"""Standard errors that matched values may be off by, of draws that take the same donors each time.

Samples of 50 to 500 rows, 30 and 50 % missing, at random and given a predictor: of those whose intervals cover 92 % or
more 0 to 8 % exceed it, of those that cover less than 80 % two thirds and more (docs/decisions/inference.md).
"""

BEYOND_ANEW = 0.7
"""The same of draws whose donors are drawn anew, which vary as much as they should.

Of 150 samples of 200 normal rows, 35 % missing: at random 5 % exceed it, given a predictor weakly 13 % (slopes cover 93
to 95 %), strongly 41 % (86 to 91 %).
"""

BENDING = 1.0
"""The same where it bends, by which all samples of y = x^2 are off by a little.

Of 60 samples of 200 rows, 35 % missing: at random 27 % exceed it (their slopes cover 91 %), given x 90 % (62 to 78 %).
"""

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


def beyond_donors(found: Line, most: float = BEYOND) -> Iterator[Note]:
    """What is said of gaps that lie beyond the rows whose values they are given.

    Args:
        found: the line.
        most: standard errors that values may be off by, where it does not bend.
    """
    surface = _surface(found)
    known, wanted = (_expected(found, surface, end) for end in surface.ends)
    off = wanted - known[_near(surface)].mean(axis=1)
    everyone = len(known) + len(wanted)
    own = found.own(found.y)
    mean = float(off.sum()) / float(np.sqrt(everyone) * max(own.std(), 1e-300))
    slopes = [0.0]
    for here, there in ((found.ends), *zip(*(end.T for end in surface.bends), strict=True)):
        middle = np.concatenate([here, there]).mean()
        error = np.sqrt(everyone * np.mean((here - middle) ** 2 * (own - known) ** 2))
        slopes.append(float(off @ (there - middle) / error) if error > 0 else 0.0)
    slope = max(slopes, key=abs)
    if max(abs(mean), abs(slope)) > (BENDING if len(surface.weights) else most):
        what = f"slopes by {abs(slope):.1f}" if abs(slope) > abs(mean) else f"its mean by {abs(mean):.1f}"
        line = "a curve" if len(surface.weights) else "a straight line"
        yield Note(
            NoteKind.BEYOND,
            found.column,
            found.column,
            ": rows that miss it lie beyond those that have it, so that no donor's value is as far out "
            f"as {line} expects; that puts {what} standard errors off, and intervals are too short",
        )


def few_donors(found: Line) -> Iterator[Note]:
    """What is said of a skewed column of which few donors have the values that are missing.

    A row counts once, and once more for each gap that it is expected to give its value to.
    """
    near = _near(_surface(found))
    weights = 1 + np.bincount(near.ravel(), minlength=len(found.y)) / near.shape[1]
    rows = found.times * float(weights.sum() ** 2 / (weights @ weights))
    values, along = found.own(found.y), found.ends[0]
    share = weights / weights.sum()
    values, along = values - share @ values, along - share @ along
    spread = float(share @ along**2)
    slope = float(share @ (along * values)) / spread if spread > 0 else 0.0
    mean = weighted(values, weights)
    influence = weighted(along * (values - slope * along), weights)
    lacking = PER_SKEWNESS * (mean**2 - float(by_chance(np.array(rows)))), PER_INFLUENCES * influence**2
    if max(lacking) > rows:
        what = f"a skewness of {mean:.1f}" if lacking[0] >= lacking[1] else f"a skewness of {influence:.1f} in slopes"
        yield Note(
            NoteKind.SKEWED,
            found.column,
            found.column,
            f": with {what}, what {rows:,.0f} rows say of the missing ones is too little for intervals "
            "that cover as told",
        )


def _surface(found: Line) -> Surface:
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


def _expected(found: Line, surface: Surface, end: Vector) -> Vector:
    """What is expected in the column's own units: on a scale the mean over the residuals (Duan 1983)."""
    if found.back is None:
        return end
    left = np.quantile(found.y - surface.ends[0], (np.arange(RESIDUALS) + 0.5) / RESIDUALS)
    return np.asarray(np.mean([found.own(end + one) for one in left], axis=0))


def _near(surface: Surface) -> NDArray[np.intp]:
    """(g, donors) the nearest donors: by what is expected and, where that bends, by what it bends with."""
    known, wanted = surface.ends
    if not len(surface.weights):
        return nearest(known, wanted, DONORS, uniform(np.arange(len(known), dtype=np.uint64), "line"))
    from scipy import spatial

    donors, gaps = (
        np.column_stack([end, bends * surface.weights]) for end, bends in zip(surface.ends, surface.bends, strict=True)
    )
    return np.asarray(spatial.cKDTree(donors).query(gaps, min(DONORS, len(donors)))[1], np.intp)
