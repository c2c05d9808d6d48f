"""Chained equations: any model of one column becomes an imputer of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers import crossproducts, random
from imputedb.imputers.column_model import LEARN_ROWS, ColumnModel, Observed, Randomness, Vector
from imputedb.imputers.crossproducts import Chain, Patterns, Start, patterns
from imputedb.imputers.design import Design, Part, closed, design
from imputedb.imputers.imputer import Array, Cells, Progress, Rows, Work
from imputedb.imputers.logistic import Logistic
from imputedb.imputers.normal import Normal
from imputedb.imputers.pmm import Pmm
from imputedb.imputers.shift import UNSHIFTED, Shift
from imputedb.imputers.threads import one_thread
from imputedb.imputers.trace import Trace
from imputedb.kernel import cost

START_CYCLES = 30
"""Cycles of expectations, at most, that draws start after."""

STEPS = 600
"""Regressions of a burn-in, at most, where more than ten cycles are wished for."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011), the chain of mice.

    1. Rows are put in the order of their keys; a matrix of ones, standardised numbers and indicators of categories is
       built. Incomplete columns take part whether they are targets or only predict.
    2. Cycles of linear regressions run on cross-products, a pattern of missingness each, without touching rows
       (crossproducts.py), with expectations until coefficients stand still: all draws start there. Cycles of Bayesian
       regressions follow, as many as it takes to forget the start. Indicators of categories are taken as numbers.
    3. Where the model is not linear in numbers, `cycles` cycles run over rows: incomplete columns in the order of their
       missing share, each drawn from its model given all others.
    4. With a draw number all parameters are drawn too; without, expected values come from the linear chain, and
       most probable categories or donors from the models given these.

    Warning: values are taken to be missing at random given the columns at hand, and each column's model to be right. In
    `deltas` departures from that can be stated.

    Attributes:
        model: of the columns it suits.
        others: models for the rest, the first that suits.
        cycles: over rows.
        burn_in: cycles of draws on cross-products; None for as many as the data ask for.
        deltas: departures from missing at random, by column.
    """

    model: ColumnModel
    others: tuple[ColumnModel, ...] = (Normal(), Pmm())
    cycles: int = 3
    burn_in: int | None = None
    deltas: tuple[tuple[str, Shift], ...] = ()

    uses_predictors = True
    proper = True

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def time(self, work: Work) -> float:
        """Milliseconds for single values, as measured (docs/decisions/inference.md)."""
        columns, cells = work.attributes + 1, work.rows * work.targets
        linear = 0.4 + 3.8e-5 * work.rows * columns + 10 * work.targets * (0.07 + 2e-3 * columns)
        applied = 1.6e-4 * cells * work.missing
        match self.model:
            case Normal():
                over_rows = 0.0
            case Pmm():
                over_rows = cells * (2.4e-4 + 7e-6 * columns)
            case Logistic():
                over_rows = work.targets * min(work.rows, LEARN_ROWS) * 3e-4 * columns
            case _:
                over_rows = work.targets * min(work.rows, LEARN_ROWS) * 1e-3 * columns
        return linear + applied + over_rows

    def penalty(self, work: Work) -> float:
        """A tree's, times what was measured beside it: 1.04 of the unexplained variance, 1.2 for donors' values."""
        worse = 1.2 if isinstance(self.model, Pmm) else 1.04
        loss = work.targets / work.attributes * min(1.0, worse * cost.unexplained(work.rows, work.attributes))
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        draw: int | None = None,
    ) -> Mapping[Column, Array]:
        """One draw of the chain, or without a number its single best values."""
        return self.run(rows, targets, seed, progress, draw)

    def run(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        draw: int | None = None,
        trace: Trace | None = None,
    ) -> Mapping[Column, Array]:
        """The same, and what happened is told to `trace`."""
        return self.prepared(rows, targets).run(seed, progress, draw, trace)

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> "Prepared":
        """What all draws share: the matrix of the rows and its patterns of missingness."""
        order = np.argsort(rows.keys, kind="stable")
        in_order = Rows({c: _taken(rows.columns[c], order) for c in sorted(rows.columns)}, rows.keys[order])
        usable = {c: cells for c, cells in in_order.columns.items() if not cells.missing.all()}
        for column in targets:
            if column not in usable:
                raise CannotImpute(f"no value of {column} is observed among the rows at hand: nothing to learn from")
        with one_thread():
            made = design(usable)
            found = patterns(made.x, made.gone, made.owners)
        return Prepared(self, rows, in_order, tuple(targets), order, made, found)

    def with_deltas(self, deltas: Mapping[str, Shift]) -> "Chained":
        """The same chain under stated departures from missing at random."""
        return replace(self, deltas=tuple(sorted(deltas.items())))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Rows that are ready to be imputed, as often as wanted.

    Attributes:
        chained: by what.
        given: the rows as they were given.
        rows: the same in the order of their keys.
        targets: columns to fill.
        order: places of the sorted rows among those given.
        design: their matrix.
        found: its patterns of missingness.
        starts: where draws start, once the first one has found it.
    """

    chained: Chained
    given: Rows
    rows: Rows
    targets: tuple[Column, ...]
    order: NDArray[np.intp]
    design: Design
    found: Patterns
    starts: list[Start] = field(default_factory=list)

    def run(
        self, seed: int, progress: Progress | None = None, draw: int | None = None, trace: Trace | None = None
    ) -> Mapping[Column, Array]:
        """One imputation."""
        given = self.given.columns
        if not any(self.rows.columns[column].missing.any() for column in self.targets):
            return {column: given[column].values[:0] for column in self.targets}
        run = _Run(self, seed, draw, trace or Trace(), progress or (lambda _: None))
        with one_thread():
            run.linear()
            values = run.over_rows(self.targets)
        return {c: self._in_given_order(c, values[c]) for c in self.targets}

    def _in_given_order(self, column: Column, values: Array) -> Array:
        whole = np.zeros(len(self.order), values.dtype)
        whole[self.order[self.rows.columns[column].missing]] = values
        return whole[self.given.columns[column].missing]


