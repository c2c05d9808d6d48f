"""Models of targets that need rows: each target is drawn given the newest draws of all other columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.border import check_call
from imputedb.errors import CannotImpute
from imputedb.imputers import random
from imputedb.imputers.chained.column_model import ColumnModel, Keys, Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.crossproducts import Delta
from imputedb.imputers.chained.design import Design, Part, closed
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.chained.shift import UNSHIFTED, Shift
from imputedb.imputers.chained.trace import WATCHED, Trace
from imputedb.imputers.order import labels
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.kernel import _kernel

Places = NDArray[np.intp] | slice


@dataclass(frozen=True, slots=True, eq=False)
class Modelled:
    """A target with missing values, and its model.

    Attributes:
        column: the target.
        cells: all its cells.
        part: its columns of the design matrix.
        model: the first model that suits it.
        observed: its values to learn from, as the model gets them.
        stored: the same values, as stored.
        known: their distinct values, sorted.
        seen: positions of the rows to learn from.
        missing_rows: positions of the rows in which it is missing.
        present: codes of the observed categories, which models number from 0; only these are imputed.
        shift: departure from missing at random.
        delta: the departure of a number, in the units of the matrix.
        late: whether it is missing only in rows not to learn from. It is then no predictor in the models of others, and
            is drawn after them.
    """

    column: Column
    cells: Cells
    part: Part
    model: ColumnModel
    observed: Observed
    stored: Array
    known: Array
    seen: Places
    missing_rows: Places
    present: NDArray[np.intp]
    shift: Shift | None
    late: bool
    delta: Delta | None = None

    @property
    def count(self) -> int:
        """The number of missing values."""
        return int(np.count_nonzero(self.cells.missing))

    def closed(self, block: Matrix, bounded: bool) -> Array:
        """The missing values in their own type, from (n, width) columns of the matrix."""
        return self.typed(block[self.missing_rows], bounded)

    def typed(self, missing: Matrix, bounded: bool) -> Array:
        """Values in their own type, from (k, width) columns of the matrix for the missing cells only."""
        return closed(self.part.decoded(missing), self.stored, bounded=bounded)

    def donors(self, standardised: Vector) -> Array:
        """The exact observed values for some standardised ones."""
        line = self.part.encoded(self.known.astype(np.float64))[:, 0]
        return self.known[np.minimum(np.searchsorted(line, standardised), len(line) - 1)]


def modelled(
    model: ColumnModel,
    others: Sequence[ColumnModel],
    rows: Rows,
    made: Design,
    column: Column,
    shift: Shift | None,
    clusters: NDArray[np.intp] | None = None,
) -> Modelled:
    """A target with the first model that suits it.

    Raises:
        CannotImpute: no model suits it.
    """
    cells, part = rows.columns[column], made.parts[column]
    learnt = rows.training(column)
    stored = cells.values[learnt]
    values, keys = stored.astype(np.float64), rows.keys[learnt]
    present = np.empty(0, np.intp)
    if part.classes:
        odds = (shift or UNSHIFTED).log_odds(column, rows, part.classes)
        present, codes = np.unique(values.astype(np.intp), return_inverse=True)
        wanted = None if odds is None else odds[:, present][cells.missing if len(odds) > 1 else [0]]
        alike = None if rows.learn is None else rows.learn[cells.missing]
        observed = Observed(codes.astype(np.float64), cells.kind, len(present), keys, cells.ordered, wanted, alike)
    else:
        apart = None if clusters is None else (clusters[learnt], clusters[cells.missing])
        observed = Observed((values - part.centre) / part.scale, cells.kind, 0, keys, clusters=apart)
    width = made.x.shape[1] - (part.places.stop - part.places.start)
    for one in (model, *others):
        if one.suits(observed) and _affordable(one, observed, width):
            seen, missing = _places(learnt), _places(cells.missing)
            known = np.unique(stored)
            delta = shift.delta(column, rows, made) if shift and not part.classes else None
            late = rows.learn is not None and not bool((cells.missing & rows.learn).any())
            return Modelled(
                column, cells, part, one, observed, stored, known, seen, missing, present, shift, late, delta
            )
    raise CannotImpute(f"no model of {model.name} suits {column}: name another imputer for it")


def _affordable(model: ColumnModel, observed: Observed, width: int) -> bool:
    limit = getattr(model, "parameters", None)
    return limit is None or (observed.classes - 1) * width <= limit


def _places(flags: NDArray[np.bool_]) -> Places:
    """The positions of set flags; a slice, which avoids copies, if they are contiguous."""
    found = np.flatnonzero(flags)
    if len(found) and found[-1] - found[0] + 1 == len(found):
        return slice(int(found[0]), int(found[-1]) + 1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class PatternMatrix:
    """The matrix that all imputations share, sorted by pattern of missingness.

    Attributes:
        x: (n, q) the matrix, ones first; 0 where a value is missing.
        starts: (P + 1,) where each pattern begins.
        fitted_rows: (P,) number of rows to learn from in each pattern.
        missing: (P, q) missing columns of each pattern.
        keys: (n,) keys of the rows.
        columns: incomplete columns of the matrix.
    """

    x: Matrix
    starts: NDArray[np.int64]
    fitted_rows: NDArray[np.int64]
    missing: NDArray[np.uint8]
    keys: Keys
    columns: Sequence[int]

    def nested(self, columns: Sequence[int]) -> bool:
        """Whether missingness is nested in rows to learn from: a missing column implies that later ones are missing."""
        missing = self.missing[self.fitted_rows > 0][:, list(columns)]
        missing = missing[:, missing.any(axis=0)]
        return not bool((missing[:, :-1] > missing[:, 1:]).any())


class Imputation:
    """One imputation, column after column; the models of other columns see each column's newest draw.

    It starts from the complete columns: in its first draw, a column is predicted by these and by the columns before it.
    Columns that are missing together are therefore drawn jointly. For nested missingness the start is already a joint
    draw.

    Attributes:
        x: (n, q) the matrix with the current values.
    """

    def __init__(
        self, patterns: PatternMatrix, columns: Sequence[Modelled], x: Matrix, seed: int, draw: int, trace: Trace
    ) -> None:
        self.patterns, self.columns, self.x = patterns, columns, x
        self.seed, self.draw, self.trace = seed, draw, trace
        self.called = labels(one.column for one in columns)
        self.found: dict[Column, Array] = {}
        self._fits: dict[Column, dict[str, Vector]] = {one.column: {} for one in columns}
        self._rows = _kernel.Imputation(
            patterns.x.ravel(),
            patterns.starts,
            patterns.missing.ravel(),
            patterns.fitted_rows,
            patterns.keys,
            list(patterns.columns),
            x.ravel(),
        )

    def run(self, cycles: int) -> Mapping[Column, Array]:
        """The missing values in their own types, in the order of the rows."""
        barred = np.zeros(self.x.shape[1], np.uint8)
        for one in self.columns:
            barred[one.part.places] = not one.late
        for one in self.columns:
            barred[one.part.places] = 0
            self._fill(one, 0, barred)
        if cycles:
            self._watch()
        for cycle in range(1, cycles + 1):
            for one in self.columns:
                self._fill(one, cycle, barred)
            self._watch()
        return self.found

    def _watch(self) -> None:
        """Records the moments of the watched columns after a cycle."""
        found = np.empty(self.x.shape[1] ** 2)
        self._rows.gram(found)
        places = [0, *watched(self.columns)]
        gram = found.reshape(self.x.shape[1], -1)[np.ix_(places, places)]
        self.trace.moments.append(gram / max(gram[0, 0], 1.0))

    def _fill(self, one: Modelled, cycle: int, barred: NDArray[np.uint8]) -> None:
        check_call()
        what = (self.seed, self.draw, cycle, self.called[one.column])
        match one.model:
            case Pmm(donors, bootstrap):
                rows = np.empty(one.count, np.int64)
                self._rows.match(one.part.places.start, random.stream(*what), donors, bootstrap, barred, rows)
                self._shift(one)
                self.found[one.column] = one.cells.values[rows] if one.shift is None else self._closed(one)
            case Normal():
                self._rows.regress(one.part.places.start, random.stream(*what), barred)
                self._shift(one)
                self.found[one.column] = self._closed(one)
            case _:
                self.found[one.column] = self._modelled(one, what, barred)
        self._record(one)

    def _modelled(self, one: Modelled, what: tuple[int | str, ...], barred: NDArray[np.uint8]) -> Array:
        """A draw by a model of one column that works on arrays."""
        shown = barred == 0
        shown[one.part.places] = False
        features, unknown = (self.x[rows][:, shown] for rows in (one.seen, one.missing_rows))
        rng = Randomness(self.patterns.keys[one.missing_rows], what, self._fits[one.column])
        values = one.model.draw(one.observed, features, unknown, rng)
        if not one.part.classes:
            self._rows.put(one.part.places.start, np.ascontiguousarray(values, np.float64))
            self._shift(one)
            return self._closed(one)
        codes = one.present[values.astype(np.intp)].astype(np.float64)
        block = one.part.encoded(codes)
        for k, place in enumerate(range(one.part.places.start, one.part.places.stop)):
            self._rows.put(place, np.ascontiguousarray(block[:, k]))
        return closed(codes, one.stored, bounded=True)

    def _shift(self, one: Modelled) -> None:
        if one.shift:
            assert one.delta is not None
            place = one.part.places.start
            moved = one.delta.scale * self.x[one.missing_rows, place] + self.x[one.missing_rows] @ one.delta.shift
            self._rows.put(place, np.ascontiguousarray(moved))

    def _closed(self, one: Modelled) -> Array:
        return one.closed(self.x[:, one.part.places], bounded=False)

    def _record(self, one: Modelled) -> None:
        places, part = one.part.places, one.part
        if places.stop > places.start:
            values = self.x[one.missing_rows, places.start] * part.scale + part.centre
            self.trace.add(one.column, float(values.mean()), float(values.std()))


def watched(columns: Sequence[Modelled]) -> list[int]:
    """The columns of the matrix whose moments are recorded: those with the most missing values."""
    places = [one.part.places for one in columns if not one.late]
    found = [j for one in places for j in range(one.start, one.stop)]
    return found[-WATCHED:]


def predicted(columns: Sequence[Modelled], x: Matrix) -> Mapping[Column, Array]:
    """The single best values, given the linear chain's expected values of other columns; changes the matrix `x`."""
    rough = [one for one in columns if not isinstance(one.model, Normal)]
    for one in rough:
        settle(one.part, x, one.missing_rows)
    found: dict[Column, Array] = {}
    for one in columns:
        if one in rough:
            shown = np.ones(x.shape[1], bool)
            shown[one.part.places] = False
            values = one.model.predict(one.observed, x[one.seen][:, shown], x[one.missing_rows][:, shown])
            if one.part.classes:
                values = one.present[values.astype(np.intp)].astype(np.float64)
                found[one.column] = closed(values, one.stored, bounded=True)
            elif one.shift:
                assert one.delta is not None
                values = one.delta.scale * values + x[one.missing_rows] @ one.delta.shift
            x[one.missing_rows, one.part.places] = one.part.encoded(values) if one.part.classes else values[:, None]
        if one.column not in found:
            found[one.column] = _single(one, x)
    return found


def _single(one: Modelled, x: Matrix) -> Array:
    if isinstance(one.model, Pmm) and not one.shift:
        return one.donors(x[one.missing_rows, one.part.places.start])
    return one.closed(x[:, one.part.places], bounded=True)


def settle(part: Part, x: Matrix, missing: Places) -> None:
    """Replaces numeric values of indicators, as the linear chain draws them, by zeros and ones."""
    if part.classes:
        x[missing, part.places] = part.encoded(part.decoded(x[missing, part.places]))
