"""The binder of one resolved SELECT block to a Query. Names are not looked up after this."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import SortKey
from imputedb.algebra.scalar import Scalar
from imputedb.errors import Unplanned
from imputedb.sql.ast import (
    Tree,
    all_of,
    expressions,
    is_reference,
    literal,
    operator,
    parts,
    reference,
    rewrite,
    without_place,
)
from imputedb.sql.flatten import Scope, inner_aliases, is_bare, mentions, unaliased
from imputedb.sql.parse import is_aggregate
from imputedb.sql.predicates import condition_of
from imputedb.sql.scope import Source

Written = Callable[[Sequence[Tree]], list[str]]
"""Expressions to their texts."""

Expression = TypeVar("Expression")


@dataclass(frozen=True, slots=True)
class Functions:
    """Lower-case names of an engine's functions: aggregates, volatile functions, and all functions."""

    aggregates: frozenset[str]
    single: frozenset[str]
    built_in: frozenset[str] = frozenset()


def bind(
    node: Tree,
    names: Sequence[str],
    known: Mapping[int, Source],
    written: Written,
    functions: Functions,
    deciding: Callable[[int], Collection[str]] = lambda _: (),
) -> Query:
    """The query of a resolved SELECT block.

    Args:
        node: syntax tree of the block, resolved by `resolve.Resolver`.
        names: DuckDB's names of the output columns.
        known: all sources of the statement, by number.
        written: the engine's function to write expressions as text.
        functions: names of the engine's functions.
        deciding: columns of a source, by its number, that decide the statement's answer.

    Raises:
        Unplanned: the block has a construct that plans do not support; the message names it.
    """
    _refuse(node, functions)
    scope = Scope(known, functions.single, functions.aggregates)
    scope.add(node["from_table"])
    if any(mentions(tree, functions.single) for tree in scope.conditions):
        raise Unplanned("a function with effects in ON")
    outputs = _items(node, names)
    binder = _Binder(scope, {str(t["alias"]).lower(): t for t in outputs if t.get("alias")})
    orders = [order for m in node["modifiers"] if m["type"] == "ORDER_MODIFIER" for order in m["orders"]]
    bound = _bound(node, binder, orders, functions.aggregates)
    aggregated = bool(bound.groups or bound.calls or bound.having or node["aggregate_handling"] == "FORCE_AGGREGATES")
    if aggregated and any(_reads_around(tree) for tree in bound.above):
        raise Unplanned("a subquery above GROUP BY that reads the block around it")
    scalars = _scalars(bound, names, written)
    return Query(
        sources=tuple(scope.scans.values()),
        filters=tuple(c for c in scalars.where if len(c.relations) < 2),
        joins=tuple(c for c in scalars.where if len(c.relations) > 1),
        outputs=tuple(scalars.outputs),
        groups=tuple(_described(scalars.groups, scalars.outputs)) if aggregated else None,
        aggregates=tuple(scalars.calls),
        having=scalars.having,
        qualify=scalars.qualify,
        order=tuple(SortKey(key, o["type"], o["null_order"]) for key, o in zip(scalars.keys, orders, strict=True)),
        limit=_limit(node, written),
        grouping={"group_expressions": bound.groups, **{k: node[k] for k in ("group_sets", "aggregate_handling")}},
        distinct=binder.distinct(node["modifiers"], outputs),
        deciding=frozenset(Column(a, name) for number, a in scope.aliases.items() for name in deciding(number)),
    )


def _items(node: Tree, names: Sequence[str]) -> list[Tree]:
    """The items of the select list, each of one column."""
    items: list[Tree] = node["select_list"]
    if len(items) != len(names):
        raise Unplanned("an item of SELECT that gives several columns")
    return items


@dataclass(frozen=True, slots=True)
class _Clauses(Generic[Expression]):
    """The expressions of a block by clause; `where` has the conjuncts, `calls` the outermost aggregates."""

    outputs: list[Expression]
    where: list[Expression]
    groups: list[Expression]
    keys: list[Expression]
    having: Expression | None
    qualify: Expression | None
    calls: list[Expression] = field(default_factory=list)

    @property
    def above(self) -> list[Expression]:
        """The expressions that are computed above GROUP BY."""
        return [*self.outputs, *self.keys, *(one for one in (self.having, self.qualify) if one)]


