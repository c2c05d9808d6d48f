"""What a block of a statement is: planned, written as it stands, or a table that is completed at its scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imputedb.engines.engine import Engine
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.planning.problem import Problem
from imputedb.planning.reduce import narrowed
from imputedb.sql.ast import Tree

ANSWER = ""
"""The name of the last block."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A block that is planned; its rows go under its name.

    Attributes:
        name: of the temporary table that holds its rows; `ANSWER` for the statement's own.
        columns: the names of its columns.
        problem: the query with its statistics.
        frontier: the plans to choose from.
    """

    name: str
    columns: Sequence[str]
    problem: Problem
    frontier: Frontier
    _chosen: dict[int, Candidate] = field(default_factory=dict, repr=False, compare=False)

    def chosen(self, engine: Engine, alpha: float) -> Candidate:
        """The plan that alpha picks, without the rows that cannot matter."""
        plan = self.frontier.choose(alpha)
        if id(plan) not in self._chosen:
            relation = narrowed(
                plan.relation,
                self.problem,
                lambda scan, name: engine.reading(scan.table, name, scan.alias),
                lambda scan: engine.source(scan.table, scan.alias),
            )
            self._chosen[id(plan)] = replace(plan, relation=relation)
        return self._chosen[id(plan)]


@dataclass(frozen=True, slots=True)
class Written:
    """A block that DuckDB runs as it is written, over tables that are completed where it reads them.

    Attributes:
        node: its tree.
        reason: why it is not planned; empty where nothing missing is left to plan for.
    """

    name: str
    columns: Sequence[str]
    node: Tree
    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A table that is completed at its scan, read under the name of a view.

    Attributes:
        problem: the table with its statistics.
        frontier: the ways to complete it.
        asked: columns whose stored values are shown too.
        row_ids: whether the rows' ids are shown, under the name that they have.
        unread: columns that are completed though nothing reads them.
    """

    name: str
    problem: Problem
    frontier: Frontier
    stored: Sequence[str]
    row_ids: bool = False
    unread: frozenset[str] = frozenset()

    def chosen(self, engine: Engine, alpha: float) -> Candidate:  # noqa: ARG002  # a table has no conditions above it
        """The plan that alpha picks."""
        return self.frontier.choose(alpha)


Block = Planned | Written | Completed
