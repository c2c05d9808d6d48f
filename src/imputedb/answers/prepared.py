"""A query understood: its blocks, and the plans that are chosen for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Scan, Table
from imputedb.answers.request import BASE, COMPLETED, DRAWN, MIXED, PLANNED, QueryOptions
from imputedb.blocks.block import Block, Completed, Planned, Written
from imputedb.engines.engine import Engine
from imputedb.notes import Note
from imputedb.planning import invariant
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.statistics.table import Statistics


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query understood.

    Attributes:
        text: of the query.
        columns: the names of its output.
        types: DuckDB's.
        blocks: that answer it; none where DuckDB may run it as it stands.
        warnings: what is to be warned of.
        policies: of the tables that it reads, in words, by table and column.
    """

    text: str
    columns: list[str]
    types: list[str]
    blocks: Sequence[Block] = ()
    warnings: tuple[Note, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def frontier(self) -> Frontier | None:
        """The plans of the outermost block; where it is run as it is written, of what it reads."""
        return next((block.frontier for block in reversed(self.blocks) if not isinstance(block, Written)), None)

    @property
    def is_base(self) -> bool:
        """Whether nothing but tables is completed."""
        return not any(isinstance(block, Planned) for block in self.blocks)


def chosen_plan(engine: Engine, block: Planned | Completed, options: QueryOptions) -> Candidate:
    """The plan that alpha picks, its invariant checked."""
    plan = block.chosen(engine, options.alpha)
    statistics = block.problem.statistics
    invariant.check(plan.relation, lambda scan: _dirty_of(scan, statistics))
    return plan


def deciding_tables(prepared: Prepared, values: str | None = None) -> frozenset[Table]:
    """The tables of which an incomplete column decides somewhere in a statement which rows count.

    All of them where values are to be drawn, none where they are to be expected ones.
    """
    found: set[Table] = set()
    for block in prepared.blocks:
        if not isinstance(block, Written) and values is not None:
            found |= {scan.table for scan in block.problem.query.sources if values == DRAWN}
        elif not isinstance(block, Written):
            tables = {scan.alias: scan.table for scan in block.problem.query.sources}
            statistics = block.problem.statistics
            decide = block.problem.query.deciding
            found |= {tables[c.relation] for c in decide if c.name in statistics[c.relation].dirty}
    return frozenset(found)


def _dirty_of(scan: Scan, statistics: Mapping[str, Statistics]) -> Columns:
    return frozenset(Column(scan.alias, name) for name in statistics[scan.alias].dirty)


def strategy(prepared: Prepared, options: QueryOptions) -> str:
    """The word for how a statement was answered."""
    if options.strategy == BASE:
        return BASE
    completed = any(isinstance(block, Completed) for block in prepared.blocks)
    if not completed:
        return PLANNED
    return COMPLETED if prepared.is_base else MIXED
