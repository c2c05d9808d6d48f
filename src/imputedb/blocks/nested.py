"""Nested blocks of a statement, from the innermost outwards: independent ones are stored in temporary tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.blocks.block import PlannedBlock, UnplannedBlock
from imputedb.blocks.query import BlockBuilder
from imputedb.blocks.reads import Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Unplanned
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import compared_by, is_subquery, with_children
from imputedb.sql.flatten import Scope
from imputedb.sql.items import (
    derived_in_place_of,
    in_place_of,
    inner_query,
    is_derived,
    is_join,
    is_pivot,
    is_table,
    joined,
    number_of,
    pivoted,
    with_inner_query,
)
from imputedb.sql.scope import distinct_names
from imputedb.sql.select import (
    changed,
    columns_of,
    entries_of,
    from_of,
    is_recursive,
    is_select,
    is_set_operation,
    query_of,
    stands_alone,
    with_entries,
    with_from,
    with_query,
)
from imputedb.sql.subqueries import TEMP, everything, standing
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics

_With = Sequence[tuple[Tree, Tree]]
"""The entries of WITH that are in force: as they were written, and with what stands on its own replaced."""


class Nested:
    """The nested blocks of one statement.

    Attributes:
        found: independent blocks in the order in which they run.
    """

    def __init__(self, engine: Engine, reads: Reads, making: BlockBuilder) -> None:
        self.found: list[PlannedBlock | UnplannedBlock] = []
        self._engine = engine
        self._reads = reads
        self._making = making
        self._once: dict[int, Sequence[str]] = {}
        self._moved: set[int] = set()

    def settled(self, node: Tree, around: _With) -> Tree:
        """The query with each independent block replaced by the table that will hold its rows."""
        entries = list(around)
        for entry in entries_of(node):
            if self._is_read_once(query_of(entry)):
                self._once[id(query_of(entry))] = columns_of(entry)
                entries.append((entry, entry))
            else:
                inner = self._replaced(query_of(entry), entries, columns_of(entry))
                entries.append((entry, with_query(entry, inner)))
        found = self._settled_parts(node, entries)
        own = [after for before, after in entries[len(around) :] if id(query_of(before)) not in self._moved]
        return with_entries(found, own)

    def _is_read_once(self, query: Tree) -> bool:
        """Whether a query of WITH is read in one place only, so that it can be moved there."""
        readers = [s for s in self._reads.sources.values() if s.definition is not None and s.definition.node is query]
        return len(readers) == 1 and not is_recursive(query)

    def _settled_parts(self, node: Tree, entries: _With) -> Tree:
        if is_select(node):
            settled = changed(node, lambda part: self._subqueries(part, entries))
            return with_from(settled, self._from(from_of(node), entries))
        if is_set_operation(node):
            return with_children(node, lambda child: self._replaced(child, entries))
        return node

    def _replaced(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        """A query of a block's stored rows, if the block is independent; otherwise the query itself."""
        settled = self.settled(node, around)
        if not stands_alone(node) or not self._reads.dirty(node):
            return settled
        as_written = [*(before for before, _ in around), *entries_of(node)]
        text = self._engine.text(standing(with_entries(node, as_written)))
        columns, types = self._engine.described(text)
        names = list(distinct_names([*aliases, *columns[len(aliases) :]]))
        table = Table(*TEMP, self._engine.fresh("block"))
        ready = [*(after for _, after in around if not self._reads.dirty(after)), *entries_of(settled)]
        block = self._making.block(table.name, standing(with_entries(settled, ready)), names)
        self.found.append(block)
        kinds = {name: (kind, self._engine.kind(kind)) for name, kind in zip(names, types, strict=True)}
        self._engine.adopt(table, dict(zip(names, types, strict=True)), _estimated(block, kinds))
        self._reads.staged[id(node)] = table
        return everything(table, node)

    def _from(self, node: Tree, around: _With) -> Tree:
        if is_join(node):
            return joined(node, lambda item: self._from(item, around), lambda on: self._subqueries(on, around))
        if is_pivot(node):
            return pivoted(node, lambda item: self._from(item, around))
        if is_table(node):
            return self._named(node, around)
        return self._derived(node, around) if is_derived(node) else node

    def _named(self, node: Tree, around: _With) -> Tree:
        """A table, or a query of WITH: read from its stored rows, or moved to this place."""
        definition = self._reads.sources[number_of(node)].definition
        if definition is None:
            return node
        if id(definition.node) in self._once:
            aliases = self._once[id(definition.node)]
            self._moved.add(id(definition.node))
            alias = self._reads.sources[number_of(node)].alias
            return self._derived(derived_in_place_of(node, definition.node, alias, aliases), around, aliases)
        table = self._reads.staged.get(id(definition.node))
        return self._reading(node, table) if table else node

    def _derived(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        inner = inner_query(node)
        if self._mergeable(node):
            return with_inner_query(node, self.settled(inner, around))
        settled = self._replaced(inner, around, aliases)
        table = self._reads.staged.get(id(inner))
        if table:
            return self._reading(node, table)
        return with_inner_query(node, settled)

    def _mergeable(self, node: Tree) -> bool:
        try:
            known = self._engine.all_functions()
            Scope(self._reads.sources, known.single, known.aggregates).add(node)
        except Unplanned:
            return False
        return True

    def _reading(self, node: Tree, table: Table) -> Tree:
        """An item of FROM that reads stored rows in place of a nested query."""
        source = self._reads.sources[number_of(node)]
        source.table, source.alias = table, source.alias or f"unnamed_{source.number}"
        return in_place_of(node, t.table(table.path, source.alias), "number")

    def _subqueries(self, tree: Any, around: _With) -> Any:
        """Expressions in which independent subqueries are replaced by their rows."""

        def change(node: Tree) -> Tree | None:
            if not is_subquery(node):
                return None
            compared = compared_by(node)
            child = self._subqueries(compared, around) if compared else None
            return with_inner_query(node, self._replaced(inner_query(node), around), child=child)

        return t.rewrite(tree, change)


def _estimated(block: PlannedBlock | UnplannedBlock, kinds: Mapping[str, tuple[str, Kind]]) -> Statistics:
    """Statistics of rows that do not exist yet: complete, and without a key."""
    rows = 1000
    if isinstance(block, PlannedBlock):
        rows = max(2, round(block.frontier.choose(0.0).rows))
    columns = {
        name: ColumnStatistics(type_name, kind, 0, max(2, rows // 2)) for name, (type_name, kind) in kinds.items()
    }
    return Statistics(rows, columns)
