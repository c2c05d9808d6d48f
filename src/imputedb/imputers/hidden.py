"""What draws get wrong, measured on cells that are known and were hidden: bias, what they do not follow, their spread.

1. Of a bounded sample of the rows that are learnt from some are picked, each is given the missingness of a row that
   misses something, and the cells that it then lacks are hidden.
2. They are drawn a few times by whatever fills the column, as all other cells are.
3. r is the truth less the mean of the draws, of a category the same of its indicator. Where draws have the distribution
   that the data have, r goes with nothing: not with 1 (else means are biased), not with another column (else slopes,
   correlations, and differences of groups are), nor with its square or with a product of two (else what is curved, or
   differs by group, was taken as straight).
4. What it goes with is told where that is sure, by `SURE` standard errors, and matters: where the share of the column
   that is missing makes of it more than `MATTERS` standard errors of a mean. Draws that leave out too many truths vary
   too little.

Hidden cells are like missing ones only where these are missing at random; what nobody has observed is not judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.imputer import Array, Cells, Rows, is_proper
from imputedb.imputers.random import keyed, mixed
from imputedb.imputers.request import Request
from imputedb.statistics.statistics import Kind

SEEN = 2500
"""Rows that are looked at, at most."""

DRAWS = 5

LAID = 1 / 3
"""Of the rows that are looked at, those that are given another row's missingness."""

FEWEST = 60
"""Hidden cells of a column, at least: of fewer nothing is said."""

SURE = 4.0
"""Standard errors: one of thirty comparisons is that far off by chance in 2 of 1,000 answers."""

MATTERS = 0.7
"""Standard errors of a mean: a bias of so many leaves an interval of 95 % with 89 %."""

PAIRS = 12
"""Products of two other columns that draws are compared by, at most."""

LEVELS, IN_LEVEL = 6, 20
"""Categories of another column, and rows of each, that draws are compared by."""

OUTSIDE = 0.1
"""Share of truths outside of all draws, beyond 2 / (draws + 1), that is told of."""

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Misfit:
    """What the draws of one column get wrong.

    Attributes:
        column: the column.
        imputer: what draws it.
        cells: that were hidden.
        size: of what is wrong, in standard deviations of the column.
        sure: its standard errors.
        about: the columns that draws do not follow; none where their mean is off.
        curved: whether it is the square of one, or the product of two.
    """

    column: Column
    imputer: str
    cells: int
    size: float
    sure: float
    about: str = ""
    curved: bool = False

    def __str__(self) -> str:
        """A sentence for those who read the answer."""
        where = f"{self.column}: on {self.cells:,} cells that were hidden, draws by {self.imputer}"
        if not self.about:
            way = "low" if self.size > 0 else "high"
            return (
                f"{where} are too {way} by {abs(self.size):.2f} standard deviations: means and totals of it are biased"
            )
        how = "bends or differs with" if self.curved else "goes with"
        return (
            f"{where} miss some of how it {how} {self.about} (by {abs(self.size):.2f} standard deviations): slopes, "
            "correlations and differences of groups between these are biased"
        )


def misfits(request: Request) -> dict[Column, list[str]]:
    """Sentences about what draws get wrong of hidden cells, the worst of each column; nothing of one that fits."""
    proper = [
        column
        for column in request.targets
        if is_proper(request.filler(column)) and request.filler(column).uses_predictors
    ]
    if not proper or any(request.permit(column).times is not None for column in request.targets):
        return {}
    rows = _seen(request.rows)
    hidden = _hidden(rows, request.targets)
    wanted = [column for column in proper if np.count_nonzero(hidden[column]) >= FEWEST]
    if not wanted:
        return {}
    columns = {
        column: cells.like(cells.values, cells.missing | hidden[column]) if column in hidden else cells
        for column, cells in rows.columns.items()
    }
    asked = replace(request, rows=replace(rows, columns=columns))
    drawn = list(asked.draws(range(1, DRAWS + 1)))
    said: dict[Column, list[str]] = {}
    for column in wanted:
        whole = request.rows.columns[column].missing
        weight = float(whole.mean()) * np.sqrt(len(whole))
        filler = request.filler(column).name
        draws = np.stack([_at(columns[column], one[column], hidden[column]) for one in drawn])
        said[column] = list(_judged(rows, column, hidden[column], draws, weight, filler))
    return said


def _seen(rows: Rows) -> Rows:
    """The rows that are looked at: of those that are learnt from, the first by a hash of their keys."""
    places = np.arange(len(rows.keys)) if rows.learn is None else np.flatnonzero(rows.learn)
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "seen"), SEEN)[:SEEN]])
    return replace(rows.at(places), learn=None, draws=None)


def _hidden(rows: Rows, targets: Sequence[Column]) -> dict[Column, Flags]:
    """(n,) by target the observed cells that are hidden: some rows get the missingness of others."""
    gone = np.stack([rows.columns[column].missing for column in targets], axis=1)
    models = np.flatnonzero(gone.any(axis=1))
    if not len(models):
        return {column: np.zeros(len(rows.keys), bool) for column in targets}
    bits = keyed(rows.keys, "laid")
    laid = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < LAID
    picked = models[(mixed(bits) % np.uint64(len(models))).astype(np.intp)]
    found = laid[:, None] & gone[picked] & ~gone
    return {column: _spared(found[:, place], ~gone[:, place]) for place, column in enumerate(targets)}


