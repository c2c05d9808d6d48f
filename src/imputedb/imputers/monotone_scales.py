"""Scales for linear models with normal residuals: cube root, logarithm, normal scores of ranks, two parts.

Each scale has an inverse, so that draws are transformed back. The scale of a column is chosen by held-out cells. A
linear model on the other columns, fitted on each scale, predicts their quantiles. It is judged by the pinball loss
(Gneiting & Raftery 2007), measured in normal scores of the column, so that a few large values do not dominate. Starting
from the original numbers, the next scale is chosen if it improves the loss by more than one standard error; ranks,
which return only observed values, if they improve it by more than `FREE` standard errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.logistic import logistic
from imputedb.imputers.chained.multinomial import fitted
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Rows
from imputedb.imputers.scales import FEWEST, SEEN, Scale, is_irregular, predictor_matrix
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]

ZEROS = 0.1
"""Minimum share of zeros, and of other numbers, in a column of two parts."""

TIES = 0.1
"""Share of a single value above which ranks are not used."""

FREE = 2.5
"""Standard errors of improvement that ranks need: they fit any distribution, but give no values beyond its range."""

LEVELS = np.linspace(0.05, 0.95, 19)
"""Quantiles by which a scale is judged."""

LARGEST = 700.0
"""Logarithm of the largest number that is drawn."""


class MonotoneScale(Protocol):
    """A scale: a transformation with an inverse."""

    @property
    def name(self) -> str:
        """The name of the scale."""

    def forward(self, values: Vector) -> Vector:
        """(n,) the transformed numbers; NaN for numbers that are not on the scale."""

    def inverse(self, places: Vector) -> Vector:
        """(n,) the inverse transformation."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity."""

    name = "as it is"

    def forward(self, values: Vector) -> Vector:
        """The numbers, unchanged."""
        return values

    def inverse(self, places: Vector) -> Vector:
        """The numbers, unchanged."""
        return places


@dataclass(frozen=True, slots=True)
class PowerScale:
    """A cube root, or a logarithm of numbers that are not negative.

    Attributes:
        scale: the transformation.
        least: smallest number that may be drawn.
    """

    scale: Scale
    least: float = -np.inf

    @property
    def name(self) -> str:
        """The name of the transformation."""
        return self.scale.name

    def forward(self, values: Vector) -> Vector:
        """The transformed numbers."""
        return self.scale(values)

    def inverse(self, places: Vector) -> Vector:
        """Third powers, or exponentials."""
        if self.scale.name == "cube root":
            return np.asarray(places**3)
        return np.maximum(np.exp(np.minimum(places, LARGEST)) - self.scale.plus, self.least)


@dataclass(frozen=True, slots=True, eq=False)
class RankScale:
    """Normal scores of ranks, with mean ranks of ties; the inverse gives observed numbers only.

    Attributes:
        known: the distinct observed numbers in ascending order.
        middles: their normal scores.
        ends: normal scores of their cumulative shares.
    """

    known: Vector
    middles: Vector
    ends: Vector

    name = "ranks"

    def forward(self, values: Vector) -> Vector:
        """Normal scores, interpolated between those of observed numbers."""
        return np.interp(values, self.known, self.middles)

    def inverse(self, places: Vector) -> Vector:
        """The observed number whose cumulative share a score falls in."""
        return np.asarray(self.known[np.minimum(np.searchsorted(self.ends, places), len(self.known) - 1)])


@dataclass(frozen=True, slots=True)
class TwoPartScale:
    """A two-part scale: whether a number is zero, and if not, its amount on another scale (Schafer & Olsen 1999).

    Attributes:
        amount: scale of the numbers that are not zero.
    """

    amount: MonotoneScale

    @property
    def name(self) -> str:
        """The name of the amount's scale, marked as one of two parts."""
        return f"two parts: zero or not, and the amount ({self.amount.name})"

    def forward(self, values: Vector) -> Vector:
        """The amounts; NaN for zeros."""
        return self.amount.forward(np.where(values == 0, np.nan, values))

    def inverse(self, places: Vector) -> Vector:
        """The amounts, none of them zero."""
        return self.amount.inverse(places)


