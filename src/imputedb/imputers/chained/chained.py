"""Chained equations: any model of one column becomes an imputer of all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers import random
from imputedb.imputers.chained import linear_draws
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.column_model import LEARN_ROWS, ColumnModel, Observed, check
from imputedb.imputers.chained.convergence import PILOT, TRIED_CELLS, Chains, Movement, settled
from imputedb.imputers.chained.crossproducts import CYCLES, Chain, Delta, Patterns, Told, chain, patterns, threads
from imputedb.imputers.chained.design import Design, Part, design
from imputedb.imputers.chained.logistic import Logistic
from imputedb.imputers.chained.multinomial import Multinomial
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.pmm import Pmm, Quantified
from imputedb.imputers.chained.row_models import Imputation, Modelled, Sheet, modelled, predicted, settle, watched
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.chained.two_level import CLUSTERS
from imputedb.imputers.order import by_name
from imputedb.imputers.protocol import Array, Cells, Imputer, Progress, Rows, Work, apart
from imputedb.kernel import cost
from imputedb.statistics.table import Kind

TOGETHER = 32
"""Draws whose regressions are held at a time."""

TRIED_CYCLES = 80
"""Cycles of draws, at most, where chains forget their start slowly."""

SURE_CYCLES = {False: 20, True: 40}
"""Cycles, over rows and on cross-products, up to which R-hat has to be small whatever chance may do."""

MATRICES = 200_000_000
"""Numbers that the matrices of draws hold at a time."""

MOST_CYCLES = 100_000
"""Cycles of draws that may be asked for."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011), the chain of mice.

    1. Rows are put in the order of their keys; a matrix of ones, standardised numbers and indicators of categories is
       built. Incomplete columns take part whether they are targets or only predict.
    2. Cycles of linear regressions run on cross-products, a pattern of missingness each, without touching rows
       (crossproducts.py), with expectations until coefficients stand still. Cycles of Bayesian
       regressions follow, as many as it takes to forget the start. Indicators of categories are taken as numbers.
    3. Where a column's model is not linear in numbers, columns are drawn from their models over rows (row_models.py),
       each given the newest draws of all others, cycle after cycle: targets, and other numbers where `pmm` draws these.
       What else is incomplete is drawn by the linear chain.
    4. With a draw number all parameters are drawn too; without, expected values come from the linear chain, and
       most probable categories or donors from the models given these.

    Warning: values are taken to be missing at random given the columns at hand, and each column's model to be right. In
    `deltas` departures from that can be stated.

    Attributes:
        model: of the columns it suits.
        others: models for the rest, the first that suits.
        cycles: of draws, after the start; None for as many as the data ask for.
        deltas: departures from missing at random, by column.
    """

    model: ColumnModel
    others: tuple[ColumnModel, ...] = (Normal(), Multinomial(), Quantified())
    cycles: int | None = None
    deltas: tuple[tuple[str, Shift], ...] = ()

    uses_predictors = True
    proper = True

    def __post_init__(self) -> None:
        for model in (self.model, *arguments.listed("others", self.others, example="others=(Normal(), Pmm())")):
            check(model)
        if self.cycles is not None:
            arguments.whole("cycles", self.cycles, 0, MOST_CYCLES)
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
    def takes_donors(self) -> bool:
        """Whether numbers are matched."""
        return isinstance(self._of_numbers, Pmm)

    @property
    def takes_lines(self) -> bool:
        """Whether numbers are drawn around a straight line, with normal residuals."""
        return isinstance(self._of_numbers, Normal)

    @property
    def _of_numbers(self) -> ColumnModel | None:
        number = Observed(np.zeros(1), Kind.NUMBER, 0, np.zeros(1, np.uint64))
        return next((model for model in (self.model, *self.others) if model.suits(number)), None)

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


def check_departures(imputer: Imputer, derived: Mapping[Column, str]) -> None:
    """Refuses departures of columns that are computed, by column how: no chain draws these.

    Raises:
        QueryError: the message names the column.
    """
    for name, _ in imputer.deltas if isinstance(imputer, Chained) else ():
        for column, text in derived.items():
            if name in (str(column), column.name):
                raise QueryError(
                    f"{column} is derived as ({text}), so imputed values of it do not depart by themselves: "
                    "state a departure of a column that it is derived from"
                )


@dataclass(eq=False)
class Prepared:
    """Rows that are ready to be imputed, as often as wanted.

    Attributes:
        chained: by what.
        targets: columns to fill.
        rows: sorted by what is missing in them.
        places: by target, where the values of its sorted missing cells stand among those given.
        design: the matrix of the rows.
        found: its patterns of missingness.
        clusters: (n,) the number of each row's cluster; None where nobody says.
        moved: what the draws of the last run told, as far as they have been made.
        stuck: how its first draws moved, where no number of cycles was enough.
    """

    chained: Chained
    targets: tuple[Column, ...]
    rows: Rows
    places: Mapping[Column, NDArray[np.intp]]
    design: Design
    found: Patterns
    clusters: NDArray[np.intp] | None = None
    moved: list[Trace] = field(default_factory=list)
    stuck: Chains | None = None

    def run(
        self, seed: int, progress: Progress | None = None, draw: int | None = None, trace: Trace | None = None
    ) -> Mapping[Column, Array]:
        """One imputation: of many with a draw's number, else the single best values."""
        if draw is not None:
            return next(self.run_many(seed, [draw], progress, [trace] if trace else None))
        with one_thread():
            return self._single(trace or Trace())

    def run_many(
        self,
        seed: int,
        numbers: Sequence[int],
        progress: Progress | None = None,
        traces: Sequence[Trace] | None = None,
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, each as if alone; draws 1 to 5 say how many cycles all of them take.

        Args:
            seed: what random numbers are keyed by.
            numbers: of the draws.
            progress: told how far it is.
            traces: told what happened, one a draw.
        """
        mine = traces or [Trace() for _ in numbers]
        self.moved, self.stuck = [], None
        cycles, known = self._settled(seed)
        for at in range(0, len(numbers), TOGETHER):
            some, told = numbers[at : at + TOGETHER], mine[at : at + TOGETHER]
            new = [(number, trace) for number, trace in zip(some, told, strict=True) if number not in known]
            drawn = self._some(seed, [number for number, _ in new], cycles, [trace for _, trace in new])
            for number, trace in zip(some, told, strict=True):
                if number in known:
                    values, before = known[number]
                    trace.become(before)
                else:
                    values = next(drawn)
                self.moved.append(trace)
                if progress:
                    progress(len(self.moved) / len(numbers))
                yield values

    @property
    def chains(self) -> Chains | None:
        """How the chains of the last run moved."""
        kept = [trace for trace in self.moved if len(trace.moments) > 1]
        if self.stuck or len(kept) < len(self.moved) or not kept:
            return self.stuck
        return Movement(
            list(map(str, kept[0].watched)), np.array([trace.moments for trace in kept]), self._taught
        ).chains

    def _settled(self, seed: int) -> tuple[int | None, Mapping[int, tuple[Mapping[Column, Array], Trace]]]:
        """How many cycles draws take, and the draws that it took to say; None for as many as they start with."""
        pilot = range(1, PILOT + 1)
        gaps = sum(one.count for one in self.modelled)
        if self.chained.cycles is not None or not gaps or gaps > TRIED_CELLS:
            return self.chained.cycles, {}
        base = self._base
        if not base:
            return None, {}
        kept: dict[int, list[tuple[Mapping[Column, Array], Trace]]] = {}

        def moved(cycles: int) -> Chains | None:
            traces = [Trace() for _ in pilot]
            kept[cycles] = list(zip(self._some(seed, pilot, cycles, traces), traces, strict=True))
            moments = np.array([trace.moments for trace in traces])
            return Movement(list(map(str, traces[0].watched)), moments, self._taught).chains

        found = settled(base, TRIED_CYCLES, moved, SURE_CYCLES[self._linear])
        self.stuck = found.stuck
        return found.cycles, dict(zip(pilot, kept[found.cycles], strict=True))

    def _some(
        self, seed: int, numbers: Sequence[int], cycles: int | None, traces: Sequence[Trace]
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of some numbers, at most so many that their regressions can be held."""
        if not numbers:
            return
        with one_thread():
            told = self._told(seed, numbers, cycles)
        for place, values in enumerate(self._drawn(told, seed, numbers, cycles, traces)):
            if self._linear and told:
                self._trace(told.only(place, place + 1), traces[place])
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
        shifts, model, others = self._shifts, self.chained.model, self.chained.others
        return {
            c: modelled(model, others, self.rows, self.design, c, shifts.get(c), self.clusters) for c in self.targets
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
        return linear_draws.linear(self._models.values())

    @cached_property
    def _members(self) -> Sequence[Modelled]:
        """What is drawn over rows, in the order of the steps: the targets, and numbers beside them that are matched."""
        found = []
        for column in self._incomplete:
            if column in self.targets:
                found.append(self._models[column])
            elif isinstance(self.chained.model, Pmm) and not self._part(column).classes:
                shift = self._shifts.get(column)
                found.append(modelled(self.chained.model, (), self.rows, self.design, column, shift))
        return found

    @cached_property
    def _sheet(self) -> Sheet:
        chain = self.chain
        return Sheet(chain.x, chain.starts, chain.taught, chain.gone, chain.keys, self._steps)

    @cached_property
    def _base(self) -> int:
        """Cycles of draws after the start, at first: none where missing values are nested."""
        if self._linear:
            return self.chain.cycles - 1
        places = [one.part.places.start for one in self._members if one.part.places.stop > one.part.places.start]
        return 0 if self._sheet.nested(places) else max(CYCLES[0], self.chain.cycles)

    @property
    def _taught(self) -> int:
        """How many rows are learnt from."""
        return int(self.found.taught.sum())

    @property
    def _watched(self) -> list[int]:
        """Columns of the matrix whose moments are kept."""
        return watched(self.modelled if self._linear else self._members)

    def _told(self, seed: int, numbers: Sequence[int], cycles: int | None) -> Told | None:
        """The regressions of the linear chain; None where nothing is drawn by it."""
        if not self.modelled or not (self._linear or len(self._members) < len(self._incomplete)):
            return None
        keys = np.array([random.stream(seed, number, "linear") for number in numbers], np.uint64)
        if not self._linear:
            return self.chain.drawn(keys, self.chain.cycles)
        return self.chain.drawn(keys, 1 + (self._base if cycles is None else cycles), self._watched)

    def _drawn(
        self, told: Told | None, seed: int, numbers: Sequence[int], cycles: int | None, traces: Sequence[Trace]
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, given their regressions."""
        if not self.modelled:
            yield from ({c: self.rows.columns[c].values[:0] for c in self.targets} for _ in numbers)
            return
        for trace in traces:
            self._tell(trace)
        if self._linear:
            assert told
            yield from map(self._ordered, linear_draws.values(self.chain, self.modelled, told))
            return
        assert self._members  # these and the sheet are made once, before threads share them
        assert len(self._sheet.keys)
        workers = max(1, min(threads(), len(numbers), MATRICES // max(self.chain.x.size, 1)))
        with ThreadPoolExecutor(workers) as pool:
            for at in range(0, len(numbers), workers):
                places = range(at, min(at + workers, len(numbers)))
                with one_thread():
                    found = [
                        pool.submit(self._over_rows, told and told.only(k, k + 1), seed, numbers[k], cycles, traces[k])
                        for k in places
                    ]
                    done = [one.result() for one in found]
                yield from done

    def _over_rows(
        self, told: Told | None, seed: int, number: int, cycles: int | None, trace: Trace
    ) -> Mapping[Column, Array]:
        """One draw over rows."""
        x = self.chain.x.copy()
        members = {one.column: one for one in self._members}
        expected = self.chain.filled(None) if any(one.late for one in self._members) else x
        if told:
            x = self.chain.filled(told, x)
        for column in self._incomplete:
            part, gone = self._part(column), np.flatnonzero(self.rows.columns[column].missing)
            if column not in members:
                settle(part, x, gone)
            elif members[column].late:
                x[gone, part.places] = expected[gone, part.places]
                settle(part, x, gone)
            else:
                x[gone, part.places] = 0.0
        most = self._base if cycles is None or not self._base else cycles
        found = Imputation(self._sheet, self._members, x, seed, number, trace).run(most)
        return self._ordered({column: found[column] for column in self.targets if column in found})

    def _single(self, trace: Trace) -> Mapping[Column, Array]:
        """The single best values."""
        if not self.modelled:
            return {column: self.rows.columns[column].values[:0] for column in self.targets}
        self._tell(trace)
        if self._linear:
            block = self.chain.values([one.part.places.start for one in self.modelled], None)[0]
            return self._ordered(
                {one.column: one.closed(block[:, [k]], bounded=True) for k, one in enumerate(self.modelled)}
            )
        return self._ordered(predicted(self.modelled, self.chain.filled(None)))

    def _ordered(self, values: Mapping[Column, Array]) -> Mapping[Column, Array]:
        """The values in the order of the rows as given; none of a target that misses none."""
        none = {c: self.rows.columns[c].values[:0] for c in self.targets}
        return none | {c: found[self.places[c]] for c, found in values.items()}

    def _tell(self, trace: Trace) -> None:
        named = {j: c for c, part in self.design.parts.items() for j in range(part.places.start, part.places.stop)}
        trace.watched = tuple(named[j] for j in self._watched)
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
        """The imputed values of the linear chain, cycle by cycle."""
        if told.cycles > 1:
            trace.moments = list(told.moments[0])
        for cycle in range(told.cycles):
            for place, column in self._first_steps:
                count, total, square = told.traced[0, cycle * len(self._steps) + place]
                mean, part = total / max(count, 1.0), self._part(column)
                deviation = np.sqrt(max(square / max(count, 1.0) - mean**2, 0.0))
                trace.add(column, float(mean * part.scale + part.centre), float(deviation * part.scale))


def prepared(chained: Chained, rows: Rows, targets: Sequence[Column]) -> Prepared:
    """Sorts rows by what is missing in them, and makes the matrix of their columns, the targets last."""
    learn, clusters = rows.learn, rows.columns.get(CLUSTERS)
    if clusters is not None:
        rows = replace(rows, columns={c: cells for c, cells in rows.columns.items() if c != CLUSTERS})
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
    codes = None if clusters is None else np.unique(clusters.values, return_inverse=True)[1].ravel()[order]
    return Prepared(chained, tuple(targets), taken, places, design(taken.columns, taken.learn), found, codes)


def _given(sorted_rows: NDArray[np.intp], cells: Cells) -> NDArray[np.intp]:
    """Where among sorted missing cells those stand that are asked for, in the order of the rows; infinities are not."""
    turn = np.argsort(sorted_rows)
    return turn[cells.missing[sorted_rows[turn]]]


def _finite(cells: Cells) -> Cells:
    """Infinities are taken for missing."""
    if cells.values.dtype.kind != "f":
        return cells
    return cells.like(cells.values, cells.missing | ~np.isfinite(cells.values))


def _left_out(count: int, q: int) -> str:
    if count < 0:
        return f"rows are too few for {q - 1} coefficients: its mean"
    return f"{count} predictors are combinations of others: left out"