def _bound(node: Tree, binder: "_Binder", orders: Sequence[Tree], aggregates: frozenset[str]) -> _Clauses[Tree]:
    where = [*binder.scope.conditions, *([node["where_clause"]] if node["where_clause"] else [])]
    found = _Clauses(
        outputs=[binder.bound(tree) for tree in node["select_list"]],
        where=list(_conjuncts(binder.inlined(all_of(where)))),
        groups=[binder.bound(tree) for tree in node["group_expressions"]],
        keys=[binder.ordering(order["expression"]) for order in orders],
        having=binder.maybe(node["having"]),
        qualify=binder.maybe(node["qualify"]),
    )
    return replace(found, calls=aggregate_calls(found.above, aggregates))


def _scalars(bound: _Clauses[Tree], names: Sequence[str], written: Written) -> _Clauses[Scalar]:
    """The expressions with their texts, which are written in one call."""
    texts = iter(written([*bound.where, *bound.groups, *bound.calls, *bound.above]))
    where, groups, calls = (
        [_scalar(t, next(texts)) for t in some] for some in (bound.where, bound.groups, bound.calls)
    )
    return _Clauses(
        where=where,
        groups=groups,
        calls=calls,
        outputs=[_scalar(tree, next(texts), name) for tree, name in zip(bound.outputs, names, strict=True)],
        keys=[_scalar(tree, next(texts)) for tree in bound.keys],
        having=_scalar(bound.having, next(texts)) if bound.having else None,
        qualify=_scalar(bound.qualify, next(texts)) if bound.qualify else None,
    )


@dataclass(slots=True)
class _Binder:
    scope: Scope
    aliases: Mapping[str, Tree]

    def bound(self, tree: Tree) -> Tree:
        """The expression with all columns of this block qualified, and those of merged blocks replaced."""
        inside = inner_aliases(tree, self.scope.known)
        result: Tree = rewrite(tree, lambda node: self._column(node, inside) if is_reference(node) else None)
        return result

    def _column(self, node: Tree, inside: set[str]) -> Tree | None:
        if "origin" not in node:
            if "reads_all" in node:
                raise Unplanned(f"a whole row as a value ({node['column_names'][0]})")
            return None
        number, name, stored, place = node["origin"]
        fields = node["column_names"][place + 1 :]
        if number in self.scope.merged:
            meant = self.bound(self.scope.merged[number][name.lower()])
            for below in fields:
                meant = operator("STRUCT_EXTRACT", meant, literal(below))
            return {**meant, "alias": node.get("alias", "")}
        alias = self.scope.aliases.get(number)
        if alias is None:
            return None
        if alias.lower() in inside:
            raise Unplanned(f"a subquery in which {alias} means something else")
        return {**reference(alias, name, *fields), "alias": node.get("alias", ""), "stored": stored}

    def maybe(self, tree: Tree | None) -> Tree | None:
        """The bound expression; None for None."""
        return self.bound(tree) if tree else None

    def ordering(self, tree: Tree) -> Tree:
        """An ORDER BY key, in which the name of an output refers to the output."""
        if is_bare(tree) and len(tree["column_names"]) == 1 and tree["column_names"][0].lower() in self.aliases:
            return tree
        return self.bound(tree)

    def inlined(self, tree: Tree | None) -> Tree | None:
        """A WHERE clause, in which output aliases are replaced by their expressions."""
        return self.maybe(unaliased(tree, self.aliases)) if tree else None

    def distinct(self, modifiers: Sequence[Tree], outputs: Sequence[Tree]) -> Tree | None:
        """The DISTINCT modifier with bound targets."""
        found = next((m for m in modifiers if m["type"] == "DISTINCT_MODIFIER"), None)
        targets = [self.ordering(tree) for tree in found["distinct_on_targets"]] if found else []
        shown = columns_in([self.bound(tree) for tree in outputs])
        if not columns_in(targets) <= shown:
            raise Unplanned("DISTINCT ON a column that is not shown")
        return {**found, "distinct_on_targets": targets} if found else None


