"""Predictive mean matching: values of donors with similar predictions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.imputers import random
from imputedb.imputers.chained.column_model import Keys, Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.regression import of_rows

TIED = 1e-9
"""Difference of two predictions, relative to the largest, below which they are ties."""

MOST_DONORS = 1000
"""Maximum number of candidate donors under stated odds."""

PLACES = 1 << 24
"""Maximum number of donors, of all rows together, in memory at a time."""


@dataclass(frozen=True, slots=True)
class Pmm:
    """Predictive mean matching of type 1 (Little 1988; Morris, White & Royston 2014), as mice's `pmm` has it.

    1. A linear model is fitted where the column is observed, and its coefficients beta* are drawn.
    2. The prediction x beta* of a missing value is compared with x beta of the observed ones.
    3. The value of one of the `donors` nearest is taken, each as probable; ties are broken by a hash.

    With `bootstrap` it is `pmmboot`: donors are a bootstrap of the observed rows (Rubin & Schenker 1986), and beta*
    predicts them too. Its draws vary more if few rows are similar to the missing ones.

    Only observed values occur. Warning: values beyond the observed range are impossible, so slopes are attenuated if
    the largest values are missing. Without `bootstrap`, all draws find the same donors if few rows are similar to the
    missing ones, and intervals are too short.

    Attributes:
        donors: number of donors.
        bootstrap: whether donors come from a bootstrap sample.
    """

    donors: int = 5
    bootstrap: bool = False

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        return "pmmboot" if self.bootstrap else "pmm"

    def __post_init__(self) -> None:
        arguments.whole("donors", self.donors, 1, 1000, example=" donors")
        arguments.flag("bootstrap", self.bootstrap)

    def suits(self, observed: Observed) -> bool:
        """Whether the values are numbers."""
        return observed.classes == 0

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Donors' values, from drawn coefficients."""
        model = of_rows(features, observed.values)
        beta, _ = model.drawn(rng.generator())
        if self.bootstrap:
            return _of_bootstrap(observed, features, unknown, beta, self.donors, rng)
        return taken(observed, features @ model.beta, unknown @ beta, self.donors, rng)

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The nearest donor's value; among tied predictions the value of the central donor."""
        return _nearest_values(observed, observed.values, features, unknown, 1)[:, 0]


@dataclass(frozen=True, slots=True)
class Quantified:
    """Matching of categories on one number, for columns with too many levels for a multinomial regression.

    1. Categories become numbers by the first canonical variate of their indicators against X.
    2. A linear model of these is fitted where the column is observed, and its coefficients beta* are drawn.
    3. Donors are a bootstrap of the observed rows (Rubin & Schenker 1986). Otherwise, with weak predictors, all rows
       would find the same few donors, and draws would vary too much.
    4. The value of one of the `donors` nearest by x beta* is taken, each with equal probability. Under stated odds the
       number of candidates is larger, so that on average it includes `donors` of each level with stated odds: rare
       levels hardly occur among a few nearest donors.

    Warning: one number separates at most two groups of levels.
    """

    donors: int = 5

    name = "quantified"

    def suits(self, observed: Observed) -> bool:
        """Whether the values are categories."""
        return observed.classes > 0

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Donors' values."""
        beta, _ = of_rows(features, _numbers(observed, features)).drawn(rng.generator())
        return _of_bootstrap(observed, features, unknown, beta, _reaching(observed, self.donors), rng)

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """The nearest donor's value; under stated odds the most probable value among the candidates."""
        numbers = _numbers(observed, features)
        if observed.log_odds is None:
            return _nearest_values(observed, numbers, features, unknown, 1)[:, 0]
        donors, found = _reaching(observed, self.donors), np.empty(len(unknown))
        for some in _slices(len(unknown), donors):
            values = _nearest_values(observed, numbers, features, unknown[some], donors)
            found[some] = _likeliest(values, _of_rows(observed.log_odds, some))
        return found


