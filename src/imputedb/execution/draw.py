"""One Impute of a plan in many draws, each of which uses the values of the same draw from Imputes below."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import ColumnDraws
from imputedb.execution.impute import Imputation
from imputedb.execution.outcome import CENTRE, Outcome
from imputedb.imputers import conversion
from imputedb.imputers.chained.chains import Movements
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
class ImputeDraws:
    """The draws of one Impute.

    Attributes:
        imputation: the Impute.
        numbers: the m draw indices.
        known: draws of Imputes below.
    """

    imputation: Imputation
    numbers: tuple[int, ...]
    known: Mapping[Column, ColumnDraws]

    def drawn(self, batch: Batch, targets: Sequence[Column], columns: Sequence[Column]) -> dict[Column, ColumnDraws]:
        """The draws of the targets' missing cells; targets without missing cells are absent.

        All draws learn from the same rows, so that they share preparation: the rows that all draws have, or for one
        table all stored rows. A row of a single draw is predicted from that draw's values.

        Args:
            batch: rows to impute.
            targets: one of the imputation's `groups`.
            columns: columns to read, targets included.
        """
        cells = self.imputation.reader.cells(batch, targets)
        gaps = {column: self.imputation.reader.missing_cells(batch, column, cells[column]) for column in targets}
        wanted = [column for column in targets if gaps[column].any()]
        made = {c: _DrawCollector(batch.rows[c.relation][gaps[c]], len(self.numbers)) for c in wanted}
        for column in wanted:
            self.imputation.record_notes(batch, column, gaps[column])
            self.imputation.outcome.add_imputed(column, made[column].count)
            lacks = cells[column].missing.all() and self._base_table_lacks(batch, column)
            if lacks and not self.imputation.reader.policy(column).before:
                made[column].put_centre(self._centre(column, batch.count))
        centred = [column for column in wanted if made[column].values is not None]
        if len(centred) < len(wanted):
            # draws below decide which rows are here, and must not decide what is modelled
            modelled = wanted if batch.draws is None else targets
            self._draw(batch, {column: gaps[column] for column in modelled if column not in centred}, columns, made)
        for column in wanted:
            self.imputation.record_kept_missing(column, made[column].without_value)
        return {column: made[column].collected(self.numbers) for column in wanted}

    def _base_table_lacks(self, batch: Batch, column: Column) -> bool:
        base = self.imputation.base_table(batch, [column])
        return base is None or bool(self.imputation.reader.cells(base[0], [column])[column].missing.all())

    def _draw(
        self,
        batch: Batch,
        gaps: Mapping[Column, Flags],
        columns: Sequence[Column],
        made: Mapping[Column, "_DrawCollector"],
    ) -> None:
        training = self._training_rows(batch, gaps)
        if training is not None:
            base, at, places = training
            own = np.flatnonzero(
                self._distinct_rows(batch, np.logical_or.reduce(list(gaps.values())) & ~batch.shared, gaps)
            )
            indices = np.concatenate([np.full(len(at), EVERY), self._indices(batch, own)])
            settled = {c: np.isin(base.rows[c.relation][at], _shared_rows(batch, c, gap)) for c, gap in gaps.items()}
            wanted = {c: np.concatenate([settled[c], gap[own]]) for c, gap in gaps.items()}
            drawn_rows = self._rows_of_draws(base, np.concatenate([at, places[own]]), indices, wanted, columns)
            self._misfits(base, drawn_rows)
            self._fill(base, drawn_rows, range(len(self.numbers)), made)
            return
        for index in range(len(self.numbers)):
            some = batch.shared | (self._indices(batch) == index)
            mine = np.flatnonzero(
                self._distinct_rows(batch, some, [column for column in gaps if gaps[column][some].any()])
            )
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
        """Records notes on errors of draws on hidden cells, measured once until something is written."""
        request = self.imputation.request(batch, drawn_rows.rows, list(drawn_rows.wanted), drawn_rows.places)
        fillers = tuple((str(column), repr(request.filler(column))) for column in request.targets)
        self._warn_of(
            ("misfits", fillers, self.imputation.seed),
            drawn_rows.rows,
            lambda: [sentence for sentences in misfits(request).values() for sentence in sentences],
        )

    def _warn_of(self, what: tuple[object, ...], rows: Rows, measure: Callable[[], Sequence[Note]]) -> None:
        """Warns of doubts that are measured on some rows, once until something is written."""
        imputation = self.imputation
        known = int(np.bitwise_xor.reduce(rows.keys)) if len(rows.keys) else 0
        name = (*what, tuple(map(str, sorted(rows.columns))), known)
        notes = imputation.engine.recall(name)
        if notes is None:
            notes = measure()
            imputation.engine.keep(name, notes)
        imputation.outcome.warnings += [one for one in notes if one not in imputation.outcome.warnings]

    def _indices(self, batch: Batch, places: Places | None = None) -> Places:
        """By row the position of its draw among the draw indices; arbitrary for rows that all draws share."""
        if batch.draws is None:
            return np.zeros(batch.count if places is None else len(places), np.intp)
        return np.searchsorted(np.array(self.numbers), batch.draws if places is None else batch.draws[places])

    def _training_rows(self, batch: Batch, gaps: Mapping[Column, Flags]) -> tuple[Batch, Places, Places] | None:
        """The rows that all draws learn from: their batch, their positions, and positions of this batch's rows in it.

        None where a target has no observed value there. In large tables rows without any target are left out unless
        they are to be imputed, since they contribute little; in others they are kept, so that a query has the same
        draws whether rows are chosen by WHERE or by FILTER.
        """
        base = self.imputation.base_table(batch, gaps)
        if base is not None:
            whole, places = base
            if whole.count <= WHOLE or reads_whole_tables(self.imputation.imputer):
                return whole, np.arange(whole.count), places
            cells = self.imputation.reader.cells(whole, list(gaps))
            useful = [
                ~cells[c].missing | np.isin(whole.rows[c.relation], _shared_rows(batch, c, gaps[c])) for c in gaps
            ]
            return whole, np.flatnonzero(np.logical_or.reduce(useful)), places
        shared = np.flatnonzero(self._distinct_rows(batch, batch.shared, gaps))
        return None if self._without_values(batch, list(gaps), shared) else (batch, shared, np.arange(batch.count))

    def _distinct_rows(self, batch: Batch, rows: Flags, targets: Iterable[Column]) -> Flags:
        """Some rows, reduced to one for each stored row and draw where a join repeats them."""
        once = self.imputation.reader.distinct_rows(batch, targets)
        return rows if once is None else rows & once

    def _without_values(self, batch: Batch, targets: Sequence[Column], rows: Places) -> list[Column]:
        """The targets without an observed value in some rows."""
        cells = self.imputation.reader.cells(batch, targets, rows)
        return [c for c in targets if cells[c].missing.all() and not self.imputation.reader.policy(c).before]

    def _rows_of_draws(
        self, batch: Batch, places: Places, indices: Places, wanted: Mapping[Column, Flags], columns: Sequence[Column]
    ) -> "_DrawRows":
        """Some rows in the order of their keys, those that all draws learn from first.

        Args:
            batch: batch of the rows.
            places: (n,) positions of the rows in it.
            indices: (n,) position of each row's draw, `EVERY` for shared rows.
            wanted: (n,) whether the cell is to be imputed, by target.
            columns: columns to read; in rows of a draw with its values.
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

    def _fill(
        self, batch: Batch, drawn_rows: "_DrawRows", indices: range, made: Mapping[Column, "_DrawCollector"]
    ) -> None:
        """Stores the values of some draws at their positions."""
        imputation, numbers = self.imputation, [self.numbers[index] for index in indices]
        request = imputation.request(batch, drawn_rows.rows, list(drawn_rows.wanted), drawn_rows.places)
        for part in request.parts():
            warned(part.imputer, imputation.outcome)
            if part.imputer.uses_predictors:
                what = ("doubts", repr(part.imputer), tuple(map(str, part.targets)))
                self._warn_of(what, part.rows, partial(doubts, part.imputer, part.rows, part.targets))
            if isinstance(part.imputer, Stretches):
                for column, scale in part.imputer.stretched(part.rows, part.targets).items():
                    words = f" is drawn on the scale of its {scale}, by held-out cells"
                    imputation.outcome.notes.append(Note(NoteKind.SCALE, column, column, words))
            imputation.assumed(part.imputer)
            for column in part.targets:
                imputation.outcome.add_method(column, part.imputer.name)
        places, moved = {c: drawn_rows.cells(c, made[c].rows) for c in drawn_rows.wanted if c in made}, Movements()
        drawn = request.draws(numbers, imputation.progress, moved)
        for index, values in zip(indices, drawn, strict=True):
            for column in places:
                cells = drawn_rows.rows.columns[column]
                for chosen, at in (places[column].of(index), places[column].of(EVERY)):
                    given = values[column][chosen]
                    there = ~np.ma.getmaskarray(given)
                    made[column].put(index, at[there], _named(np.ma.getdata(given)[there], cells))
        for chains in moved.chains:
            imputation.outcome.add_chains(chains)

    def _centre(self, column: Column, count: int) -> str | None:
        words = (
            f" is observed among the {count} rows at hand: "
            "the missing ones take the centre of the whole column in every draw"
        )
        self.imputation.outcome.warnings.append(Note(NoteKind.CENTRE, column, "no value of ", column, words))
        self.imputation.outcome.add_method(column, CENTRE)
        return self.imputation.reader.centre(column)


