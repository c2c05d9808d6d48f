"""Rows between the statements of one run: read from the engine as batches, and registered with it again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Fill, Impute, Relation, Scan, Staged
from imputedb.algebra.walk import aliases
from imputedb.engines.engine import Engine
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import ColumnDraws, engine_values, repeated_by_draw
from imputedb.execution.columns import ColumnCache
from imputedb.execution.imputed_columns import ImputedColumns
from imputedb.imputers import checked
from imputedb.imputers.protocol import Imputer, fills_in_sql
from imputedb.imputers.rows import Array
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import DRAW, Generator, kept_name
from imputedb.statistics.table import ColumnStatistics, Statistics


@dataclass(slots=True)
class Staging:
    """The rows of one run on their way between the engine and imputers.

    Attributes:
        engine: engine that holds the rows.
        statistics: statistics by alias.
        imputers: imputers by name.
        beside: values that are read beside their tables.
        names: names of the arrays that are registered with the engine.
        scans: scans of the plan, by alias.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    imputers: Mapping[str, Imputer]
    beside: ImputedColumns
    names: list[str]
    scans: dict[str, Scan] = field(default_factory=dict)

    @property
    def generator(self) -> Generator:
        """The generator of SELECTs over relations whose imputing is done."""
        return Generator(
            self.beside.source,
            lambda scan, column: self.engine.reading(scan.table, column.name, scan.alias),
            self._filler,
            self.meaning,
        )

    def batch(self, ready: Relation, wanted: Columns) -> Batch:
        """The rows of a relation as row ids, and the values of wanted columns that are not stored."""
        scans = tuple(self.scans[alias] for alias in self.ranked(aliases(ready)))
        if isinstance(ready, Scan):
            ids = ColumnCache(self.engine, ready, self.statistics[ready.alias]).rows()
            return Batch(scans, {ready.alias: ids}, whole=True)
        wanted = frozenset(column for column in wanted if column.relation in aliases(ready))
        kept = frozenset(column for column in wanted if self.engine.travels(self.of_column(column).type))
        node, filled = self.generator.identities(ready, scans, kept, wanted - kept)
        arrays = self.engine.arrays(node)
        rows = {scan.alias: np.ma.getdata(arrays[scan.alias]).astype(np.int64, copy=False) for scan in scans}
        given = {column: arrays[str(column)] for column, fill in filled.items() if fill.raw}
        draws = np.ma.getdata(arrays[DRAW]).astype(np.int32, copy=False) if DRAW in arrays else None
        return Batch(scans, rows, {column: arrays[kept_name(column)] for column in kept}, given, filled, draws)

    def ranked(self, relations: Iterable[str]) -> list[str]:
        """The aliases of scans, sorted by the content of their rows and then by name."""

        def rank(alias: str) -> tuple[list[str], int, str]:
            return (sorted(self.statistics[alias].columns), self.statistics[alias].content, alias)

        return sorted(relations, key=rank)

    def staged(self, node: Relation, batch: Batch, values: Mapping[Column, Array], wanted: Columns) -> Staged:
        """The rows with their values, registered for the statements above."""
        given = {**batch.given, **values}
        columns: dict[str, Array] = {str(column): array for column, array in given.items()}
        if not batch.whole:
            columns |= {**batch.rows, **{kept_name(column): array for column, array in batch.kept.items()}}
        if batch.draws is not None:
            columns[DRAW] = batch.draws
        name = self.engine.register(columns) if columns else None
        filled = dict(batch.filled)
        if name:
            self.names.append(name)
            raw = {column: t.reference(name, str(column)) for column in given}
            filled |= {c: Fill(self.engine.decoded(tree, self.of_column(c).type), tree) for c, tree in raw.items()}
        reads = frozenset(column for column in wanted if column.relation in batch.rows)
        drawn = batch.draws is not None
        return Staged(name, batch.scans, batch.whole, reads, frozenset(batch.kept), filled, node, drawn)

    def bundled(self, batch: Batch, drawn: Mapping[Column, ColumnDraws]) -> Batch:
        """The rows of a batch, with those that differ between draws repeated for each draw."""
        if not drawn:
            return batch
        places = {column: one.places(batch.rows[column.relation]) for column, one in drawn.items()}
        order, draws = repeated_by_draw(
            batch.draws, batch.count, {column: (drawn[column], places[column]) for column in drawn}
        )
        rows = {alias: ids[order] for alias, ids in batch.rows.items()}
        kept = {column: array[order] for column, array in batch.kept.items()}
        given = {column: array[order] for column, array in batch.given.items()}
        given |= {c: engine_values(one, places[c][order], draws, sparse=self._is_sparse(c)) for c, one in drawn.items()}
        return Batch(batch.scans, rows, kept, given, batch.filled, draws)

    def of_column(self, column: Column) -> ColumnStatistics:
        """The statistics of a column."""
        return self.statistics[column.relation].columns[column.name]

    def _filler(self, impute: Impute, column: Column) -> Fill:
        if column in self.beside.fills:
            return self.beside.fills[column]
        imputer, statistics = self.imputers[impute.imputer], self.of_column(column)
        assert fills_in_sql(imputer)
        assert statistics.centre is not None
        return Fill(self.engine.cast(t.literal(checked.constant(imputer, statistics.centre)), statistics.type))

    def meaning(self, column: Column) -> Tree | None:
        """The condition under which a NULL of a column has a meaning of its own; None where it never has."""
        if column.name not in self.statistics[column.relation].policies:
            return None
        return self.engine.meaning(self.scans[column.relation].table, column.name, column.relation)

    def _is_sparse(self, column: Column) -> bool:
        return self.meaning(column) is not None or self.statistics[column.relation].policy(column.name).leaves
