"""A regression line for each target, by which draws are judged in advance: donors out of range, curves, distributions.

The regression of the target on the other columns, over rows in which the target is observed, shows three problems:

1. Donors' values cannot follow the line beyond the range of the donors (beyond.py).
2. Linear models take curved relations as straight. Residuals are then correlated with a square (Ramsey's RESET test,
   robust to unequal variances), and the bias of missing cells is the curvature where they are.
3. Linear models draw normal residuals. If the observed residuals are not normal, draws have another distribution than
   the column: shares, counts and quantiles are biased, means are not.

Each is reported if it is significant, and larger than `MATTERS` standard errors of the estimate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.design import design
from imputedb.imputers.chained.regression import Regression, of_rows
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

SEEN = 4000
"""Maximum number of rows in the sample; larger tables are judged by it as if it were all of them."""

FEWEST = 20
"""Minimum number of observed rows; with fewer there are no notes."""

ROWS_A_COEFFICIENT = 3
"""Minimum number of observed rows for each coefficient of the line."""

OFTEN = 0.5
"""Maximum share of a predictor's values that are missing, in observed rows and in rows to impute."""

MATTERS = 0.7
"""Standard errors of an estimate that a curve, or another distribution, may bias it by."""

SURE = 4.0
"""Standard errors above which a curve, or the distance of two distributions, is significant."""

Flags = NDArray[np.bool_]
Stretch: TypeAlias = Callable[[Vector], Vector]


@dataclass(frozen=True, slots=True, eq=False)
class RegressionLine:
    """The regression line of one column.

    Attributes:
        column: the column.
        y: (n,) its observed values, standardised.
        x: (n, p) the predictors of observed rows, ones first.
        gaps: (g, p) the predictors of rows that miss it.
        model: the fitted regression.
        back: inverse of the scale that y is on; None for the original numbers.
        centre: mean of the observed values on that scale.
        deviation: their standard deviation.
        times: number of rows of the table for each row of the sample.
    """

    column: Column
    y: Vector
    x: Matrix
    gaps: Matrix
    model: Regression
    back: Stretch | None
    centre: float
    deviation: float
    times: float

    def in_own_units(self, values: Vector) -> Vector:
        """(k,) standardised values in the column's own units; unchanged without a scale."""
        return values if self.back is None else self.back(values * self.deviation + self.centre)

    @property
    def fitted_values(self) -> tuple[Vector, Vector]:
        """(n,) and (g,) the fitted values of observed rows, and of rows that miss the column."""
        return self.x @ self.model.beta, self.gaps @ self.model.beta

    def standard_errors(self, off: Vector) -> tuple[float, float]:
        """The bias of a mean, and of a slope on the line, in standard errors, if missing cells have errors `off`."""
        known, wanted = self.fitted_values
        all_values = np.concatenate([known, wanted])
        apart = all_values - all_values.mean()
        spread = float(apart @ apart)
        count, sigma = len(all_values), self.model.sigma
        mean = float(off.sum()) / np.sqrt(count * (sigma**2 + spread / count))
        slope = float(off @ (wanted - all_values.mean())) / (sigma * np.sqrt(spread)) if spread > 0 else 0.0
        return float(mean), slope


