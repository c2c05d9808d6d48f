"""Kept values beside the tables that they are of, so that an Impute is a column of one flat statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Fill, Scan, Table
from imputedb.engines.engine import Engine
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import Drawn
from imputedb.execution.columns import ColumnCache
from imputedb.execution.form import coarser_cells, form
from imputedb.execution.kept import KeptTable
from imputedb.execution.model import ModelTable
from imputedb.execution.outcome import Outcome
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import the_one
from imputedb.imputers.rows import Array
from imputedb.models.kept import Kept
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Statistics

_Source: TypeAlias = ModelTable | KeptTable
"""What kept values are read from: a kept model, or a fit to the table."""


@dataclass(slots=True)
class Beside:
    """Kept values in one run of a plan.

    Attributes:
        engine: where rows live.
        statistics: by alias.
        seed: what random numbers are keyed by.
        progress: told how far a fit is.
        drawn_tables: tables of which the values are a draw, and not expectations.
        draw: the number of that draw.
        names: of the arrays that stand beside a scan, by its alias.
        fills: what fills the missing cells of columns.
        drawn_from: by alias of a scan, what columns of it are drawn from.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    seed: int
    progress: Progress | None
    drawn_tables: frozenset[Table]
    draw: int
    names: dict[str, list[str]] = field(default_factory=dict)
    fills: dict[Column, Fill] = field(default_factory=dict)
    drawn_from: dict[str, list[tuple[_Source, list[Column]]]] = field(default_factory=dict)

    def show(self, imputer: Kept, scans: Mapping[str, Scan], columns: Sequence[Column], outcome: Outcome) -> list[str]:
        """Makes the values of columns readable beside their tables; the names of the arrays, to be forgotten later."""
        made = []
        for alias, mine in _by_alias(columns).items():
            draw = self._draw(scans[alias])
            sources = self._by_table(imputer, scans[alias], mine, outcome)
            self._warn_apart(scans[alias], sources if draw is not None else [], outcome)
            written = self._written(sources, outcome, draw)
            self.fills |= written
            rest = [(table, column) for table, some in sources for column in some if column not in written]
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
        """What stands in the statement itself in place of values."""
        found = {}
        for table, columns in sources:
            for column in columns if isinstance(table, ModelTable) else ():
                assert isinstance(table, ModelTable)
                fill = form(table, column.name, draw).fill
                if fill is not None:
                    table.note(column, outcome, coarser_cells(table, column.name))
                    found[column] = fill
        return found

    def source(self, scan: Scan) -> Tree:
        """A scan as an item of FROM, with the values beside it."""
        source = self.engine.source(scan.table, scan.alias)
        for name in self.names.get(scan.alias, ()):
            source = t.positional(source, t.table((name,), ""))
        return source

    def values(self, imputer: Kept, batch: Batch, columns: Sequence[Column], outcome: Outcome) -> dict[Column, Array]:
        """(n,) the values of columns, of the rows at hand."""
        found: dict[Column, Array] = {}
        for scan, mine in self._scans_of(batch, columns):
            places = ColumnCache(self.engine, scan, self.statistics[scan.alias]).places(batch.rows[scan.alias])
            sources = self._by_table(imputer, scan, mine, outcome)
            self._warn_apart(scan, sources if self._draw(scan) is not None else [], outcome)
            for table, some in sources:
                found |= {column: table.given(column, outcome, self._draw(scan))[places] for column in some}
        return found

    def drawn(
        self, imputer: Kept, batch: Batch, columns: Sequence[Column], numbers: tuple[int, ...], outcome: Outcome
    ) -> list[dict[Column, Drawn]]:
        """What is drawn for columns, table by table of those at hand."""
        found = []
        for scan, mine in self._scans_of(batch, columns):
            tables = self._by_table(imputer, scan, mine, outcome)
            values: dict[Column, Drawn] = {}
            for table, some in tables:
                values |= table.drawn(some, numbers, outcome)
            self._warn_apart(scan, tables, outcome)
            found.append(values)
        return found

    def _scans_of(self, batch: Batch, columns: Sequence[Column]) -> list[tuple[Scan, list[Column]]]:
        mine = _by_alias(columns)
        return [(scan, mine[scan.alias]) for scan in batch.scans if scan.alias in mine]

    def _warn_apart(self, scan: Scan, sources: Sequence[tuple[_Source, Sequence[Column]]], outcome: Outcome) -> None:
        """Says that columns of one table are drawn by several models, each of which knows nothing of the others."""
        known = self.drawn_from.setdefault(scan.alias, [])
        for source, columns in sources:
            mine = next((some for one, some in known if one == source), None)
            if mine is None:
                known.append((source, list(columns)))
            else:
                mine += [column for column in columns if column not in mine]
        names = " and of ".join(", ".join(map(str, some)) for _, some in known)
        said = f"draws of {names} are made apart: their relations come out weaker"
        if len(known) > 1 and said not in outcome.warnings:
            outcome.warnings.append(Note(NoteKind.DRAWN_APART, scan.alias, said))

    def _warn_lost(self, imputer: Kept, scan: Scan, column: Column, outcome: Outcome) -> None:
        """Says which models of the table fill in a column that it does not have any more."""
        for record in imputer.models:
            absent = [name for name in record.columns if name not in self.statistics[scan.alias].columns]
            said = (
                f"model {record.title} fills in {', '.join(absent)}, which {scan.table.name} does not have any more: "
                f"{column} is imputed by a fit to its table"
            )
            if record.table == scan.table and absent and said not in outcome.warnings:
                outcome.warnings.append(Note(NoteKind.UNSUITED, column, said))

    def _draw(self, scan: Scan) -> int | None:
        return self.draw if scan.table in self.drawn_tables else None

    def _by_table(
        self, imputer: Kept, scan: Scan, columns: Sequence[Column], outcome: Outcome
    ) -> list[tuple[_Source, list[Column]]]:
        """The columns of a scan by what their values are read from: a kept model, or a fit to the table."""
        found: list[tuple[_Source, list[Column]]] = []
        for column in columns:
            source = self._source_of(imputer, scan, column, outcome)
            known = next((some for one, some in found if one == source), None)
            if known is None:
                found.append((source, [column]))
            else:
                known.append(column)
        return found

    def _source_of(self, imputer: Kept, scan: Scan, column: Column, outcome: Outcome) -> _Source:
        record, statistics = imputer.model(scan.table, column.name), self.statistics[scan.alias]
        if record is None:
            self._warn_lost(imputer, scan, column, outcome)
            return KeptTable(self.engine, scan, statistics, imputer.base, self.seed, self.progress)
        if not record.has_functions:
            base = the_one(record.imputer, "a model needs")
            return KeptTable(self.engine, scan, statistics, base, record.seed, self.progress)
        model = ModelTable(self.engine, scan, statistics, record)
        why = model.unsuited(column)
        if not why:
            return model
        if why not in outcome.warnings:
            said = f"{why}: the column is imputed by a fit to its table"
            outcome.warnings.append(Note(NoteKind.UNSUITED, column, said))
        return KeptTable(self.engine, scan, statistics, imputer.base, self.seed, self.progress)


def _by_alias(columns: Sequence[Column]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for column in sorted(columns):
        found.setdefault(column.relation, []).append(column)
    return found
