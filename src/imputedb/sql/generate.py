"""The generator of one SELECT from a plan: filters, drops, joins and non-blocking imputes become a flat statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Fill,
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
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

ROW = "imputedb row"
"""The column that every scan has: a number that tells its rows apart."""

DRAW = "imputedb draw"
"""The column of rows in many draws: the draw's number, negative where a row is the same in all of them."""

Resolve = Callable[[Column], Tree]

Reading = Callable[[Scan, Column], Tree]
"""How a stored column is read: its reference, NULL where a declared code or NaN stands for a missing value."""

Source = Callable[[Scan], Tree]
"""A scan as an item of FROM."""

Filling = Callable[[Impute, Column], Fill]
"""What a non-blocking Impute puts in place of a column's missing values."""


Meaning = Callable[[Column], Tree | None]
"""The condition, bound, under which a column's NULL means something of its own; None where it never does."""

Identified = tuple[Tree, dict[Column, Fill]]
"""A SELECT of row ids and values, and what fills the missing cells of columns that are read by row id."""


@dataclass(slots=True)
class Rows:
    """Joined rows on the way to a SELECT: FROM, conditions, and the expressions of columns and missing cells.

    `draw` is the number of the draw that a row belongs to; None where rows are the same in all draws.
    """

    source: Tree
    conditions: list[Tree]
    columns: dict[str, Resolve]
    filled: dict[Column, Fill] = field(default_factory=dict)
    draw: Tree | None = None

    def value(self, column: Column) -> Tree:
        """The expression of a column."""
        if column.relation not in self.columns:
            raise InternalError(f"{column} is read where {', '.join(self.columns)} are at hand")
        stored = self.columns[column.relation](column)
        return t.coalesce(stored, self.filled[column].shown) if column in self.filled else stored

    def keep(self, draw: int | None) -> None:
        """Keeps the rows of one draw only."""
        if self.draw and draw is not None:
            self.conditions.append(of_draw(self.draw, t.number(draw)))

    def expression(self, tree: Tree) -> Tree:
        """A bound expression over these rows."""

        def change(node: Tree) -> Tree | None:
            if not (t.is_reference(node) and "stored" in node):
                return None
            relation, name, *fields = node["column_names"]
            value = self.value(Column(relation, name, node["stored"]))
            for name in fields:
                value = t.operator("STRUCT_EXTRACT", value, t.literal(name))
            return t.named(value, node.get("alias", ""))

        result: Tree = t.rewrite(tree, change)
        return result


