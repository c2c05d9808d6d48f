"""Scales that a straight line with normal residuals is drawn on: cube root, logarithm, ranks, two parts.

Each goes both ways, so that draws are turned back. Which one suits a column is decided by cells that are known and were
held out: a line through the other columns, fitted on each scale, says with which quantiles these should lie where, and
is judged by how well they do (the pinball loss, Gneiting & Raftery 2007), as normal scores of the column, of which no
few large values decide. From the numbers as they are on, the next scale is taken where it gains more than one standard
error; ranks, which give back nothing that was not observed, where they gain more than `FREE`.
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
from imputedb.imputers.scales import FEWEST, SEEN, Scale, beside, odd
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]

ZEROS = 0.1
"""Share of zeros, and of other numbers, from which on a column may be one of two parts."""

TIES = 0.1
"""Share of one value from which on ranks tell too little of the rows that have it."""

FREE = 2.5
"""Standard errors by which ranks have to be better, which fit any distribution, and reach no farther than it."""

LEVELS = np.linspace(0.05, 0.95, 19)
"""Quantiles that a scale is judged by."""

LARGEST = 700.0
"""Logarithm of the largest number that is drawn."""


class Stretch(Protocol):
    """A scale."""

    @property
    def name(self) -> str:
        """What it is called."""

    def there(self, values: Vector) -> Vector:
        """(n,) where numbers stand on it; NaN of those that it says nothing of."""

    def back(self, places: Vector) -> Vector:
        """(n,) the numbers that stand there."""


@dataclass(frozen=True, slots=True)
class Same:
    """The numbers as they are."""

    name = "as it is"

    def there(self, values: Vector) -> Vector:
        """The numbers."""
        return values

    def back(self, places: Vector) -> Vector:
        """The numbers."""
        return places


@dataclass(frozen=True, slots=True)
class Powers:
    """A cube root, or a logarithm of what is not negative.

    Attributes:
        scale: which.
        least: of the numbers that may be drawn.
    """

    scale: Scale
    least: float = -np.inf

    @property
    def name(self) -> str:
        """The scale's."""
        return self.scale.name

    def there(self, values: Vector) -> Vector:
        """The numbers on the scale."""
        return self.scale(values)

    def back(self, places: Vector) -> Vector:
        """Third powers, or exponentials."""
        if self.scale.name == "cube root":
            return np.asarray(places**3)
        return np.maximum(np.exp(np.minimum(places, LARGEST)) - self.scale.plus, self.least)


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Normal scores of ranks, those of equal numbers in their middle; only observed numbers come back.

    Attributes:
        known: the distinct observed numbers in rising order.
        middles: their normal scores.
        ends: normal scores of the shares up to and with each.
    """

    known: Vector
    middles: Vector
    ends: Vector

    name = "ranks"

    def there(self, values: Vector) -> Vector:
        """Scores; between those of the observed numbers where others come in."""
        return np.interp(values, self.known, self.middles)

    def back(self, places: Vector) -> Vector:
        """The number whose share of the ranks a place lies in."""
        return np.asarray(self.known[np.minimum(np.searchsorted(self.ends, places), len(self.known) - 1)])


@dataclass(frozen=True, slots=True)
class TwoParts:
    """Zero or not, and if not how much, on a scale of its own (Schafer & Olsen 1999).

    Attributes:
        amount: the scale of what is not zero.
    """

    amount: Stretch

    @property
    def name(self) -> str:
        """That of the amount beside it."""
        return f"two parts: zero or not, and the amount ({self.amount.name})"

    def there(self, values: Vector) -> Vector:
        """The amounts; nothing of zeros."""
        return self.amount.there(np.where(values == 0, np.nan, values))

    def back(self, places: Vector) -> Vector:
        """The amounts, none of them zero."""
        return self.amount.back(places)


def stretches(rows: Rows, columns: Mapping[Column, bool]) -> Mapping[Column, Stretch]:
    """The scales of the numbers that are better drawn on another than their own.

    Args:
        rows: that are at hand.
        columns: whether each is drawn; others are looked at only if skewed or heavy-tailed, and are never of two parts.
    """
    found: dict[Column, Stretch] = {}
    for column, drawn in columns.items():
        cells = rows.columns[column]
        if cells.kind not in (Kind.INTEGER, Kind.NUMBER):
            continue
        places = _seen(rows, column)
        values = cells.values[places].astype(np.float64)
        if len(values) < FEWEST or not np.isfinite(values).all() or values.min() == values.max():
            continue
        if np.abs(values).max() > 1e100 or not (drawn or odd(values)):
            continue
        chosen = _chosen(beside(rows, column, places), values, keyed(rows.keys[places], "held"), drawn)
        if not isinstance(chosen, Same):
            found[column] = chosen
    return found


def _seen(rows: Rows, column: Column) -> NDArray[np.intp]:
    places = np.flatnonzero(rows.training(column))
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "scale"), SEEN)[:SEEN]])
    return places


def _chosen(x: Vector, values: Vector, keys: NDArray[np.uint64], drawn: bool) -> Stretch:
    held = keys % np.uint64(4) == 0
    if np.count_nonzero(held) < FEWEST // 4 or np.count_nonzero(~held) <= x.shape[1] + 1:
        return Same()
    scores = ranks(values)
    best: Stretch = Same()
    least = _loss(best, x, values, held, scores)
    for stretch, judged in zip(_candidates(values, drawn), _candidates(values[~held], drawn), strict=False):
        if stretch.name != judged.name:
            break  # what is left suits some of the rows alone
        loss = _loss(judged, x, values, held, scores)
        gained = least - loss
        error = float(gained.std() * np.sqrt(len(gained)))
        if np.isfinite(loss).all() and float(gained.sum()) > error * (FREE if "ranks" in stretch.name else 1.0):
            best, least = stretch, loss
    return best


def ranks(values: Vector) -> Ranks:
    """The scale of the ranks of some numbers."""
    from scipy import special

    known, counts = np.unique(values, return_counts=True)
    upto = np.cumsum(counts)
    middles, ends = (upto - counts / 2) / len(values), upto / (len(values) + 1e-9)
    return Ranks(known, special.ndtri(middles), special.ndtri(ends))


def _candidates(values: Vector, drawn: bool) -> list[Stretch]:
    zero = float((values == 0).mean())
    if drawn and ZEROS <= zero <= 1 - ZEROS and len(np.unique(values)) > 2:
        amounts = values[values != 0]
        return [TwoParts(one) for one in (Same(), *_candidates(amounts, drawn=False))]
    found: list[Stretch] = [Powers(Scale("cube root"))]
    if values.min() >= 0:
        plus = 0.0 if values.min() > 0 else float(values[values > 0].min()) / 2
        found.append(Powers(Scale("logarithm", plus), 0.0))
    if float(np.unique(values, return_counts=True)[1].max()) <= TIES * len(values):
        found.append(ranks(values))
    return found


def _loss(stretch: Stretch, x: Vector, values: Vector, held: NDArray[np.bool_], scores: Ranks) -> Vector:
    """(h,) of each held-out cell how far it lies from where the line on a scale expects it."""
    from scipy import special

    learn = ~held & ((values != 0) if isinstance(stretch, TwoParts) else True)
    y = stretch.there(values)[learn]
    beta = np.linalg.lstsq(x[learn], y, rcond=None)[0]
    left = y - x[learn] @ beta
    sigma = float(np.sqrt(left @ left / max(len(y) - x.shape[1], 1)))
    levels = np.broadcast_to(LEVELS, (int(np.count_nonzero(held)), len(LEVELS)))
    nothing = np.zeros(levels.shape, bool)
    if isinstance(stretch, TwoParts):
        ((slopes,), _) = fitted(*augmented(x[~held], (values[~held] != 0).astype(float), 2), 2)
        chance = logistic(x[held] @ slopes)[:, None]
        nothing = levels <= 1 - chance
        levels = np.clip((levels - (1 - chance)) / np.maximum(chance, 1e-9), 1e-6, 1 - 1e-6)
    wanted = (x[held] @ beta)[:, None] + sigma * special.ndtri(levels)
    expected = np.where(nothing, 0.0, stretch.back(wanted.ravel()).reshape(wanted.shape))
    apart = scores.there(values[held])[:, None] - scores.there(expected.ravel()).reshape(wanted.shape)
    return np.asarray(np.maximum(LEVELS * apart, (LEVELS - 1) * apart).mean(axis=1))
