"""Imputed values stored beside their tables, so that an Impute is a column of one flat statement."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Fill, Scan, Table
from imputedb.engines.engine import Engine
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import ColumnDraws
from imputedb.execution.columns import ColumnCache
from imputedb.execution.form import coarser_cells, form, layered
from imputedb.execution.kept import CachedTable
from imputedb.execution.model import ModelTable
from imputedb.execution.on_sample import on_sample
from imputedb.execution.outcome import Outcome
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import single_imputer
from imputedb.imputers.rows import Array
from imputedb.models.kept import StoredImputer
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import names_of
from imputedb.sql.generate import ROW
from imputedb.statistics.table import Statistics

_Source: TypeAlias = ModelTable | CachedTable
"""What kept values are read from: a kept model, or a fit to the table."""


class _DrawnTable(NamedTuple):
    """A table with drawn columns beside its own, as an item of FROM."""

    source: Tree
    columns: list[str]


@dataclass(slots=True)
class ImputedColumns:
    """The values beside tables in one run of a plan.

    Attributes:
        engine: engine that holds the rows.
        statistics: statistics by alias.
        seed: seed of the random numbers.
        progress: called with the progress of a fit.
        drawn_tables: tables whose values are drawn, not expected.
        draw: index of that draw.
        number: index of the draw of all values; None where they need not be of one draw.
        names: names of the registered arrays beside a scan, by its alias.
        fills: expressions for missing cells of columns.
        drawn_from: sources of the draws of a scan's columns, by alias.
        layers: replacements of tables with drawn columns, by alias.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    seed: int
    progress: Progress | None
    drawn_tables: frozenset[Table]
    draw: int
    number: int | None = None
    names: dict[str, list[str]] = field(default_factory=dict)
    fills: dict[Column, Fill] = field(default_factory=dict)
    drawn_from: dict[str, list[tuple[_Source, list[Column]]]] = field(default_factory=dict)
    layers: "dict[str, _DrawnTable]" = field(default_factory=dict)

    def make_readable(
        self, imputer: StoredImputer, scans: Mapping[str, Scan], columns: Sequence[Column], outcome: Outcome
    ) -> list[str]:
        """Makes values of columns readable beside their tables; returns the names of the arrays, to be released."""
        made: list[str] = []
        for alias, mine in _by_alias(columns).items():
            draw = self._draw(scans[alias])
            sources = self._by_table(imputer, scans[alias], mine, outcome)
            self._warn_apart(scans[alias], sources if draw is not None else [], outcome)
            if draw is not None:
                made += self._draw_in_layers(sources, outcome, draw)
            written = self._written([(table, self._unfilled(some)) for table, some in sources], outcome, draw)
            self.fills |= written
            rest = [(table, column) for table, some in sources for column in self._unfilled(some)]
            if not rest:
                continue
            values = {column: table.given(column, outcome, draw) for table, column in rest}
            name = self.engine.register({str(column): array for column, array in values.items()})
            made.append(name)
            self.names.setdefault(alias, []).append(name)
            for column in values:
                raw = t.reference(name, str(column))
                type_name = self.statistics[alias].columns[column.name].type
                self.fills[column] = Fill(self.engine.decoded(raw, type_name), raw)
        return made

    def _written(
        self, sources: Sequence[tuple[_Source, Sequence[Column]]], outcome: Outcome, draw: int | None
    ) -> dict[Column, Fill]:
        """Expressions in the statement itself, in place of values."""
        found = {}
        for table, columns in sources:
            for column in columns if isinstance(table, ModelTable) else ():
                assert isinstance(table, ModelTable)
                fill = form(table, column.name, draw).fill
                if fill is not None:
                    table.note(column, outcome, coarser_cells(table, column.name) if draw is None else 0)
                    found[column] = fill
        return found

    def _unfilled(self, columns: Sequence[Column]) -> list[Column]:
        return [column for column in columns if column not in self.fills]

    def _draw_in_layers(
        self, sources: Sequence[tuple[_Source, Sequence[Column]]], outcome: Outcome, draw: int
    ) -> Iterator[str]:
        """Adds draws that the statement computes itself to their tables; returns the names of views for them, if the
        engine needs views."""
        for table, columns in sources:
            wanted = self._unfilled(columns)
            if not (isinstance(table, ModelTable) and wanted and form(table, wanted[0].name, draw).layered):
                continue
            for column in wanted:
                table.note(column, outcome, coarser_cells(table, column.name) if table.sampled is None else 0)
            below = self.layers.get(table.scan.alias) or self._stored(table.scan)
            name = f"{table.record.title} {table.record.digest[:8]} {draw}"
            found, fills = layered(table, draw, below.source, below.columns, name)
            source, columns_now = found.source, [*below.columns, *found.drawn.values()]
            if self.engine.fills_by_expression:
                view, shown = self.engine.fresh("view"), [t.reference(table.scan.alias, one) for one in columns_now]
                self.engine.make("VIEW", view, columns_now, self.engine.text(t.select(shown, source)))
                source = t.table((view,), table.scan.alias)
                yield view
            self.layers[table.scan.alias] = _DrawnTable(source, columns_now)
            self.fills |= fills

    def _stored(self, scan: Scan) -> _DrawnTable:
        """A table as stored, with its row identifiers."""
        columns, row = list(self.statistics[scan.alias].columns), self.engine.reading(scan.table, ROW, scan.alias)
        columns += [name for name in names_of(row)[1:] if name not in columns]
        return _DrawnTable(self.engine.source(scan.table, scan.alias), columns)

    def source(self, scan: Scan) -> Tree:
        """A scan as an item of FROM, with the values beside it."""
        known = self.layers.get(scan.alias)
        source = known.source if known else self.engine.source(scan.table, scan.alias)
        for name in self.names.get(scan.alias, ()):
            source = t.positional(source, t.table((name,), ""))
        return source

    def values(
        self, imputer: StoredImputer, batch: Batch, columns: Sequence[Column], outcome: Outcome
    ) -> dict[Column, Array]:
        """(n,) the values of columns for the rows of a batch."""
        found: dict[Column, Array] = {}
        for scan, mine in self._scans_of(batch, columns):
            places = ColumnCache(self.engine, scan, self.statistics[scan.alias]).places(batch.rows[scan.alias])
            sources = self._by_table(imputer, scan, mine, outcome)
            self._warn_apart(scan, sources if self._draw(scan) is not None else [], outcome)
            for table, some in sources:
                found |= {column: table.given(column, outcome, self._draw(scan))[places] for column in some}
        return found

    def drawn(
        self,
        imputer: StoredImputer,
        batch: Batch,
        columns: Sequence[Column],
        numbers: tuple[int, ...],
        outcome: Outcome,
    ) -> list[dict[Column, ColumnDraws]]:
        """The draws of columns, table by table."""
        found = []
        for scan, mine in self._scans_of(batch, columns):
            tables = self._by_table(imputer, scan, mine, outcome)
            values: dict[Column, ColumnDraws] = {}
            for table, some in tables:
                values |= table.drawn(some, numbers, outcome)
            self._warn_apart(scan, tables, outcome)
            found.append(values)
        return found

    def _scans_of(self, batch: Batch, columns: Sequence[Column]) -> list[tuple[Scan, list[Column]]]:
        mine = _by_alias(columns)
        return [(scan, mine[scan.alias]) for scan in batch.scans if scan.alias in mine]

    def _warn_apart(self, scan: Scan, sources: Sequence[tuple[_Source, Sequence[Column]]], outcome: Outcome) -> None:
        """Warns that columns of one table are drawn by several models, and therefore independently."""
        known = self.drawn_from.setdefault(scan.alias, [])
        for source, columns in sources:
            mine = next((some for one, some in known if one == source), None)
            if mine is None:
                known.append((source, list(columns)))
            else:
                mine += [column for column in columns if column not in mine]
        names = " and of ".join(", ".join(map(str, some)) for _, some in known)
        message = f"draws of {names} are made apart: their relations come out weaker"
        if len(known) > 1 and message not in outcome.warnings:
            outcome.warnings.append(Note(NoteKind.DRAWN_APART, scan.alias, message))

    def _warn_lost(self, imputer: StoredImputer, scan: Scan, column: Column, outcome: Outcome) -> None:
        """Warns of models that impute a column which the table does not have any more."""
        for record in imputer.models:
            absent = [name for name in record.columns if name not in self.statistics[scan.alias].columns]
            message = (
                f"model {record.title} fills in {', '.join(absent)}, which {scan.table.name} does not have any more: "
                f"{column} is imputed by a fit to its table"
            )
            if record.table == scan.table and absent and message not in outcome.warnings:
                outcome.warnings.append(Note(NoteKind.UNSUITED, column, message))

    def _draw(self, scan: Scan) -> int | None:
        if self.number is not None:
            return self.number
        return self.draw if scan.table in self.drawn_tables else None

    def _by_table(
        self, imputer: StoredImputer, scan: Scan, columns: Sequence[Column], outcome: Outcome
    ) -> list[tuple[_Source, list[Column]]]:
        """The columns of a scan by their source: a kept model, or a fit to the table."""
        found: list[tuple[_Source, list[Column]]] = []
        for column in columns:
            source = self._source_of(imputer, scan, column, outcome)
            known = next((some for one, some in found if one == source), None)
            if known is None:
                found.append((source, [column]))
            else:
                known.append(column)
        return found

    def _source_of(self, imputer: StoredImputer, scan: Scan, column: Column, outcome: Outcome) -> _Source:
        record, statistics = imputer.model(scan.table, column.name), self.statistics[scan.alias]
        if record is None:
            self._warn_lost(imputer, scan, column, outcome)
            if imputer.on_sample:
                drawn = self._draw(scan) is not None
                return on_sample(
                    self.engine, scan, statistics, column.name, imputer.base, self.seed, self.progress, drawn=drawn
                )
            return CachedTable(self.engine, scan, statistics, imputer.base, self.seed, self.progress)
        if not record.has_functions:
            base = single_imputer(record.imputer, "a model needs")
            return CachedTable(self.engine, scan, statistics, base, record.seed, self.progress)
        model = ModelTable(self.engine, scan, statistics, record)
        why = model.unsuited(column)
        if not why:
            return model
        if why not in outcome.warnings:
            message = f"{why}: the column is imputed by a fit to its table"
            outcome.warnings.append(Note(NoteKind.UNSUITED, column, message))
        return CachedTable(self.engine, scan, statistics, imputer.base, self.seed, self.progress)


def _by_alias(columns: Sequence[Column]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for column in sorted(columns):
        found.setdefault(column.relation, []).append(column)
    return found
