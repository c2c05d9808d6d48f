"""Columns that a policy derives from others of their table (DERIVED AS), as SQL has them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

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
"""The engine's tree of a type."""


def expression(connection: duckdb.DuckDBPyConnection, text: str) -> Tree:
    """The tree of what a column is derived as, its columns without a table before them."""
    return parse.expression(partial(parse.parse, connection), text)


def known(connection: duckdb.DuckDBPyConnection, shape: Shape, column: str, alias: str, type_tree: Types) -> Tree:
    """A stored column, and where it is missing what follows from columns that are not.

    A derived column follows from its parts. A part follows from the derived value and the other parts where all are
    numbers, and the expression can be solved for it.
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
    """The rows of a table as they are stored, under an alias."""

    connection: duckdb.DuckDBPyConnection
    shape: Shape
    alias: str
    type_tree: Types

    def _stored(self, name: str) -> Tree:
        return columns.stored(self.shape, name, self.alias, self.type_tree)

    def forward(self, column: str) -> Tree | None:
        """What a derived column is of its parts, those that are derived themselves of theirs."""
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
        """What a part is of the columns that are derived from it."""
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


def undetermined(engine: "DuckDB", table: Table) -> list[Note]:
    """What is to be said of rows that have a derived value, but not what it is derived from."""
    shape, said = engine.tables.shape(table), list[Note]()
    for name, read in sorted(derivation.derivations(shape.policies, shape.types).items()):
        there = t.is_present(columns.stored(shape, name, "t", engine.texts.type_tree))
        gone = t.any_of([t.is_missing(engine.reading(table, one, "t")) for one in sorted(read)])
        count = t.call("count_star", where=t.all_of([part for part in (there, gone) if part]))
        rows = int(str(engine.rows(t.select([count], engine.source(table, "t")))[0][0]))
        if rows:
            words = (
                f"{rows:,} rows of {table.name} have {name}, but not all of {', '.join(sorted(read))}, which it is "
                "derived from and which do not follow from it there: what is filled in of these need not agree with it"
            )
            said.append(Note(NoteKind.UNDETERMINED, f"{table.name}.{name}", words))
    return said


def check(shape: Shape, table: Table, column: str, text: str) -> None:
    """Refuses what a column cannot be derived as.

    Raises:
        DataError: it reads no column, or a column would be derived from itself.
    """
    place = f"{table.name}.{column}"
    read = derivation.parts(text, shape.types)
    for name in sorted(read):
        if profile.kind_of(shape.types[name]) is Kind.OPAQUE:
            raise DataError(f"{table.name}.{name} is {shape.types[name]}, of which {place} cannot be derived")
    if not read:
        raise DataError(f"{place} is derived from no column of {table.name}: DERIVED AS computes it from others")
    others = {name: policy for name, policy in shape.policies.items() if name != column}
    way = derivation.cycle({**derivation.derivations(others, shape.types), column: read}, column)
    if way:
        raise DataError(f"{place} would be derived from itself ({' from '.join(way)}): leave one of them as it is")
