"""Which tables' rows a join repeats, so that one sampled row counts there several times."""

from collections.abc import Mapping

from imputedb.algebra.column import Column
from imputedb.algebra.scalar import Equal
from imputedb.planning.problem import Problem
from imputedb.statistics.table import Statistics


def repeated(problem: Problem) -> Mapping[str, int]:
    """The rows of each table, by its alias, that the join may repeat.

    A row is not repeated where every other table is reached from it by keys: complete columns that are different in
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
