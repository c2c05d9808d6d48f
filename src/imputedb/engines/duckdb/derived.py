"""Columns that a policy derives from others of their table (DERIVED AS), as SQL expressions."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import columns, profile
from imputedb.engines.entries import Shape
from imputedb.errors import DataError
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql import derivation, parse
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

Types = Callable[[str], Tree]
"""A function from a type's name to the engine's tree of it."""


def expression(connection: duckdb.DuckDBPyConnection, text: str) -> Tree:
    """The tree of a DERIVED AS expression, its columns without a table name."""
    return parse.expression(partial(parse.parse, connection), text)


def observed_or_derived(
    connection: duckdb.DuckDBPyConnection, shape: Shape, column: str, alias: str, type_tree: Types
) -> Tree:
    """A stored column; where it is missing, the value that follows from columns which are present.

    A derived column follows from the columns of its expression. One of these follows from the derived value and the
    others, where all are numbers and the expression can be solved for it.
    """
    plain = columns.stored(shape, column, alias, type_tree)
    if not any(policy.derived for policy in shape.policies.values()):
        return plain
    rows = _Rows(connection, shape, alias, type_tree)
    ways = [rows.forward(column), *rows.backward(column)]
    follow = [t.operator("OPERATOR_TRY", t.cast(way, type_tree(shape.types[column]))) for way in ways if way]
    return t.coalesce(plain, *follow) if follow else plain


@dataclass(frozen=True, slots=True)
class _Rows:
    """The stored rows of a table, under an alias."""

    connection: duckdb.DuckDBPyConnection
    shape: Shape
    alias: str
    type_tree: Types

    def _stored(self, name: str) -> Tree:
        return columns.stored(self.shape, name, self.alias, self.type_tree)

    def forward(self, column: str) -> Tree | None:
        """The expression of a derived column, with nested derivations expanded; None for other columns."""
        text = self.shape.policies[column].derived if column in self.shape.policies else None
        if not text:
            return None
        meant = {}
        for name in derivation.parts(text, self.shape.types):
            plain, further = self._stored(name), self.forward(name)
            known = further and t.cast(further, self.type_tree(self.shape.types[name]))
            meant[name.lower()] = t.coalesce(plain, known) if known else plain
        return derivation.with_columns(expression(self.connection, text), meant)

    def backward(self, column: str) -> list[Tree]:
        """Expressions of a column, solved from those of the columns derived from it."""
        found = []
        for name, read in derivation.derivations(self.shape.policies, self.shape.types).items():
            kinds = {profile.kind_of(self.shape.types[one]) for one in (name, *read)}
            if column not in read or not kinds <= {Kind.NUMBER, Kind.INTEGER}:
                continue
            stated = expression(self.connection, str(self.shape.policies[name].derived))
            inverse = derivation.solved(stated, column, t.reference(name))
            meant = {one.lower(): self._stored(one) for one in (name, *read)}
            found += [derivation.with_columns(inverse, meant)] if inverse else []
        return found


def notes(engine: "DuckDB", table: Table, names: Collection[str]) -> list[Note]:
    """Notes on derived columns and the columns of their expressions, where some of these are read.

    They count cells that follow from others of their row, and so are neither missing nor imputed. They also count rows
    that have a derived value without all columns of its expression.
    """
    shape = engine.tables.shape(table)
    known = derivation.derivations(shape.policies, shape.types)
    counted = [
        _undetermined(engine, table, name, read) for name, read in sorted(known.items()) if {name, *read} & set(names)
    ]
    related = frozenset(known).union(*known.values())
    counted += [_equations(engine, table, name) for name in sorted(related.intersection(names))]
    if not counted:
        return []
    counts = [t.call("count_star", where=one.rows) for one in counted]
    (row,) = engine.rows(t.select(counts, engine.source(table, "t")))
    return [one.note(int(str(rows))) for one, rows in zip(counted, row, strict=True) if rows]


class _CountedNote(NamedTuple):
    """A condition on rows, and the note for the number of rows that satisfy it."""

    rows: Tree
    note: Callable[[int], Note]


def _undetermined(engine: "DuckDB", table: Table, name: str, read: Collection[str]) -> _CountedNote:
    there = t.is_present(columns.stored(engine.tables.shape(table), name, "t", engine.texts.type_tree))
    missing = t.any_of([t.is_missing(engine.reading(table, one, "t")) for one in sorted(read)])

    def note(rows: int) -> Note:
        words = (
            f"{rows:,} rows of {table.name} have {name}, but not all of {', '.join(sorted(read))}, which it is "
            "derived from and which do not follow from it there: what is filled in of these need not agree with it"
        )
        return Note(NoteKind.UNDETERMINED, f"{table.name}.{name}", words)

    return _CountedNote(t.all_of([part for part in (there, missing) if part]) or there, note)


def _equations(engine: "DuckDB", table: Table, name: str) -> _CountedNote:
    missing = t.is_missing(columns.stored(engine.tables.shape(table), name, "t", engine.texts.type_tree))
    known = t.is_present(engine.reading(table, name, "t"))

    def note(rows: int) -> Note:
        words = (
            f"{rows:,} cells of {table.name}.{name} that are NULL as stored follow from others of their rows (DERIVED "
            "AS), and count as observed: IS NULL and IMPUTED are false of them"
        )
        return Note(NoteKind.FOLLOWS, f"{table.name}.{name}", words)

    return _CountedNote(t.all_of([missing, known]) or missing, note)


def check(shape: Shape, table: Table, column: str, text: str) -> None:
    """Checks that an expression can derive a column.

    Raises:
        DataError: it reads no column, reads one of an unsuitable type, or would derive the column from itself.
    """
    place = f"{table.name}.{column}"
    read = derivation.parts(text, shape.types)
    for name in sorted(read):
        if profile.kind_of(shape.types[name]) is Kind.OPAQUE:
            raise DataError(f"{table.name}.{name} is {shape.types[name]}, of which {place} cannot be derived")
    if not read:
        raise DataError(
            f"{place} is derived from no column of {table.name}: DERIVED AS must compute it from other columns"
        )
    others = {name: policy for name, policy in shape.policies.items() if name != column}
    way = derivation.cycle({**derivation.derivations(others, shape.types), column: read}, column)
    if way:
        raise DataError(f"{place} would be derived from itself ({' from '.join(way)}): leave one of them as it is")
