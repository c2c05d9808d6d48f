"""Chained equations: any model of one column becomes an imputer of all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers import at_once, random
from imputedb.imputers.column_model import LEARN_ROWS, ColumnModel, Matrix, check
from imputedb.imputers.crossproducts import Chain, Delta, Patterns, Told, chain, patterns
from imputedb.imputers.design import Design, Part, design
from imputedb.imputers.imputer import Array, Cells, Progress, Rows, Work, apart
from imputedb.imputers.logistic import Logistic
from imputedb.imputers.normal import Normal
from imputedb.imputers.order import by_name
from imputedb.imputers.over_rows import Modelled, OverRows, modelled
from imputedb.imputers.pmm import Pmm
from imputedb.imputers.shift import Shift
from imputedb.imputers.threads import one_thread
from imputedb.imputers.trace import Trace
from imputedb.kernel import cost

TOGETHER = 32
"""Draws whose regressions are held at a time."""

MOST_CYCLES = 100_000


@dataclass(frozen=True, slots=True)
class Chained:
    """Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011), the chain of mice.

    1. Rows are put in the order of their keys; a matrix of ones, standardised numbers and indicators of categories is
       built. Incomplete columns take part whether they are targets or only predict.
    2. Cycles of linear regressions run on cross-products, a pattern of missingness each, without touching rows
       (crossproducts.py), with expectations until coefficients stand still. Cycles of Bayesian
       regressions follow, as many as it takes to forget the start. Indicators of categories are taken as numbers.
    3. Where a target's model is not linear in numbers, targets are drawn from their models over rows, given what the
       linear chain has drawn of all others: once where targets are numbers or one, else `cycles` times, those of the
       fewest missing values first.
       Draws of numbers by `pmm` alone compare predictions of the chain's last regressions instead, and fill no row.
    4. With a draw number all parameters are drawn too; without, expected values come from the linear chain, and
       most probable categories or donors from the models given these.

    Warning: values are taken to be missing at random given the columns at hand, and each column's model to be right. In
    `deltas` departures from that can be stated.

    Attributes:
        model: of the columns it suits.
        others: models for the rest, the first that suits.
        cycles: over rows, where categories are among several targets.
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

    def __post_init__(self) -> None:
        for model in (self.model, *arguments.listed("others", self.others, example="others=(Normal(), Pmm())")):
            check(model)
        arguments.whole("cycles", self.cycles, 1, MOST_CYCLES)
        if self.burn_in is not None:
            arguments.whole("burn_in", self.burn_in, 1, MOST_CYCLES)
        for pair in arguments.listed("deltas", self.deltas, example="deltas=(('x', Shift(add=1)),)"):
            if not (
                isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], Shift)
            ):
                raise QueryError(f"deltas hold {arguments.shown(pair)}; give pairs of a column and its Shift")

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    @property
    def assumption(self) -> str:
        """The stated departures from missing at random, in words."""
        said = [f"{name} {shift}" for name, shift in self.deltas]
        return (
            f"assumed is that values that are missing differ from those alike in all else: {', '.join(said)}"
            if said
            else ""
        )

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
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """One draw of the chain of those that are drawn, and the single best values of others given these."""
        values: dict[Column, Array] = {}
        for some, draws in apart(targets, drawn):
            values |= self.run(rows.given(values), some, seed, progress, draw if draws else None)
        return values

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
        """What all draws share: the matrix of the rows, sorted by what is missing in them, and the models of targets.

        Raises:
            CannotImpute: no value of a target is observed among the rows that are learnt from.
        """
        with one_thread():
            return prepared(self, rows, targets)

    def with_deltas(self, deltas: Mapping[str, Shift]) -> "Chained":
        """The same chain under stated departures from missing at random."""
        return replace(self, deltas=tuple(sorted(deltas.items())))


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows that are ready to be imputed, as often as wanted.

    Attributes:
        chained: by what.
        targets: columns to fill.
        rows: sorted by what is missing in them.
        places: by target, where the values of its sorted missing cells stand among those given.
        design: the matrix of the rows.
        found: its patterns of missingness.
    """

    chained: Chained
    targets: tuple[Column, ...]
    rows: Rows
    places: Mapping[Column, NDArray[np.intp]]
    design: Design
    found: Patterns

    def run(
        self, seed: int, progress: Progress | None = None, draw: int | None = None, trace: Trace | None = None
    ) -> Mapping[Column, Array]:
        """One imputation: of many with a draw's number, else the single best values."""
        if draw is not None:
            return next(self.run_many(seed, [draw], progress, [trace] if trace else None))
        with one_thread():
            return self._imputed(None, seed, None, trace or Trace(), None)

    def run_many(
        self,
        seed: int,
        numbers: Sequence[int],
        progress: Progress | None = None,
        traces: Sequence[Trace] | None = None,
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, each as if alone."""
        for at in range(0, len(numbers), TOGETHER):
            some = numbers[at : at + TOGETHER]
            with one_thread():
                told = self._told(seed, some, _part_of(progress, at / len(numbers), 0.5 * len(some) / len(numbers)))
            mine = traces[at : at + TOGETHER] if traces else None
            for place, values in enumerate(self._drawn(told, seed, some, mine)):
                if mine and told:
                    self._trace(told.only(place, place + 1), mine[place])
                if progress:
                    progress((at + 0.5 * len(some) + 0.5 * (place + 1)) / len(numbers))
                yield values

    @cached_property
    def chain(self) -> Chain:
        """The linear chain of all incomplete columns, after its cycles of expectations."""
        deltas = {self._part(c).places.start: delta for c, delta in self._deltas.items()}
        return chain(
            self.design.x, self.design.flags(self.found.starts[:-1]), self.rows.keys, self.found, self._steps, deltas
        )

    @cached_property
    def modelled(self) -> Sequence[Modelled]:
        """The targets that miss a value, in the order of the steps."""
        return [self._models[column] for column in self._incomplete if column in self.targets]

    @cached_property
    def _models(self) -> Mapping[Column, Modelled]:
        """All targets."""
        shifts = self._shifts
        return {
            c: modelled(self.chained.model, self.chained.others, self.rows, self.design, c, shifts.get(c))
            for c in self.targets
        }

    @cached_property
    def _incomplete(self) -> Sequence[Column]:
        """Those of the fewest missing values first, in the rows that are learnt from; those of none there last.

        So what is drawn does not depend on which other rows are to be filled.
        """
        flags = {c: self.rows.columns[c].missing for c in self.design.parts}
        learn = slice(None) if self.rows.learn is None else self.rows.learn
        counts = {c: int(np.count_nonzero(gone[learn])) for c, gone in flags.items() if gone.any()}
        return sorted(by_name(counts), key=lambda c: (not counts[c], counts[c]))

    @cached_property
    def _steps(self) -> Sequence[int]:
        return [j for c in self._incomplete for j in range(*self._part(c).places.indices(self.design.x.shape[1]))]

    @cached_property
    def _shifts(self) -> Mapping[Column, Shift]:
        """By column; a name may leave out the table."""
        return {c: s for name, s in self.chained.deltas for c in self._incomplete if name in (str(c), c.name)}

    @property
    def _deltas(self) -> Mapping[Column, Delta]:
        shifts = {c: shift for c, shift in self._shifts.items() if not self._part(c).classes}
        return {c: shift.delta(c, self.rows, self.design) for c, shift in shifts.items()}

    def _part(self, column: Column) -> Part:
        return self.design.parts[column]

    @cached_property
    def _linear(self) -> bool:
        """Whether the linear chain says it all."""
        return at_once.linear(self._models.values())

    @property
    def _cycles(self) -> int:
        """Over rows: one, unless categories wait for other targets; numbers are drawn by the linear chain already."""
        waits = len(self.targets) > 1 and any(one.part.classes for one in self._models.values())
        return self.chained.cycles if waits else 1

    def _told(self, seed: int, numbers: Sequence[int], progress: Progress | None) -> Told | None:
        if not self.modelled:
            return None
        keys = np.array([random.stream(seed, number, "linear") for number in numbers], np.uint64)
        return self.chain.drawn(keys, self.chained.burn_in or self.chain.cycles, progress)

    def _drawn(
        self, told: Told | None, seed: int, numbers: Sequence[int], traces: Sequence[Trace] | None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, given their regressions."""
        if told is None or not (self._linear or at_once.matching(self._models.values())):
            buffer = self.chain.x.copy() if told else None
            for place, number in enumerate(numbers):
                with one_thread():
                    one = told and told.only(place, place + 1)
                    values = self._imputed(one, seed, number, traces[place] if traces else Trace(), buffer)
                yield values
            return
        for place, found in enumerate(at_once.values(self.chain, self.modelled, told)):
            if traces:
                self._tell(traces[place])
                for column, drawn in found.items() if not self._linear else ():
                    traces[place].add(column, float(drawn.mean()), float(drawn.std()))
            yield self._ordered(found)

    def _imputed(
        self, told: Told | None, seed: int, draw: int | None, trace: Trace, buffer: Matrix | None
    ) -> Mapping[Column, Array]:
        if not self.modelled:
            return {column: self.rows.columns[column].values[:0] for column in self.targets}
        self._tell(trace)
        if self._linear:
            block = self.chain.values([one.part.places.start for one in self.modelled], told)[0]
            return self._ordered(
                {one.column: one.closed(block[:, [k]], bounded=True) for k, one in enumerate(self.modelled)}
            )
        filled = self.chain.filled(told, buffer)
        work = OverRows(self.modelled, filled, self.rows.keys, seed, draw, trace)
        return self._ordered(work.run(self._cycles if draw is not None else 1))

    def _ordered(self, values: Mapping[Column, Array]) -> Mapping[Column, Array]:
        """The values in the order of the rows as given; none of a target that misses none."""
        none = {c: self.rows.columns[c].values[:0] for c in self.targets}
        return none | {c: found[self.places[c]] for c, found in values.items()}

    def _tell(self, trace: Trace) -> None:
        for one in self.modelled:
            trace.methods[one.column] = one.model.name
            if one.model is not self.chained.model:
                trace.note(one.column, f"{self.chained.name} does not suit it: modelled by {one.model.name}")
        for place, column in self._first_steps:
            if self.chain.left_out[place]:
                trace.note(column, _left_out(self.chain.left_out[place], self.design.x.shape[1]))

    @property
    def _first_steps(self) -> Sequence[tuple[int, Column]]:
        """Places among the steps of every incomplete column's first one."""
        known = {step: place for place, step in enumerate(self._steps)}
        parts = [(self._part(c).places, c) for c in self._incomplete]
        return [(known[places.start], c) for places, c in parts if places.stop > places.start]

    def _trace(self, told: Told, trace: Trace) -> None:
        """The imputed values of the linear chain, cycle by cycle, before those over rows."""
        linear = Trace()
        for cycle in range(told.cycles):
            for place, column in self._first_steps:
                count, total, square = told.traced[0, cycle * len(self._steps) + place]
                mean, part = total / max(count, 1.0), self._part(column)
                deviation = np.sqrt(max(square / max(count, 1.0) - mean**2, 0.0))
                linear.add(column, float(mean * part.scale + part.centre), float(deviation * part.scale))
        for column, means in linear.means.items():
            trace.means[column] = means + trace.means.get(column, [])
            trace.deviations[column] = linear.deviations[column] + trace.deviations.get(column, [])


def prepared(chained: Chained, rows: Rows, targets: Sequence[Column]) -> Prepared:
    """Sorts rows by what is missing in them, and makes the matrix of their columns, the targets last."""
    learn = rows.learn
    ordered = by_name(rows.columns)
    whole = {c: _finite(rows.columns[c]) for c in sorted(ordered, key=lambda c: c in targets)}
    usable = {
        c: cells for c, cells in whole.items() if not (cells.missing if learn is None else cells.missing[learn]).all()
    }
    for column in targets:
        if column not in usable:
            raise CannotImpute(f"no value of {column} is observed among the rows at hand: nothing to learn from")
    found = patterns(np.stack([cells.missing for cells in usable.values()], axis=1), rows.keys, learn)
    order = found.order
    taken = replace(rows, columns=usable).at(order)
    places = {c: _given(order[taken.columns[c].missing], rows.columns[c]) for c in targets}
    return Prepared(chained, tuple(targets), taken, places, design(taken.columns, taken.learn), found)


def _given(sorted_rows: NDArray[np.intp], cells: Cells) -> NDArray[np.intp]:
    """Where among sorted missing cells those stand that are asked for, in the order of the rows; infinities are not."""
    turn = np.argsort(sorted_rows)
    return turn[cells.missing[sorted_rows[turn]]]


def _finite(cells: Cells) -> Cells:
    """Infinities are taken for missing."""
    if cells.values.dtype.kind != "f":
        return cells
    return Cells(cells.values, cells.missing | ~np.isfinite(cells.values), cells.kind, cells.levels)


def _left_out(count: int, q: int) -> str:
    if count < 0:
        return f"rows are too few for {q - 1} coefficients: its mean"
    return f"{count} predictors are combinations of others: left out"


def _part_of(progress: Progress | None, start: float, width: float) -> Progress | None:
    return None if progress is None else lambda share: progress(start + width * share)