def warned(imputer: Imputer, outcome: Outcome) -> None:
    """Records warnings of improper imputers, and of draws that are independent of other columns."""
    note = doubt(imputer)
    if note is not None and note not in outcome.warnings:
        outcome.warnings.append(note)


@dataclass(frozen=True, slots=True)
class _DrawRows:
    """The rows that some draws learn from and impute.

    Attributes:
        rows: the n rows.
        places: (n,) positions of the rows in the batch.
        indices: (n,) position of each row's draw, `EVERY` for shared rows.
        ids: (n,) ids of the stored rows, by alias.
        wanted: (n,) whether a value is wanted, by target.
    """

    rows: Rows
    places: Places
    indices: Places
    ids: Mapping[str, NDArray[np.int64]]
    wanted: Mapping[Column, Flags]

    def cells(self, column: Column, rows: NDArray[np.int64]) -> "_Cells":
        """The wanted missing cells, only the first of those that a join repeats."""
        missing = np.flatnonzero(self.rows.columns[column].missing)
        wanted = np.flatnonzero(self.wanted[column][missing])
        at = np.searchsorted(rows, self.ids[column.relation][missing[wanted]])
        found, first = np.unique((self.indices[missing[wanted]] - EVERY) * len(rows) + at, return_index=True)
        return _Cells(wanted[first], found, len(rows))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The wanted missing cells of one column, by draw; cells of rows that all draws share come first.

    Attributes:
        chosen: (c,) positions among all missing cells.
        found: (c,) positions of their values; `count` more for each draw.
        count: number of values in each draw.
    """

    chosen: Places
    found: Places
    count: int

    def of(self, index: int) -> tuple[Places, Places]:
        """The cells of one draw, or of `EVERY` draw: which ones, and the positions of their values."""
        start = (index - EVERY) * self.count
        begin, end = np.searchsorted(self.found, [start, start + self.count])
        return self.chosen[begin:end], self.found[begin:end] - start


class _DrawCollector:
    """The values of one column as they are collected, by draw."""

    def __init__(self, rows: NDArray[np.int64], m: int) -> None:
        self.rows = np.unique(rows)
        self.m = m
        self.values: Array | None = None
        self._known = np.zeros((m, len(self.rows)), bool)

    @property
    def count(self) -> int:
        """Number of drawn cells."""
        return len(self.rows)

    def put_centre(self, centre: str | None) -> None:
        """Puts the same text into every cell."""
        self.values = np.full((self.m, self.count), centre, dtype=object)
        self._known[:] = True

    def put(self, index: int, at: Places, values: Array) -> None:
        """Puts the values of some rows in one draw."""
        if self.values is None:
            self.values = np.zeros((self.m, self.count), values.dtype)
        self.values[index, at] = values
        self._known[index, at] = True

    @property
    def without_value(self) -> int:
        """Number of cells without a value in any draw."""
        return int(np.count_nonzero(~self._known.any(axis=0)))

    def collected(self, numbers: tuple[int, ...]) -> ColumnDraws:
        """The collected draws."""
        if self.values is None:
            self.values = np.full((self.m, self.count), None, dtype=object)
        return ColumnDraws(self.rows, numbers, self.values, None if self._known.all() else self._known)


def _shared_rows(batch: Batch, column: Column, gap: Flags) -> NDArray[np.int64]:
    """The stored rows whose missing cell is imputed in all draws."""
    return batch.rows[column.relation][gap & batch.shared]


def _named(values: Array, cells: Cells) -> Array:
    """Values as the engine reads them; for categories the levels."""
    if cells.kind is not Kind.CATEGORY:
        return values
    return conversion.named(values, cells)
