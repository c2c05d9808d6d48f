"""What the outermost block of a statement asks of each draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.blocks.block import Block, Completed, Planned, Written
from imputedb.engines.duckdb import DuckDB
from imputedb.inference.measures import Measures
from imputedb.inference.outputs import Output, columns, output
from imputedb.running import Prepared
from imputedb.sql import tree as t
from imputedb.sql.bind import aggregate_calls
from imputedb.sql.generate import DRAW
from imputedb.sql.scope import unaliased
from imputedb.sql.tree import Tree, without_place

_GROUP_BY_ALL = "FORCE_AGGREGATES"


@dataclass(frozen=True, slots=True)
class Ordering:
    """A key of ORDER BY: the output that it means, and its direction."""

    place: int
    direction: str
    nulls: str


@dataclass(frozen=True, slots=True)
class Asking:
    """A block that aggregates.

    Attributes:
        groups: what it groups by.
        outputs: what it shows, and beyond that what it is ordered by.
        shown: how many of the outputs are shown.
        having: which groups stay in a draw.
        order: of the pooled answer.
        limit: likewise, the engine's own modifier.
        sets: whether it groups in several ways at once.
    """

    groups: Sequence[Tree]
    outputs: Sequence[Output]
    shown: int
    having: Tree | None
    order: Sequence[Ordering]
    limit: Tree | None
    sets: bool

    @property
    def asked(self) -> Mapping[str, Tree]:
        """The expressions that a draw is asked for, by name."""
        return columns(self.outputs)

    @property
    def names(self) -> list[str]:
        """The columns of the rows that draws give: the number, the groups, what is asked."""
        return [DRAW, *(f"g{place}" for place in range(len(self.groups))), *self.asked]


def asking(engine: DuckDB, prepared: Prepared, measures: Measures) -> Asking | None:
    """What the statement's last block asks; None where it does not aggregate, or in a way that cannot be pooled."""
    last = prepared.blocks[-1]
    reader = _Reader(engine.functions.aggregates, measures, t.number(_units(prepared.blocks)))
    match last:
        case Planned():
            return _of_planned(last, prepared, reader)
        case Written():
            return _of_written(last, prepared, reader)
        case Completed():
            return None


def _units(blocks: Sequence[Block]) -> int:
    """The rows of the largest table that is read."""
    problems = [block.problem for block in blocks if not isinstance(block, Written)]
    return max((int(one.rows) for problem in problems for one in problem.statistics.values()), default=1)


@dataclass(frozen=True, slots=True)
class _Reader:
    aggregates: frozenset[str]
    measures: Measures
    units: Tree

    def output(self, name: str, kind: str, tree: Tree) -> Output:
        return output(name, kind, tree, self.aggregates, self.measures, self.units)

    def hidden(self, tree: Tree) -> Output:
        """What is only ordered by."""
        return self.output("", "DOUBLE" if aggregate_calls([tree], self.aggregates) else "ANY", tree)


def _of_planned(last: Planned, prepared: Prepared, reader: _Reader) -> Asking | None:
    query = last.problem.query
    if query.groups is None or query.qualify or query.distinct:
        return None
    pairs = zip(query.outputs, prepared.types, strict=True)
    outputs = [reader.output(scalar.name, kind, scalar.tree) for scalar, kind in pairs]
    order = []
    for key in query.order:
        places = query.shown(key.scalar)
        if not places:
            places = [len(outputs)]
            outputs.append(reader.hidden(key.scalar.tree))
        order += [Ordering(place, key.direction, key.nulls) for place in places]
    aliases = {str(one.tree["alias"]).lower(): one.tree for one in query.outputs if one.tree.get("alias")}
    having = unaliased(query.having.tree, aliases) if query.having else None
    limit = query.limit[1] if query.limit else None
    groups = _groups([group.tree for group in query.groups], outputs[: len(query.outputs)], query.grouping)
    sets = len(query.grouping["group_sets"]) > 1
    return Asking(groups, outputs, len(query.outputs), having, order, limit, sets)


def _groups(given: Sequence[Tree], outputs: Sequence[Output], grouping: Mapping[str, Any]) -> list[Tree]:
    if grouping["aggregate_handling"] == _GROUP_BY_ALL:
        return [one.tree for one in outputs if not one.aggregates]
    return list(given)


def _of_written(last: Written, prepared: Prepared, reader: _Reader) -> Asking | None:
    """A block that DuckDB runs as it is written: names in it may be positions or aliases of outputs."""
    node = last.node
    if node["type"] != "SELECT_NODE" or len(node["select_list"]) != len(prepared.columns) or node["qualify"]:
        return None
    modifiers = {modifier["type"]: modifier for modifier in node["modifiers"]}
    if "DISTINCT_MODIFIER" in modifiers:
        return None
    items = node["select_list"]
    aliases = {str(item["alias"]).lower(): item for item in items if item.get("alias")}
    outputs = [
        reader.output(name, kind, item)
        for name, kind, item in zip(prepared.columns, prepared.types, items, strict=True)
    ]
    if not any(one.aggregates for one in outputs) and not node["group_expressions"]:
        return None
    order = []
    for key in modifiers.get("ORDER_MODIFIER", {"orders": []})["orders"]:
        if key["expression"]["class"] == "STAR":
            order += [Ordering(place, key["type"], key["null_order"]) for place in range(len(items))]
            continue
        tree = _spelled_out(key["expression"], items, aliases)
        same = [n for n, item in enumerate(items) if without_place(item) == without_place(tree)]
        if not same:
            outputs.append(reader.hidden(tree))
        order.append(Ordering(same[0] if same else len(outputs) - 1, key["type"], key["null_order"]))
    groups = _groups(
        [_spelled_out(tree, items, aliases) for tree in node["group_expressions"]], outputs[: len(items)], node
    )
    having = _spelled_out(node["having"], items, aliases) if node["having"] else None
    limit = next((one for kind, one in modifiers.items() if kind.startswith("LIMIT")), None)
    return Asking(groups, outputs, len(items), having, order, limit, sets=True)


def _spelled_out(tree: Tree, items: Sequence[Tree], aliases: Mapping[str, Tree]) -> Tree:
    """A clause whose positions and aliases of outputs are replaced by what they stand for."""
    if tree["class"] == "CONSTANT" and str(tree["literal"]["text"]).isdigit():
        return items[int(tree["literal"]["text"]) - 1]
    result: Tree = unaliased(tree, aliases)
    return result
