"""Detection of queries that repeat rows of stored tables, so that one sampled row counts several times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imputedb.algebra.column import Column
from imputedb.algebra.scalar import Equal
from imputedb.blocks.block import Block, CompletedBlock, PlannedBlock
from imputedb.planning.problem import Problem
from imputedb.sql.ast import Tree
from imputedb.sql.expression import children_of, path_of
from imputedb.sql.flatten import multiplying
from imputedb.sql.items import (
    inner_query,
    is_derived,
    is_filtering,
    is_join,
    is_pivot,
    is_table,
    sides_of_join,
    source_of_pivot,
)
from imputedb.sql.select import (
    entries_of,
    from_of,
    groups_rows,
    is_distinct_query,
    is_recursive,
    is_select,
    is_set_operation,
    keeps_equal_rows,
    name_of,
    outputs_of,
    qualify_of,
    query_of,
)
from imputedb.sql.subqueries import TEMP
from imputedb.statistics.table import Statistics

JOIN, UNNEST, PARTS, TURNED, RECURSION = "a join", "unnest", "UNION ALL", "PIVOT or UNPIVOT", "recursion"

Path = tuple[str, ...]


def repeated(problem: Problem) -> Mapping[str, int]:
    """The number of rows of each table, by alias, whose rows the join may repeat.

    A row is not repeated if every other table is joined to it by keys: complete columns with distinct values.
    every row.
    """
    aliases = [scan.alias for scan in problem.query.sources]
    return {alias: problem.statistics[alias].rows for alias in aliases if not _reaches_all(problem, alias, aliases)}


def _reaches_all(problem: Problem, start: str, aliases: list[str]) -> bool:
    edges = [scalar.condition for scalar in problem.query.joins if isinstance(scalar.condition, Equal)]
    pairs = [pair for edge in edges for pair in ((edge.left, edge.right), (edge.right, edge.left))]
    reached = {start}
    while True:
        further = {
            to.relation
            for source, to in pairs
            if source.relation in reached and to.relation not in reached and _is_key(problem, to)
        }
        if not further:
            return len(reached) == len(aliases)
        reached |= further


def _is_key(problem: Problem, column: Column) -> bool:
    table: Statistics = problem.statistics[column.relation]
    known = table.columns[column.name]
    return known.missing + known.meant == 0 and known.distinct == table.rows


# -- what repeats rows without their being told apart ------------------------------------------------------------------


class Rows(NamedTuple):
    """The rows of a query: the stored tables that they come from, and what may have repeated rows of these."""

    tables: frozenset[Path] = frozenset()
    causes: frozenset[str] = frozenset()

    def beside(self, other: "Rows", *causes: str) -> "Rows":
        """The rows of both, with further causes of repetition."""
        return Rows(self.tables | other.tables, self.causes | other.causes | set(causes))


def repeating(blocks: Sequence[Block], functions: frozenset[str]) -> frozenset[str]:
    """The causes of repetition, among the rows that the last block aggregates, that intervals do not account for.

    Args:
        blocks: blocks of a statement.
        functions: names of functions that give any number of rows per input row.
    """
    *before, last = blocks
    reading = _Reading(functions)
    for block in before:
        reading.known[block.name,] = reading.block(block)
    if isinstance(last, PlannedBlock):  # its own join's repetitions are identified by row ids
        return reading.sources(last.problem).causes
    return reading.source(last.node).causes if not isinstance(last, CompletedBlock) else frozenset()


@dataclass(slots=True)
class _Reading:
    """An analysis of the rows that blocks read, with earlier blocks known by name."""

    functions: frozenset[str]
    known: dict[Path, Rows] = field(default_factory=dict)

    def block(self, block: Block) -> Rows:
        """The rows of a block that later blocks read."""
        if isinstance(block, CompletedBlock):
            return Rows(frozenset(scan.table.path for scan in block.problem.query.sources))
        if not isinstance(block, PlannedBlock):
            return self.query(block.node)
        query, rows = block.problem.query, self.sources(block.problem)
        if query.groups is not None or query.distinct is not None:
            return Rows(rows.tables)
        causes = {JOIN} if repeated(block.problem) else set[str]()
        shown = [*query.outputs, *([query.qualify] if query.qualify else [])]
        causes |= {UNNEST} if any(multiplying(one.tree, self.functions) for one in shown) else set()
        return rows.beside(Rows(), *causes)

    def sources(self, problem: Problem) -> Rows:
        """The rows that a planned block joins."""
        found = Rows()
        for scan in problem.query.sources:
            found = found.beside(self._table(scan.table.path))
        return found

    def query(self, node: Tree) -> Rows:
        """The rows of a query; groups and DISTINCT give new rows."""
        if is_set_operation(node):
            return self._parts(node)
        if not is_select(node):
            return Rows(frozenset(), frozenset([RECURSION]) if is_recursive(node) else frozenset())
        rows = self.source(node)
        if groups_rows(node) or is_distinct_query(node):
            return Rows(rows.tables)
        shown = [*outputs_of(node), *([qualify_of(node)] if qualify_of(node) else [])]
        several = any(multiplying(tree, self.functions) for tree in shown if tree)
        return rows.beside(Rows(), *([UNNEST] if several else []))

    def _parts(self, node: Tree) -> Rows:
        found = Rows()
        for part in map(self.query, children_of(node)):
            found = found.beside(part, *([PARTS] if _share(part.tables, found.tables) else []))
        return found if keeps_equal_rows(node) else Rows(found.tables)

    def source(self, node: Tree) -> Rows:
        """The rows that a SELECT reads."""
        around = dict(self.known)
        for entry in entries_of(node):
            self.known[name_of(entry),] = self.query(query_of(entry))
        found = self._item(from_of(node)) if is_select(node) else self.query(node)
        self.known = around
        return found

    def _item(self, item: Tree) -> Rows:
        if is_join(item):
            left, right = (self._item(side) for side in sides_of_join(item))
            return left if is_filtering(item) else left.beside(right, JOIN)
        if is_pivot(item):
            return self._item(source_of_pivot(item)).beside(Rows(), TURNED)
        if is_derived(item):
            return self.query(inner_query(item))
        return self._table(tuple(path_of(item))) if is_table(item) else Rows()

    def _table(self, path: Path) -> Rows:
        if len(path) == 1:
            return self.known.get((path[0].lower(),)) or Rows(frozenset([path]))
        staged = self.known.get(path[-1:]) if path[:-1] == TEMP else None
        return staged or Rows(frozenset([path]))


def _share(some: frozenset[Path], others: frozenset[Path]) -> bool:
    """Whether two sets have a table in common; paths may be qualified differently."""
    pairs = ((one, other, min(len(one), len(other))) for one in some for other in others)
    return any(one[-length:] == other[-length:] for one, other, length in pairs)