def _taken(cells: Cells, order: NDArray[np.intp]) -> Cells:
    missing = cells.missing[order]
    if cells.values.dtype.kind == "f":
        missing = missing | ~np.isfinite(cells.values[order])
    return Cells(cells.values[order], missing, cells.kind, cells.levels)


class _Run:
    """One imputation: the matrix, filled in place."""

    def __init__(self, prepared: Prepared, seed: int, draw: int | None, trace: Trace, progress: Progress) -> None:
        self.chained, self.rows, self.found = prepared.chained, prepared.rows, prepared.found
        self.starts = prepared.starts
        self.seed, self.draw, self.trace, self.progress = seed, draw, trace, progress
        self.design = replace(prepared.design, x=prepared.design.x.copy())
        self.cells: Mapping[Column, Cells] = {c: self.rows.columns[c] for c in self.design.parts}
        shares = {c: int(cells.missing.sum()) for c, cells in self.cells.items()}
        self.incomplete = sorted((c for c in shares if shares[c]), key=lambda c: (shares[c], c))
        self.codes: dict[Column, Vector] = {}
        self.donated: dict[Column, Vector] = {}
        self.shifts = _shifts(dict(self.chained.deltas), self.incomplete)

    def linear(self) -> None:
        """The burn-in, on cross-products."""
        steps = [place for c in self.incomplete for place in range(*self._part(c).places.indices(1 << 30))]
        column_of = {place: c for c in self.incomplete for place in range(*self._part(c).places.indices(1 << 30))}

        def cycles() -> int:
            return self.chained.burn_in or min(self.starts[0].cycles, max(10, STEPS // max(len(steps), 1)))

        def watch(cycle: int, place: int, mean: float, deviation: float) -> None:
            column = column_of[place]
            part = self._part(column)
            self.progress(0.5 * (cycle + steps.index(place) / len(steps)) / cycles())
            if place == part.places.start:
                self.trace.add(column, mean * part.scale + part.centre, deviation * part.scale)

        chain = Chain(
            self.found,
            steps,
            {self._part(c).places.start: self._delta(c) for c in self.shifts if not self._part(c).classes},
            None,
            crossproducts.row_noise(self.rows.keys, (self.seed, self.draw or 0, "linear")),
            None,
            lambda place, sentence: self.trace.note(column_of[place], sentence),
        )
        if not self.starts:
            self.starts.append(chain.start(min(START_CYCLES, max(5, STEPS // max(len(steps), 1)))))
        if self.draw is not None:
            chain.watch, chain.generator = watch, self._generator
        chain.run(self.design.x, cycles() if self.draw is not None else 0, self.starts[0])

    def _delta(self, column: Column) -> crossproducts.Delta:
        part = self._part(column)
        return self.shifts.get(column, UNSHIFTED).of_matrix(part.centre, part.scale)

    def _generator(self, cycle: int, place: int) -> np.random.Generator:
        return random.generator(self.seed, self.draw or 0, "linear", cycle, place)

    def _part(self, column: Column) -> Part:
        return self.design.parts[column]

    def over_rows(self, targets: Sequence[Column]) -> Mapping[Column, Array]:
        """The models' own cycles; then the targets' values in their own types, in the order of the rows."""
        models = {c: self._model(c) for c in self.incomplete}
        rough = [c for c in self.incomplete if not isinstance(models[c], Normal)]
        cycles = (1 if self.draw is None else self.chained.cycles) if rough else 0
        self._settle(rough)
        chosen = self.incomplete if self.draw is not None else rough
        for cycle in range(cycles):
            for count, column in enumerate(chosen):
                self._filled(column, models[column], cycle)
                self.progress(0.5 + 0.5 * (cycle * len(chosen) + count + 1) / (cycles * len(chosen)))
        return {c: self._values(c, bounded=self.draw is None) for c in targets}

    def _settle(self, columns: Sequence[Column]) -> None:
        """Indicators that were numbers in the burn-in become zeros and ones again."""
        for column in columns:
            part, missing = self._part(column), self.cells[column].missing
            if part.classes:
                block = self.design.x[missing, part.places]
                self.design.x[missing, part.places] = part.encoded(part.decoded(block))

    def _model(self, column: Column) -> ColumnModel:
        observed = self._observed(column)
        for model in (self.chained.model, *self.chained.others):
            if model.suits(observed) and self._affordable(model, column, observed):
                self.trace.methods[column] = model.name
                if model is not self.chained.model:
                    self.trace.note(column, f"{self.chained.name} does not suit it: modelled by {model.name}")
                return model
        raise CannotImpute(f"no model of {self.chained.name} suits {column}: name another imputer for it")

    def _affordable(self, model: ColumnModel, column: Column, observed: Observed) -> bool:
        limit = getattr(model, "parameters", None)
        part = self._part(column)
        width = self.design.x.shape[1] - (part.places.stop - part.places.start)
        return limit is None or (observed.classes - 1) * width <= limit

    def _observed(self, column: Column) -> Observed:
        cells, shift = self.cells[column], self.shifts.get(column, UNSHIFTED)
        seen, part = ~cells.missing, self._part(column)
        values, keys = cells.values[seen].astype(np.float64), self.rows.keys[seen]
        if not part.classes:
            return Observed((values - part.centre) / part.scale, cells.kind, 0, keys)
        odds = shift.log_odds(column, cells.levels, part.classes)
        present, codes = np.unique(values.astype(np.intp), return_inverse=True)
        wanted = None if odds is None else odds[present]
        return Observed(codes.astype(np.float64), cells.kind, len(present), keys, wanted)

    def _present(self, column: Column) -> NDArray[np.intp]:
        """The codes that occur: models number them from 0, and no other is ever imputed."""
        cells = self.cells[column]
        return np.unique(cells.values[~cells.missing].astype(np.intp))

    def _filled(self, column: Column, model: ColumnModel, cycle: int) -> None:
        part, missing = self._part(column), self.cells[column].missing
        others = np.delete(np.arange(self.design.x.shape[1]), part.places)
        features, unknown = (self.design.x[np.ix_(np.flatnonzero(which), others)] for which in (~missing, missing))
        observed = self._observed(column)
        if self.draw is None:
            values = model.predict(observed, features, unknown)
        else:
            rng = Randomness(self.rows.keys[missing], (self.seed, self.draw, cycle, str(column)))
            values = model.draw(observed, features, unknown, rng)
        if not part.classes:
            if isinstance(model, Pmm) and column not in self.shifts:
                self.donated[column] = values
            delta = self._delta(column)
            values = delta.scale * values + delta.shift
            self.design.x[missing, part.places.start] = values
            self.trace.add(column, float(values.mean()) * part.scale + part.centre, float(values.std()) * part.scale)
            return
        values = self._present(column)[values.astype(np.intp)].astype(np.float64)
        self.design.x[missing, part.places] = part.encoded(values)
        self.codes[column] = values
        shown = values == part.levels[0] if len(part.levels) else values == -1
        self.trace.add(column, float(shown.mean()), float(shown.std()))

    def _values(self, column: Column, *, bounded: bool) -> Array:
        cells = self.rows.columns[column]
        part = self._part(column)
        if part.classes:
            values = self.codes.get(column)
            found = np.zeros(0) if values is None else values
        elif column in self.donated:
            return self._donors(column)
        else:
            found = part.decoded(self.design.x[cells.missing][:, part.places])
        return closed(found, cells, bounded=bounded or bool(part.classes))

    def _donors(self, column: Column) -> Array:
        """The observed values that standardised ones stand for, to the last bit."""
        cells, part = self.cells[column], self._part(column)
        observed = np.unique(cells.values[~cells.missing])
        line = part.encoded(observed.astype(np.float64))[:, 0]
        return observed[np.minimum(np.searchsorted(line, self.donated[column]), len(line) - 1)]


def _shifts(deltas: Mapping[str, Shift], columns: Sequence[Column]) -> dict[Column, Shift]:
    """Deltas by column; a name may leave out the table."""
    found = {}
    for name, shift in deltas.items():
        named = [c for c in columns if name in (str(c), c.name)]
        for column in named:
            found[column] = shift
    return found
