"""Names to columns: DuckDB's tree of one SELECT block to a Query. No string is looked up after this."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import SortKey, Table
from imputedb.algebra.scalar import Scalar
from imputedb.errors import Unplanned
from imputedb.sql.conditions import condition_of
from imputedb.sql.parse import is_aggregate
from imputedb.sql.scope import Scope, Shapes, scope_of, where
from imputedb.sql.tree import Tree, expressions, is_reference, parts, reference, rewrite

_ASKS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE"}
_ASKING_FUNCTIONS = {"ifnull", "nullif", "coalesce"}

Written = Callable[[Sequence[Tree]], list[str]]
"""Expressions to their texts."""


def bind(
    node: Tree,
    names: Sequence[str],
    shapes: Shapes,
    tables: Mapping[str, Table],
    written: Written,
    aggregates: frozenset[str],
) -> Query:
    """The query that a syntax tree states.

    Args:
        node: DuckDB's tree of a statement that it has already accepted.
        names: the names DuckDB gives the output columns.
        shapes: the columns of every table.
        tables: tables by lower-case name, bare and qualified.
        written: the engine's way to write expressions down.
        aggregates: names of the engine's aggregate functions.

    Raises:
        Unplanned: the block holds something that is not planned yet, which the message names.
    """
    _refuse(node)
    scope = scope_of(node["from_table"], shapes, tables)
    binder = _Binder(scope)
    outputs = [tree for item in node["select_list"] for tree in _expanded(item, scope)]
    binder.aliases = {str(t["alias"]).lower(): t for t in outputs if t.get("alias")}
    bound = [binder.bound(tree) for tree in outputs]
    parts_of_where = list(_conjuncts(binder.inlined(where(scope, node["where_clause"]))))
    groups = [binder.bound(tree) for tree in node["group_expressions"]]
    orders = [order for m in node["modifiers"] if m["type"] == "ORDER_MODIFIER" for order in m["orders"]]
    keys = [binder.ordering(order["expression"]) for order in orders]
    having, qualify = binder.maybe(node["having"]), binder.maybe(node["qualify"])
    calls = _aggregate_calls([*bound, *keys, *(t for t in (having, qualify) if t)], aggregates)
    aggregated = bool(groups or calls or having or node["aggregate_handling"] == "FORCE_AGGREGATES")
    texts = iter(written([*bound, *parts_of_where, *groups, *keys, *calls, *(t for t in (having, qualify) if t)]))
    shown = [_scalar(tree, next(texts), name) for tree, name in zip(bound, names, strict=True)]
    conditions = [_scalar(tree, next(texts)) for tree in parts_of_where]
    grouped = [_scalar(tree, next(texts)) for tree in groups]
    ordered = [
        SortKey(_scalar(tree, next(texts)), order["type"], order["null_order"])
        for tree, order in zip(keys, orders, strict=True)
    ]
    return Query(
        sources=tuple(scope.sources.values()),
        filters=tuple(c for c in conditions if len(c.relations) < 2),
        joins=tuple(c for c in conditions if len(c.relations) > 1),
        outputs=tuple(shown),
        groups=tuple(_described(grouped, shown)) if aggregated else None,
        aggregates=tuple(_scalar(tree, next(texts)) for tree in calls),
        having=_scalar(having, next(texts)) if having else None,
        qualify=_scalar(qualify, next(texts)) if qualify else None,
        order=tuple(ordered),
        limit=_limit(node, written),
        grouping={
            "group_expressions": groups,
            "group_sets": node["group_sets"],
            "aggregate_handling": node["aggregate_handling"],
        },
        distinct=binder.distinct(node["modifiers"], outputs),
    )


@dataclass(slots=True)
class _Binder:
    scope: Scope
    aliases: Mapping[str, Tree] = None  # type: ignore[assignment]  # the outputs are expanded with the scope first

    def bound(self, tree: Tree) -> Tree:
        """The expression with every column reference qualified, those that ask about missingness marked stored."""
        return self._bound(tree, frozenset(), stored=False)

    def _bound(self, tree: Tree, local: frozenset[str], *, stored: bool) -> Tree:
        def change(node: Tree) -> Tree | None:
            if is_reference(node):
                return self._column(node, local, stored=stored)
            if node["class"] == "LAMBDA":
                names = {str(n["column_names"][0]) for n in expressions(node["lhs"]) if is_reference(n)}
                return {**node, "expr": self._bound(node["expr"], local | names, stored=stored)}
            if not stored and _asks(node):
                return {
                    **node,
                    **{k: self._stored(v, local) for k, v in node.items() if k in ("children", "arguments")},
                }
            return None

        result: Tree = rewrite(tree, change)
        return result

    def _stored(self, below: list[Any], local: frozenset[str]) -> list[Any]:
        return [
            {**part, "expression": self._bound(part["expression"], local, stored=True)}
            if "expression" in part
            else self._bound(part, local, stored=True)
            for part in below
        ]

    def _column(self, node: Tree, local: frozenset[str], *, stored: bool) -> Tree:
        path = node["column_names"]
        if path[0] in local:
            return node
        found = self.scope.resolve(path)
        if found is None:
            if len(path) == 1 and self.scope.is_source(path[0]) and path[0].lower() not in self.aliases:
                raise Unplanned(f"a whole row as a value ({path[0]}) is not planned yet")
            return node
        column, fields = found
        return {**reference(*column[:2], *fields), "alias": node.get("alias", ""), "stored": stored}

    def maybe(self, tree: Tree | None) -> Tree | None:
        """The bound expression where there is one."""
        return self.bound(tree) if tree else None

    def ordering(self, tree: Tree) -> Tree:
        """An ORDER BY key: a name that is an output's means the output."""
        if is_reference(tree) and len(tree["column_names"]) == 1 and tree["column_names"][0].lower() in self.aliases:
            return tree
        return self.bound(tree)

    def inlined(self, tree: Tree | None) -> Tree | None:
        """A WHERE clause, output aliases in it replaced by what they stand for."""

        def change(node: Tree) -> Tree | None:
            if not is_reference(node) or self.scope.resolve(node["column_names"]):
                return None
            meant = self.aliases.get(node["column_names"][0].lower())
            return {**meant, "alias": ""} if meant and len(node["column_names"]) == 1 else None

        return self.maybe(rewrite(tree, change)) if tree else None

    def distinct(self, modifiers: Sequence[Tree], outputs: Sequence[Tree]) -> Tree | None:
        """The DISTINCT modifier with its targets bound."""
        found = next((m for m in modifiers if m["type"] == "DISTINCT_MODIFIER"), None)
        targets = [self.ordering(tree) for tree in found["distinct_on_targets"]] if found else []
        shown = columns_in([self.bound(tree) for tree in outputs])
        if not columns_in(targets) <= shown:
            raise Unplanned("DISTINCT ON a column that is not shown is not planned yet")
        return {**found, "distinct_on_targets": targets} if found else None


