"""Kinds of blocks: planned, run as written, or a table that is completed at its scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imputedb.engines.engine import Engine
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.planning.problem import Problem
from imputedb.planning.reduce import reduced
from imputedb.sql.ast import Tree

ANSWER = ""
"""The name of the last block."""


@dataclass(frozen=True, slots=True)
class PlannedBlock:
    """A planned block, whose rows are stored under its name.

    Attributes:
        name: name of the temporary table for its rows; `ANSWER` for the statement's own block.
        columns: names of its columns.
        problem: query with its statistics.
        frontier: plans to choose from.
    """

    name: str
    columns: Sequence[str]
    problem: Problem
    frontier: Frontier
    _chosen: dict[int, Candidate] = field(default_factory=dict, repr=False, compare=False)

    def chosen(self, engine: Engine, alpha: float) -> Candidate:
        """The plan that alpha chooses, with early filters."""
        plan = self.frontier.choose(alpha)
        if id(plan) not in self._chosen:
            relation = reduced(
                plan.relation,
                self.problem,
                lambda scan, name: engine.reading(scan.table, name, scan.alias),
                lambda scan: engine.source(scan.table, scan.alias),
            )
            self._chosen[id(plan)] = replace(plan, relation=relation)
        return self._chosen[id(plan)]


@dataclass(frozen=True, slots=True)
class UnplannedBlock:
    """A block that DuckDB runs as written, over completed tables.

    Attributes:
        node: its syntax tree.
        reason: reason why it is not planned; empty where it reads no missing values.
    """

    name: str
    columns: Sequence[str]
    node: Tree
    reason: str


@dataclass(frozen=True, slots=True)
class CompletedBlock:
    """A table that is completed at its scan, and read under the name of a view.

    Attributes:
        problem: table with its statistics.
        frontier: plans of its completion.
        asked: columns whose stored values are shown too.
        row_ids: whether row ids are a column of the view.
        unread: columns that are completed although nothing reads them.
    """

    name: str
    problem: Problem
    frontier: Frontier
    stored: Sequence[str]
    row_ids: bool = False
    unread: frozenset[str] = frozenset()

    def chosen(self, engine: Engine, alpha: float) -> Candidate:  # noqa: ARG002  # a table has no conditions above it
        """The plan that alpha chooses."""
        return self.frontier.choose(alpha)


Block = PlannedBlock | UnplannedBlock | CompletedBlock
