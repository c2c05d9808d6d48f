"""Checks of draws on hidden observed cells: bias, relations that draws do not follow, and too little variance.

1. Some rows of a bounded sample of the rows to learn from are given the missingness of an incomplete row. The observed
   cells that this removes are hidden.
2. The hidden cells are drawn several times, by the imputer of their column, together with all missing cells.
3. If draws have the distribution of the data, true and drawn values have equal means. The comparisons are: the column,
   or a category's indicator (a difference biases means); its product with another column (slopes, correlations and
   differences of groups); its product with a square, or with a product of two columns (curves and interactions).
4. The most significant difference is reported if it exceeds `SURE` standard errors, and if the bias of a mean, given
   the share of missing cells, exceeds `MATTERS` standard errors. Draws vary too little if too many true values lie
   outside all draws. Draws of numbers must lie as close to a line of the other numbers as true values do.

Hidden cells resemble missing ones only under missing at random; other mechanisms cannot be checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.closeness import closeness_note
from imputedb.imputers.misfit import Misfit
from imputedb.imputers.permitted import bounds
from imputedb.imputers.protocol import Imputer, is_proper, takes_donors
from imputedb.imputers.random import keyed, mixed
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

SEEN = 2500
"""Maximum number of rows in the sample."""

DRAWS = 5

LAID = 1 / 3
"""Share of the sampled rows that are given another row's missingness."""

FEWEST = 60
"""Minimum number of hidden cells of a column; with fewer there is no check."""

SURE = 4.0
"""Standard errors: chance alone exceeds them in one of `USUAL` comparisons in 3 of 1,000 answers."""

USUAL = 50
"""Number of comparisons of a usual answer; with more comparisons each must be more significant."""

MATTERS = 0.7
"""Standard errors of a mean: with this bias an interval of 95 % covers 89 %."""

PAIRS = 12
"""Maximum number of products of two other columns."""

EXTREME = 2.0
"""Standard deviations at which values of another column are clipped."""

LEVELS, IN_LEVEL = 6, 20
"""Maximum number of categories of another column, and minimum number of rows of each."""

OUTSIDE = 0.1
"""Share of true values outside all draws, in excess of 2 / (draws + 1), that is reported."""

NAMED = (Kind.CATEGORY, Kind.BOOLEAN)

Matrix = NDArray[np.float64]
Counts = NDArray[np.intp]
Flags = NDArray[np.bool_]


def misfits(request: Request) -> dict[Column, list[Note]]:
    """Notes on what draws get wrong, at most one for each column; empty if the draws fit."""
    proper = [
        column
        for column in request.targets
        if is_proper(request.filler(column)) and request.filler(column).uses_predictors
    ]
    if not proper or any(request.permit(column).times is not None for column in request.targets):
        return {}
    places = _seen(request.rows)
    rows = replace(request.rows.at(places), learn=None, draws=None)
    possible = {column: _permitted_cells(request, column)[places] for column in request.targets}
    if not all(fine.any() for column, fine in possible.items() if rows.columns[column].kind in NAMED):
        return {}  # a category is so rare that it cannot be drawn here
    hidden = _hidden(rows, possible)
    wanted = [column for column in proper if np.count_nonzero(hidden[column]) >= FEWEST]
    if not wanted:
        return {}
    columns = {
        column: cells.like(cells.values, cells.missing | hidden[column]) if column in hidden else cells
        for column, cells in rows.columns.items()
    }
    permits = {column: permit.at(places) for column, permit in request.permits.items()}
    unlimited = replace(request, rows=replace(rows, columns=columns), permits=permits)
    drawn = list(unlimited.drawn(range(1, DRAWS + 1)))
    known = {column: _known(columns[column], hidden[column], [one[column] for one in drawn]) for column in hidden}
    wanted = [column for column in wanted if np.count_nonzero(known[column]) >= FEWEST]
    versions = {
        column: _true_and_drawn(rows.columns[column], columns[column], [one[column] for one in drawn], known[column])
        for column in hidden
    }
    found: dict[Column, list[Note]] = {}
    for column in wanted:
        missing = request.rows.columns[column].missing
        judged = _HiddenCells(rows, column, known[column], versions, request.filler(column))
        found[column] = list(judged.notes(float(missing.mean()) * np.sqrt(len(missing)), len(wanted)))
    return found


def critical_value(comparisons: int) -> float:
    """Standard errors above which the largest of some comparisons is significant; tails decrease as exp(-x**2 / 2)."""
    return float(np.sqrt(SURE**2 + 2 * np.log(max(1.0, comparisons / USUAL))))


def _seen(rows: Rows) -> NDArray[np.intp]:
    """The positions of the sample: of the rows to learn from, the first by a hash of their keys."""
    places = np.arange(len(rows.keys)) if rows.learn is None else np.flatnonzero(rows.learn)
    if len(places) > SEEN:
        places = np.sort(places[np.argpartition(keyed(rows.keys[places], "seen"), SEEN)[:SEEN]])
    return places


