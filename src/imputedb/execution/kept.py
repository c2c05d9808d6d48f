"""Imputed values of a stored table, computed once from all of its rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.engines.engine import Engine
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import ColumnDraws, engine_values
from imputedb.execution.columns import ColumnCache
from imputedb.execution.draw import ImputeDraws
from imputedb.execution.impute import Imputation
from imputedb.execution.outcome import Outcome
from imputedb.imputers import conversion
from imputedb.imputers.chained.chains import Chains
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.rows import Array
from imputedb.models.kept import PREFIX
from imputedb.notes import Note
from imputedb.sql import derivation
from imputedb.statistics.table import Statistics


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """A note about columns of a table, or about the table where no column is named."""

    columns: frozenset[str]
    note: Note
    is_warning: bool


@dataclass(frozen=True, slots=True)
class FittedValues:
    """The values from one fit to a table.

    Attributes:
        expected: (n,) expected values by column, of all rows in order; arbitrary where the stored value is observed.
        drawn: draws by column, of all missing cells.
        methods: method of each column.
        remarks: notes on the fit.
        chains: movement of the chains of its draws.
    """

    expected: Mapping[str, Array] = field(default_factory=dict)
    drawn: Mapping[str, ColumnDraws] = field(default_factory=dict)
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[ColumnNote, ...] = ()
    chains: tuple[Chains, ...] = ()

    @property
    def size(self) -> int:
        """Approximate number of bytes."""
        arrays = [*self.expected.values(), *(one.values for one in self.drawn.values())]
        return 64 + sum(conversion.size(array) for array in arrays)


@dataclass(frozen=True, slots=True)
class CachedTable:
    """A stored table with an imputer whose values are cached.

    Attributes:
        engine: engine that holds the rows.
        scan: scan of the table, under the caller's alias.
        statistics: statistics of the table.
        imputer: imputer that is fitted to the table.
        seed: seed of the random numbers.
        progress: called with the share of a fit that is done.
    """

    engine: Engine
    scan: Scan
    statistics: Statistics
    imputer: Imputer
    seed: int
    progress: Progress | None = None

    def given(self, column: Column, outcome: Outcome, draw: int | None) -> Array:
        """(n,) the values of a column's missing cells for the engine: for all rows, in the table's order.

        Args:
            column: of the table.
            outcome: receives the notes of the fit.
            draw: draw index; None for expected values.
        """
        if draw is None:
            return self._noted(self._expected(column.name), [column], outcome).expected[column.name]
        drawn = self._noted(self._drawn((draw,), {column.name}), [column], outcome).drawn
        key = ("given", self.scan.table, column.name, draw, self.imputer, self.seed)
        found: Array | None = self.engine.recall(key)
        if found is None:
            one, rows = drawn[column.name], self._cache(self.scan).rows()
            sparse = one.known is not None or len(one.rows) < self.statistics.columns[column.name].missing
            found = engine_values(one, one.places(rows), np.full(len(rows), draw, np.int32), sparse=sparse)
            self._keep(key, found, conversion.size(found))
        return found

    def drawn(self, columns: Sequence[Column], numbers: tuple[int, ...], outcome: Outcome) -> dict[Column, ColumnDraws]:
        """The draws of the missing cells of columns, for all rows; columns without missing cells are absent.

        All columns of the table are drawn together, so that they are consistent within a row.
        """
        found = self._noted(self._drawn(numbers, {column.name for column in columns}), columns, outcome)
        return {column: found.drawn[column.name] for column in columns if column.name in found.drawn}

    # -- computed once ------------------------------------------------------------------------------------------------

    def _expected(self, name: str) -> FittedValues:
        key = ("expected", self.scan.table, name, self.imputer, self.seed)
        found: FittedValues | None = self.engine.recall(key)
        if found is None:
            outcome = Outcome()
            imputation, batch = self._imputation(outcome)
            target = Column(self._alias, name)
            values = imputation.values(batch, [target], self._read([name]))
            expected = {name: values.get(target, np.zeros(batch.count))}
            found = self._cached_values(key, FittedValues(expected), outcome)
        return found

    def _drawn(self, numbers: tuple[int, ...], wanted: Collection[str]) -> FittedValues:
        names = tuple(sorted({*self._incomplete(), *wanted}))
        key = ("drawn", self.scan.table, names, numbers, self.imputer, self.seed)
        found: FittedValues | None = self.engine.recall(key)
        if found is None:
            outcome = Outcome()
            imputation, batch = self._imputation(outcome)
            drawing, read = ImputeDraws(imputation, numbers, {}), self._read(names)
            drawn: dict[Column, ColumnDraws] = {}
            for group in imputation.groups(batch, [Column(self._alias, name) for name in names]):
                drawn |= drawing.drawn(batch, group, read)
                drawing = replace(drawing, known=dict(drawn))
            found = self._cached_values(
                key, FittedValues(drawn={column.name: one for column, one in drawn.items()}), outcome
            )
        return found

    def _cached_values(self, key: tuple[object, ...], values: FittedValues, outcome: Outcome) -> FittedValues:
        """The values with the notes of their fit, cached until the table is written."""
        remarks = [_remark(one, True) for one in outcome.warnings] + [_remark(one, False) for one in outcome.notes]
        methods = {column.name: tuple(names) for column, names in outcome.methods.items()}
        found = replace(values, methods=methods, remarks=tuple(remarks), chains=tuple(outcome.chains))
        self._keep(key, found, found.size)
        return found

    def _keep(self, key: tuple[object, ...], value: object, size: int) -> None:
        """Caches a value that was computed from the table until it is written."""
        if self.engine.keeps(self.scan.table):
            self.engine.keep(key, value, size, self.statistics.rests_on(self.scan.table))

    @property
    def _alias(self) -> str:
        return self.scan.table.name

    def _imputation(self, outcome: Outcome) -> tuple[Imputation, Batch]:
        """An Impute of the whole table, and all of its rows."""
        scan = Scan(self.scan.table, self._alias)
        quiet = {name: replace(policy, above=None, refuse=False) for name, policy in self.statistics.policies.items()}
        statistics = {self._alias: replace(self.statistics, policies=quiet)}
        imputation = Imputation(self.engine, statistics, self.imputer, self.seed, self.progress, outcome)
        return imputation, Batch((scan,), {self._alias: self._cache(scan).rows()}, whole=True)

    def _cache(self, scan: Scan) -> ColumnCache:
        return ColumnCache(self.engine, scan, self.statistics)

    def _incomplete(self) -> list[str]:
        """The incomplete columns that can be imputed."""
        derived = derivation.derivations(self.statistics.policies, self.statistics.columns)
        return [
            name
            for name in self.statistics.dirty
            if self.statistics.policy(name).action in ("impute", "structural")
            and self.statistics.columns[name].centre is not None
            and name not in derived
        ]

    def _read(self, targets: Collection[str]) -> list[Column]:
        """The columns to read: targets and their predictors."""
        predictors = self.statistics.regressors if self.imputer.uses_predictors else frozenset()
        return sorted(Column(self._alias, name) for name in predictors.union(targets))

    # -- what is said of it -------------------------------------------------------------------------------------------

    def _noted(self, values: FittedValues, columns: Sequence[Column], outcome: Outcome) -> FittedValues:
        """The values, after recording the notes of the fit about some columns."""
        wanted = {column.name for column in columns}
        for remark in values.remarks:
            if remark.columns and not remark.columns & wanted:
                continue
            note, notes = remark.note.renamed(self._renamed), outcome.warnings if remark.is_warning else outcome.notes
            if note not in notes:
                notes.append(note)
        for column in columns:
            for method in values.methods.get(column.name, ()):
                outcome.add_method(column, PREFIX + method)
        for chains in values.chains:
            if chains not in outcome.chains:
                outcome.add_chains(chains)
        return values

    def _renamed(self, named: object) -> object:
        """A column under the caller's alias."""
        return named._replace(relation=self.scan.alias) if isinstance(named, Column) else named


def _remark(note: Note, is_warning: bool) -> ColumnNote:
    return ColumnNote(frozenset(one.name for one in note.words if isinstance(one, Column)), note, is_warning)
