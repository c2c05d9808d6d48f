"""The nested blocks of a statement, from the innermost outwards: each that stands on its own is staged in a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.blocks.block import Planned, Written
from imputedb.blocks.query import Making
from imputedb.blocks.reads import Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Unplanned
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.flatten import Scope
from imputedb.sql.scope import told_apart
from imputedb.sql.subqueries import CLAUSES, TEMP, everything, standing
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics

_With = Sequence[tuple[Tree, Tree]]
"""The entries of WITH that are in force: as they were written, and with what stands on its own replaced."""


class Nested:
    """The blocks inside one statement.

    Attributes:
        found: those that stand on their own, in the order in which they run.
    """

    def __init__(self, engine: Engine, reads: Reads, making: Making) -> None:
        self.found: list[Planned | Written] = []
        self._engine = engine
        self._reads = reads
        self._making = making
        self._once: dict[int, Sequence[str]] = {}
        self._moved: set[int] = set()

    def settled(self, node: Tree, around: _With) -> Tree:
        """The query, every block in it that stands on its own replaced by the table that will hold its rows."""
        entries = list(around)
        for entry in node["cte_map"]["map"]:
            value = entry["value"]
            if self._is_read_once(value["query_node"]):
                self._once[id(value["query_node"])] = value["aliases"]
                entries.append((entry, entry))
            else:
                inner = self._replaced(value["query_node"], entries, value["aliases"])
                entries.append((entry, {**entry, "value": {**value, "query_node": inner}}))
        found = self._settled_parts(node, entries)
        own = [
            after for before, after in entries[len(around) :] if id(before["value"]["query_node"]) not in self._moved
        ]
        return {**found, "cte_map": {"map": own}}

    def _is_read_once(self, query: Tree) -> bool:
        """Whether a query of WITH is read in one place, so that it may as well stand there."""
        readers = [s for s in self._reads.sources.values() if s.definition is not None and s.definition.node is query]
        return len(readers) == 1 and query["type"] != "RECURSIVE_CTE_NODE"

    def _settled_parts(self, node: Tree, entries: _With) -> Tree:
        match node["type"]:
            case "SELECT_NODE":
                source = self._from(node["from_table"], entries)
                rest = {key: self._subqueries(part, entries) for key, part in node.items() if key in CLAUSES}
                return {**node, **rest, "from_table": source}
            case "SET_OPERATION_NODE":
                return {**node, "children": [self._replaced(child, entries) for child in node["children"]]}
            case _:
                return node

    def _replaced(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        """A query that reads the rows of one that stands on its own; the query itself where it does not."""
        settled = self.settled(node, around)
        if not node["closed"] or not self._reads.dirty(node):
            return settled
        as_written = [*(before for before, _ in around), *node["cte_map"]["map"]]
        text = self._engine.text(standing({**node, "cte_map": {"map": as_written}}))
        columns, types = self._engine.described(text)
        names = list(told_apart([*aliases, *columns[len(aliases) :]]))
        table = Table(*TEMP, self._engine.fresh("block"))
        ready = [*(after for _, after in around if not self._reads.dirty(after)), *settled["cte_map"]["map"]]
        block = self._making.block(table.name, standing({**settled, "cte_map": {"map": ready}}), names)
        self.found.append(block)
        kinds = {name: (kind, self._engine.kind(kind)) for name, kind in zip(names, types, strict=True)}
        self._engine.adopt(table, dict(zip(names, types, strict=True)), _estimated(block, kinds))
        self._reads.staged[id(node)] = table
        return everything(table, node)

    def _from(self, node: Tree, around: _With) -> Tree:
        match node["type"]:
            case "JOIN":
                left, right = self._from(node["left"], around), self._from(node["right"], around)
                return {**node, "left": left, "right": right, "condition": self._subqueries(node["condition"], around)}
            case "PIVOT":
                return {**node, "source": self._from(node["source"], around)}
            case "BASE_TABLE":
                return self._named(node, around)
            case "SUBQUERY":
                return self._derived(node, around)
            case _:
                return node

    def _named(self, node: Tree, around: _With) -> Tree:
        """A table, or a query of WITH under its name: read from where it is staged, or put in this place."""
        definition = self._reads.sources[node["number"]].definition
        if definition is None:
            return node
        if id(definition.node) in self._once:
            aliases = self._once[id(definition.node)]
            self._moved.add(id(definition.node))
            inner = {
                "type": "SUBQUERY",
                "alias": self._reads.sources[node["number"]].alias,
                "sample": node.get("sample"),
                "subquery": {"node": definition.node, "named_param_map": []},
                "column_name_alias": node["column_name_alias"] or list(aliases),
                "number": node["number"],
            }
            return self._derived(inner, around, aliases)
        table = self._reads.staged.get(id(definition.node))
        return self._reading(node, table) if table else node

    def _derived(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        inner = node["subquery"]["node"]
        if self._mergeable(node):
            return {**node, "subquery": {**node["subquery"], "node": self.settled(inner, around)}}
        settled = self._replaced(inner, around, aliases)
        table = self._reads.staged.get(id(inner))
        if table:
            return self._reading(node, table)
        return {**node, "subquery": {**node["subquery"], "node": settled}}

    def _mergeable(self, node: Tree) -> bool:
        try:
            known = self._engine.all_functions()
            Scope(self._reads.sources, known.single, known.aggregates).add(node)
        except Unplanned:
            return False
        return True

    def _reading(self, node: Tree, table: Table) -> Tree:
        """An item of FROM that reads staged rows in place of a nested query."""
        source = self._reads.sources[node["number"]]
        source.table, source.alias = table, source.alias or f"unnamed_{source.number}"
        kept = {"number": node["number"], "sample": node.get("sample"), "column_name_alias": node["column_name_alias"]}
        return {**t.table(table.path, source.alias), **kept, "at_clause": None}

    def _subqueries(self, tree: Any, around: _With) -> Any:
        """Expressions, every subquery in them that stands on its own replaced by the rows it gives."""

        def change(node: Tree) -> Tree | None:
            if node["class"] != "SUBQUERY":
                return None
            inner = self._replaced(node["subquery"]["node"], around)
            child = self._subqueries(node["child"], around) if node.get("child") else None
            return {**node, "subquery": {**node["subquery"], "node": inner}, "child": child}

        return t.rewrite(tree, change)


def _estimated(block: Planned | Written, kinds: Mapping[str, tuple[str, Kind]]) -> Statistics:
    """What can be said of rows before they are there: nothing is missing, nothing tells them apart."""
    rows = 1000
    if isinstance(block, Planned):
        rows = max(2, round(block.frontier.choose(0.0).rows))
    columns = {
        name: ColumnStatistics(type_name, kind, 0, max(2, rows // 2)) for name, (type_name, kind) in kinds.items()
    }
    return Statistics(rows, columns)