def scales_of(rows: Rows, columns: Mapping[Column, bool]) -> Mapping[Column, MonotoneScale]:
    """The scales by column; columns that keep their own scale are absent.

    Args:
        rows: the rows.
        columns: whether each column is drawn; others get a scale only if skewed or heavy-tailed, and never two parts.
    """
    found: dict[Column, MonotoneScale] = {}
    for column, drawn in columns.items():
        cells = rows.columns[column]
        if cells.kind not in (Kind.INTEGER, Kind.NUMBER):
            continue
        places = _seen(rows, column)
        values = cells.values[places].astype(np.float64)
        if len(values) < FEWEST or not np.isfinite(values).all() or values.min() == values.max():
            continue
        if np.abs(values).max() > 1e100 or not (drawn or is_irregular(values)):
            continue
        chosen = _chosen(predictor_matrix(rows, column, places), values, keyed(rows.keys[places], "held"), drawn)
        if not isinstance(chosen, Identity):
            found[column] = chosen
    return found


def _seen(rows: Rows, column: Column) -> NDArray[np.intp]:
    places = np.flatnonzero(rows.training(column))
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "scale"), SEEN)[:SEEN]])
    return places


def _chosen(x: Vector, values: Vector, keys: NDArray[np.uint64], drawn: bool) -> MonotoneScale:
    held = keys % np.uint64(4) == 0
    if np.count_nonzero(held) < FEWEST // 4 or np.count_nonzero(~held) <= x.shape[1] + 1:
        return Identity()
    scores = ranks(values)
    best: MonotoneScale = Identity()
    least = _loss(best, x, values, held, scores)
    for stretch, judged in zip(_candidates(values, drawn), _candidates(values[~held], drawn), strict=False):
        if stretch.name != judged.name:
            break  # the remaining scales suit only some of the rows
        loss = _loss(judged, x, values, held, scores)
        gained = least - loss
        error = float(gained.std() * np.sqrt(len(gained)))
        if np.isfinite(loss).all() and float(gained.sum()) > error * (FREE if "ranks" in stretch.name else 1.0):
            best, least = stretch, loss
    return best


def ranks(values: Vector) -> RankScale:
    """The scale of ranks of some numbers."""
    from scipy import special

    known, counts = np.unique(values, return_counts=True)
    upto = np.cumsum(counts)
    middles, ends = (upto - counts / 2) / len(values), upto / (len(values) + 1e-9)
    return RankScale(known, special.ndtri(middles), special.ndtri(ends))


def _candidates(values: Vector, drawn: bool) -> list[MonotoneScale]:
    zero = float((values == 0).mean())
    if drawn and ZEROS <= zero <= 1 - ZEROS and len(np.unique(values)) > 2:
        amounts = values[values != 0]
        return [TwoPartScale(one) for one in (Identity(), *_candidates(amounts, drawn=False))]
    found: list[MonotoneScale] = [PowerScale(Scale("cube root"))]
    if values.min() >= 0:
        plus = 0.0 if values.min() > 0 else float(values[values > 0].min()) / 2
        found.append(PowerScale(Scale("logarithm", plus), 0.0))
    if float(np.unique(values, return_counts=True)[1].max()) <= TIES * len(values):
        found.append(ranks(values))
    return found


def _loss(stretch: MonotoneScale, x: Vector, values: Vector, held: NDArray[np.bool_], scores: RankScale) -> Vector:
    """(h,) the pinball loss of each held-out cell on a scale, averaged over quantiles."""
    from scipy import special

    learn = ~held & ((values != 0) if isinstance(stretch, TwoPartScale) else True)
    y = stretch.forward(values)[learn]
    beta = np.linalg.lstsq(x[learn], y, rcond=None)[0]
    left = y - x[learn] @ beta
    sigma = float(np.sqrt(left @ left / max(len(y) - x.shape[1], 1)))
    levels = np.broadcast_to(LEVELS, (int(np.count_nonzero(held)), len(LEVELS)))
    nothing = np.zeros(levels.shape, bool)
    if isinstance(stretch, TwoPartScale):
        ((slopes,), _) = fitted(*augmented(x[~held], (values[~held] != 0).astype(float), 2), 2)
        chance = logistic(x[held] @ slopes)[:, None]
        nothing = levels <= 1 - chance
        levels = np.clip((levels - (1 - chance)) / np.maximum(chance, 1e-9), 1e-6, 1 - 1e-6)
    wanted = (x[held] @ beta)[:, None] + sigma * special.ndtri(levels)
    expected = np.where(nothing, 0.0, stretch.inverse(wanted.ravel()).reshape(wanted.shape))
    apart = scores.forward(values[held])[:, None] - scores.forward(expected.ravel()).reshape(wanted.shape)
    return np.asarray(np.maximum(LEVELS * apart, (LEVELS - 1) * apart).mean(axis=1))
