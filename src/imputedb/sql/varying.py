"""Dependence of expressions and of nested queries' columns on imputed values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from imputedb.sql.ast import Tree, expressions, is_reference
from imputedb.sql.bind import aggregate_calls
from imputedb.sql.scope import Source
from imputedb.sql.subqueries import nodes

Misses = Callable[[int, str], bool]
"""Whether a column of a stored table, by the number of its source, has a missing value that is to be filled in."""

LIMITS = {"LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"}

_FORCED = "FORCE_AGGREGATES"


class Varying:
    """The dependence on imputed values in one resolved statement; where unknown, it is assumed."""

    def __init__(self, whole: Tree, sources: Mapping[int, Source], misses: Misses) -> None:
        self.sources = sources
        self._misses = misses
        self._outputs: dict[tuple[int, int], bool] = {}
        self._items: dict[int, Tree] = {node["number"]: node for node in nodes(whole) if "number" in node}

    def expression(self, tree: Any, aliases: Mapping[str, Tree] | None = None) -> bool:
        """Whether an expression depends on imputed values; `aliases` are outputs that its names may refer to."""
        return any(self._node(node, aliases or {}) for node in expressions(tree))

    def _node(self, node: Tree, aliases: Mapping[str, Tree]) -> bool:
        if is_reference(node) and not is_resolved(node):
            name = str(node["column_names"][0]).lower()
            return name in aliases and self.expression(aliases[name])
        return any(self.column(number, name) for number, name, stored in reads(node, self.sources) if not stored)

    def column(self, number: int, name: str) -> bool:
        """Whether a source's column depends on imputed values."""
        source = self.sources[number]
        if source.table is not None:
            return self._misses(number, name)
        if source.definition is None:
            return number not in self._items or self._anything(self._items[number])
        node, places = source.definition.node, source.definition.columns
        if not node or places is None:
            return True
        place = next((n for n, column in enumerate(places) if column.lower() == name.lower()), None)
        return place is None or self.output(node, place)

    def output(self, node: Tree, place: int) -> bool:
        """Whether an output of a query, by position, depends on imputed values."""
        key = (id(node), place)
        if key not in self._outputs:
            self._outputs[key] = True  # assumed while a recursive query is visited
            self._outputs[key] = self._output(node, place)
        return self._outputs[key]

    def _output(self, node: Tree, place: int) -> bool:
        match node["type"]:
            case "SELECT_NODE" if place < len(node["select_list"]):
                return self.expression(node["select_list"][place], aliases_of(node))
            case "SET_OPERATION_NODE" if "BY_NAME" not in node["setop_type"]:
                return any(self.output(child, place) for child in node["children"])
            case _:
                return self._anything(node)

    def _anything(self, tree: Any) -> bool:
        """Whether anything that a tree reads depends on imputed values."""
        return any(
            self.column(number, name)
            for node in nodes(tree)
            for number, name, stored in reads(node, self.sources)
            if not stored
        )


def is_resolved(node: Tree) -> bool:
    """Whether a reference is resolved to columns."""
    return "origin" in node or "origins" in node or "reads_all" in node


def reads(node: Tree, sources: Mapping[int, Source]) -> Iterator[tuple[int, str, bool]]:
    """The columns that a node itself reads: source, own name, and whether stored values are read."""
    if "origin" in node:
        number, name, stored, _ = node["origin"]
        yield number, name, stored
    for number, name in node.get("origins", ()):
        shown = sources[number].column(name)
        yield number, shown[1] if shown else name, False
    for number in node.get("reads_all", ()):
        for name in (sources[number].names or {}).values():
            yield number, name, False


def is_aggregate(item: Tree, aggregates: frozenset[str]) -> bool:
    """Whether an expression has an aggregate of its own query."""
    return bool(aggregate_calls([item], aggregates))


def is_grouped(node: Tree, aggregates: frozenset[str]) -> bool:
    """Whether a SELECT aggregates its rows."""
    if node["group_expressions"] or node["having"] or node["aggregate_handling"] == _FORCED:
        return True
    return any(is_aggregate(item, aggregates) for item in node["select_list"])


def aliases_of(node: Tree) -> dict[str, Tree]:
    """The outputs of a SELECT by their lower-case aliases."""
    return {str(item["alias"]).lower(): item for item in node["select_list"] if item.get("alias")}


def meant(key: Tree, items: Sequence[Tree]) -> list[Tree]:
    """The outputs that a key of GROUP BY or ORDER BY refers to: all, one by position or alias, or none."""
    if key["class"] == "STAR" and not key.get("reads_all"):
        return list(items)
    if key["class"] == "CONSTANT" and str(key["literal"]["text"]).isdigit():
        return list(items[int(key["literal"]["text"]) - 1 :][:1])
    if is_reference(key) and not is_resolved(key):
        name = str(key["column_names"][-1]).lower()
        return [item for item in items if str(item.get("alias", "")).lower() == name][:1]
    return []