def _asks(node: Tree) -> bool:
    return node["type"] in _ASKS or (node["class"] == "FUNCTION" and node["function_name"].lower() in _ASKING_FUNCTIONS)


def _refuse(node: Tree) -> None:
    if node["type"] != "SELECT_NODE":
        names = {"SET_OPERATION_NODE": "a set operation", "RECURSIVE_CTE_NODE": "a recursive CTE"}
        raise Unplanned(f"{names.get(node['type'], node['type'])} over missing values is not planned yet")
    if node["cte_map"]["map"]:
        raise Unplanned("a CTE (WITH) over missing values is not planned yet")
    if node.get("sample"):
        raise Unplanned("SAMPLE over missing values is not planned yet")
    clauses = (node["select_list"], node["where_clause"], node["having"], node["qualify"], node["modifiers"])
    for tree in expressions(list(clauses)):
        if tree["class"] == "SUBQUERY":
            raise Unplanned("a subquery in an expression over missing values is not planned yet")


def _expanded(item: Tree, scope: Scope) -> Iterator[Tree]:
    if item["class"] != "STAR":
        if any(tree["class"] == "STAR" for tree in expressions(list(parts(item)))):
            raise Unplanned("COLUMNS(...) inside an expression is not planned yet")
        yield item
        return
    if item["columns"] or item["expr"] or item["replace_list"] or item["rename_list"] or item["qualified_exclude_list"]:
        raise Unplanned("COLUMNS(...), REPLACE and RENAME over missing values are not planned yet")
    excluded = {str(name).lower() for name in item["exclude_list"]}
    only = item["relation_name"].lower()
    for column in scope.everything():
        if only in ("", column.relation.lower()) and column.name.lower() not in excluded:
            yield reference(*column[:2])


def _conjuncts(tree: Tree | None) -> Iterator[Tree]:
    if tree is None:
        return
    if tree["type"] == "CONJUNCTION_AND":
        for child in tree["children"]:
            yield from _conjuncts(child)
    else:
        yield tree


def _aggregate_calls(trees: Sequence[Tree], aggregates: frozenset[str]) -> list[Tree]:
    """The outermost aggregate calls, each once."""
    found: dict[str, Tree] = {}

    def collect(tree: Tree) -> None:
        if tree["class"] == "WINDOW":
            for part in parts(tree):
                collect(part)
        elif tree["class"] == "FUNCTION" and tree["function_name"].lower() in aggregates:
            found.setdefault(repr(_without_place(tree)), tree)
        elif is_aggregate(tree, aggregates):
            for part in parts(tree):
                collect(part)

    for tree in trees:
        collect(tree)
    return list(found.values())


def _without_place(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _without_place(v) for k, v in tree.items() if not k.startswith("query_location") and k != "alias"}
    return [_without_place(part) for part in tree] if isinstance(tree, list) else tree


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
    """The groups as a plan shows them: a position or an alias by the output it means."""
    for group in groups:
        if group.reads or group.tree["class"] not in ("CONSTANT", "COLUMN_REF"):
            yield group
        elif group.text.isdigit() and 0 < int(group.text) <= len(outputs):
            yield outputs[int(group.text) - 1]
        else:
            yield next((o for o in outputs if o.name.lower() == group.text.strip('"').lower()), group)


def _limit(node: Tree, written: Written) -> tuple[str, Tree] | None:
    found = next((m for m in node["modifiers"] if m["type"].startswith("LIMIT")), None)
    if found is None:
        return None
    given = [part for part in (found.get("limit"), found.get("offset")) if part]
    if any(tree["class"] == "SUBQUERY" for tree in expressions(given)):
        raise Unplanned("a subquery in LIMIT over missing values is not planned yet")
    return " offset ".join(written(given)), found