def _spared(flags: Flags, observed: Flags) -> Flags:
    """What may be hidden, as long as half of what is observed stays."""
    return flags if 2 * np.count_nonzero(flags) <= np.count_nonzero(observed) else np.zeros(len(flags), bool)


def _at(cells: Cells, values: Array, hidden: Flags) -> Vector:
    """(h,) the drawn values of hidden cells, of those of all missing ones."""
    return np.asarray(np.ma.getdata(values)[hidden[cells.missing]].astype(np.float64))


def _judged(rows: Rows, column: Column, hidden: Flags, draws: Vector, weight: float, imputer: str) -> Iterator[str]:
    """Sentences about (draws, h) values of hidden cells; `weight` makes of a bias standard errors of a mean."""
    cells = rows.columns[column]
    truth = cells.values[hidden].astype(np.float64)
    if not np.isfinite(truth).all() or not np.isfinite(draws).all():
        return
    found = [
        replace(one, column=column, imputer=imputer)
        for left, deviation in _left(cells, truth, draws)
        for one in _going_with(rows, column, hidden, left / deviation)
        if abs(one.sure) > SURE and abs(one.size) * weight > MATTERS
    ]
    if found:
        yield str(max(found, key=lambda one: abs(one.sure)))
    elif cells.kind not in (Kind.CATEGORY, Kind.BOOLEAN):
        outside = float(((truth < draws.min(axis=0)) | (truth > draws.max(axis=0))).mean())
        expected = 2 / (len(draws) + 1)
        if outside - expected > max(OUTSIDE, SURE * np.sqrt(expected * (1 - expected) / len(truth))):
            yield (
                f"{column}: on {len(truth):,} cells that were hidden, draws by {imputer} vary too little: "
                f"{outside:.0%} of the values lie outside of {len(draws)} draws where {expected:.0%} should, so that "
                "intervals are too short"
            )


def _left(cells: Cells, truth: Vector, draws: Vector) -> Iterator[tuple[Vector, float]]:
    """What truth has more than the mean of its draws, and a deviation: of numbers, or of each frequent category."""
    if cells.kind not in (Kind.CATEGORY, Kind.BOOLEAN):
        deviation = float(np.std(cells.values[~cells.missing].astype(np.float64)))
        if np.isfinite(deviation) and deviation > 0:
            yield truth - draws.mean(axis=0), deviation
        return
    levels, counts = np.unique(truth, return_counts=True)
    for level in levels[np.argsort(-counts, kind="stable")][:LEVELS]:
        share = float(np.mean(truth == level))
        if 0 < share < 1:
            yield (truth == level) - (draws == level).mean(axis=0), float(np.sqrt(share * (1 - share)))


def _going_with(rows: Rows, column: Column, hidden: Flags, left: Vector) -> Iterator[Misfit]:
    """How what is left, in deviations, goes with one, with each other column, its square, and products of two."""
    yield _compared(column, left, np.ones(len(left)))
    lines: list[tuple[str, Vector]] = []
    for other, cells in rows.columns.items():
        there = ~cells.missing[hidden]
        values = cells.values[hidden][there].astype(np.float64)
        if other == column or np.count_nonzero(there) < FEWEST or not np.isfinite(values).all():
            continue
        for curved, regressor in _regressors(cells, values):
            yield replace(_compared(column, left[there], regressor), about=str(other), curved=curved)
            if not curved and there.all():
                lines.append((str(other), regressor))
    pairs = [(a, b) for a, b in combinations(lines, 2) if a[0] != b[0]]
    for (one, x), (other_one, z) in pairs[:PAIRS]:
        product = x * z - (x * z).mean()
        if (deviation := float(product.std())) > 0:
            about = f"{one} and {other_one}"
            yield replace(_compared(column, left, product / deviation), about=about, curved=True)


def _regressors(cells: Cells, values: Vector) -> Iterator[tuple[bool, Vector]]:
    """Of a column (h,) what draws are compared by, each of mean 0: whether it is a square, and its values."""
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        levels, counts = np.unique(values, return_counts=True)
        for level in levels[np.argsort(-counts, kind="stable")][:LEVELS]:
            share = float(np.mean(values == level))
            if IN_LEVEL <= share * len(values) <= len(values) - IN_LEVEL:
                yield False, ((values == level) - share) / np.sqrt(share * (1 - share))
        return
    deviation = float(values.std())
    if not np.isfinite(deviation) or deviation <= 0:
        return
    line = np.clip((values - values.mean()) / deviation, -3.0, 3.0)
    line = line - line.mean()
    yield False, line
    square = line**2 - (line**2).mean()
    bent = square - line * float(square @ line) / float(line @ line)
    if bent.std() > 1e-6:
        yield True, bent / bent.std()


def _compared(column: Column, left: Vector, regressor: Vector) -> Misfit:
    """Mean product of what is left and a regressor, and in how many of its standard errors it is not 0."""
    products = left * regressor
    error = float(np.sqrt(np.sum(products**2)))
    return Misfit(column, "", len(left), float(products.mean()), float(products.sum()) / error if error > 0 else 0.0)