def _permitted_cells(request: Request, column: Column) -> Flags:
    """(n,) the observed cells of a target whose values its policy permits; only these can be compared."""
    cells, policy = request.rows.columns[column], request.permit(column).policy
    if not policy.bounds:
        return ~cells.missing
    limit = bounds(str(column), policy, cells)
    found: Flags = ~cells.missing & limit.permits(cells.values) & (limit.rounded(cells.values) == cells.values)
    return found


def _hidden(rows: Rows, possible: Mapping[Column, Flags]) -> dict[Column, Flags]:
    """(n,) the hidden cells by target: some rows are given the missingness of others.

    Args:
        rows: the n rows.
        possible: (n,) by target its observed cells that may be hidden, at most half of them.
    """
    targets = list(possible)
    missing = np.stack([rows.columns[column].missing for column in targets], axis=1)
    models = np.flatnonzero(missing.any(axis=1))
    if not len(models):
        return {column: np.zeros(len(rows.keys), bool) for column in targets}
    bits = keyed(rows.keys, "laid")
    laid = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < LAID
    picked = models[(mixed(bits) % np.uint64(len(models))).astype(np.intp)]
    found = laid[:, None] & missing[picked] & ~missing
    return {
        column: _if_enough_left(found[:, place] & fine, fine) for place, (column, fine) in enumerate(possible.items())
    }


def _if_enough_left(flags: Flags, observed: Flags) -> Flags:
    """The cells to hide, or none if these are more than half of the observed ones."""
    return flags if 2 * np.count_nonzero(flags) <= np.count_nonzero(observed) else np.zeros(len(flags), bool)


def _known(after: Cells, hidden: Flags, drawn: Sequence[Array]) -> Flags:
    """(n,) the hidden cells that have a value in every draw; a derived one may stay NULL."""
    stays = np.zeros(len(hidden), bool)
    for values in drawn:
        stays[after.missing] |= np.ma.getmaskarray(values)
    return hidden & ~stays


def _true_and_drawn(cells: Cells, after: Cells, drawn: Sequence[Array], known: Flags) -> Matrix:
    """(1 + draws, n) the values of a column: the true ones, then those with the hidden cells of each draw."""
    found = np.tile(np.where(cells.missing, 0, cells.values).astype(np.float64), (1 + len(drawn), 1))
    for place, values in enumerate(drawn, 1):
        found[place, known] = np.ma.getdata(values)[known[after.missing]].astype(np.float64)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _HiddenCells:
    """The hidden cells of one column, beside their draws.

    Where another column was hidden in the same row, drawn values of both are compared with true values of both.

    Attributes:
        rows: the n rows of the sample.
        column: the column.
        hidden: (n,) its hidden cells.
        versions: (1 + draws, n) by column with hidden cells: the true values, then the draws.
        filler: the imputer that drew it.
    """

    rows: Rows
    column: Column
    hidden: Flags
    versions: Mapping[Column, Matrix]
    filler: Imputer

    def notes(self, weight: float, columns: int) -> Iterator[Note]:
        """The note, if any; `weight` turns a bias into standard errors of a mean, `columns` is the number checked."""
        cells, mine = self.rows.columns[self.column], self.versions[self.column][:, self.hidden]
        if not np.isfinite(mine).all():
            return
        compared = [
            replace(one, level=level)
            for level, values in _standardised(cells, mine)
            for one in self._association_errors(values)
        ]
        least = critical_value(columns * len(compared))
        found = [one for one in compared if abs(one.z) > least and abs(one.size) * weight > MATTERS]
        if found:
            yield max(found, key=lambda one: abs(one.z)).note
        elif cells.kind not in NAMED and (note := self._closeness_note(mine) or self._coverage_note(mine)):
            yield note

    def _closeness_note(self, mine: Matrix) -> Note | None:
        """A note if draws follow other numbers less closely than true values do."""
        others: dict[Column, Matrix] = {}
        for other, cells in self.rows.columns.items():
            if other == self.column or cells.kind in NAMED or cells.missing[self.hidden].any():
                continue
            values = self._versions_of(other)
            if np.isfinite(values).all():
                others[other] = values
        return closeness_note(self.column, self.filler.name, mine, others)

    def _coverage_note(self, mine: Matrix) -> Note | None:
        """A note if too many true values lie outside all draws."""
        truth, draws = mine[0], mine[1:]
        outside = float(((truth < draws.min(axis=0)) | (truth > draws.max(axis=0))).mean())
        expected = float(np.mean(2 / (self._distinct_draws(draws) + 1)))
        if outside - expected <= max(OUTSIDE, SURE * np.sqrt(expected * (1 - expected) / len(truth))):
            return None
        return Note(
            NoteKind.NARROW,
            self.column,
            self.column,
            f": on {len(truth):,} cells that were hidden, draws by {self.filler.name} vary too little: "
            f"{outside:.0%} of the values lie outside of {len(draws)} draws where {expected:.0%} should, so that "
            "intervals are too short",
        )

    def _distinct_draws(self, draws: Matrix) -> Counts:
        """(h,) the number of different draws of each cell; a donor that is drawn twice counts once."""
        different = np.full(draws.shape[1], len(draws))
        if takes_donors(self.filler):
            repeated = (np.diff(np.sort(draws, axis=0), axis=0) == 0).sum(axis=0)
            different = np.where(repeated < len(draws) - 1, different - repeated, different)
        return different

    def _association_errors(self, values: Matrix) -> Iterator[Misfit]:
        """The differences between true and drawn means: of the values, and of products with other columns."""
        yield self._compared(values)
        lines: list[tuple[Column, Matrix]] = []
        for other, cells in self.rows.columns.items():
            there = ~cells.missing[self.hidden]
            if other == self.column or np.count_nonzero(there) < FEWEST:
                continue
            for curved, regressor in self._regressors(other, there):
                yield replace(self._compared(values[:, there] * regressor), about=(other,), curved=curved)
                if not curved and there.all():
                    lines.append((other, regressor))
        pairs = [(one, other) for one, other in combinations(lines, 2) if one[0] != other[0]]
        for (one, x), (other_one, z) in pairs[:PAIRS]:
            product = x * z
            if (deviation := float(product[0].std())) > 0:
                product = (product - product[0].mean()) / deviation
                yield replace(self._compared(values * product), about=(one, other_one), curved=True)

    def _regressors(self, other: Column, there: Flags) -> Iterator[tuple[bool, Matrix]]:
        """(1 + draws, h) regressors of mean 0 made from another column, and whether each is a square."""
        values = self._versions_of(other)[:, there]
        if np.isfinite(values).all():
            named = self.rows.columns[other].kind in NAMED
            yield from ((False, found) for _, found in _levels(values)) if named else _line(values)

    def _versions_of(self, other: Column) -> Matrix:
        """(1 + draws, h) another column's values: the true ones, then those beside each draw."""
        if (whole := self.versions.get(other)) is not None:
            return whole[:, self.hidden]
        values = self.rows.columns[other].values[self.hidden].astype(np.float64)
        return np.broadcast_to(values, (1 + DRAWS, len(values)))

    def _compared(self, products: Matrix) -> Misfit:
        """The mean difference between true and drawn products, and its ratio to the standard error."""
        apart = products[0] - products[1:].mean(axis=0)
        error = float(np.sqrt(np.sum(apart**2)))
        sure = float(apart.sum()) / error if error > 0 else 0.0
        return Misfit(self.column, self.filler.name, int(np.count_nonzero(self.hidden)), float(apart.mean()), sure)


