"""Rows prepared for chained equations: the common work of all their draws."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.border import check_call
from imputedb.errors import CannotImpute
from imputedb.imputers import random
from imputedb.imputers.chained import linear_draws
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.chains import PILOT, TRIED_CELLS, Chains, Movement, settled
from imputedb.imputers.chained.crossproducts import Regressions, patterns, threads
from imputedb.imputers.chained.design import design
from imputedb.imputers.chained.equations import Equations
from imputedb.imputers.chained.row_models import Imputation, predicted, settle
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.chained.two_level import CLUSTERS
from imputedb.imputers.order import by_name
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note, NoteKind

if TYPE_CHECKING:
    from imputedb.imputers.chained.chained import Chained

TOGETHER = 32
"""Maximum number of draws whose regressions are in memory at a time."""

TRIED_CYCLES = 80
"""Maximum number of cycles of draws, if chains converge slowly."""

SURE_CYCLES = {False: 20, True: 40}
"""Number of cycles, over rows (False) and on cross-products (True), up to which R-hat must be below its bound."""

MATRICES = 200_000_000
"""Maximum number of elements of the draws' matrices at a time."""


@dataclass(eq=False)
class Prepared:
    """Prepared rows, which can be imputed repeatedly.

    Attributes:
        equations: the models of the columns.
        moved: the trace of the last draw.
        stuck: convergence of the first draws, if the largest number of cycles was not enough.
    """

    equations: Equations
    moved: Trace = field(default_factory=Trace)
    stuck: Chains | None = None

    def run(
        self, seed: int, progress: Progress | None = None, draw: int | None = None, trace: Trace | None = None
    ) -> Mapping[Column, Array]:
        """One imputation: the draw with a number, or without one the single best values."""
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
        together: Callable[[], int] = lambda: TOGETHER,
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these numbers, each independent of the others; draws 1 to 5 determine the number of cycles.

        Args:
            seed: seed of the random numbers.
            numbers: numbers of the draws.
            progress: receiver of the share of work that is done.
            traces: traces to fill in, one for each draw.
            together: number of draws that may be computed at once; it is asked once all earlier draws are given.
        """
        mine = traces or [Trace() for _ in numbers]
        self.moved, self.stuck, count = Trace(), None, 0
        cycles, known = self._settled(seed)
        while count < len(numbers):
            ready = next((k for k, n in enumerate(numbers[count:]) if n not in known), len(numbers) - count)
            to = count + (ready or min(together(), TOGETHER))
            some, some_traces = numbers[count:to], mine[count:to]
            new = [(number, trace) for number, trace in zip(some, some_traces, strict=True) if number not in known]
            drawn = self._some(seed, [number for number, _ in new], cycles, [trace for _, trace in new])
            for number, trace in zip(some, some_traces, strict=True):
                if number in known:
                    values, before = known[number]
                    trace.become(before)
                else:
                    values = next(drawn)
                self.moved = trace
                count += 1
                if progress:
                    progress(count / len(numbers))
                yield values

    @property
    def movement(self) -> Movement | None:
        """The movement of the last draw's chain."""
        moments = np.array([self.moved.moments])
        if self.stuck is None and len(self.moved.moments) < 2:
            return None
        return Movement(list(map(str, self.moved.watched)), moments, self.equations.learnt_from, self.stuck)

    def _settled(self, seed: int) -> tuple[int | None, Mapping[int, tuple[Mapping[Column, Array], Trace]]]:
        """The number of cycles of draws, None for the initial one, and the draws that were made to determine it."""
        equations = self.equations
        pilot = range(1, PILOT + 1)
        gaps = sum(one.count for one in equations.modelled)
        if equations.chained.cycles is not None or not gaps or gaps > TRIED_CELLS:
            return equations.chained.cycles, {}
        base = equations.base_cycles
        if not base:
            return None, {}
        kept: dict[int, list[tuple[Mapping[Column, Array], Trace]]] = {}

        def moved(cycles: int) -> Chains | None:
            traces = [Trace() for _ in pilot]
            kept[cycles] = list(zip(self._some(seed, pilot, cycles, traces), traces, strict=True))
            moments = np.array([trace.moments for trace in traces])
            return Movement(list(map(str, traces[0].watched)), moments, equations.learnt_from).chains

        found = settled(base, TRIED_CYCLES, moved, SURE_CYCLES[equations.is_linear])
        self.stuck = found.stuck
        return found.cycles, dict(zip(pilot, kept[found.cycles], strict=True))

    def _some(
        self, seed: int, numbers: Sequence[int], cycles: int | None, traces: Sequence[Trace]
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of some numbers, few enough to keep their regressions in memory."""
        if not numbers:
            return
        check_call()
        with one_thread():
            regressions = self._regressions(seed, numbers, cycles)
        for place, values in enumerate(self._drawn(regressions, seed, numbers, cycles, traces)):
            check_call()
            if self.equations.is_linear and regressions:
                self._trace(regressions.only(place, place + 1), traces[place])
            yield values

    def _regressions(self, seed: int, numbers: Sequence[int], cycles: int | None) -> Regressions | None:
        """The regressions of the linear chain; None if it draws nothing."""
        equations = self.equations
        if not equations.modelled or not (equations.is_linear or len(equations.members) < len(equations.incomplete)):
            return None
        keys = np.array([random.stream(seed, number, "linear") for number in numbers], np.uint64)
        if not equations.is_linear:
            return equations.chain.drawn(keys, equations.chain.cycles)
        return equations.chain.drawn(keys, 1 + (equations.base_cycles if cycles is None else cycles), equations.watched)

    def _drawn(
        self,
        regressions: Regressions | None,
        seed: int,
        numbers: Sequence[int],
        cycles: int | None,
        traces: Sequence[Trace],
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, given their regressions."""
        equations = self.equations
        if not equations.modelled:
            yield from ({c: equations.rows.columns[c].values[:0] for c in equations.targets} for _ in numbers)
            return
        for trace in traces:
            self._describe(trace)
        if equations.is_linear:
            assert regressions
            yield from map(self._ordered, linear_draws.values(equations.chain, equations.modelled, regressions))
            return
        assert equations.members  # these and the pattern matrix are made once, before threads share them
        assert len(equations.pattern_matrix.keys)
        workers = max(1, min(threads(), len(numbers), MATRICES // max(equations.chain.x.size, 1)))
        with ThreadPoolExecutor(workers) as pool:
            for at in range(0, len(numbers), workers):
                places = range(at, min(at + workers, len(numbers)))
                with one_thread():
                    found = [
                        pool.submit(
                            copy_context().run,
                            self._over_rows,
                            regressions and regressions.only(k, k + 1),
                            seed,
                            numbers[k],
                            cycles,
                            traces[k],
                        )
                        for k in places
                    ]
                    done = [one.result() for one in found]
                yield from done

    def _over_rows(
        self, regressions: Regressions | None, seed: int, number: int, cycles: int | None, trace: Trace
    ) -> Mapping[Column, Array]:
        """One draw by models over rows."""
        equations = self.equations
        x = equations.chain.x.copy()
        members = {one.column: one for one in equations.members}
        expected = equations.chain.filled(None) if any(one.late for one in equations.members) else x
        if regressions:
            x = equations.chain.filled(regressions, x)
        for column in equations.incomplete:
            part, missing = equations.part(column), np.flatnonzero(equations.rows.columns[column].missing)
            if column not in members:
                settle(part, x, missing)
            elif members[column].late:
                x[missing, part.places] = expected[missing, part.places]
                settle(part, x, missing)
            else:
                x[missing, part.places] = 0.0
        most = equations.base_cycles if cycles is None or not equations.base_cycles else cycles
        with np.errstate(all="ignore"):  # the caller's error state does not apply in this thread
            found = Imputation(equations.pattern_matrix, equations.members, x, seed, number, trace).run(most)
        return self._ordered({column: found[column] for column in equations.targets if column in found})

    def _single(self, trace: Trace) -> Mapping[Column, Array]:
        """The single best values."""
        equations = self.equations
        if not equations.modelled:
            return {column: equations.rows.columns[column].values[:0] for column in equations.targets}
        self._describe(trace)
        if equations.is_linear:
            block = equations.chain.values([one.part.places.start for one in equations.modelled], None)[0]
            return self._ordered(
                {one.column: one.closed(block[:, [k]], bounded=True) for k, one in enumerate(equations.modelled)}
            )
        return self._ordered(predicted(equations.modelled, equations.chain.filled(None)))

    def _ordered(self, values: Mapping[Column, Array]) -> Mapping[Column, Array]:
        """The values in the original order of the rows; an empty array for a target without missing values."""
        equations = self.equations
        none = {c: equations.rows.columns[c].values[:0] for c in equations.targets}
        return none | {c: found[equations.places[c]] for c, found in values.items()}

    def _describe(self, trace: Trace) -> None:
        equations = self.equations
        named = {j: c for c, part in equations.design.parts.items() for j in range(part.places.start, part.places.stop)}
        trace.watched = tuple(named[j] for j in equations.watched)
        for one in equations.modelled:
            trace.methods[one.column] = one.model.name
            if one.model is not equations.chained.model:
                message = f"{equations.chained.name} does not suit it: modelled by {one.model.name}"
                trace.note(one.column, Note(NoteKind.REMODELLED, one.column.name, message))
        for place, column in equations.first_steps:
            if equations.chain.left_out[place]:
                message = _left_out(equations.chain.left_out[place], equations.design.x.shape[1])
                trace.note(column, Note(NoteKind.LEFT_OUT, column.name, message))

    def _trace(self, regressions: Regressions, trace: Trace) -> None:
        """Records the imputed values of the linear chain by cycle."""
        equations = self.equations
        if regressions.cycles > 1:
            trace.moments = list(regressions.moments[0])
        for cycle in range(regressions.cycles):
            for place, column in equations.first_steps:
                count, total, square = regressions.traced[0, cycle * len(equations.steps) + place]
                mean, part = total / max(count, 1.0), equations.part(column)
                deviation = np.sqrt(max(square / max(count, 1.0) - mean**2, 0.0))
                trace.add(column, float(mean * part.scale + part.centre), float(deviation * part.scale))


def prepared(chained: "Chained", rows: Rows, targets: Sequence[Column]) -> Prepared:
    """The rows, sorted by pattern of missingness, with their design matrix, in which the targets come last.

    Raises:
        CannotImpute: a target has no observed value in the rows to learn from.
    """
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
            raise CannotImpute(
                f"no value of {column} is observed among the rows of the query: there is nothing to learn from"
            )
    found = patterns(np.stack([cells.missing for cells in usable.values()], axis=1), rows.keys, learn)
    order = found.order
    taken = replace(rows, columns=usable).at(order)
    places = {c: _given(order[taken.columns[c].missing], rows.columns[c]) for c in targets}
    codes = None if clusters is None else np.unique(clusters.values, return_inverse=True)[1].ravel()[order]
    matrix = design(taken.columns, taken.learn)
    return Prepared(Equations(chained, tuple(targets), taken, places, matrix, found, codes))


def _given(sorted_rows: NDArray[np.intp], cells: Cells) -> NDArray[np.intp]:
    """Positions among the sorted missing cells of those requested, in the original row order, without infinities."""
    turn = np.argsort(sorted_rows)
    return turn[cells.missing[sorted_rows[turn]]]


def _finite(cells: Cells) -> Cells:
    """The cells with infinite values marked as missing."""
    if cells.values.dtype.kind != "f":
        return cells
    return cells.like(cells.values, cells.missing | ~np.isfinite(cells.values))


def _left_out(count: int, q: int) -> str:
    if count < 0:
        return f"rows are too few for {q - 1} coefficients: its mean"
    return f"{count} predictors are combinations of others: left out"
