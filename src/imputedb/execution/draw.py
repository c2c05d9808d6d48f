"""One Impute of a plan in many draws, each given the values of the same draw from the Imputes below."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import Drawn
from imputedb.execution.impute import Imputation
from imputedb.execution.outcome import CENTRE, Outcome
from imputedb.imputers import conversion
from imputedb.imputers.doubts import doubts
from imputedb.imputers.hidden import misfits
from imputedb.imputers.protocol import Imputer, Stretches, doubt, reads_whole_tables
from imputedb.imputers.rows import EVERY, Array, Cells, Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

Places = NDArray[np.intp]
Flags = NDArray[np.bool_]


WHOLE = 50_000
"""Rows of a table that all of them are drawn for, at most."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The draws of one Impute.

    Attributes:
        imputation: the Impute.
        numbers: of the m draws.
        known: what Imputes below have drawn.
    """

    imputation: Imputation
    numbers: tuple[int, ...]
    known: Mapping[Column, Drawn]

    def drawn(self, batch: Batch, targets: Sequence[Column], columns: Sequence[Column]) -> dict[Column, Drawn]:
        """What is drawn for the targets' missing cells; nothing for targets without one.

        All draws learn from the same rows, so that they share what is prepared: those that are the same in every
        draw, or of one table all that are stored. A row of a single draw is predicted from that draw's values.

        Args:
            batch: the rows.
            targets: one of the imputation's `groups`.
            columns: that are read, the targets among them.
        """
        cells = self.imputation.reader.cells(batch, targets)
        gaps = {column: self.imputation.reader.gaps(batch, column, cells[column]) for column in targets}
        wanted = [column for column in targets if gaps[column].any()]
        made = {c: _Making(batch.rows[c.relation][gaps[c]], len(self.numbers)) for c in wanted}
        for column in wanted:
            self.imputation.noted(batch, column, gaps[column])
            self.imputation.outcome.add_imputed(column, made[column].count)
            lacks = cells[column].missing.all() and self._base_table_lacks(batch, column)
            if lacks and not self.imputation.reader.policy(column).before:
                made[column].centred(self._centre(column, batch.count))
        centred = [column for column in wanted if made[column].values is not None]
        if len(centred) < len(wanted):
            # what Imputes below have drawn decides which rows are at hand, and is not to decide what is modelled
            modelled = wanted if batch.draws is None else targets
            self._draw(batch, {column: gaps[column] for column in modelled if column not in centred}, columns, made)
        for column in wanted:
            self.imputation.stays(column, made[column].without_value)
        return {column: made[column].done(self.numbers) for column in wanted}

    def _base_table_lacks(self, batch: Batch, column: Column) -> bool:
        base = self.imputation.base_table(batch, [column])
        return base is None or bool(self.imputation.reader.cells(base[0], [column])[column].missing.all())

    def _draw(
        self, batch: Batch, gaps: Mapping[Column, Flags], columns: Sequence[Column], made: Mapping[Column, "_Making"]
    ) -> None:
        training = self._training_rows(batch, gaps)
        if training is not None:
            base, at, places = training
            own = np.flatnonzero(self._once(batch, np.logical_or.reduce(list(gaps.values())) & ~batch.shared, gaps))
            indices = np.concatenate([np.full(len(at), EVERY), self._indices(batch, own)])
            settled = {c: np.isin(base.rows[c.relation][at], _settled(batch, c, gap)) for c, gap in gaps.items()}
            wanted = {c: np.concatenate([settled[c], gap[own]]) for c, gap in gaps.items()}
            drawn_rows = self._rows_of_draws(base, np.concatenate([at, places[own]]), indices, wanted, columns)
            self._misfits(base, drawn_rows)
            self._fill(base, drawn_rows, range(len(self.numbers)), made)
            return
        for index in range(len(self.numbers)):
            some = batch.shared | (self._indices(batch) == index)
            mine = np.flatnonzero(self._once(batch, some, [column for column in gaps if gaps[column][some].any()]))
            wanted = {column: gap[mine] for column, gap in gaps.items() if gap[mine].any()}
            if not wanted:
                continue
            for column in self._without_values(batch, list(wanted), mine):
                raise CannotImpute(
                    f"no value of {column} is observed in the rows of a draw: take m = 1, or imputer 'mean'"
                )
            drawn_rows = self._rows_of_draws(batch, mine, np.full(len(mine), index), wanted, columns)
            self._fill(batch, drawn_rows, range(index, index + 1), made)

    def _misfits(self, batch: Batch, drawn_rows: "_DrawRows") -> None:
        """Says what draws get wrong of cells that are hidden, measured once until something is written."""
        request = self.imputation.request(batch, drawn_rows.rows, list(drawn_rows.wanted), drawn_rows.places)
        fillers = tuple((str(column), repr(request.filler(column))) for column in request.targets)
        self._said_of(
            ("misfits", fillers, self.imputation.seed),
            drawn_rows.rows,
            lambda: [sentence for sentences in misfits(request).values() for sentence in sentences],
        )

    def _said_of(self, what: tuple[object, ...], rows: Rows, measure: Callable[[], Sequence[Note]]) -> None:
        """Warns of what some rows are measured to make doubtful, once until something is written."""
        imputation = self.imputation
        known = int(np.bitwise_xor.reduce(rows.keys)) if len(rows.keys) else 0
        name = (*what, tuple(map(str, sorted(rows.columns))), known)
        said = imputation.engine.recall(name)
        if said is None:
            said = measure()
            imputation.engine.keep(name, said)
        imputation.outcome.warnings += [one for one in said if one not in imputation.outcome.warnings]

    def _indices(self, batch: Batch, places: Places | None = None) -> Places:
        """By row the position of its draw among the numbers; what is said of a row that all have means nothing."""
        if batch.draws is None:
            return np.zeros(batch.count if places is None else len(places), np.intp)
        return np.searchsorted(np.array(self.numbers), batch.draws if places is None else batch.draws[places])

    def _training_rows(self, batch: Batch, gaps: Mapping[Column, Flags]) -> tuple[Batch, Places, Places] | None:
        """The rows that all draws learn from: of which batch, where, and where those of this batch stand in it.

        None where they observe nothing of a target. Rows that miss all targets teach little of them, what others say of
        one another, and are left out of large tables unless they are to be filled; of others not, so that a question
        has the same draws however its rows are chosen, by WHERE or by FILTER.
        """
        base = self.imputation.base_table(batch, gaps)
        if base is not None:
            whole, places = base
            if whole.count <= WHOLE or reads_whole_tables(self.imputation.imputer):
                return whole, np.arange(whole.count), places
            cells = self.imputation.reader.cells(whole, list(gaps))
            useful = [~cells[c].missing | np.isin(whole.rows[c.relation], _settled(batch, c, gaps[c])) for c in gaps]
            return whole, np.flatnonzero(np.logical_or.reduce(useful)), places
        shared = np.flatnonzero(self._once(batch, batch.shared, gaps))
        return None if self._without_values(batch, list(gaps), shared) else (batch, shared, np.arange(batch.count))

    def _once(self, batch: Batch, rows: Flags, targets: Iterable[Column]) -> Flags:
        """Some rows, of those that a join repeats one for each stored row and draw."""
        once = self.imputation.reader.once(batch, targets)
        return rows if once is None else rows & once

    def _without_values(self, batch: Batch, targets: Sequence[Column], rows: Places) -> list[Column]:
        """The targets of which some rows observe nothing."""
        cells = self.imputation.reader.cells(batch, targets, rows)
        return [c for c in targets if cells[c].missing.all() and not self.imputation.reader.policy(c).before]

    def _rows_of_draws(
        self, batch: Batch, places: Places, indices: Places, wanted: Mapping[Column, Flags], columns: Sequence[Column]
    ) -> "_DrawRows":
        """Some rows in the order of their keys, those that all draws learn from first.

        Args:
            batch: that they are of.
            places: (n,) where they stand in it.
            indices: (n,) the position of the draw that each is of, `EVERY` where of all.
            wanted: by target (n,) which are to be filled.
            columns: that are read; of rows of a draw with its values.
        """
        keys = self.imputation.reader.keys(batch, places)
        own = indices != EVERY
        together = own.any() and not own.all()
        order = np.lexsort((keys, own)) if together else np.argsort(keys, kind="stable")
        places, indices, own = places[order], indices[order], own[order]
        cells = self.imputation.reader.cells(batch, columns, places)
        ids = {alias: rows[places] for alias, rows in batch.rows.items()}
        known = {} if reads_whole_tables(self.imputation.imputer) else self.known
        for column, one in known.items():
            if column in cells and own.any():
                cells[column] = one.patched(cells[column], np.where(own, one.places(ids[column.relation]), -1), indices)
        draws = np.where(own, np.array(self.numbers)[indices], EVERY) if together else None
        rows = Rows(cells, keys[order], ~own if together else None, draws)
        return _DrawRows(rows, places, indices, ids, {column: flags[order] for column, flags in wanted.items()})

    def _fill(self, batch: Batch, drawn_rows: "_DrawRows", indices: range, made: Mapping[Column, "_Making"]) -> None:
        """The values of some draws, to where they belong."""
        imputation, numbers = self.imputation, [self.numbers[index] for index in indices]
        request = imputation.request(batch, drawn_rows.rows, list(drawn_rows.wanted), drawn_rows.places)
        for part in request.parts():
            warned(part.imputer, imputation.outcome)
            if part.imputer.uses_predictors:
                what = ("doubts", repr(part.imputer), tuple(map(str, part.targets)))
                self._said_of(what, part.rows, partial(doubts, part.imputer, part.rows, part.targets))
            if isinstance(part.imputer, Stretches):
                for column, scale in part.imputer.stretched(part.rows, part.targets).items():
                    words = f" is drawn on the scale of its {scale}, by held-out cells"
                    imputation.outcome.notes.append(Note(NoteKind.SCALE, column, column, words))
            imputation.assumed(part.imputer)
            for column in part.targets:
                imputation.outcome.add_method(column, part.imputer.name)
        places = {c: drawn_rows.cells(c, made[c].rows) for c in drawn_rows.wanted if c in made}
        drawn = request.draws(numbers, imputation.progress, imputation.outcome.add_chains)
        for index, values in zip(indices, drawn, strict=True):
            for column in places:
                cells = drawn_rows.rows.columns[column]
                for chosen, at in (places[column].of(index), places[column].of(EVERY)):
                    given = values[column][chosen]
                    there = ~np.ma.getmaskarray(given)
                    made[column].put(index, at[there], _named(np.ma.getdata(given)[there], cells))

    def _centre(self, column: Column, count: int) -> str | None:
        words = (
            f" is observed among the {count} rows at hand: "
            "the missing ones take the centre of the whole column in every draw"
        )
        self.imputation.outcome.warnings.append(Note(NoteKind.CENTRE, column, "no value of ", column, words))
        self.imputation.outcome.add_method(column, CENTRE)
        return self.imputation.reader.centre(column)


def warned(imputer: Imputer, outcome: Outcome) -> None:
    """Says of an imputer that its intervals are too short, or that its draws know nothing of other columns."""
    said = doubt(imputer)
    if said is not None and said not in outcome.warnings:
        outcome.warnings.append(said)


@dataclass(frozen=True, slots=True)
class _DrawRows:
    """Rows that some draws learn from and fill in.

    Attributes:
        rows: n of them.
        places: (n,) where they stand among those at hand.
        indices: (n,) the position of the draw that each is of, `EVERY` where of all.
        ids: (n,) of the stored rows, by alias.
        wanted: by target (n,) where a value is wanted.
    """

    rows: Rows
    places: Places
    indices: Places
    ids: Mapping[str, NDArray[np.int64]]
    wanted: Mapping[Column, Flags]

    def cells(self, column: Column, rows: NDArray[np.int64]) -> "_Cells":
        """Which missing cells are wanted, of stored rows that stand there often the first."""
        missing = np.flatnonzero(self.rows.columns[column].missing)
        wanted = np.flatnonzero(self.wanted[column][missing])
        at = np.searchsorted(rows, self.ids[column.relation][missing[wanted]])
        found, first = np.unique((self.indices[missing[wanted]] - EVERY) * len(rows) + at, return_index=True)
        return _Cells(wanted[first], found, len(rows))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Missing cells of one column that are wanted, draw by draw, those of every draw first.

    Attributes:
        chosen: (c,) which they are of all that are missing.
        found: (c,) where their values go; `count` more for each draw.
        count: how many values a draw has.
    """

    chosen: Places
    found: Places
    count: int

    def of(self, index: int) -> tuple[Places, Places]:
        """Those that one draw alone, or `EVERY` one, has: which, and where their values go."""
        start = (index - EVERY) * self.count
        begin, end = np.searchsorted(self.found, [start, start + self.count])
        return self.chosen[begin:end], self.found[begin:end] - start