def _reaching(observed: Observed, donors: int) -> int:
    """The number of candidates that on average include `donors` of each level with stated odds."""
    if observed.log_odds is None:
        return donors
    stated = np.flatnonzero((observed.log_odds != 0).any(axis=0))
    counts = np.bincount(observed.values.astype(np.intp), minlength=observed.classes)[stated]
    least = counts[counts > 0].min(initial=len(observed.values))
    return max(donors, min(MOST_DONORS, -(-donors * len(observed.values) // int(least))))


def taken(observed: Observed, known: Vector, wanted: Vector, donors: int, rng: Randomness) -> Vector:
    """Values of donors whose predictions, `known`, are near the wanted ones."""
    ties, uniform = random.uniform(observed.keys, *rng.what, "ties"), rng.uniform()
    found = np.empty(len(wanted))
    for some in _slices(len(wanted), donors):
        values = observed.values[nearest(known, wanted[some], donors, ties)]
        odds = None if observed.log_odds is None else _of_rows(observed.log_odds, some)
        found[some] = values[np.arange(len(values)), _pick(values, odds, uniform[some])]
    return found


def _slices(rows: int, donors: int) -> Iterator[slice]:
    """Slices of the rows, each so short that its donors fit into memory."""
    step = max(1, PLACES // donors)
    return (slice(begin, min(begin + step, rows)) for begin in range(0, rows, step))


def _of_rows(log_odds: Matrix, some: slice) -> Matrix:
    return log_odds if len(log_odds) == 1 else log_odds[some]


def _of_bootstrap(
    observed: Observed, features: Matrix, unknown: Matrix, beta: Vector, donors: int, rng: Randomness
) -> Vector:
    """Values of donors from a bootstrap of the observed rows."""
    times = random.poisson(observed.keys, *rng.what, "bootstrap")
    lot = np.repeat(np.arange(len(times)), times) if times.any() else np.arange(len(times))
    some = replace(observed, values=observed.values[lot], keys=observed.keys[lot])
    return taken(some, features[lot] @ beta, unknown @ beta, donors, rng)


def _nearest_values(observed: Observed, numbers: Vector, features: Matrix, unknown: Matrix, donors: int) -> Matrix:
    """(n, donors) the values of the nearest donors, nearest first."""
    beta = of_rows(features, numbers).beta
    known = features @ beta
    near = nearest(known, unknown @ beta, donors, _hashed(observed.keys))
    return np.asarray(observed.values[_central(observed, known)[near] if donors == 1 else near])


def _central(observed: Observed, known: Vector) -> NDArray[np.intp]:
    """(n,) for each row the central one of its ties: the one nearest to their mean, or with their modal category.

    All ties are equally likely donors, but a random one would give its own value to all similar missing cells.
    """
    order = np.argsort(known, kind="stable")
    line, values = known[order], observed.values[order]
    starts = np.concatenate([[True], np.diff(line) > TIED * (np.abs(line).max() or 1.0)])
    group = np.cumsum(starts) - 1
    if observed.classes:
        cell = group * observed.classes + values.astype(np.intp)
        away = -np.bincount(cell)[cell].astype(np.float64)
    else:
        away = np.abs(values - (np.bincount(group, values) / np.bincount(group))[group])
    first = np.lexsort((values, away, group))[starts]
    found = np.empty(len(order), np.intp)
    found[order] = order[first[group]]
    return found


def _likeliest(values: Matrix, log_odds: Matrix) -> Vector:
    """(n,) the category with the largest sum of odds in each row of (n, donors); among equal ones the nearest."""
    classes, codes = log_odds.shape[1], values.astype(np.intp)
    cells = np.arange(len(values))[:, None] * classes + codes
    sums = np.bincount(cells.ravel(), _weights(values, log_odds).ravel(), minlength=len(values) * classes)[cells]
    return np.asarray(values[np.arange(len(values)), sums.argmax(axis=1)])


def _weights(values: Matrix, log_odds: Matrix) -> Matrix:
    """The odds of categories, by row."""
    codes = values.astype(np.intp)
    return np.asarray(np.exp(log_odds[0][codes] if len(log_odds) == 1 else np.take_along_axis(log_odds, codes, axis=1)))


def _hashed(keys: Keys) -> Vector:
    return random.uniform(keys, "ties")


def _pick(values: Matrix, log_odds: Matrix | None, uniform: Vector) -> NDArray[np.intp]:
    if log_odds is None:
        return np.asarray(uniform * values.shape[1]).astype(np.intp)
    weights = _weights(values, log_odds)
    shares = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    places = np.minimum((shares < uniform[:, None]).sum(axis=1), values.shape[1] - 1)
    return np.asarray(places, np.intp)


def nearest(observed: Vector, unknown: Vector, donors: int, ties: Vector) -> NDArray[np.intp]:
    """(n, donors) positions of the observed predictions that are nearest to each unknown one."""
    # a billionth of the values breaks ties, in one sort
    tied = observed + TIED * (np.abs(observed).max() or 1.0) * ties
    order = np.argsort(tied)
    line = tied[order]
    k = min(donors, len(line))
    right = np.searchsorted(line, unknown)
    left = right - 1
    found = np.empty((len(unknown), k), np.intp)
    last = len(line) - 1
    for place in range(k):
        below = np.where(left >= 0, unknown - line[np.maximum(left, 0)], np.inf)
        above = np.where(right <= last, line[np.minimum(right, last)] - unknown, np.inf)
        go_left = below <= above
        found[:, place] = np.where(go_left, left, right)
        left = left - go_left
        right = right + ~go_left
    return np.asarray(order[found])


def _numbers(observed: Observed, features: Matrix) -> Vector:
    return quantified(observed.values, observed.classes, features)


def quantified(codes: Vector, classes: int, features: Matrix) -> Vector:
    """(n,) categories as numbers: the first canonical variate of their indicators against X, standardised.

    The canonical correlations of indicators D against X are the eigenvalues of N^-1/2 D'P D N^-1/2, P the projection on
    X and N the class counts; the first is the constant's, 1, and is left out.
    """
    places = codes.astype(np.intp)
    counts = np.bincount(places, minlength=classes).astype(np.float64)
    sums = np.stack([np.bincount(places, weights=column, minlength=classes) for column in features.T], axis=1)
    weight = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1)), 0.0)
    gram_root = np.linalg.pinv(features.T @ features, hermitian=True)
    related = (sums @ gram_root @ sums.T) * np.outer(weight, weight)
    constant = np.sqrt(counts / counts.sum())
    related -= np.outer(constant, constant)
    scores = (np.linalg.eigh(related)[1][:, -1] * weight)[places]
    spread = scores.std(ddof=1) if len(scores) > 1 else 0.0
    centred = scores - scores.mean()
    # the sign of an eigenvector is arbitrary: the largest class is made positive
    sign = np.sign(scores[places == np.argmax(counts)][0] - scores.mean()) or 1.0
    return np.asarray(sign * centred / spread if spread > 0 else centred)
