"""Typed accessors of SELECT nodes, for code outside `sql`; `expression` and `items` have those of their parts."""

from collections.abc import Callable, Sequence
from typing import Any

from imputedb.algebra.query import Query
from imputedb.algebra.scalar import Scalar
from imputedb.sql.ast import Tree
from imputedb.sql.expression import is_constant, is_star, names_of
from imputedb.sql.items import is_table
from imputedb.sql.subqueries import CLAUSES

# -- queries ----------------------------------------------------------------------------------------------------------


def is_select(node: Tree) -> bool:
    """Whether a query is one SELECT, rather than a set operation or a recursive query."""
    return bool(node.get("type") == "SELECT_NODE")


def is_set_operation(node: Tree) -> bool:
    """Whether a query is UNION, INTERSECT or EXCEPT of others."""
    return bool(node.get("type") == "SET_OPERATION_NODE")


def adds_rows(node: Tree) -> bool:
    """Whether a set operation is UNION ALL without ORDER BY or LIMIT of its own."""
    return bool(node["setop_all"]) and node["setop_type"] == "UNION" and not node["modifiers"]


def keeps_equal_rows(node: Tree) -> bool:
    """Whether a set operation has ALL."""
    return bool(node["setop_all"])


def is_recursive(node: Tree) -> bool:
    """Whether a query is WITH RECURSIVE."""
    return bool(node["type"] == "RECURSIVE_CTE_NODE")


def stands_alone(node: Tree) -> bool:
    """Whether a resolved query has no references to enclosing queries."""
    return bool(node["closed"])


def outputs_of(node: Tree) -> list[Tree]:
    """The select list."""
    return list(node.get("select_list", ()))


def from_of(node: Tree) -> Tree:
    """The FROM clause as one item, with all joins."""
    source: Tree = node["from_table"]
    return source


def with_from(node: Tree, source: Tree) -> Tree:
    """The same SELECT with another FROM clause."""
    return {**node, "from_table": source}


def where_of(node: Tree) -> Tree | None:
    """The condition of WHERE."""
    return node.get("where_clause") or None


def groups_of(node: Tree) -> list[Tree]:
    """What is written after GROUP BY."""
    return list(node.get("group_expressions") or ())


def having_of(node: Tree) -> Tree | None:
    """The condition of HAVING."""
    return node.get("having") or None


def qualify_of(node: Tree) -> Tree | None:
    """The condition of QUALIFY."""
    return node.get("qualify") or None


def groups_by_all(grouping: Tree) -> bool:
    """Whether a query has GROUP BY ALL."""
    return bool(grouping.get("aggregate_handling") == "FORCE_AGGREGATES")


def has_grouping_sets(grouping: Tree) -> bool:
    """Whether a query has several grouping sets."""
    return len(grouping.get("group_sets") or ()) > 1


def groups_rows(node: Tree) -> bool:
    """Whether a query has GROUP BY or HAVING."""
    return bool(groups_of(node) or having_of(node) or groups_by_all(node))


def sample_of(node: Tree) -> Tree:
    """The SAMPLE clause of a query."""
    sample: Tree = node["sample"]
    return sample


def is_plain(node: Tree) -> bool:
    """Whether a query has a single name in FROM, and no groups, HAVING or DISTINCT."""
    shaped = groups_of(node) or having_of(node) or qualify_of(node) or is_distinct_query(node)
    return is_table(node.get("from_table") or {}) and not shaped


def is_without_rows(node: Tree) -> bool:
    """Whether a query has neither FROM nor WHERE."""
    return from_of(node)["type"] == "EMPTY" and where_of(node) is None


def with_outputs(node: Tree, outputs: Sequence[Tree]) -> Tree:
    """The same query with other outputs."""
    return {**node, "select_list": list(outputs)}


def selecting(node: Tree, outputs: Sequence[Tree], **more: Any) -> Tree:
    """The same query with other outputs, and without ORDER BY and LIMIT."""
    return {**node, "select_list": list(outputs), "modifiers": [], **more}


def grouped_by(node: Tree, groups: Sequence[Tree]) -> Tree:
    """The same query with other groups, as many; GROUP BY ALL becomes explicit."""
    if not groups_by_all(node):
        return {**node, "group_expressions": list(groups)}
    sets = [list(range(len(groups)))] if groups else []
    return {**node, "group_expressions": list(groups), "group_sets": sets, "aggregate_handling": "STANDARD_HANDLING"}


def ungrouped(node: Tree) -> Tree:
    """The query without its groups."""
    plain = {"group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING"}
    return {**node, "having": None, **plain}


