"""A plan to one SELECT of the engine: filters, drops, joins and non-blocking imputes melt into a flat statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from imputedb.algebra.column import Column
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Filter,
    Impute,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Staged,
)
from imputedb.algebra.scalar import Scalar
from imputedb.errors import InternalError
from imputedb.sql import tree as t
from imputedb.sql.tree import Tree

Resolve = Callable[[Column], Tree]

Reading = Callable[[Scan, Column], Tree]
"""How a stored column is read: its reference, NULL where a declared code or NaN stands for a missing value."""

Filling = Callable[[Impute, Column], Tree]
"""What a non-blocking Impute puts in place of a column's missing values."""


@dataclass(slots=True)
class Rows:
    """Joined rows on the way to a SELECT: where they come from, what holds, and what each column is."""

    source: Tree
    conditions: list[Tree]
    columns: dict[str, Resolve]
    filled: dict[Column, Tree] = field(default_factory=dict)

    def value(self, column: Column) -> Tree:
        """The expression of a column."""
        if column in self.filled:
            return self.filled[column]
        if column.relation not in self.columns:
            raise InternalError(f"{column} is read where {', '.join(self.columns)} are at hand")
        return self.columns[column.relation](column)

    def expression(self, tree: Tree) -> Tree:
        """A bound expression over these rows."""

        def change(node: Tree) -> Tree | None:
            if not (t.is_reference(node) and "stored" in node):
                return None
            relation, name, *fields = node["column_names"]
            value = self.value(Column(relation, name, node["stored"]))
            for name in fields:
                value = t.call("struct_extract", value, t.literal(name))
            return t.named(value, node.get("alias", ""))

        result: Tree = t.rewrite(tree, change)
        return result


@dataclass(frozen=True, slots=True)
class Generator:
    """Lowers relations, told how stored columns are read and what non-blocking imputers fill in."""

    reading: Reading
    filling: Filling

    def rows(self, relation: Relation) -> Rows:
        """The joined rows of a relation below any aggregation."""
        match relation:
            case Scan(table, alias):
                return Rows(t.table(table.path, alias), [], {alias: lambda column: self.reading(relation, column)})
            case Staged():
                return self._staged(relation)
            case Filter(below, predicates):
                rows = self.rows(below)
                rows.conditions += [rows.expression(predicate.tree) for predicate in predicates]
                return rows
            case Drop(below, columns):
                rows = self.rows(below)
                rows.conditions += [t.is_present(rows.value(column)) for column in sorted(columns)]
                return rows
            case Impute(below, columns):
                rows = self.rows(below)
                rows.filled |= {c: t.coalesce(rows.value(c), self.filling(relation, c)) for c in sorted(columns)}
                return rows
            case Join(left, right, predicates):
                return _joined(self.rows(left), self.rows(right), predicates)
            case Aggregate() | Project() | Sort() | Limit():
                raise InternalError("an operator above the joins has no rows of its own to read")
            case _:
                assert_never(relation)

    def columns(self, relation: Relation, outputs: Mapping[str, Tree] | Sequence[Column]) -> Tree:
        """A SELECT of columns of joined rows, each under its full name, or of given expressions over them."""
        rows = self.rows(relation)
        if isinstance(outputs, Mapping):
            items = [t.named(rows.expression(tree), name) for name, tree in outputs.items()]
        else:
            items = [t.named(rows.value(column), stage_name(column)) for column in outputs]
        return t.select(items, rows.source, t.all_of(rows.conditions))

    def _staged(self, relation: Staged) -> Rows:
        """Staged rows beside their patch: the n-th row of one is the n-th row of the other."""
        scan = relation.scan
        source = t.table(scan.table.path, scan.alias) if scan else t.table((relation.name,), "")
        if relation.patch:
            source = t.positional(source, t.table((relation.patch,), ""))

        def stored(column: Column) -> Tree:
            if scan:
                return self.reading(scan, column)
            if column not in relation.columns:
                raise InternalError(f"{column} was not kept in {relation.name}")
            return t.reference(relation.name, stage_name(column))

        filled = {column: t.coalesce(stored(column), patched) for column, patched in relation.filled.items()}
        names = {scan.alias} if scan else {column.relation for column in relation.columns}
        return Rows(source, [], dict.fromkeys(names, stored), filled)

    def answer(self, relation: Relation) -> Tree:
        """The SELECT of a whole block, from its joined rows to its last operator."""
        match relation:
            case Limit(below, _, modifier):
                return _modified(self.answer(below), modifier)
            case Sort(below, keys):
                node, rows = self.answer(below), self.rows(_joined_part(below))
                orders = [
                    {"type": key.direction, "null_order": key.nulls, "expression": rows.expression(key.scalar.tree)}
                    for key in keys
                ]
                return _modified(node, {"type": "ORDER_MODIFIER", "orders": orders})
            case Project(below, outputs, qualify, distinct):
                rows = self.rows(_joined_part(below))
                items = [t.named(rows.expression(output.tree), output.name) for output in outputs]
                node = t.select(items, rows.source, t.all_of(rows.conditions), qualify=_maybe(rows, qualify))
                if isinstance(below, Aggregate):
                    node = {**node, **_grouped(rows, below)}
                return _modified(node, t.rewrite(distinct, _inside(rows))) if distinct else node
            case _:
                raise InternalError("a block ends in a projection")


def _inside(rows: Rows) -> Callable[[Tree], Tree | None]:
    return lambda node: rows.expression(node)


def _modified(node: Tree, modifier: Mapping[str, Any]) -> Tree:
    return {**node, "modifiers": [*node["modifiers"], modifier]}


def _maybe(rows: Rows, scalar: Scalar | None) -> Tree | None:
    return rows.expression(scalar.tree) if scalar else None


def _grouped(rows: Rows, aggregate: Aggregate) -> dict[str, Any]:
    grouping = aggregate.grouping
    groups = [rows.expression(tree) for tree in grouping["group_expressions"]]
    return {**grouping, "group_expressions": groups, "having": _maybe(rows, aggregate.having)}


def _joined_part(relation: Relation) -> Relation:
    match relation:
        case Aggregate(below) | Project(below) | Sort(below) | Limit(below):
            return _joined_part(below)
        case _:
            return relation


def _joined(left: Rows, right: Rows, predicates: Sequence[Scalar]) -> Rows:
    rows = Rows(
        left.source, left.conditions + right.conditions, left.columns | right.columns, left.filled | right.filled
    )
    condition = t.all_of([rows.expression(predicate.tree) for predicate in predicates])
    rows.source = t.inner(left.source, right.source, condition) if condition else t.cross(left.source, right.source)
    return rows


def stage_name(column: Column) -> str:
    """The name of a column in staged rows."""
    return f"{column} (stored)" if column.stored else str(column)