class _Making:
    """The values of one column, draw by draw."""

    def __init__(self, rows: NDArray[np.int64], m: int) -> None:
        self.rows = np.unique(rows)
        self.m = m
        self.values: Array | None = None
        self._known = np.zeros((m, len(self.rows)), bool)

    @property
    def count(self) -> int:
        """How many cells are drawn."""
        return len(self.rows)

    def centred(self, centre: str | None) -> None:
        """The same text in every cell."""
        self.values = np.full((self.m, self.count), centre, dtype=object)
        self._known[:] = True

    def put(self, index: int, at: Places, values: Array) -> None:
        """The values of some of the rows in one draw."""
        if self.values is None:
            self.values = np.zeros((self.m, self.count), values.dtype)
        self.values[index, at] = values
        self._known[index, at] = True

    @property
    def without_value(self) -> int:
        """How many cells no draw has."""
        return int(np.count_nonzero(~self._known.any(axis=0)))

    def done(self, numbers: tuple[int, ...]) -> Drawn:
        """All of them."""
        if self.values is None:
            self.values = np.full((self.m, self.count), None, dtype=object)
        return Drawn(self.rows, numbers, self.values, None if self._known.all() else self._known)


def _settled(batch: Batch, column: Column, gap: Flags) -> NDArray[np.int64]:
    """The stored rows whose gap is to be filled in all draws."""
    return batch.rows[column.relation][gap & batch.shared]


def _named(values: Array, cells: Cells) -> Array:
    """Values as the engine takes them: of categories the levels."""
    if cells.kind is not Kind.CATEGORY:
        return values
    return conversion.named(values, cells)