def _standardised(cells: Cells, mine: Matrix) -> Iterator[tuple[str | None, Matrix]]:
    """(1 + draws, h) standardised numbers, or an indicator for each frequent category, centred at the true mean."""
    if cells.kind in NAMED:
        for level, found in _levels(mine, fewest=1):
            named = cells.levels[int(level)] if cells.levels else bool(level)
            yield str(named) if cells.levels else str(named).lower(), found
        return
    deviation = float(np.std(cells.values[~cells.missing].astype(np.float64)))
    if np.isfinite(deviation) and deviation > 0:
        yield None, (mine - mine[0].mean()) / deviation


def _levels(values: Matrix, fewest: int = IN_LEVEL) -> Iterator[tuple[float, Matrix]]:
    """Each frequent category, and its standardised indicator."""
    levels, counts = np.unique(values[0], return_counts=True)
    for level in levels[np.argsort(-counts, kind="stable")][:LEVELS]:
        here = values == level
        share = float(here[0].mean())
        if fewest <= share * values.shape[1] <= values.shape[1] - fewest:
            yield float(level), (here - share) / np.sqrt(share * (1 - share))


def _line(values: Matrix) -> Iterator[tuple[bool, Matrix]]:
    """Standardised, clipped numbers, and the part of their squares that is uncorrelated with them."""
    deviation = float(values[0].std())
    if not np.isfinite(deviation) or deviation <= 0:
        return
    line = _clipped((values - values[0].mean()) / deviation)
    if not line[0].any():  # constant up to rounding
        return
    yield False, line
    square = line**2 - (line[0] ** 2).mean()
    bent = square - line * float(square[0] @ line[0]) / float(line[0] @ line[0])
    if (spread := float(bent[0].std())) > 1e-6:
        yield True, _clipped(bent / spread)


def _clipped(values: Matrix) -> Matrix:
    """Standardised values, clipped so that a few extreme ones do not dominate."""
    found = np.clip(values, -EXTREME, EXTREME)
    found = found - found[0].mean()
    return np.asarray(found / max(float(found[0].std()), 1e-300))
