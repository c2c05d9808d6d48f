"""Models of targets that need rows: each drawn given what is drawn of all other columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers.column_model import ColumnModel, Keys, Matrix, Observed, Randomness, Vector
from imputedb.imputers.crossproducts import Delta
from imputedb.imputers.design import Design, Part, closed
from imputedb.imputers.imputer import Array, Cells, Rows
from imputedb.imputers.normal import Normal
from imputedb.imputers.order import labels
from imputedb.imputers.pmm import Pmm
from imputedb.imputers.shift import UNSHIFTED, Shift
from imputedb.imputers.trace import Trace

Places = NDArray[np.intp] | slice


@dataclass(frozen=True, slots=True, eq=False)
class Modelled:
    """A target that misses values, and its model.

    Attributes:
        column: which.
        cells: all of it.
        part: its columns of the matrix.
        model: what suits it.
        observed: its values that are learnt from.
        stored: the same as they are stored.
        known: those that differ, sorted.
        seen: places of those rows.
        gone: places of the rows where it is missing.
        present: codes of the categories that are observed: models number them from 0, and no other is ever imputed.
        shift: a departure from missing at random.
        delta: the same of a number, in the units of the matrix.
    """

    column: Column
    cells: Cells
    part: Part
    model: ColumnModel
    observed: Observed
    stored: Array
    known: Array
    seen: Places
    gone: Places
    present: NDArray[np.intp]
    shift: Shift | None
    delta: Delta | None = None

    @property
    def matched(self) -> bool:
        """Whether it takes values of rows whose predictions by the linear chain are near."""
        return isinstance(self.model, Pmm) and not self.part.classes and not self.shift

    def closed(self, block: Matrix, bounded: bool) -> Array:
        """The missing values, in their own type, that (n, width) columns of the matrix stand for."""
        return self.typed(block[self.gone], bounded)

    def typed(self, missing: Matrix, bounded: bool) -> Array:
        """Values in their own type, given (k, width) columns of the matrix of nothing but missing ones."""
        return closed(self.part.decoded(missing), self.stored, bounded=bounded)

    def donors(self, standardised: Vector) -> Array:
        """The observed values that standardised ones stand for, to the last bit."""
        line = self.part.encoded(self.known.astype(np.float64))[:, 0]
        return self.known[np.minimum(np.searchsorted(line, standardised), len(line) - 1)]


def modelled(
    model: ColumnModel,
    others: Sequence[ColumnModel],
    rows: Rows,
    made: Design,
    column: Column,
    shift: Shift | None,
) -> Modelled:
    """A target with the first model that suits it.

    Raises:
        CannotImpute: none does.
    """
    cells, part = rows.columns[column], made.parts[column]
    learnt = rows.taught(column)
    stored = cells.values[learnt]
    values, keys = stored.astype(np.float64), rows.keys[learnt]
    present = np.empty(0, np.intp)
    if part.classes:
        odds = (shift or UNSHIFTED).log_odds(column, rows, part.classes)
        present, codes = np.unique(values.astype(np.intp), return_inverse=True)
        wanted = None if odds is None else odds[:, present][cells.missing if len(odds) > 1 else [0]]
        alike = None if rows.learn is None else rows.learn[cells.missing]
        observed = Observed(codes.astype(np.float64), cells.kind, len(present), keys, wanted, alike)
    else:
        observed = Observed((values - part.centre) / part.scale, cells.kind, 0, keys)
    width = made.x.shape[1] - (part.places.stop - part.places.start)
    for one in (model, *others):
        if one.suits(observed) and _affordable(one, observed, width):
            seen, gone = _places(learnt), _places(cells.missing)
            known = np.unique(stored)
            delta = shift.delta(column, rows, made) if shift and not part.classes else None
            return Modelled(column, cells, part, one, observed, stored, known, seen, gone, present, shift, delta)
    raise CannotImpute(f"no model of {model.name} suits {column}: name another imputer for it")


def _affordable(model: ColumnModel, observed: Observed, width: int) -> bool:
    limit = getattr(model, "parameters", None)
    return limit is None or (observed.classes - 1) * width <= limit


def _places(flags: NDArray[np.bool_]) -> Places:
    """Where flags are set; a slice, which copies nothing, where they are set without a gap."""
    found = np.flatnonzero(flags)
    if len(found) and found[-1] - found[0] + 1 == len(found):
        return slice(int(found[0]), int(found[-1]) + 1)
    return found


class OverRows:
    """One imputation of targets, in the matrix that the linear chain has filled; it is changed."""

    def __init__(
        self, targets: Sequence[Modelled], x: Matrix, keys: Keys, seed: int, draw: int | None, trace: Trace
    ) -> None:
        self.targets, self.x, self.keys = targets, x, keys
        self.seed, self.draw, self.trace = seed, draw, trace
        self.called = labels(one.column for one in targets)
        self.found: dict[Column, Vector] = {}

    def run(self, cycles: int) -> Mapping[Column, Array]:
        """The targets' missing values in their own types, in the order of the rows."""
        rough = [one for one in self.targets if not isinstance(one.model, Normal)]
        for one in rough:
            self._settle(one)
        for cycle in range(cycles):
            for one in self.targets if self.draw is not None else rough:
                self._fill(one, cycle)
        return {one.column: self._values(one) for one in self.targets}

    def _settle(self, one: Modelled) -> None:
        """Indicators that were numbers in the linear chain become zeros and ones again."""
        if one.part.classes:
            block = self.x[one.gone, one.part.places]
            self.x[one.gone, one.part.places] = one.part.encoded(one.part.decoded(block))

    def _fill(self, one: Modelled, cycle: int) -> None:
        values = self._modelled(one, cycle)
        part = one.part
        if part.classes:
            codes = one.present[values.astype(np.intp)].astype(np.float64)
            self.x[one.gone, part.places] = part.encoded(codes)
            self.found[one.column] = codes
            shown = codes == part.levels[0] if len(part.levels) else codes == -1
            self.trace.add(one.column, float(shown.mean()), float(shown.std()))
            return
        self.found[one.column] = values
        if one.shift:
            assert one.delta is not None
            values = one.delta.scale * values + self.x[one.gone] @ one.delta.shift
        self.x[one.gone, part.places.start] = values
        self.trace.add(one.column, float(values.mean()) * part.scale + part.centre, float(values.std()) * part.scale)

    def _modelled(self, one: Modelled, cycle: int) -> Vector:
        features, unknown = (self._others(rows, one.part.places) for rows in (one.seen, one.gone))
        if self.draw is None:
            return one.model.predict(one.observed, features, unknown)
        rng = Randomness(self.keys[one.gone], (self.seed, self.draw, cycle, self.called[one.column]))
        return one.model.draw(one.observed, features, unknown, rng)

    def _others(self, rows: Places, places: slice) -> Matrix:
        """The columns of the matrix but for a target's own."""
        block = self.x[rows]
        if places.stop == block.shape[1]:
            return block[:, : places.start]
        return np.concatenate([block[:, : places.start], block[:, places.stop :]], axis=1)

    def _values(self, one: Modelled) -> Array:
        if one.part.classes:
            return closed(self.found[one.column], one.stored, bounded=True)
        if isinstance(one.model, Pmm) and not one.shift:
            return one.donors(self.found[one.column])
        return one.closed(self.x[:, one.part.places], self.draw is None)