def regression_line(
    rows: Rows, column: Column, there: Stretch | None = None, back: Stretch | None = None
) -> RegressionLine | None:
    """The regression line of a numeric column, on a scale or not; None if there are too few data.

    Args:
        rows: the rows.
        column: the column.
        there: transformation to a scale.
        back: its inverse.
    """
    cells = rows.columns[column]
    if cells.kind not in (Kind.NUMBER, Kind.INTEGER):
        return None
    some = _seen(rows)
    missing = cells.missing[some]
    values = cells.values[some].astype(np.float64)
    values = values if there is None else there(np.where(missing, np.nan, values))
    finite = np.isfinite(values)
    observed, gaps = np.flatnonzero(~missing & finite), np.flatnonzero(missing)
    if len(observed) < FEWEST or not len(gaps):
        return None
    beside = {
        other: one.at(some)
        for other, one in rows.columns.items()
        if other != column and one.kind is not Kind.OPAQUE and _known(one.missing[some], observed, gaps)
    }
    if not beside:
        return None
    x = design({other: beside[other] for other in sorted(beside, key=str)}).x
    x[~np.isfinite(x)] = 0.0
    if len(observed) < ROWS_A_COEFFICIENT * x.shape[1]:
        return None
    y = values[observed]
    with np.errstate(over="ignore", invalid="ignore"):
        centre, deviation = float(y.mean()), float(y.std())
        if not np.isfinite(deviation) or deviation <= 0:
            return None
        y = (y - centre) / deviation
    model = of_rows(x[observed], y)
    if model.sigma <= 1e-9:
        return None
    times = (len(rows.keys) if rows.learn is None else np.count_nonzero(rows.learn)) / len(some)
    return RegressionLine(column, y, x[observed], x[gaps], model, back, centre, deviation, float(times))


def _seen(rows: Rows) -> NDArray[np.intp]:
    """Positions of the rows to learn from, or of a sample of them."""
    places = np.arange(len(rows.keys)) if rows.learn is None else np.flatnonzero(rows.learn)
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "line"), SEEN)[:SEEN]])
    return places


def _known(missing: Flags, observed: NDArray[np.intp], gaps: NDArray[np.intp]) -> bool:
    return bool(missing[observed].mean() <= OFTEN and missing[gaps].mean() <= OFTEN)


def curvature_note(found: RegressionLine) -> Iterator[Note]:
    """A note on a curved relation, for imputers that draw from a linear model."""
    known, wanted = found.fitted_values
    apart = known - known.mean()
    if float(apart @ apart) <= 1e-9 * len(apart):
        return
    square, there = apart**2, (wanted - known.mean()) ** 2
    straight = of_rows(found.x, square).beta
    bent, bent_there = square - found.x @ straight, there - found.gaps @ straight
    size = float(bent @ bent)
    if size <= 1e-12 * len(bent):
        return
    residuals = found.y - known
    gamma = float(bent @ residuals) / size
    error = float(np.sqrt(((bent * (residuals - gamma * bent)) ** 2).sum())) / size
    mean, slope = found.standard_errors(gamma * bent_there)
    if abs(gamma) > SURE * error and max(abs(mean), abs(slope)) > MATTERS:
        what = f"slopes by {abs(slope):.1f}" if abs(slope) > abs(mean) else f"its mean by {abs(mean):.1f}"
        yield Note(
            NoteKind.BENT,
            found.column,
            found.column,
            f": it bends with what predicts it ({abs(gamma) / error:.0f} standard errors), which a "
            f"straight line does not follow; that puts {what} standard errors off",
        )


def residual_note(found: RegressionLine) -> Iterator[Note]:
    """A note on residuals that are not normal, for imputers that draw normal residuals."""
    from scipy import special

    known, wanted = found.fitted_values
    sigma, count = found.model.sigma, len(known)
    points = np.quantile(found.y, np.linspace(0.02, 0.98, 33), method="inverted_cdf")
    by_line = special.ndtr((points[:, None] - known) / sigma)
    apart = by_line - (found.y <= points[:, None])
    # rounded values make steps: half of each step belongs to the column itself
    apart += 0.5 * (found.y == points[:, None])
    distance = np.abs(apart.mean(axis=1))
    error = apart.std(axis=1) / np.sqrt(count)
    place = int(np.argmax(np.where(distance > SURE * error, distance, 0.0)))
    share = float((found.y <= points[place]).mean())
    all_values = count + len(wanted)
    matters = distance[place] * len(wanted) / np.sqrt(all_values * max(share * (1 - share), 1 / all_values))
    if distance[place] > SURE * error[place] and matters > MATTERS:
        yield Note(
            NoteKind.SHAPE,
            found.column,
            found.column,
            ": its values do not lie around a straight line as normal ones do, so that draws "
            f"have another share below some numbers by {distance[place]:.0%}: shares, counts and quantiles are biased",
        )
