"""Merging of a SELECT over an aggregation into one block, so that its outputs have intervals.

`SELECT 2 * a FROM (SELECT avg(x) AS a FROM t GROUP BY g) WHERE a > 0` means
`SELECT 2 * avg(x) FROM t GROUP BY g HAVING avg(x) > 0`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.sql.ast import Tree, all_of, expressions, is_reference, rewrite
from imputedb.sql.bind import Functions, aggregate_calls
from imputedb.sql.flatten import is_bare, unaliased
from imputedb.sql.scope import Source

_ORDER, _LIMIT = "ORDER_MODIFIER", "LIMIT_MODIFIER"
_ALL, _AS_STATED = "FORCE_AGGREGATES", "STANDARD_HANDLING"


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """A query over another one.

    Attributes:
        number: number of the source that reads the inner query.
        inner: the inner query.
        names: names of its columns.
        entries: entries of WITH that remain after merging.
    """

    number: int
    inner: Tree
    names: Sequence[str]
    entries: Sequence[Tree]


def unwrapped(node: Tree, sources: Mapping[int, Source], functions: Functions) -> Tree:
    """A resolved query with such wrappers merged; the query itself where there is none."""
    while (wrapper := _wrapper(node, sources, functions)) is not None:
        whole = _merged(node, wrapper, functions)
        if whole is None:
            return node
        node = whole
    return node


def _wrapper(node: Tree, sources: Mapping[int, Source], functions: Functions) -> _Wrapper | None:
    if node["type"] != "SELECT_NODE" or not _only_shows(node, functions):
        return None
    item, entries = node["from_table"], list(node["cte_map"]["map"])
    source = sources.get(item.get("number", -1))
    definition = source.definition if source else None
    if source is None or definition is None or definition.columns is None or definition.extra or item.get("sample"):
        return None
    written = definition.node
    if item["type"] == "BASE_TABLE":
        own = [entry for entry in entries if entry["value"]["query_node"] is written]
        readers = [one for one in sources.values() if one.definition is not None and one.definition.node is written]
        if not own or len(readers) != 1:
            return None
        entries.remove(own[0])
    elif item["type"] != "SUBQUERY":
        return None
    inner = unwrapped(written, sources, functions)
    entries += inner.get("cte_map", {"map": []})["map"]
    names = [str(entry["key"]).lower() for entry in entries]
    if (
        len(set(names)) < len(names)
        or not _aggregates(inner, functions)
        or len(inner["select_list"]) != len(definition.columns)
    ):
        return None
    return _Wrapper(source.number, inner, list(definition.columns), entries)


def _only_shows(node: Tree, functions: Functions) -> bool:
    """Whether a query computes row by row, and only filters, orders and limits rows."""
    if node["group_expressions"] or node["having"] or node["qualify"] or node.get("sample"):
        return False
    if node["aggregate_handling"] == _ALL or any(m["type"] not in (_ORDER, _LIMIT) for m in node["modifiers"]):
        return False
    return not _computes(_clauses(node), functions.aggregates | functions.single)


def _aggregates(inner: Tree, functions: Functions) -> bool:
    """Whether a query aggregates such that an outer condition can become HAVING, and outer outputs its outputs."""
    if inner["type"] != "SELECT_NODE" or not inner["closed"] or inner["qualify"] or inner.get("sample"):
        return False
    if any(m["type"] != _ORDER for m in inner["modifiers"]) or _computes(_clauses(inner), functions.single):
        return False
    return bool(
        inner["group_expressions"]
        or inner["aggregate_handling"] == _ALL
        or aggregate_calls(inner["select_list"], functions.aggregates)
    )


def _clauses(node: Tree) -> list[Any]:
    orders = [order["expression"] for m in node["modifiers"] if m["type"] == _ORDER for order in m["orders"]]
    return [node["select_list"], node["where_clause"], node["having"], orders]


def _computes(clauses: Sequence[Any], names: frozenset[str]) -> bool:
    """Whether there is a window, a subquery, a star or a call of some functions."""
    return any(
        tree["class"] in ("WINDOW", "SUBQUERY", "STAR", "POSITIONAL_REFERENCE")
        or str(tree.get("function_name", "")).lower() in names
        for tree in expressions(clauses)
    )


def _merged(node: Tree, wrapper: _Wrapper, functions: Functions) -> Tree | None:
    """Both queries merged; None where the result would not aggregate."""
    inner, items = wrapper.inner, wrapper.inner["select_list"]
    meanings = {str(item["alias"]).lower(): item for item in items if item.get("alias")}
    shown = {name.lower(): unaliased(item, meanings) for name, item in zip(wrapper.names, items, strict=True)}

    def meant(tree: Any) -> Any:
        return rewrite(tree, lambda part: _shown(part, wrapper.number, shown))

    if any(_is_deep(tree, wrapper.number) for tree in expressions(_clauses(node))):
        return None
    outputs = meant(node["select_list"])
    groups = _groups(inner, items, meanings, functions)
    if not groups and not aggregate_calls(outputs, functions.aggregates):
        return None
    having = [unaliased(inner["having"], meanings)] if inner["having"] else []
    aliases = {str(item["alias"]).lower(): item for item in node["select_list"] if item.get("alias")}
    having += [meant(unaliased(node["where_clause"], aliases))] if node["where_clause"] else []
    modifiers = meant(node["modifiers"])
    if not any(m["type"] == _ORDER for m in modifiers):
        modifiers = [*_orders(inner["modifiers"], items, meanings), *modifiers]
    sets = inner["group_sets"]
    if inner["aggregate_handling"] == _ALL:
        sets = [list(range(len(groups)))] if groups else []
    return {
        **node,
        "cte_map": {"map": list(wrapper.entries)},
        "select_list": outputs,
        "from_table": inner["from_table"],
        "where_clause": unaliased(inner["where_clause"], meanings) if inner["where_clause"] else None,
        "group_expressions": groups,
        "group_sets": sets,
        "aggregate_handling": _AS_STATED,
        "having": all_of(having),
        "modifiers": modifiers,
    }


def _shown(part: Tree, number: int, shown: Mapping[str, Tree]) -> Tree | None:
    if not is_reference(part) or "origin" not in part or part["origin"][0] != number:
        return None
    return {**shown[part["origin"][1].lower()], "alias": part.get("alias", "")}


def _is_deep(part: Tree, number: int) -> bool:
    """Whether a reference is a field of a column, or a whole row."""
    if "reads_all" in part:
        return True
    if not is_reference(part) or "origin" not in part or part["origin"][0] != number:
        return False
    return len(part["column_names"]) > part["origin"][3] + 1 or bool(part["origin"][2])


def _groups(inner: Tree, items: Sequence[Tree], meanings: Mapping[str, Tree], functions: Functions) -> list[Tree]:
    """The groups of the inner query, with aliases and positions resolved."""
    if inner["aggregate_handling"] == _ALL:
        return [unaliased(item, meanings) for item in items if not aggregate_calls([item], functions.aggregates)]
    return [_spelled_out(tree, items, meanings) for tree in inner["group_expressions"]]


def _spelled_out(tree: Tree, items: Sequence[Tree], meanings: Mapping[str, Tree]) -> Tree:
    if tree["class"] == "CONSTANT" and str(tree["literal"]["text"]).isdigit():
        return unaliased(items[int(tree["literal"]["text"]) - 1], meanings)
    return unaliased(tree, meanings) if is_bare(tree) else tree


def _orders(modifiers: Sequence[Tree], items: Sequence[Tree], meanings: Mapping[str, Tree]) -> list[Tree]:
    """The inner ORDER BY, which applies where the outer query has none."""
    return [
        {
            **modifier,
            "orders": [
                {**order, "expression": _spelled_out(order["expression"], items, meanings)}
                for order in modifier["orders"]
            ],
        }
        for modifier in modifiers
    ]
