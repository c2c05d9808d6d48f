"""Tables that are completed at their scans, for statements or parts that are not planned."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.blocks.block import CompletedBlock
from imputedb.blocks.reads import Read, Reads
from imputedb.blocks.showing import not_imputable
from imputedb.engines.engine import Engine
from imputedb.imputers.protocol import Imputer
from imputedb.planning import room, search
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.expression import is_subquery, names_of
from imputedb.sql.items import inner_query, is_derived, is_join, joined, with_inner_query
from imputedb.sql.select import changed, from_of, is_select, with_from
from imputedb.sql.subqueries import View, nodes, reading_views
from imputedb.statistics.table import Statistics


class Scans:
    """The tables of one statement that are completed at their scans."""

    def __init__(self, engine: Engine, reads: Reads, imputers: Sequence[Imputer], *, base: bool) -> None:
        self._engine = engine
        self._reads = reads
        self._imputers = imputers
        self._base = base
        self._found: dict[str, _Scan] = {}

    def blocks(self) -> list[CompletedBlock]:
        """The blocks of these tables."""
        return [scan.completed(self._engine, self._imputers) for scan in self._found.values()]

    def lowered(self, tree: Any) -> Any:
        """A tree in which incomplete tables are replaced by their completed views."""
        shown = {}
        row_ids = any(names_of(part)[-1:] and names_of(part)[-1].lower() == "rowid" for part in nodes(tree))
        for number, read in self._reads.of(tree).items():
            if not self._reads.missing(number, read) or not self._reads.inside(tree, number):
                continue
            table = self._reads.sources[number].table
            assert table is not None
            scan = self._scan(table, read)
            for other in self._found.values():  # one completion for each table
                if other.table == table:
                    other.deciding |= self._reads.deciding(number)
            scan.row_ids |= row_ids and "rowid" not in map(str.lower, self._engine.shape(table).types)
            shown[number] = View(scan.name, self._reads.sources[number].alias, scan.stored, scan.row_ids)
        return reading_views(tree, shown)

    def inside(self, tree: Any) -> Any:
        """Expressions whose subqueries read completed tables."""

        def change(node: Tree) -> Tree | None:
            return self.lowered(node) if is_subquery(node) else None

        return t.rewrite(tree, change)

    def conditions(self, node: Tree) -> Tree:
        """An item of FROM whose join conditions read completed tables in subqueries."""
        if is_join(node):
            return joined(node, self.conditions, self.inside)
        if is_derived(node) and is_select(inner_query(node)):
            return with_inner_query(node, self.conditions_in(inner_query(node)))
        return node

    def conditions_in(self, query: Tree) -> Tree:
        """A SELECT whose expressions read completed tables in subqueries."""
        return with_from(changed(query, self.inside), self.conditions(from_of(query)))

    def _scan(self, table: Table, read: Read) -> "_Scan":
        statistics = self._engine.statistics(table)
        dirty = statistics.dirty
        stored = tuple(sorted(read.stored & dirty))
        completed = read.completed & dirty
        shown = _without_derived(statistics, completed)
        if self._base:
            completed |= {name for name in dirty if not (self._imputers and not_imputable(statistics, name))}
        completed = _without_derived(statistics, completed)
        key = repr((table, stored, () if self._imputers else sorted(completed)))
        if key not in self._found:
            self._found[key] = _Scan(self._engine.fresh("view"), table, stored)
        for scan in self._found.values():  # one completion for each table
            if scan.table == table and self._imputers:
                scan.completed_columns |= completed
        self._found[key].completed_columns |= completed
        self._found[key].read_columns |= shown
        return self._found[key]


def _without_derived(statistics: Statistics, names: Collection[str]) -> set[str]:
    """The columns to complete for some columns: for derived ones those that they are computed from."""
    policies, columns = statistics.policies, statistics.columns
    every = {*names, *derivation.sources_of(policies, columns, names)}
    return (every - derivation.derivations(policies, columns).keys()) & statistics.dirty


@dataclass(slots=True)
class _Scan:
    """A table to complete: examined columns, columns tested for missingness, and whether row ids are shown."""

    name: str
    table: Table
    stored: tuple[str, ...]
    row_ids: bool = False
    completed_columns: set[str] = field(default_factory=set)
    read_columns: set[str] = field(default_factory=set)
    deciding: set[str] = field(default_factory=set)

    def completed(self, engine: Engine, imputers: Sequence[Imputer]) -> CompletedBlock:
        """The block of the table."""
        scan = Scan(self.table, self.table.name)
        columns = frozenset(Column(scan.alias, name) for name in self.completed_columns)
        decided = frozenset(Column(scan.alias, name) for name in self.deciding)
        query = replace(search.reading(scan, columns), deciding=decided)
        problem = Problem(query, {scan.alias: engine.statistics(self.table)}, imputers, engine.room)
        unread = frozenset(self.completed_columns - self.read_columns)
        frontier = search.completing(problem)
        room.check(problem, frontier, 1.0)
        return CompletedBlock(self.name, problem, frontier, self.stored, self.row_ids, unread)
