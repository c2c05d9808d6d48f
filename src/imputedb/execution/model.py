"""Kept models, applied to the rows of a stored table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import DataError, QueryError
from imputedb.execution.bundle import ColumnDraws
from imputedb.execution.columns import MEANT, NUMBER, ColumnCache, condition_holds
from imputedb.execution.draw import warned
from imputedb.execution.outcome import Outcome
from imputedb.imputers import conversion
from imputedb.imputers.doubts import DONORS, doubts
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import single_imputer
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.models import chance
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.on_sample import SampledModel
from imputedb.notes import Note, NoteKind, is_of
from imputedb.sql.derivation import derived_from
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A stored table with a kept model of some of its columns.

    Attributes:
        engine: engine that holds the rows.
        scan: scan of the table, under the caller's alias.
        statistics: statistics of the table.
        record: record of the model.
        sampled: the functions, if they were fitted to a sample for this statement.
    """

    engine: Engine
    scan: Scan
    statistics: Statistics
    record: Record
    sampled: SampledModel | None = field(default=None, compare=False)

    def given(self, column: Column, outcome: Outcome, draw: int | None) -> Array:
        """(n,) the values of a column's missing cells for the engine: for all rows, in the table's order.

        Args:
            column: of the table.
            outcome: receives notes on the model.
            draw: draw index from 0; None for expected values.

        Raises:
            DataError: the table lacks a column that the model reads.
            QueryError: the model has no draw of that number.
        """
        self._note([column], outcome)
        self._warn_coarser({column: self._coarser().get(column.name, 0)}, outcome)
        return self._applied([column.name], draw)[column.name]

    def drawn(self, columns: Sequence[Column], numbers: tuple[int, ...], outcome: Outcome) -> dict[Column, ColumnDraws]:
        """The draws of the missing cells of columns, for all rows; columns without missing cells are absent.

        Raises: as `given`.
        """
        self._note(columns, outcome)
        self._warn_coarser({column: self._coarser().get(column.name, 0) for column in columns}, outcome)
        imputer = single_imputer(self.record.imputer, "a model needs")
        warned(imputer, outcome)
        few = {one.subject for one in outcome.warnings if is_of(NoteKind.FEW_OBSERVED, one)}
        for one in self._doubts(imputer, columns):
            if one not in outcome.warnings and not (is_of(NoteKind.FEW_OBSERVED, one) and one.subject in few):
                outcome.warnings.append(one)
        cache = self._cache
        rows, found = cache.rows(), {}
        names = [column.name for column in columns]
        draws = [self._applied(names, number) for number in numbers]
        for column in columns:
            gaps = cache.cells([column.name])[column.name].missing
            arrays = [values[column.name] for values in draws]
            if gaps.any():
                known = ~conversion.missing(arrays[0])[gaps]
                values = np.stack([np.ma.getdata(array)[gaps] for array in arrays])
                everywhere = None if known.all() else np.tile(known, (len(numbers), 1))
                found[column] = ColumnDraws(rows[gaps], numbers, values, everywhere)
        return found

    def keyed(self, numbers: NDArray[np.int64], draw: int) -> dict[str, Array]:
        """(n,) the values of missing cells in one draw by column, for all rows, in the table's order.

        Args:
            numbers: (n,) whole numbers that draws are keyed by, one for each row.
            draw: number of the draw, from 1.

        Raises: as `given`.
        """
        self.check_draw(draw - 1)
        return self._values(draw - 1, numbers)

    def drift(self) -> dict[str, float | None]:
        """By column how far the rows are from those that were learnt from: the population stability index."""
        fitted = self.fitted()
        return {c.name: found for c, found in fitted.drift(fitted.aligned(self._rows(fitted))).items()}

    def fitted(self) -> Fitted:
        """The model's functions."""
        if self.sampled is not None:
            return self.sampled.fitted
        key = ("model", self.record.digest)
        found: Fitted | None = self.engine.recall(key)
        if found is None:
            assert self.engine.models is not None  # records come from such an engine only
            content = self.engine.models.content(self.record)
            found = Fitted.loaded(content)
            self.engine.keep(key, found, len(content), OF_STRUCTURE)
        return found

    def check_draw(self, draw: int | None) -> None:
        """Refuses, by QueryError, a draw index that the model does not have, counted from 0."""
        if draw is not None and draw >= self.record.draws:
            raise QueryError(
                f"model {self.record.title} has {self.record.draws} draws, no draw {draw + 1}: ask for fewer, or "
                "create it WITH (draws = ...)"
            )

    @property
    def _cache(self) -> ColumnCache:
        return ColumnCache(self.engine, self.scan, self.statistics)

    def is_applied(self, column: str, draw: int | None) -> bool:
        """Whether the values of a column are cached for the present rows."""
        return self.engine.recall(self._key(column, draw)) is not None

    def note(self, column: Column, outcome: Outcome, coarser: int) -> None:
        """Records which model imputes a column, how many cells by fewer predictors, and whether its table has changed.

        Raises:
            DataError: it has changed, and the column's policy refuses such a model.
        """
        self._note([column], outcome)
        self._warn_coarser({column: coarser}, outcome)
        if self.sampled is not None:
            note = self.sampled.note(column, self.statistics.rows)
            outcome.notes += [note] if note not in outcome.notes else []

    def _key(self, column: str, draw: int | None) -> tuple[object, ...]:
        return ("applied", self.scan.table, self.record.title, self.record.digest, column, draw)

    def _coarser(self) -> dict[str, int]:
        """By column the number of cells that are predicted from fewer columns than their rows have."""
        key = ("coarser", self.scan.table, self.record.title, self.record.digest)
        found: dict[str, int] | None = self.engine.recall(key)
        if found is None:
            fitted = self.fitted()
            found = {}
            for rows, _ in self._pieces(fitted):
                for column, count in fitted.coarser(fitted.aligned(rows)).items():
                    found[column.name] = found.get(column.name, 0) + count
            if self.engine.keeps(self.scan.table):
                self.engine.keep(key, found, tables=self.statistics.rests_on(self.scan.table))
        return found

    def _warn_coarser(self, counts: Mapping[Column, int], outcome: Outcome) -> None:
        """Records the numbers of such cells by column."""
        for column, count in counts.items():
            when = f"when model {self.record.title} was fitted no row missed the same ones"
            when += f": REFRESH IMPUTATION MODEL {self.record.name}"
            if self.record.is_passing:
                when = "of the sample that was learnt from no row missed the same ones"
            words = f" are predicted from fewer columns than their rows have: {when}"
            note = Note(NoteKind.COARSER, column, f"{count:,} cells of ", column, words)
            if count and note not in outcome.warnings:
                outcome.warnings.append(note)

    def _applied(self, columns: Sequence[str], draw: int | None) -> dict[str, Array]:
        """(n,) the values of missing cells by column, each cached until the table is written if there is room."""
        self.check_draw(draw)
        found: dict[str, Array | None] = {name: self.engine.recall(self._key(name, draw)) for name in columns}
        known = {name: array for name, array in found.items() if array is not None}
        if len(known) == len(found):
            return known
        made = self._values(draw)
        if self.engine.keeps(self.scan.table):
            tables = self.statistics.rests_on(self.scan.table)
            for name in sorted(made, key=lambda name: name in found):  # requested ones last, to be kept longest
                self.engine.keep(self._key(name, draw), made[name], conversion.size(made[name]), tables)
        return made

    def _values(self, draw: int | None, numbers: NDArray[np.int64] | None = None) -> dict[str, Array]:
        fitted, done = self.fitted(), 0
        found: dict[str, list[Array]] = {fitted.features[one.feature].column.name: [] for one in fitted.targets}
        for piece, meant in self._pieces(fitted):
            if numbers is not None:
                piece = replace(piece, keys=chance.keys(numbers[done : done + len(piece.keys)], self.record.salt))
                done += len(piece.keys)
            rows = fitted.aligned(piece)
            for column, array in fitted.values(rows, None if draw is None else draw + 1).items():
                cells = rows.columns[column]
                whole = conversion.patch(array, np.flatnonzero(cells.missing), cells, len(rows.keys))
                if column.name in meant:
                    whole = conversion.values_at(whole, cells.missing & ~meant[column.name])
                found[column.name].append(whole)
        return {name: conversion.joined(arrays) for name, arrays in found.items()}

    def _pieces(self, fitted: Fitted) -> Iterator[tuple[Rows, Mapping[str, NDArray[np.bool_]]]]:
        """The rows as the model reads them, and flags of NULLs with a meaning of their own, by column; a large table in
        pieces."""
        names = [one.column.name for one in fitted.features]
        lost = self._dropped_columns(set(names))
        if lost:
            raise DataError(lost)
        targets = [fitted.features[one.feature].column.name for one in fitted.targets]
        own = [name for name in targets if self.statistics.policy(name).action == "structural"]
        for cells in self._cache.pieces([*names, NUMBER, *(MEANT + name for name in own)]):
            columns = {one.column: self._known(one, cells[one.column.name]) for one in fitted.features}
            keys = chance.keys(cells[NUMBER].values, self.record.salt)
            yield Rows(columns, keys), {name: condition_holds(cells[MEANT + name]) for name in own}

    def _rows(self, fitted: Fitted) -> Rows:
        """All rows at once."""
        cells = self._cache.cells([one.column.name for one in fitted.features])
        columns = {one.column: self._known(one, cells[one.column.name]) for one in fitted.features}
        return Rows(columns, self._cache.stable_keys(self.record.salt))

    def _known(self, feature: Feature, cells: Cells) -> Cells:
        """A column as the model reads it; since the fit, whole numbers may have become codes of categories, or the
        reverse.

        Raises:
            DataError: its values are now of another kind.
        """
        as_numbers = cells.numbers()
        if feature.kind is Kind.CATEGORY and as_numbers.kind in (Kind.INTEGER, Kind.NUMBER) and _has_codes(feature):
            return _coded(as_numbers)
        if feature.kind in (Kind.INTEGER, Kind.NUMBER) and as_numbers.kind in (Kind.INTEGER, Kind.NUMBER):
            return as_numbers
        if feature.kind is not cells.kind or (feature.kind is Kind.CATEGORY and _has_codes(feature)):
            raise DataError(
                f"model {self.record.title} knows {feature.column.name} of {self.scan.table.name} as "
                f"{feature.type or feature.kind.value}, which it is no longer: "
                f"REFRESH IMPUTATION MODEL {self.record.name}"
            )
        return cells

    def _doubts(self, imputer: Imputer, columns: Sequence[Column]) -> list[Note]:
        """Doubts about draws of columns on the present rows, computed once until the table is written."""
        key = ("doubts", self.scan, self.record.digest, tuple(column.name for column in columns))
        found: list[Note] | None = self.engine.recall(key)
        if found is None:
            rows = self._rows(self.fitted())
            mine = {Column(self.scan.alias, column.name): cells for column, cells in rows.columns.items()}
            targets = [column for column in columns if column in mine]
            found = doubts(imputer, replace(rows, columns=mine), targets) if imputer.uses_predictors else []
            if self.engine.keeps(self.scan.table):
                self.engine.keep(key, found, tables=self.statistics.rests_on(self.scan.table))
        return found

    def _note(self, columns: Sequence[Column], outcome: Outcome) -> None:
        """Records which model imputes columns, and whether its table has changed since.

        Raises:
            DataError: it has changed, and a column's policy refuses such a model.
        """
        outcome.models[self.record.title] = self.record.imputer
        for column in columns:
            outcome.add_method(column, self.record.title)
            few = self._note_few_rows(column)
            outcome.warnings += [few] if few and few not in outcome.warnings else []
        stale = self.stale()
        if stale and any(self.statistics.policy(column.name).stale == "refuse" for column in columns):
            raise DataError(stale)
        if stale and stale not in outcome.warnings:
            outcome.warnings.append(Note(NoteKind.STALE, self.record.title, stale))

    def _note_few_rows(self, column: Column) -> Note | None:
        """A note that the model has learnt a column from few rows."""
        fitted = self.fitted()
        (known,) = (one.column for one in fitted.features if one.column.name == column.name)
        observed = fitted.observed(known)
        if observed >= DONORS:
            return None
        words = f" is observed in {observed} rows that model {self.record.title} has learnt from: fewer than {DONORS}"
        return Note(NoteKind.FEW_OBSERVED, column, column, words)

    def unsuited(self, column: Column) -> str:
        """The reason why the model may not impute a column under its present policy; empty where it may."""
        policy = self.statistics.policy(column.name)
        if not policy.plain or policy.leaves or policy.measure or policy.imputer not in (None, self.record.imputer):
            return f"the policy of {column} asks for what model {self.record.title} does not know of"
        names = {one.column.name for one in self.fitted().features} - {column.name}
        lost = self._dropped_columns(names)
        if lost:
            return lost
        barred = sorted(name for name in names if not policy.predicts(name))
        derived = derived_from(self.statistics.policies, self.statistics.columns, column.name)
        barred += sorted(names.intersection(derived))
        if barred:
            return f"model {self.record.title} reads {', '.join(barred)}, which the policy of {column} forbids"
        return ""

    def _dropped_columns(self, names: Iterable[str]) -> str:
        """A message about columns that the table does not have any more; empty where it has all."""
        lost = sorted(set(names).difference(self.statistics.columns))
        if not lost:
            return ""
        return (
            f"model {self.record.title} reads {', '.join(lost)}, which {self.scan.table.name} does not have any "
            f"more: create it anew, or DROP IMPUTATION MODEL {self.record.name}"
        )

    def stale(self) -> str:
        """A message if the table has changed since the model was fitted; empty where it has not."""
        if self.record.is_passing:
            return ""
        if self.engine.fingerprint(self.scan.table) == self.record.fingerprint:
            return ""
        return (
            f"model {self.record.title} was fitted to {self.record.rows:,} rows of {self.scan.table.name}, which has "
            f"changed since: REFRESH IMPUTATION MODEL {self.record.name}"
        )


def _has_codes(feature: Feature) -> bool:
    """Whether the levels of a category are whole numbers."""
    return bool(feature.levels) and not isinstance(feature.levels[0], str)


def _coded(cells: Cells) -> Cells:
    """Numbers as codes of categories."""
    levels, places = np.unique(cells.values[~cells.missing], return_inverse=True)
    codes = np.zeros(len(cells.values), np.int32)
    codes[~cells.missing] = places
    return Cells(codes, cells.missing, Kind.CATEGORY, tuple(levels.tolist()))