def changed(node: Tree, change: Callable[[Any], Any]) -> Tree:
    """A SELECT with the expressions of each clause changed."""
    return {**node, **{clause: change(part) for clause, part in node.items() if clause in CLAUSES}}


def clauses_of(node: Tree) -> list[Any]:
    """All clauses that have expressions."""
    return [node[clause] for clause in CLAUSES]


# -- DISTINCT, ORDER BY, LIMIT ----------------------------------------------------------------------------------------


def is_distinct_query(node: Tree) -> bool:
    """Whether a query is SELECT DISTINCT."""
    return _modifier(node, "DISTINCT") is not None


def is_ordered(node: Tree) -> bool:
    """Whether a query has DISTINCT, ORDER BY or LIMIT."""
    return bool(node["modifiers"])


def order_of(node: Tree) -> list[Tree]:
    """The keys of ORDER BY."""
    return list((_modifier(node, "ORDER") or {}).get("orders", ()))


def limit_of(node: Tree) -> Tree | None:
    """LIMIT and OFFSET as DuckDB's modifier."""
    return _modifier(node, "LIMIT")


def is_percentage(limit: Tree) -> bool:
    """Whether a limit is a percentage of the rows."""
    return bool(limit["type"] == "LIMIT_PERCENT_MODIFIER")


def bounds_of(limit: Tree) -> dict[str, Tree]:
    """The expressions of LIMIT and OFFSET, by these names."""
    found = {"LIMIT": limit.get("limit"), "OFFSET": limit.get("offset")}
    return {word: tree for word, tree in found.items() if tree}


def _modifier(node: Tree, kind: str) -> Tree | None:
    return next((one for one in node.get("modifiers", ()) if str(one.get("type")).startswith(kind)), None)


def with_order(node: Tree, keys: Sequence[Tree], limit: Tree | None) -> Tree:
    """The same query with an order and a limit; DISTINCT stays."""
    distinct = _modifier(node, "DISTINCT")
    return {**node, "modifiers": [*([distinct] if distinct else []), *ordering(keys), *([limit] if limit else [])]}


def ordering(keys: Sequence[Tree]) -> list[Tree]:
    """ORDER BY, as a list of modifiers."""
    return [{"type": "ORDER_MODIFIER", "orders": list(keys)}] if keys else []


def order_key(expression: Tree, direction: str = "ASCENDING", nulls: str = "ORDER_DEFAULT") -> Tree:
    """A key of ORDER BY."""
    return {"type": direction, "null_order": nulls, "expression": expression}


def ordered_by(key: Tree) -> Tree:
    """The expression of a key of ORDER BY."""
    expression: Tree = key["expression"]
    return expression


def shown_by(query: Query, key: Scalar) -> Sequence[int]:
    """The positions of the outputs that an ORDER BY key refers to: all, one by position, name or text, or none."""
    if is_star(key.tree):
        return range(len(query.outputs))
    if is_constant(key.tree) and key.text.isdigit():
        return [int(key.text) - 1]
    if names_of(key.tree) and not key.reads:
        name = names_of(key.tree)[-1].lower()
        return [place for place, one in enumerate(query.outputs) if one.name.lower() == name][:1]
    return [place for place, one in enumerate(query.outputs) if one.text == key.text][:1]


def direction_of(key: Tree) -> tuple[str, str]:
    """The direction of an ORDER BY key and the position of NULLs, in DuckDB's terms."""
    return str(key["type"]), str(key["null_order"])


# -- WITH -------------------------------------------------------------------------------------------------------------


def entries_of(node: Tree) -> list[Tree]:
    """The entries of WITH."""
    return list(node.get("cte_map", {}).get("map", ()))


def with_entries(node: Tree, entries: Sequence[Tree]) -> Tree:
    """The same query with other entries of WITH."""
    return {**node, "cte_map": {"map": list(entries)}}


def name_of(entry: Tree) -> str:
    """The name of an entry of WITH, in lower case."""
    return str(entry["key"]).lower()


def query_of(entry: Tree) -> Tree:
    """The query of an entry of WITH."""
    query: Tree = entry["value"]["query_node"]
    return query


def columns_of(entry: Tree) -> list[str]:
    """The column aliases of an entry of WITH."""
    return list(entry["value"]["aliases"])


def with_query(entry: Tree, query: Tree) -> Tree:
    """The same entry of WITH with another query."""
    return {**entry, "value": {**entry["value"], "query_node": query}}
