"""Kept models, applied to the rows of a stored table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import DataError, QueryError
from imputedb.execution.bundle import Drawn
from imputedb.execution.columns import ColumnCache
from imputedb.execution.draw import warned
from imputedb.execution.outcome import Outcome
from imputedb.imputers import conversion
from imputedb.imputers.doubts import doubts
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import the_one
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.notes import Note, NoteKind
from imputedb.sql.derivation import derived_from
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A stored table with a kept model of some of its columns.

    Attributes:
        engine: where rows live.
        scan: of the table, under the alias of whoever asks.
        statistics: of the table.
        record: of the model.
    """

    engine: Engine
    scan: Scan
    statistics: Statistics
    record: Record

    def given(self, column: Column, outcome: Outcome, draw: int | None) -> Array:
        """(n,) the values of a column's missing cells, for the engine: of all rows, in the table's order.

        Args:
            column: of the table.
            outcome: told what there is to say of the model.
            draw: the number of the draw that they are, from 0; None for expectations.

        Raises:
            DataError: the table lacks a column that the model reads.
            QueryError: the model has no draw of that number.
        """
        self._note([column], outcome)
        self._warn_coarser({column: self._coarser().get(column.name, 0)}, outcome)
        return self._applied(draw)[column.name]

    def drawn(self, columns: Sequence[Column], numbers: tuple[int, ...], outcome: Outcome) -> dict[Column, Drawn]:
        """What is drawn for the missing cells of columns, of all rows; nothing for columns without one.

        Raises: as `given`.
        """
        self._note(columns, outcome)
        self._warn_coarser({column: self._coarser().get(column.name, 0) for column in columns}, outcome)
        imputer = the_one(self.record.imputer, "a model needs")
        warned(imputer, outcome)
        outcome.warnings += [one for one in self._doubts(imputer, columns) if one not in outcome.warnings]
        cache = self._cache
        rows, found = cache.rows(), {}
        draws = [self._applied(number) for number in numbers]
        for column in columns:
            gaps = cache.cells([column.name])[column.name].missing
            arrays = [values[column.name] for values in draws]
            if gaps.any():
                known = ~conversion.missing(arrays[0])[gaps]
                values = np.stack([np.ma.getdata(array)[gaps] for array in arrays])
                everywhere = None if known.all() else np.tile(known, (len(numbers), 1))
                found[column] = Drawn(rows[gaps], numbers, values, everywhere)
        return found

    def fitted(self) -> Fitted:
        """The model's functions."""
        key = ("model", self.record.digest)
        found: Fitted | None = self.engine.recall(key)
        if found is None:
            assert self.engine.models is not None  # where else is the record from
            content = self.engine.models.content(self.record)
            found = Fitted.loaded(content)
            self.engine.keep(key, found, len(content), OF_STRUCTURE)
        return found

    @property
    def _cache(self) -> ColumnCache:
        return ColumnCache(self.engine, self.scan, self.statistics)

    def is_applied(self, draw: int | None) -> bool:
        """Whether the values are there, of the table as it is."""
        return self.engine.recall(self._key(draw)) is not None

    def note(self, column: Column, outcome: Outcome, coarser: int) -> None:
        """Says which model fills in a column, how many cells coarser, and whether its table has changed since.

        Raises:
            DataError: it has, and the column's policy refuses such a model.
        """
        self._note([column], outcome)
        self._warn_coarser({column: coarser}, outcome)

    def _key(self, draw: int | None) -> tuple[object, ...]:
        return ("applied", self.scan.table, self.record.title, self.record.digest, draw)

    def _coarser(self) -> dict[str, int]:
        """By column the cells that are predicted from fewer columns than their rows have."""
        key = ("coarser", self.scan.table, self.record.title, self.record.digest)
        found: dict[str, int] | None = self.engine.recall(key)
        if found is None:
            fitted = self.fitted()
            counts = fitted.coarser(fitted.aligned(self._rows(fitted)))
            found = {column.name: count for column, count in counts.items()}
            if self.engine.keeps(self.scan.table):
                self.engine.keep(key, found, tables=self.statistics.rests_on(self.scan.table))
        return found

    def _warn_coarser(self, counts: Mapping[Column, int], outcome: Outcome) -> None:
        """Says how many cells these are, by column."""
        for column, count in counts.items():
            words = (
                " are predicted from fewer columns than their rows have: when model "
                f"{self.record.title} was fitted no row missed the same ones: REFRESH IMPUTATION MODEL "
                f"{self.record.name}"
            )
            said = Note(NoteKind.COARSER, column, f"{count:,} cells of ", column, words)
            if count and said not in outcome.warnings:
                outcome.warnings.append(said)

    def _applied(self, draw: int | None) -> dict[str, Array]:
        """(n,) by column the values of missing cells, kept until the table is written."""
        if draw is not None and draw >= self.record.draws:
            raise QueryError(
                f"model {self.record.title} has {self.record.draws} draws, no draw {draw + 1}: ask for fewer, or "
                "create it WITH (draws = ...)"
            )
        key = self._key(draw)
        found: dict[str, Array] | None = self.engine.recall(key)
        if found is None:
            found = self._values(draw)
            if self.engine.keeps(self.scan.table):
                size = sum(map(conversion.size, found.values()))
                tables = self.statistics.rests_on(self.scan.table)
                self.engine.keep(key, found, size, tables)
        return found

    def _values(self, draw: int | None) -> dict[str, Array]:
        fitted, cache, found = self.fitted(), self._cache, {}
        rows = fitted.aligned(self._rows(fitted))
        values = fitted.values(rows, None if draw is None else draw + 1)
        for column, array in values.items():
            cells = rows.columns[column]
            whole = conversion.patch(array, np.flatnonzero(cells.missing), cells, len(rows.keys))
            if self.statistics.policy(column.name).action == "structural":
                whole = conversion.only(whole, cells.missing & ~cache.meant(column.name))
            found[column.name] = whole
        return found

    def _rows(self, fitted: Fitted) -> Rows:
        lost = self._lost({one.column.name for one in fitted.features})
        if lost:
            raise DataError(lost)
        cells = self._cache.cells([one.column.name for one in fitted.features])
        columns = {one.column: self._known(one, cells[one.column.name]) for one in fitted.features}
        return Rows(columns, self._cache.salted(self.record.salt))

    def _known(self, feature: Feature, cells: Cells) -> Cells:
        """A column as the model knows it: whole numbers may have become codes of categories, or no longer be some.

        Raises:
            DataError: its values are of another kind now.
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
        """What makes draws of columns doubtful in the rows as they are, worked out once until the table is written."""
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
        """Says which model fills in columns, and whether its table has changed since.

        Raises:
            DataError: it has, and a column's policy refuses such a model.
        """
        outcome.models[self.record.title] = self.record.imputer
        for column in columns:
            outcome.add_method(column, self.record.title)
        said = self.stale()
        if said and any(self.statistics.policy(column.name).stale == "refuse" for column in columns):
            raise DataError(said)
        if said and said not in outcome.warnings:
            outcome.warnings.append(Note(NoteKind.STALE, self.record.title, said))

    def unsuited(self, column: Column) -> str:
        """Why the model may not fill in a column, given its policy as it is now; nothing where it may."""
        policy = self.statistics.policy(column.name)
        if not policy.plain or policy.leaves or policy.measure or policy.imputer not in (None, self.record.imputer):
            return f"the policy of {column} asks for what model {self.record.title} does not know of"
        names = {one.column.name for one in self.fitted().features} - {column.name}
        lost = self._lost(names)
        if lost:
            return lost
        barred = sorted(name for name in names if not policy.predicts(name))
        derived = derived_from(self.statistics.policies, self.statistics.columns, column.name)
        barred += sorted(names.intersection(derived))
        if barred:
            return f"model {self.record.title} reads {', '.join(barred)}, which the policy of {column} forbids"
        return ""

    def _lost(self, names: Iterable[str]) -> str:
        """What there is to say of columns that the table does not have any more; nothing where it has them all."""
        lost = sorted(set(names).difference(self.statistics.columns))
        if not lost:
            return ""
        return (
            f"model {self.record.title} reads {', '.join(lost)}, which {self.scan.table.name} does not have any "
            f"more: create it anew, or DROP IMPUTATION MODEL {self.record.name}"
        )

    def stale(self) -> str:
        """What there is to say where the table is not what it was when the model was fitted; nothing where it is."""
        if self.engine.fingerprint(self.scan.table) == self.record.fingerprint:
            return ""
        return (
            f"model {self.record.title} was fitted to {self.record.rows:,} rows of {self.scan.table.name}, which has "
            f"changed since: REFRESH IMPUTATION MODEL {self.record.name}"
        )


def _has_codes(feature: Feature) -> bool:
    """Whether a category is known by whole numbers."""
    return bool(feature.levels) and not isinstance(feature.levels[0], str)


def _coded(cells: Cells) -> Cells:
    """Numbers as codes of categories."""
    levels, places = np.unique(cells.values[~cells.missing], return_inverse=True)
    codes = np.zeros(len(cells.values), np.int32)
    codes[~cells.missing] = places
    return Cells(codes, cells.missing, Kind.CATEGORY, tuple(levels.tolist()))