def _refuse(node: Tree, functions: Functions) -> None:
    if node["type"] != "SELECT_NODE":
        names = {"SET_OPERATION_NODE": "a set operation", "RECURSIVE_CTE_NODE": "a recursive CTE"}
        raise Unplanned(names.get(node["type"], node["type"]))
    if node.get("sample"):
        raise Unplanned("SAMPLE")
    clauses = [node["select_list"], node["where_clause"], node["having"], node["qualify"]]
    if any(_has_star(tree) for clause in clauses for tree in ([clause] if isinstance(clause, dict) else clause or ())):
        inner = [entry["value"]["query_node"]["type"] for entry in node["cte_map"]["map"]]
        if "RECURSIVE_CTE_NODE" in inner:  # it reads all columns of the block that it names
            raise Unplanned("a recursive CTE")
        raise Unplanned("COLUMNS(...) or a star whose columns only DuckDB knows")
    if any(tree["class"] == "POSITIONAL_REFERENCE" for tree in expressions([*clauses, node["group_expressions"]])):
        raise Unplanned("a column by its place among those of a join")
    if mentions(node["where_clause"], functions.single):
        raise Unplanned("a function with effects in WHERE")


def _has_star(tree: Tree) -> bool:
    """Whether an expression holds a star of this block, outside of subqueries."""
    return tree["class"] == "STAR" or (tree["class"] != "SUBQUERY" and any(map(_has_star, parts(tree))))


def _conjuncts(tree: Tree | None) -> Iterator[Tree]:
    if tree is None:
        return
    if tree["type"] == "CONJUNCTION_AND":
        for child in tree["children"]:
            yield from _conjuncts(child)
    else:
        yield tree


def _reads_around(tree: Tree) -> bool:
    """Whether a subquery in a bound expression reads columns of the enclosing block."""
    return any(node["class"] == "SUBQUERY" and columns_in(node["subquery"]["node"]) for node in expressions(tree))


def aggregate_calls(trees: Sequence[Tree], aggregates: frozenset[str]) -> list[Tree]:
    """The outermost aggregate calls, without duplicates."""
    found: dict[str, Tree] = {}

    def collect(tree: Tree) -> None:
        if tree["class"] == "SUBQUERY":
            return
        if tree["class"] == "WINDOW":
            for part in parts(tree):
                collect(part)
        elif tree["class"] == "FUNCTION" and tree["function_name"].lower() in aggregates:
            found.setdefault(repr(without_place(tree)), tree)
        elif is_aggregate(tree, aggregates):
            for part in parts(tree):
                collect(part)

    for tree in trees:
        collect(tree)
    return list(found.values())


def _scalar(tree: Tree, text: str, name: str = "") -> Scalar:
    return Scalar(text, columns_in(tree), tree, condition_of(tree), name)


def columns_in(tree: Tree | Sequence[Tree]) -> Columns:
    """The columns that bound expressions read."""
    return frozenset(
        Column(node["column_names"][0], node["column_names"][1], node["stored"])
        for node in expressions(tree)
        if is_reference(node) and "stored" in node
    )


def _described(groups: Sequence[Scalar], outputs: Sequence[Scalar]) -> Iterator[Scalar]:
    """The groups as plans show them: a position or an alias is shown by its output."""
    for group in groups:
        if group.reads or group.tree["class"] not in ("CONSTANT", "COLUMN_REF"):
            yield group
        elif group.text.isdigit() and 0 < int(group.text) <= len(outputs):
            yield outputs[int(group.text) - 1]
        else:
            name = str(group.tree["column_names"][-1]) if is_reference(group.tree) else group.text
            yield next((o for o in outputs if o.name.lower() == name.lower()), group)


def _limit(node: Tree, written: Written) -> tuple[str, Tree] | None:
    found = next((m for m in node["modifiers"] if m["type"].startswith("LIMIT")), None)
    if found is None:
        return None
    given = [part for part in (found.get("limit"), found.get("offset")) if part]
    if any(tree["class"] == "SUBQUERY" for tree in expressions(given)):
        raise Unplanned("a subquery in LIMIT")
    return " offset ".join(written(given)), found