@dataclass(frozen=True, slots=True)
class Generator:
    """The lowering of relations, given the expressions of stored columns and of non-blocking imputers."""

    source: Source
    reading: Reading
    filling: Filling
    meaning: Meaning

    def rows(self, relation: Relation) -> Rows:
        """The joined rows of a relation, below aggregation."""
        match relation:
            case Scan(alias=alias):
                return Rows(self.source(relation), [], {alias: self._stored(relation)})
            case Staged():
                return self._staged(relation)
            case Filter(below, predicates):
                rows = self.rows(below)
                rows.conditions += [rows.expression(predicate.tree) for predicate in predicates]
                return rows
            case Drop(below, columns):
                rows = self.rows(below)
                rows.conditions += [self._present(rows, column) for column in sorted(columns)]
                return rows
            case Impute(below, columns):
                rows = self.rows(below)
                rows.filled |= {c: self.filling(relation, c) for c in columns}
                return rows
            case Join(left, right, predicates):
                return _joined(self.rows(left), self.rows(right), predicates)
            case Aggregate() | Project() | Sort() | Limit():
                raise InternalError("an operator above the joins has no rows of its own to read")
            case _:
                assert_never(relation)

    def _present(self, rows: Rows, column: Column) -> Tree:
        present, meaning = t.is_present(rows.value(column)), self.meaning(column)
        return present if meaning is None else t.any_of([present, rows.expression(meaning)]) or present

    def _stored(self, scan: Scan) -> Resolve:
        return lambda column: self.reading(scan, column)

    def columns(self, relation: Relation, outputs: Mapping[str, Tree], draw: int | None = None) -> Tree:
        """A SELECT of expressions over joined rows, by output name; of one draw, if rows belong to several."""
        rows = self.rows(relation)
        rows.keep(draw)
        items = [t.named(rows.expression(tree), name) for name, tree in outputs.items()]
        return t.select(items, rows.source, t.all_of(rows.conditions))

    def identities(self, relation: Relation, scans: Sequence[Scan], kept: Columns, others: Columns) -> Identified:
        """A SELECT of row ids that identify joined rows, the values of some columns, and imputed values of others.

        It has the row id of each alias, the values of the columns `kept`, and under the full names of the columns
        `others` their imputed values.
        """
        rows = self.rows(relation)
        items = [t.named(rows.value(Column(scan.alias, ROW)), scan.alias) for scan in scans]
        items += [t.named(rows.value(column), kept_name(column)) for column in sorted(kept)]
        filled = {column: fill for column, fill in rows.filled.items() if column in others}
        items += [t.named(fill.raw, str(column)) for column, fill in sorted(filled.items()) if fill.raw]
        items += [t.named(rows.draw, DRAW)] if rows.draw else []
        return t.select(items, rows.source, t.all_of(rows.conditions)), filled

    def _staged(self, relation: Staged) -> Rows:
        """The rows of scans that a table of row ids lists, or all rows of one scan with imputed values beside them."""
        if relation.whole:
            source = self.source(relation.scans[0])
            if relation.name:
                source = t.positional(source, t.table((relation.name,), ""))
            return Rows(source, [], {relation.scans[0].alias: self._stored(relation.scans[0])}, dict(relation.filled))
        assert relation.name
        source = t.table((relation.name,), "")
        joined = {column.relation for column in relation.reads - relation.kept}
        for scan in relation.scans:
            if scan.alias in joined:
                row, other = t.reference(relation.name, scan.alias), self.reading(scan, Column(scan.alias, ROW))
                source = t.inner(source, self.source(scan), t.compared("COMPARE_EQUAL", row, other))
        columns = {scan.alias: self._known(relation, scan, scan.alias in joined) for scan in relation.scans}
        draw = t.reference(relation.name, DRAW) if relation.draws else None
        return Rows(source, [], columns, dict(relation.filled), draw)

    def _known(self, relation: Staged, scan: Scan, joined: bool) -> Resolve:
        assert relation.name
        name = relation.name

        def resolve(column: Column) -> Tree:
            if column.name == ROW:
                return t.reference(name, scan.alias)
            if column in relation.kept:
                return t.reference(name, kept_name(column))
            if not joined:
                raise InternalError(f"{column} was not kept")
            return self.reading(scan, column)

        return resolve

    def answer(self, relation: Relation, draw: int | None = None) -> Tree:
        """The SELECT of a whole block; of one draw, if rows belong to several."""
        match relation:
            case Limit(below, _, modifier):
                return _modified(self.answer(below, draw), modifier)
            case Sort(below, keys):
                node, rows = self.answer(below, draw), self.rows(_joined_part(below))
                orders = [
                    {"type": key.direction, "null_order": key.nulls, "expression": rows.expression(key.scalar.tree)}
                    for key in keys
                ]
                return _modified(node, {"type": "ORDER_MODIFIER", "orders": orders})
            case Project(below, outputs, qualify, distinct):
                rows = self.rows(_joined_part(below))
                items = [t.named(rows.expression(output.tree), output.name) for output in outputs]
                rows.keep(draw)
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
    conditions = [rows.expression(predicate.tree) for predicate in predicates]
    if left.draw and right.draw:
        conditions.append(t.any_of([_of_all(left.draw), of_draw(right.draw, left.draw)]) or left.draw)
        rows.draw = t.call("greatest", left.draw, right.draw)
    else:
        rows.draw = left.draw or right.draw
    condition = t.all_of(conditions)
    rows.source = t.inner(left.source, right.source, condition) if condition else t.cross(left.source, right.source)
    return rows


def of_draw(draw: Tree, number: Tree) -> Tree:
    """Whether a row belongs to a draw."""
    either = t.any_of([_of_all(draw), t.compared("COMPARE_EQUAL", draw, number)])
    assert either
    return either


def _of_all(draw: Tree) -> Tree:
    return t.compared("COMPARE_LESSTHAN", draw, t.number(0))


def stored_name(column: str) -> str:
    """The name of a column's stored values beside completed ones."""
    return f"{column} (stored)"


def kept_name(column: Column) -> str:
    """The name of a column's values beside row ids."""
    return stored_name(str(column)) if column.stored else f"{column} (completed)"
